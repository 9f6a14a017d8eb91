//! What the SDK says by itself. Events are hints: what is shown is read again.

use hushpost::{Event, MessageRef};

use crate::effect::{Effect, Read};
use crate::state::State;

impl State {
    pub(super) fn hear(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::MessageAdded {
                conversation,
                message,
            } => {
                let stopped = hushpost::Activity::Stopped;
                let theirs = self.me.account != Some(message.sender);
                if theirs {
                    self.typing.note(conversation, stopped, self.now.ms);
                }
                self.in_history(conversation, |history| history.touch(message));
                if theirs && self.makes_a_sound(conversation) {
                    return self.ring();
                }
                Vec::new()
            }
            Event::MessageChanged {
                conversation,
                message,
            } => self.in_history(conversation, |history| history.touch(message)),
            Event::ConversationDeleted { conversation } => {
                self.close(conversation);
                Vec::new()
            }
            Event::Typing {
                conversation,
                activity,
                ..
            } => {
                self.typing.note(conversation, activity, self.now.ms);
                Vec::new()
            }
            Event::Missed { .. } => {
                let Some(open) = &mut self.open else {
                    return Vec::new();
                };
                open.history.touch_all();
                vec![Effect::Read(Read::Look(open.peer))]
            }
            Event::RelayReset => {
                self.warn("the relay lost its store; what was not delivered is sent again");
                // Names at the relay are lost with it.
                if self.me.wanted.is_none() {
                    self.me.wanted = self.me.name.take();
                }
                self.name_if_due()
            }
            Event::SetUpAnew => {
                self.warn("this copy of the data was old; the device was set up anew");
                Vec::new()
            }
            event => self.hear_trouble(event),
        }
    }

    fn hear_trouble(&mut self, event: Event) -> Vec<Effect> {
        let account = match event {
            Event::GapReported {
                sender, missing, ..
            } => {
                let name = self.name_of(sender);
                self.warn(&format!("{missing} of {name}'s messages are missing; asked for again"));
                sender
            }
            Event::GapHealed { sender, .. } => {
                let name = self.name_of(sender);
                self.inform(&format!("{name}'s missing messages have come"));
                sender
            }
            Event::GapGone { sender, .. } => {
                let name = self.name_of(sender);
                self.warn(&format!("{name} does not have the missing messages any more"));
                sender
            }
            Event::Undecryptable { account, cause, .. } => {
                let name = self.name_of(account);
                self.warn(&format!(
                    "something of {name}'s does not decrypt ({cause}); asked for again"
                ));
                account
            }
            Event::UndecryptableHealed { account } => {
                let name = self.name_of(account);
                self.inform(&format!("what did not decrypt of {name}'s has come again"));
                account
            }
            Event::Quarantined { account, cause } => {
                let name = self.name_of(account);
                self.warn(&format!("something of {name}'s makes no sense ({cause}); put aside"));
                account
            }
            Event::KeysRefused { account, cause } => {
                let name = self.name_of(account);
                self.warn(&format!(
                    "the relay served keys of {name}'s that do not verify ({cause}); not used"
                ));
                account
            }
            Event::DevicesChanged { account, .. } => {
                let name = self.name_of(account);
                self.warn(&format!("{name}'s devices changed"));
                account
            }
            Event::NameMoved { name, from, .. } => {
                let before = self.name_of(from);
                self.warn(&format!("the user name {name} means another account than {before} now"));
                from
            }
            // What is not known here changes nothing that is shown.
            _ => return Vec::new(),
        };
        match self.open_with(account) {
            Some(_) => vec![Effect::Read(Read::Look(account))],
            None => Vec::new(),
        }
    }

    /// Whether a message there is one that nobody is looking at, and may be heard.
    fn makes_a_sound(&self, conversation: hushpost::ConversationId) -> bool {
        let looked_at =
            self.focused && self.open.as_ref().is_some_and(|open| open.id == conversation);
        let muted = self
            .list
            .find(conversation)
            .is_some_and(|entry| entry.muted_until_ms > self.now.ms || entry.archived);
        !looked_at && !muted
    }

    /// What the selection is on, if it is there.
    pub(super) fn selected_message(&self) -> Option<MessageRef> {
        self.open.as_ref()?.history.selected_item().map(|item| item.id)
    }
}
