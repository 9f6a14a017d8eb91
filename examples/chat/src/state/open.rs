//! The open conversation: its history, what is known of the other, the answer and the draft in the making.

use std::collections::BTreeSet;

use hushpost::{AccountId, Activity, ConversationId, Cursor, MessageRef, MessageState};

use crate::effect::{Effect, Place, Read, Write};
use crate::model::{About, Peer, Quote};
use crate::state::history::History;
use crate::state::{Focus, State};

/// A conversation that is on the screen.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: ConversationId,
    /// With whom; none: it is a group.
    pub(crate) peer: Option<AccountId>,
    pub(crate) name: String,
    pub(crate) history: History,
    pub(crate) known: Peer,
    pub(crate) about: About,
    /// Whether that is to be read again, and whether it is being read.
    pub(super) about_stale: bool,
    pub(super) about_reading: bool,
    /// What the next message answers.
    pub(crate) reply: Option<Quote>,
    /// The message whose text is typed anew.
    pub(crate) editing: Option<MessageRef>,
    /// What on the screen is being marked as read.
    asked_to_read: BTreeSet<MessageRef>,
    /// What the database has as the draft.
    saved_draft: String,
    /// When something was typed that is not saved yet.
    pub(crate) typed_ms: Option<u64>,
    /// After a reading that failed, nothing is read until then.
    pub(crate) rest_until_ms: u64,
}

impl Open {
    /// The last message up to an index that is to be marked as read, unless all of them were asked for. One that
    /// comes late may stand before others that are read.
    pub(super) fn next_to_read(&mut self, last: usize) -> Option<Cursor> {
        let shown = self.history.items().get(..=last)?;
        let unread = shown
            .iter()
            .filter(|item| item.state == MessageState::Unread);
        let through = unread.clone().next_back()?.cursor;
        let asked: BTreeSet<MessageRef> = unread.map(|item| item.id).collect();
        let new = !asked.is_subset(&self.asked_to_read);
        self.asked_to_read = asked;
        new.then_some(through)
    }
}

impl State {
    /// Shows a conversation: where reading was left, or its end.
    pub(super) fn open(&mut self, id: ConversationId, peer: Option<AccountId>, name: String) {
        let unread = self.list.find(id).map_or(0, |entry| entry.unread);
        let place = if unread > 0 {
            Place::Unread(unread)
        } else {
            Place::Newest
        };
        self.enter(id, peer, name, place);
    }

    /// Shows a conversation at a message.
    pub(super) fn open_at(
        &mut self,
        id: ConversationId,
        peer: Option<AccountId>,
        name: String,
        (cursor, message): (Cursor, MessageRef),
    ) {
        self.enter(id, peer, name, Place::Around(cursor, message));
        if let Some(open) = &mut self.open {
            open.history.selected = Some(message);
        }
    }

    fn enter(&mut self, id: ConversationId, peer: Option<AccountId>, name: String, place: Place) {
        self.page = None;
        self.focus = Focus::Input;
        self.list.selected = Some(id);
        let history = History::waiting_for(place);
        match &mut self.open {
            Some(open) if open.id == id => open.history = history,
            _ => {
                self.save_draft();
                let draft = self.list.find(id).map(|entry| entry.draft.clone());
                let draft = draft.unwrap_or_default();
                self.input.set(&draft);
                self.open = Some(Open {
                    id,
                    peer,
                    name,
                    history,
                    known: Peer::default(),
                    about: About::default(),
                    about_stale: true,
                    about_reading: false,
                    reply: None,
                    editing: None,
                    asked_to_read: BTreeSet::new(),
                    saved_draft: draft,
                    typed_ms: None,
                    rest_until_ms: 0,
                });
            }
        }
        self.read(Read::Load {
            conversation: id,
            place,
        });
        if let Some(peer) = peer {
            self.read(Read::Look(peer));
        }
    }

    /// Goes to another part of the open history.
    pub(super) fn go_to(&mut self, place: Place) {
        let Some(open) = &mut self.open else {
            return;
        };
        open.history.loading = Some(place);
        let conversation = open.id;
        self.effects.push(Effect::Read(Read::Load {
            conversation,
            place,
        }));
    }

    /// Closes the conversation without keeping what was typed.
    pub(super) fn close(&mut self) {
        self.open = None;
        self.input.take();
        self.focus = Focus::List;
    }

    /// Something was typed or taken away.
    pub(super) fn typed(&mut self) {
        let requested = self.requested();
        let (empty, command) = (self.input.is_empty(), self.input.text().starts_with('/'));
        let Some(open) = &mut self.open else {
            return;
        };
        open.typed_ms = Some(self.now.ms);
        if requested || command || open.editing.is_some() {
            return;
        }
        let activity = if empty {
            Activity::Stopped
        } else {
            Activity::Typing
        };
        let id = open.id;
        self.write(Write::Activity(id, activity));
    }

    /// Writes the draft to the database, if it is another one. A command is none, nor is what was sent already.
    pub(super) fn save_draft(&mut self) {
        let Some(open) = &mut self.open else {
            return;
        };
        open.typed_ms = None;
        let text = self.input.text();
        let draft = if text.starts_with('/') || open.editing.is_some() {
            ""
        } else {
            text
        };
        if draft == open.saved_draft {
            return;
        }
        draft.clone_into(&mut open.saved_draft);
        let write = Write::Draft(open.id, draft.to_owned());
        self.write(write);
    }

    /// Whether the open conversation is a request that waits.
    pub(crate) fn requested(&self) -> bool {
        let id = self.open.as_ref().map(|open| open.id);
        id.and_then(|id| self.list.find(id))
            .is_some_and(|entry| entry.requested)
    }

    /// Sends what was typed to the open conversation.
    pub(super) fn send(&mut self, text: &str) {
        let wording = self.wording(text);
        let Some(open) = &mut self.open else {
            self.warn("no conversation is open: /new <user name or account id> begins one");
            self.input.set(text);
            return;
        };
        let conversation = open.id;
        let reply = open.reply.take();
        open.history.selected = None;
        open.history.first_unread = None;
        // Whoever writes wants to see it.
        if open.history.more.after {
            self.go_to(Place::Newest);
        } else {
            open.history.viewport = crate::state::history::Viewport::Bottom;
        }
        self.write(Write::Send {
            conversation,
            text: wording,
            reply,
        });
        self.save_draft();
    }
}
