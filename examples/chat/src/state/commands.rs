//! What a command does.

use hushpost::AccountId;

use crate::command::Command;
use crate::effect::{GroupWrite, Read, Relay, Write};
use crate::state::State;
use crate::state::open::Open;
use crate::state::page::{Page, Question};

impl State {
    pub(super) fn run(&mut self, command: Command) {
        match command {
            Command::New(whom) => match whom.parse::<AccountId>() {
                Ok(account) if Some(account) == self.me => self.warn("that is yourself"),
                Ok(account) => self.write(Write::Open(account)),
                Err(_) => self.ask(Relay::Find(whom)),
            },
            Command::Archived => {
                self.list.archived = !self.list.archived;
                self.list.selected = None;
            }
            Command::Contacts => self.read(Read::Contacts),
            Command::Search(words) => self.read(Read::Search {
                words,
                within: None,
            }),
            Command::Me => self.show_me(),
            Command::Name(name) => self.ask(Relay::SetUserName(name)),
            Command::Register(invite) => self.ask(Relay::Register(invite)),
            Command::Connect => self.ask(Relay::Connect),
            Command::Notices => self.page = Some(Page::Notices { scroll: 0 }),
            Command::Help => self.page = Some(Page::Help { scroll: 0 }),
            Command::Quit => self.leave(),
            Command::Group(command) => self.run_group(command),
            Command::File(command) => self.run_file(command),
            Command::Message(command) => self.run_message(command),
            Command::Starred => self.read(Read::Starred),
            Command::Cancel if self.stop_transfer() => {}
            about => self.run_here(about),
        }
    }

    /// About the open conversation.
    fn run_here(&mut self, command: Command) {
        let Some(open) = &self.open else {
            self.warn("open a conversation first");
            return;
        };
        let entry = self.list.find(open.id).cloned();
        let (id, peer, name) = (open.id, open.peer, open.name.clone());
        match command {
            Command::Timer(seconds) => return self.write(Write::Timer(id, seconds)),
            Command::Pinned => return self.read(Read::Pinned(id)),
            Command::Find(words) => {
                let within = Some(id);
                return self.read(Read::Search { words, within });
            }
            Command::Delete => {
                let conversation = id;
                self.page = Some(Page::Ask(Question::Delete { conversation, name }));
                return;
            }
            Command::Verify => {
                return match peer {
                    Some(peer) => self.read(Read::SafetyNumber(peer)),
                    None => self.warn("a group has no safety number"),
                };
            }
            Command::Link { url, text } => {
                let conversation = id;
                return self.ask(Relay::Link {
                    conversation,
                    url,
                    text,
                });
            }
            Command::Poll {
                question,
                options,
                several,
            } => {
                return self.write(Write::Poll {
                    conversation: id,
                    question,
                    options,
                    several,
                });
            }
            _ => {}
        }
        let selected = open.history.selected.or_else(|| last_failed(open));
        let message = |write: fn(_, _) -> Write| selected.map(|message| write(id, message));
        let person = |write: &dyn Fn(AccountId) -> Write| peer.map(write);
        let needs_message = matches!(command, Command::Retry | Command::Cancel);
        let write = match command {
            Command::Accept => Some(Write::Accept(id)),
            Command::Block => person(&|peer| Write::Block(peer, true)),
            Command::Unblock => person(&|peer| Write::Block(peer, false)),
            Command::Archive => {
                let archived = entry.is_some_and(|entry| entry.archived);
                Some(Write::Archive(id, !archived))
            }
            Command::Pin => {
                let pinned = entry.is_some_and(|entry| entry.pinned);
                Some(Write::Pin(id, !pinned))
            }
            Command::Mute(hours) => {
                let muted = entry.is_some_and(|e| e.muted_until_ms > self.now.ms);
                let otherwise = if muted { 0 } else { 8 };
                Some(Write::Mute(id, hours.unwrap_or(otherwise)))
            }
            Command::MarkVerified => person(&|peer| Write::Verified(peer, true)),
            Command::Unverify => person(&|peer| Write::Verified(peer, false)),
            Command::AcceptChange => person(&|peer| Write::AcceptChange(peer)),
            Command::Rename(Some(name)) if peer.is_none() => {
                Some(Write::Group(id, GroupWrite::Name(name)))
            }
            Command::Rename(name) => person(&|peer| Write::Rename(peer, name.clone())),
            Command::Retry => message(Write::Retry),
            Command::Cancel => message(Write::Cancel),
            _ => return,
        };
        match write {
            Some(write) => self.write(write),
            None if needs_message => self.warn("select a message first: Up from an empty line"),
            None => self.warn("not for a group"),
        }
    }
}

/// What `/retry` means when nothing is selected.
fn last_failed(open: &Open) -> Option<hushpost::MessageRef> {
    let mut items = open.history.items().iter().rev();
    items
        .find(|item| matches!(item.state, hushpost::MessageState::Failed(_)))
        .map(|item| item.id)
}
