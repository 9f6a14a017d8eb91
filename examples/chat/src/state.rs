//! What the chat knows and what happens to it: keys and updates in, effects out. No task, no SDK call and no
//! terminal in here, so every step can be tested.
//!
//! - [`list`], [`history`], [`typing`], [`notices`], [`open`], [`page`]: what is held
//! - [`people`]: what they are called; [`transfers`]: files on their way
//! - [`keys`]: what keys do; [`commands`]: what is typed after a slash, [`groups`] and [`messages`] with it
//! - [`hear`]: what the SDK says; [`answers`]: what the relay answered; [`codes`], [`info`]: pages made from it

pub(crate) mod answers;
#[cfg(test)]
mod any_keys_tests;
pub(crate) mod codes;
pub(crate) mod commands;
#[cfg(test)]
mod group_tests;
pub(crate) mod groups;
pub(crate) mod hear;
pub(crate) mod history;
pub(crate) mod info;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod messages;
pub(crate) mod notices;
pub(crate) mod open;
pub(crate) mod page;
pub(crate) mod people;
#[cfg(test)]
mod tests;
pub(crate) mod transfers;
pub(crate) mod typing;

use hushpost::{AccountId, ConnectionState};

use crate::effect::{Effect, Read, Relay, Write};
use crate::input::Input;
use crate::layout::{Look, Pictures};
use crate::when::Now;
use history::Viewport;
use list::List;
use notices::{Notices, Weight};
use open::Open;
use page::Page;
use people::People;
use transfers::Transfers;
use typing::Typing;

/// How long to wait until registration is tried again by itself, in milliseconds.
const REGISTER_AGAIN_MS: u64 = 3_000;
/// How long what was typed may be unsaved, in milliseconds.
const DRAFT_AFTER_MS: u64 = 1_000;

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Focus {
    #[default]
    Input,
    List,
}

/// How far the own name is at the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Wanted,
    Asked,
    Taken,
}

/// What the last drawing showed of the open history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    /// Size of the history's pane.
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Index of the first message, and of the last whose end is on the screen.
    pub(crate) first: usize,
    pub(crate) last: Option<usize>,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: Now,
    pub(crate) me: Option<AccountId>,
    /// The name to have at the relay.
    pub(crate) name: String,
    pub(crate) naming: Naming,
    pub(crate) connection: ConnectionState,
    /// When it became so.
    pub(crate) connection_ms: u64,
    pub(crate) list: List,
    pub(crate) people: People,
    pub(crate) transfers: Transfers,
    pub(crate) pictures: Pictures,
    pub(crate) open: Option<Open>,
    pub(crate) typing: Typing,
    pub(crate) notices: Notices,
    pub(crate) page: Option<Page>,
    pub(crate) focus: Focus,
    pub(crate) input: Input,
    /// Whether somebody looks at the terminal, as far as it says.
    pub(crate) looked_at: bool,
    pub(crate) shown: Shown,
    /// Whether to leave.
    pub(crate) over: bool,
    register_at_ms: Option<u64>,
    /// Whether registration was tried again after the relay refused this account.
    refused_once: bool,
    effects: Vec<Effect>,
}

impl State {
    /// At the start: `me` is the account of an earlier one.
    pub(crate) fn new(now: Now, name: String, me: Option<AccountId>) -> Self {
        let first = match me {
            None => Relay::Register(None),
            Some(_) => Relay::Connect,
        };
        Self {
            connection_ms: now.ms,
            now,
            me,
            name,
            naming: Naming::Wanted,
            connection: ConnectionState::Offline,
            list: List::default(),
            people: People::default(),
            transfers: Transfers::default(),
            pictures: Pictures::default(),
            open: None,
            typing: Typing::default(),
            notices: Notices::default(),
            page: None,
            focus: Focus::default(),
            input: Input::default(),
            looked_at: true,
            shown: Shown::default(),
            over: false,
            register_at_ms: None,
            refused_once: false,
            effects: vec![Effect::Relay(first)],
        }
    }

    /// What is to be done now.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        self.read_what_changed();
        core::mem::take(&mut self.effects)
    }

    /// Time goes on: what waited for it is done.
    pub(crate) fn tick(&mut self) {
        self.ask_for_name();
        if self.register_at_ms.is_some_and(|at| at <= self.now.ms) {
            self.register_at_ms = None;
            self.ask(Relay::Register(None));
        }
        if let Some(open) = &self.open
            && open
                .typed_ms
                .is_some_and(|at| self.now.ms.saturating_sub(at) >= DRAFT_AFTER_MS)
        {
            self.save_draft();
        }
    }

    /// The screen was drawn: what is on it counts as read, and near an end more is loaded.
    pub(crate) fn drawn(&mut self, shown: Shown) {
        self.shown = shown;
        // Who asks to write learns nothing yet, and is told once they are accepted: so it is not marked before.
        let may_mark = self.looked_at && self.page.is_none() && !self.requested();
        let Some(open) = &mut self.open else {
            return;
        };
        let Some(last) = shown.last else {
            return;
        };
        let conversation = open.id;
        if let Some(place) = open.history.wanted(shown.first, last) {
            self.effects.push(Effect::Read(Read::Load {
                conversation,
                place,
            }));
        }
        if may_mark && let Some(through) = open.next_to_read(last) {
            self.write(Write::MarkRead(conversation, through));
        }
    }

    /// How the open history is laid out.
    pub(crate) fn look(&self) -> Look<'_> {
        Look {
            now: &self.now,
            columns: self.shown.columns,
            me: self.me,
            with: self.open.as_ref().and_then(|open| open.peer),
            with_name: self.open.as_ref().map_or("", |open| &open.name),
            people: &self.people,
            pictures: self.pictures,
        }
    }

    /// Says something in the last line.
    pub(crate) fn tell(&mut self, text: &str) {
        self.info(text);
    }

    /// Leaves: what was typed is kept.
    pub(crate) fn leave(&mut self) {
        self.save_draft();
        self.over = true;
    }

    fn read_what_changed(&mut self) {
        let now_ms = self.now.ms;
        let first = self.shown.first;
        let Some(open) = self
            .open
            .as_mut()
            .filter(|open| open.rest_until_ms <= now_ms)
        else {
            return;
        };
        let conversation = open.id;
        if open.about_stale && !open.about_reading {
            (open.about_stale, open.about_reading) = (false, true);
            self.effects.push(Effect::Read(Read::About(conversation)));
        }
        let top = match open.history.viewport {
            Viewport::Top { message, .. } => Some(message),
            Viewport::Bottom => open.history.items().get(first).map(|item| item.id),
        };
        if let Some(place) = open.history.reload(top) {
            self.effects.push(Effect::Read(Read::Load {
                conversation,
                place,
            }));
        }
        if let Some(messages) = open.history.stale() {
            self.effects.push(Effect::Read(Read::Refresh {
                conversation,
                messages,
            }));
        }
    }

    pub(super) fn read(&mut self, read: Read) {
        self.effects.push(Effect::Read(read));
    }

    pub(super) fn write(&mut self, write: Write) {
        self.effects.push(Effect::Write(write));
    }

    pub(super) fn ask(&mut self, relay: Relay) {
        self.effects.push(Effect::Relay(relay));
    }

    pub(super) fn info(&mut self, text: &str) {
        self.notices.add(self.now.ms, Weight::Info, text);
    }

    pub(super) fn warn(&mut self, text: &str) {
        self.notices.add(self.now.ms, Weight::Warning, text);
    }
}
