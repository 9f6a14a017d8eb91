//! Everything the program knows, and how it changes: by keys, by what the tasks tell, and by time.
//!
//! Pure: no clock, no terminal, no SDK call. What is to be done comes out as [`Effect`]s, so every rule can be
//! tried in a test. Must never say that something was read which was not on the screen of somebody who looked.

mod commands;
pub(crate) mod history;
mod keys;
pub(crate) mod list;
pub(crate) mod notices;
mod open;
mod overlay;
mod told;
mod typing;

#[cfg(test)]
pub(crate) mod tests;

use hushpost::{AccountId, ConnectionState, MessageState};

use crate::effect::{Effect, Read, Relay, Write};
use crate::input::Input;
use crate::layout::{Look, Window};
use crate::state::history::Viewport;
use crate::state::list::List;
use crate::state::notices::{Notices, Weight};
use crate::state::open::Open;
pub(crate) use crate::state::overlay::{Confirm, Overlay};
use crate::state::typing::Typing;
use crate::update::Update;
use crate::when::Now;

/// How long after the last key a draft is kept, in milliseconds.
const DRAFT_AFTER_MS: u64 = 1_000;
/// Bells ring at most this often, in milliseconds.
const BELL_EVERY_MS: u64 = 2_000;

/// The whole state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: Now,
    pub(crate) me: Me,
    pub(crate) connection: Connection,
    pub(crate) list: List,
    pub(crate) open: Option<Open>,
    pub(crate) input: Input,
    pub(crate) pane: Pane,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) notices: Notices,
    typing: Typing,
    /// Whether somebody looks at this window.
    focused: bool,
    /// What the last drawing showed of the history.
    drawn: Drawn,
    edited_ms: u64,
    bell_ms: u64,
    pub(crate) quit: bool,
}

/// Who uses this.
#[derive(Debug, Default)]
pub(crate) struct Me {
    pub(crate) account: Option<AccountId>,
    /// The user name at the relay.
    pub(crate) name: Option<String>,
    /// The one to take as soon as there is a connection.
    pub(crate) wanted: Option<String>,
    naming: bool,
    registered: bool,
    /// Whether the relay's operator gave an invite or a token for this account.
    pub(crate) invited: bool,
}

/// The connection, and since when.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) state: ConnectionState,
    since_ms: u64,
    invite_shown: bool,
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    List,
    Input,
}

/// What a drawing showed.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// Columns and rows for the history.
    pub(crate) size: (usize, usize),
    pub(crate) window: Window,
}

impl State {
    pub(crate) fn new(now: Now, me: Me) -> Self {
        Self {
            me,
            connection: Connection {
                state: ConnectionState::Offline,
                since_ms: now.ms,
                invite_shown: false,
            },
            now,
            list: List::default(),
            open: None,
            input: Input::default(),
            pane: Pane::Input,
            overlay: None,
            notices: Notices::default(),
            typing: Typing::default(),
            focused: true,
            drawn: Drawn::default(),
            edited_ms: 0,
            bell_ms: 0,
            quit: false,
        }
    }

    /// Takes in what a task says.
    pub(crate) fn update(&mut self, update: Update) -> Vec<Effect> {
        let mut effects = self.take(update);
        effects.extend(self.settle());
        effects
    }

    fn take(&mut self, update: Update) -> Vec<Effect> {
        match update {
            Update::List { archived, change } => self.take_list(archived, change),
            Update::Event(event) => self.hear(event),
            Update::Connection(state) => self.take_connection(state),
            Update::Loaded {
                conversation,
                place,
                part,
            } => self.in_history(conversation, |history| {
                // What was asked for before something else was is of no use.
                if history.loading == Some(place) {
                    history.take(place, part);
                }
            }),
            Update::Refreshed {
                conversation,
                found,
            } => self.in_history(conversation, |history| history.refreshed(found)),
            Update::NotLoaded { conversation, why } => {
                self.warn(&format!("cannot read the history: {why}"));
                self.in_history(conversation, history::History::failed)
            }
            Update::Peer(account, peer) => {
                if let Some(open) = self.open_with(account) {
                    open.peer_state = peer;
                }
                Vec::new()
            }
            Update::Opened(id, peer) => self.open(id, peer),
            Update::Found {
                name,
                account,
                before,
            } => self.found(name, account, before),
            Update::NotSent {
                conversation,
                text,
                reply,
                why,
            } => {
                self.warn(&why);
                self.give_back(conversation, text, reply)
            }
            Update::Contacts(..) | Update::SafetyNumber { .. } | Update::Hits { .. } => {
                self.show(update);
                Vec::new()
            }
            Update::Registered(account) => {
                self.me.account = Some(account);
                self.me.registered = true;
                self.inform(&format!("registered at the relay; your account is {account}"));
                self.name_if_due()
            }
            Update::NotRegistered { why, again } => {
                self.warn(&if again {
                    format!("not registered yet: {why}; trying again")
                } else {
                    format!("not registered: {why}; /register [invite code] tries again")
                });
                Vec::new()
            }
            Update::Named(name) => {
                self.inform(&format!("people find you as {name}"));
                self.me.naming = false;
                self.me.wanted = None;
                self.me.name = Some(name);
                Vec::new()
            }
            Update::NotNamed { name, why, again } => {
                self.me.naming = false;
                if !again {
                    self.me.wanted = None;
                    self.warn(&format!("{name} is not your name: {why}; /name takes another"));
                }
                Vec::new()
            }
            Update::Done(text) => {
                self.inform(&text);
                Vec::new()
            }
            Update::Failed(why) => {
                self.warn(&why);
                Vec::new()
            }
        }
    }

    /// Some time has passed.
    pub(crate) fn tick(&mut self) -> Vec<Effect> {
        let rested = self.now.ms.saturating_sub(self.edited_ms) >= DRAFT_AFTER_MS;
        if rested { self.keep_draft() } else { Vec::new() }
    }

    /// Whether somebody looks at the window.
    pub(crate) fn focus(&mut self, focused: bool) {
        self.focused = focused;
    }

    /// Takes in what is on the screen now: what was read, and which page is needed next.
    pub(crate) fn after_draw(&mut self, drawn: Drawn) -> Vec<Effect> {
        self.drawn = drawn;
        let window = &self.drawn.window;
        let looking = self.focused && self.overlay.is_none();
        let Some(open) = &mut self.open else {
            return Vec::new();
        };
        let history = &mut open.history;
        if window.lines.is_empty() || !history.loaded {
            return Vec::new();
        }
        match window.top {
            _ if window.at_end && !history.more_after => history.viewport = Viewport::Bottom,
            Some((message, line)) => history.viewport = Viewport::Top { message, line },
            None => {}
        }
        let mut effects = Vec::new();
        if looking
            && let Some(complete) = window.complete
            && let Some(through) = history.read_through(window.first, complete)
        {
            effects.push(Effect::Write(Write::MarkRead(open.id, through)));
        }
        if let Some(place) = history.wanted(window.first, window.last) {
            effects.push(Effect::Read(Read::Load {
                conversation: open.id,
                place,
            }));
        }
        effects
    }

    /// How the open history is drawn.
    pub(crate) fn look<'a>(&'a self, open: &'a Open, size: (usize, usize)) -> Look<'a> {
        Look {
            history: &open.history,
            now: &self.now,
            name: open.name(&self.list),
            columns: size.0,
            rows: size.1,
        }
    }

    /// Who is typing in a conversation.
    pub(crate) fn typing_in(&self, conversation: hushpost::ConversationId) -> &'static str {
        self.typing.shown(conversation, self.now.ms)
    }

    /// Until when nothing is tried, in whole seconds from now.
    pub(crate) fn waits_s(&self) -> Option<u64> {
        let ConnectionState::Waiting { retry_in } = self.connection.state else {
            return None;
        };
        let wait = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
        let until = self.connection.since_ms.saturating_add(wait);
        Some(until.saturating_sub(self.now.ms).div_ceil(1000))
    }

    pub(crate) fn inform(&mut self, text: &str) {
        self.notices.add(self.now.ms, Weight::Info, text);
    }

    pub(crate) fn warn(&mut self, text: &str) {
        self.notices.add(self.now.ms, Weight::Warning, text);
    }

    /// What somebody is called.
    pub(crate) fn name_of(&self, account: AccountId) -> String {
        self.list.with(account).map_or_else(
            || crate::model::name(None, account),
            |entry| entry.name.clone(),
        )
    }

    fn take_connection(&mut self, state: ConnectionState) -> Vec<Effect> {
        self.connection.since_ms = self.now.ms;
        self.connection.state = state;
        match &self.connection.state {
            ConnectionState::Online | ConnectionState::CatchingUp => {
                self.connection.invite_shown = false;
                self.me.registered = true;
                self.name_if_due()
            }
            ConnectionState::Refused { code } => {
                let asks = matches!(code.as_str(), "invite_required" | "token_rejected");
                if asks && self.me.invited && !self.connection.invite_shown {
                    // The relay lost the account: what let it in before may let it in again.
                    self.connection.invite_shown = true;
                    return vec![Effect::Relay(Relay::Register(None))];
                }
                let text = format!("the relay refuses this account: {code}; /register tries again");
                self.warn(&text);
                Vec::new()
            }
            ConnectionState::Replaced => {
                self.warn("this account is open elsewhere; /connect takes it back");
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Takes the wanted user name, once there is a connection.
    fn name_if_due(&mut self) -> Vec<Effect> {
        let online = matches!(
            self.connection.state,
            ConnectionState::Online | ConnectionState::CatchingUp
        );
        match &self.me.wanted {
            Some(name) if online && !self.me.naming => {
                self.me.naming = true;
                vec![Effect::Relay(Relay::SetUserName(name.clone()))]
            }
            _ => Vec::new(),
        }
    }

    /// Rings for a message that nobody is looking at.
    fn ring(&mut self) -> Vec<Effect> {
        if self.now.ms.saturating_sub(self.bell_ms) < BELL_EVERY_MS {
            return Vec::new();
        }
        self.bell_ms = self.now.ms;
        vec![Effect::Bell]
    }

    /// Asks for what is out of date.
    fn settle(&mut self) -> Vec<Effect> {
        let top = self.drawn.window.top.map(|(message, _)| message);
        let Some(open) = &mut self.open else {
            return Vec::new();
        };
        let conversation = open.id;
        if let Some(place) = open.history.reload(top) {
            return vec![Effect::Read(Read::Load {
                conversation,
                place,
            })];
        }
        match open.history.stale() {
            Some(messages) => vec![Effect::Read(Read::Refresh {
                conversation,
                messages,
            })],
            None => Vec::new(),
        }
    }
}

/// Whether a message may be tried again.
pub(crate) const fn is_failed(state: MessageState) -> bool {
    matches!(state, MessageState::Failed(_))
}
