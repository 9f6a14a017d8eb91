//! The conversation that is open: opening it, leaving it, and what was typed for it.

use hushpost::{AccountId, ConversationId};

use crate::effect::{Effect, Place, Read, Write};
use crate::model::{ListUpdate, Peer, Quote};
use crate::state::history::{History, Viewport};
use crate::state::list::List;
use crate::state::{Confirm, Overlay, Pane, State};

/// The open conversation.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: ConversationId,
    pub(crate) peer: AccountId,
    pub(crate) peer_state: Peer,
    pub(crate) history: History,
    /// What the next message answers.
    pub(crate) reply: Option<Quote>,
    /// What the SDK keeps as typed and not sent.
    draft: String,
    /// For a conversation that is in no list: one with somebody who is blocked.
    short_name: String,
}

impl Open {
    /// What the other is called.
    pub(crate) fn name<'a>(&'a self, list: &'a List) -> &'a str {
        list.find(self.id)
            .map_or(&self.short_name, |entry| &entry.name)
    }

    pub(crate) fn is_request(&self, list: &List) -> bool {
        list.find(self.id).is_some_and(|entry| entry.requested)
    }
}

impl State {
    pub(super) fn open(&mut self, id: ConversationId, peer: AccountId) -> Vec<Effect> {
        let unread = self.list.find(id).map_or(0, |entry| entry.unread);
        let place = if unread > 0 {
            Place::Unread(unread)
        } else {
            Place::Newest
        };
        self.open_at(id, peer, place)
    }

    pub(super) fn open_at(
        &mut self,
        id: ConversationId,
        peer: AccountId,
        place: Place,
    ) -> Vec<Effect> {
        self.pane = Pane::Input;
        self.overlay = None;
        self.list.selected = Some(id);
        let mut effects = Vec::new();
        let same = self.open.as_ref().is_some_and(|open| open.id == id);
        if !same {
            effects.extend(self.keep_draft());
            let entry = self.list.find(id);
            let draft = entry.map(|entry| entry.draft.clone()).unwrap_or_default();
            self.input.set(&draft);
            let short_name = self.open_name(id, peer);
            self.open = Some(Open {
                id,
                peer,
                peer_state: Peer::default(),
                history: History::default(),
                reply: None,
                draft,
                short_name,
            });
            effects.push(Effect::Read(Read::Look(peer)));
        } else if !matches!(place, Place::Around(..)) {
            return effects;
        }
        if let Some(open) = &mut self.open {
            if let Place::Around(_, message) = place {
                open.history.viewport = Viewport::Bottom;
                open.history.selected = Some(message);
            }
            open.history.loading = Some(place);
            effects.push(Effect::Read(Read::Load {
                conversation: id,
                place,
            }));
        }
        effects
    }

    fn open_name(&self, id: ConversationId, peer: AccountId) -> String {
        self.list.find(id).map_or_else(
            || crate::model::name(None, peer),
            |entry| entry.name.clone(),
        )
    }

    /// What a name that was looked up leads to.
    pub(super) fn found(
        &mut self,
        name: String,
        account: AccountId,
        before: Option<AccountId>,
    ) -> Vec<Effect> {
        if before.is_some_and(|before| before != account) {
            self.overlay = Some(Overlay::Confirm(Confirm::NameMoved { name, account }));
            return Vec::new();
        }
        if self.me.account == Some(account) {
            self.warn("that is you");
            return Vec::new();
        }
        vec![Effect::Write(Write::Open(account))]
    }

    /// The conversation is no longer there.
    pub(super) fn close(&mut self, id: ConversationId) {
        if self.open.as_ref().is_some_and(|open| open.id == id) {
            self.open = None;
            self.input.take();
            self.pane = Pane::List;
        }
    }

    /// Sends what was typed.
    pub(super) fn send(&mut self, text: String) -> Vec<Effect> {
        let Some(open) = &mut self.open else {
            self.input.set(&text);
            self.warn("open a conversation first: Tab, then Enter; or /new <user name>");
            return Vec::new();
        };
        let conversation = open.id;
        let mut effects = vec![Effect::Write(Write::Send {
            conversation,
            text,
            reply: open.reply.take(),
        })];
        if !core::mem::take(&mut open.draft).is_empty() {
            effects.push(Effect::Write(Write::Draft(conversation, String::new())));
        }
        open.history.selected = None;
        open.history.first_unread = None;
        effects.extend(self.to_newest());
        effects
    }

    /// Goes to the end of the history.
    pub(super) fn to_newest(&mut self) -> Vec<Effect> {
        let Some(open) = &mut self.open else {
            return Vec::new();
        };
        open.history.selected = None;
        open.history.viewport = Viewport::Bottom;
        if open.history.more_after {
            return open.load(Place::Newest);
        }
        Vec::new()
    }

    pub(super) fn to_oldest(&mut self) -> Vec<Effect> {
        let Some(open) = &mut self.open else {
            return Vec::new();
        };
        if open.history.more_before {
            return open.load(Place::Oldest);
        }
        if let Some(first) = open.history.items().first() {
            open.history.viewport = Viewport::Top {
                message: first.id,
                line: 0,
            };
        }
        Vec::new()
    }

    /// A message that was not taken goes back to where it was typed, or to the drafts.
    pub(super) fn give_back(
        &mut self,
        conversation: ConversationId,
        text: String,
        reply: Option<Quote>,
    ) -> Vec<Effect> {
        if let Some(open) = &mut self.open
            && open.id == conversation
            && self.input.is_empty()
        {
            self.input.set(&escaped(&text));
            open.reply = reply;
            return Vec::new();
        }
        vec![Effect::Write(Write::Draft(conversation, escaped(&text)))]
    }

    /// Has the SDK keep what was typed.
    pub(super) fn keep_draft(&mut self) -> Vec<Effect> {
        let Some(open) = &mut self.open else {
            return Vec::new();
        };
        let typed = self.input.text();
        // A command is no message.
        let is_command = crate::command::read(typed).is_some();
        if is_command || typed == open.draft {
            return Vec::new();
        }
        open.draft = typed.to_owned();
        vec![Effect::Write(Write::Draft(open.id, open.draft.clone()))]
    }

    pub(super) fn take_list(&mut self, archived: bool, change: ListUpdate) -> Vec<Effect> {
        if !self.list.apply(archived, change) {
            self.warn("the list of conversations is out of step; start again to read it anew");
        }
        Vec::new()
    }

    pub(super) fn in_history(
        &mut self,
        conversation: ConversationId,
        change: impl FnOnce(&mut History),
    ) -> Vec<Effect> {
        if let Some(open) = &mut self.open
            && open.id == conversation
        {
            change(&mut open.history);
        }
        Vec::new()
    }

    pub(super) fn open_with(&mut self, account: AccountId) -> Option<&mut Open> {
        self.open.as_mut().filter(|open| open.peer == account)
    }
}

impl Open {
    fn load(&mut self, place: Place) -> Vec<Effect> {
        self.history.loading = Some(place);
        vec![Effect::Read(Read::Load {
            conversation: self.id,
            place,
        })]
    }
}

/// A text that would be read as a command gets a second slash.
fn escaped(text: &str) -> String {
    if text.starts_with('/') {
        format!("/{text}")
    } else {
        text.to_owned()
    }
}
