//! What the commands do.

use crate::command::Command;
use crate::effect::{Effect, Read, Relay, Write};
use crate::state::{Confirm, Overlay, State, is_failed};

/// Hours of a silence without an end: longer than anybody lives.
const FOR_EVER_H: u32 = 1_000_000;

impl State {
    pub(super) fn run(&mut self, command: Command) -> Vec<Effect> {
        match command {
            Command::New(whom) => self.start(&whom),
            Command::Search(words) => one(Effect::Read(Read::Search {
                words,
                within: None,
            })),
            Command::Contacts => one(Effect::Read(Read::Contacts)),
            Command::Archived => {
                self.toggle_archive_view();
                Vec::new()
            }
            Command::Me => self.page(Overlay::Me),
            Command::Help => self.page(Overlay::Help { scroll: 0 }),
            Command::Notices => self.page(Overlay::Notices { scroll: 0 }),
            Command::Name(name) => {
                self.me.wanted = Some(name.to_lowercase());
                let asked = self.name_if_due();
                if asked.is_empty() {
                    self.inform("the name is taken as soon as there is a connection");
                }
                asked
            }
            Command::Register(invite) => one(Effect::Relay(Relay::Register(invite))),
            Command::Connect => one(Effect::Relay(Relay::Connect)),
            Command::Quit => self.leave(),
            command => self.run_here(command),
        }
    }

    /// The ones that are about the open conversation.
    fn run_here(&mut self, command: Command) -> Vec<Effect> {
        let Some(open) = &self.open else {
            self.warn("open a conversation first");
            return Vec::new();
        };
        let (id, peer) = (open.id, open.peer);
        let entry = self.list.find(id);
        let write = match command {
            Command::Find(words) => {
                return one(Effect::Read(Read::Search {
                    words,
                    within: Some(id),
                }));
            }
            Command::Verify => return one(Effect::Read(Read::SafetyNumber(peer))),
            Command::Delete => return self.page(Overlay::Confirm(Confirm::Delete(id))),
            Command::Retry => {
                let asked = self.retry_selected();
                if asked.is_empty() {
                    self.inform("select a failed message with ↑ first");
                }
                return asked;
            }
            Command::Cancel => match open.history.selected_item() {
                Some(item) if item.own && !is_failed(item.state) => Write::Cancel(id, item.id),
                _ => {
                    self.inform("select a message that waits with ↑ first");
                    return Vec::new();
                }
            },
            Command::Accept => Write::Accept(id),
            Command::Block => Write::Block(peer, true),
            Command::Unblock => Write::Block(peer, false),
            Command::Archive => Write::Archive(id, !entry.is_some_and(|entry| entry.archived)),
            Command::Pin => Write::Pin(id, !entry.is_some_and(|entry| entry.pinned)),
            Command::Mute(hours) => {
                let muted = entry.is_some_and(|entry| entry.muted_until_ms > self.now.ms);
                Write::Mute(
                    id,
                    match hours {
                        Some(hours) => hours,
                        None if muted => 0,
                        None => FOR_EVER_H,
                    },
                )
            }
            Command::MarkVerified => Write::Verified(peer, true),
            Command::Unverify => Write::Verified(peer, false),
            Command::AcceptChange => Write::AcceptChange(peer),
            Command::Rename(name) => Write::Rename(peer, name),
            // The others are not about a conversation.
            _ => return Vec::new(),
        };
        one(Effect::Write(write))
    }

    /// Somebody new: an account id is that, anything else a user name.
    fn start(&mut self, whom: &str) -> Vec<Effect> {
        match whom.parse() {
            Ok(account) if self.me.account == Some(account) => {
                self.warn("that is you");
                Vec::new()
            }
            Ok(account) => one(Effect::Write(Write::Open(account))),
            Err(_) => one(Effect::Relay(Relay::Find(whom.to_lowercase()))),
        }
    }

    fn page(&mut self, overlay: Overlay) -> Vec<Effect> {
        self.overlay = Some(overlay);
        Vec::new()
    }
}

fn one(effect: Effect) -> Vec<Effect> {
    vec![effect]
}
