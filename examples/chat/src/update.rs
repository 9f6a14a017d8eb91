//! What the state is told by the tasks: answers to effects, and what the SDK says by itself.

use hushpost::{AccountId, ConnectionState, ConversationId, Event, MessageRef};

use crate::effect::Place;
use crate::model::{Hit, Item, ListUpdate, Peer, Person, Quote};

/// Something to take in.
#[derive(Debug)]
pub(crate) enum Update {
    List {
        archived: bool,
        change: ListUpdate,
    },
    Event(Event),
    Connection(ConnectionState),
    Loaded {
        conversation: ConversationId,
        place: Place,
        part: Part,
    },
    Refreshed {
        conversation: ConversationId,
        found: Vec<(MessageRef, Option<Item>)>,
    },
    Peer(AccountId, Peer),
    Contacts(Vec<Person>),
    SafetyNumber {
        account: AccountId,
        digits: String,
        payload: Vec<u8>,
    },
    Hits {
        words: String,
        hits: Vec<Hit>,
    },
    /// There is a conversation with them now.
    Opened(ConversationId, AccountId, String),
    /// Whom a user name means, and whom it meant before.
    Found {
        name: String,
        account: AccountId,
        before: Option<AccountId>,
    },
    Registered(AccountId),
    NotRegistered {
        why: String,
        /// Tried again by itself.
        again: bool,
    },
    Named(String),
    NotNamed {
        name: String,
        why: String,
        /// Asked again by itself.
        again: bool,
    },
    NotSent {
        conversation: ConversationId,
        text: String,
        reply: Option<Quote>,
        why: String,
    },
    /// A part of a history, or a look, that failed: it may be asked for again.
    NotLoaded {
        conversation: ConversationId,
        why: String,
    },
    Done(String),
    Failed(String),
}

/// A part of a history, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) items: Vec<Item>,
    pub(crate) more_before: bool,
    pub(crate) more_after: bool,
    /// The first that was not read, for [`Place::Unread`].
    pub(crate) first_unread: Option<MessageRef>,
}
