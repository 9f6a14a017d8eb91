//! What the tasks and the SDK say. Events are hints: what is shown is read again.

use hushpost::{AccountId, Activity, ConversationId, Event};

use crate::effect::{Effect, Read};
use crate::model::Quote;
use crate::state::notices::Weight;
use crate::state::page::Page;
use crate::state::people::People;
use crate::state::{Naming, State};
use crate::update::Update;

/// After a reading that failed: how long nothing is read, in milliseconds.
const REST_MS: u64 = 3_000;

impl State {
    /// Takes in what a task says.
    pub(crate) fn take(&mut self, update: Update) {
        match update {
            Update::List { archived, change } => {
                if !self.list.apply(archived, change) {
                    self.effects.push(Effect::ListAgain);
                }
                self.rename_open();
            }
            Update::Event(event) => self.hear(event),
            Update::Connection(state) => self.connected(state),
            Update::Loaded {
                conversation,
                place,
                part,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.take(place, part);
                }
            }
            Update::Refreshed {
                conversation,
                found,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.refreshed(found);
                }
            }
            Update::NotLoaded { conversation, why } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.failed();
                    open.rest_until_ms = self.now.ms.saturating_add(REST_MS);
                }
                self.warn(&why);
            }
            Update::Peer(account, known) => {
                if let Some(open) = self.open.as_mut().filter(|open| open.peer == Some(account)) {
                    open.known = known;
                }
            }
            Update::Contacts(people) => {
                self.page = Some(Page::Contacts {
                    people,
                    selected: 0,
                });
            }
            Update::SafetyNumber {
                account,
                digits,
                payload,
            } => self.show_safety_number(account, &digits, &payload),
            Update::People(people) => self.people = People::new(people),
            Update::About(conversation, about) => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.about_reading = false;
                    open.about = about.unwrap_or_else(|| core::mem::take(&mut open.about));
                }
            }
            Update::Info(info) => self.show_info(&info),
            Update::Transfer(number, name, progress) => self.transferred(number, &name, progress),
            Update::TransferEnded(number, end) => self.transfer_ended(number, end),
            Update::Hits { title, hits } => {
                self.page = Some(Page::Hits {
                    title,
                    hits,
                    selected: 0,
                });
            }
            Update::Done(what) => self.info(&what),
            Update::Failed(why) => self.warn(&why),
            other => self.take_answer(other),
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::MessageAdded {
                conversation,
                message,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.touch(message);
                }
                if Some(message.sender) != self.me {
                    self.typing
                        .note(conversation, Activity::Stopped, self.now.ms);
                    self.ring(conversation);
                }
            }
            Event::MessageChanged {
                conversation,
                message,
            }
            | Event::MessageRemoved {
                conversation,
                message,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.touch(message);
                }
            }
            Event::ConversationDeleted { conversation } => self.deleted(conversation),
            Event::Typing {
                conversation,
                activity,
                ..
            } => self.typing.note(conversation, activity, self.now.ms),
            Event::NameMoved { name, .. } => self.warn(&format!(
                "the name {name} means another account than before"
            )),
            Event::RelayReset => {
                self.warn("the relay lost its store: what was not delivered is sent again");
                self.naming = Naming::Wanted;
                self.ask_for_name();
            }
            Event::SetUpAnew => self.warn(
                "the database is an older copy: this device was set up anew, and asks for what is missing",
            ),
            Event::JoinRequested { group, account } => {
                self.group_changed(group);
                self.told_of(
                    account,
                    Weight::Info,
                    "asks to be let into a group, by its invite link",
                );
            }
            Event::GroupChanged { group } => self.group_changed(group),
            // A timer shows as this alone; a group's is one of its settings.
            Event::ConversationChanged { conversation } => {
                let open = self.open.as_mut();
                if let Some(open) = open.filter(|open| open.id == conversation && open.peer.is_some())
                {
                    open.about_stale = true;
                }
            }
            Event::Missed { .. } => self.read_all_again(),
            other => self.hear_of_people(other),
        }
    }

    /// What is about somebody, and goes on a line.
    fn hear_of_people(&mut self, event: Event) {
        match event {
            Event::GapReported {
                sender, missing, ..
            } => self.told_of(
                sender,
                Weight::Warning,
                &format!("{missing} messages are missing; they were asked for"),
            ),
            Event::GapHealed { sender, .. } => {
                self.told_of(sender, Weight::Info, "what was missing has come");
            }
            Event::GapGone { sender, .. } => {
                self.told_of(sender, Weight::Warning, "what is missing is gone for good");
            }
            Event::Undecryptable { account, cause, .. } => self.told_of(
                account,
                Weight::Warning,
                &format!("a message does not decrypt ({cause}); it was asked for again"),
            ),
            Event::UndecryptableHealed { account } => {
                self.told_of(account, Weight::Info, "what did not decrypt has come again");
            }
            Event::Quarantined { account, cause } => self.told_of(
                account,
                Weight::Warning,
                &format!("something that makes no sense was put aside ({cause})"),
            ),
            Event::KeysRefused { account, cause } => self.told_of(
                account,
                Weight::Warning,
                &format!("the relay's keys for them do not verify ({cause}); messages wait"),
            ),
            Event::DevicesChanged {
                account,
                added,
                removed,
                renewed,
            } => self.told_of(
                account,
                Weight::Warning,
                &format!(
                    "their devices changed: {} new, {} gone, {} set up anew",
                    added.len(),
                    removed.len(),
                    renewed.len()
                ),
            ),
            // The list is observed by itself, and what a later version says is not known here.
            _ => {}
        }
    }

    fn deleted(&mut self, conversation: ConversationId) {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.id == conversation)
        {
            self.close();
        }
    }

    fn read_all_again(&mut self) {
        if let Some(open) = &mut self.open {
            open.history.touch_all();
            open.about_stale = true;
            if let Some(peer) = open.peer {
                self.read(Read::Look(peer));
            }
        }
    }

    /// Something about a person: told, and looked at again if they are on the screen.
    fn told_of(&mut self, account: AccountId, weight: Weight, what: &str) {
        let name = self.name_of(account);
        self.notices
            .add(self.now.ms, weight, &format!("{name}: {what}"));
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.peer == Some(account))
        {
            self.read(Read::Look(account));
        }
    }

    pub(super) fn name_of(&self, account: AccountId) -> String {
        self.people.name(account)
    }

    fn ring(&mut self, conversation: ConversationId) {
        let seen = self.looked_at
            && self
                .open
                .as_ref()
                .is_some_and(|open| open.id == conversation);
        let muted = self
            .list
            .find(conversation)
            .is_some_and(|entry| entry.muted_until_ms > self.now.ms);
        if !seen && !muted && !self.effects.contains(&Effect::Bell) {
            self.effects.push(Effect::Bell);
        }
    }

    /// The open conversation is called as in the list.
    fn rename_open(&mut self) {
        if let Some(open) = &mut self.open
            && let Some(entry) = self.list.find(open.id)
            && open.name != entry.name
        {
            open.name.clone_from(&entry.name);
        }
    }

    /// The message that was selected, to be answered.
    pub(super) fn answer_selected(&mut self) {
        if let Some(open) = &mut self.open
            && let Some(item) = open.history.selected_item()
        {
            open.reply = Some(Quote {
                to: item.id,
                text: item.excerpt(),
            });
            open.history.selected = None;
        }
    }
}
