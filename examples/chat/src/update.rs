//! What the state is told by the tasks: answers to effects, and what the SDK says by itself.

use hushpost::{
    AccountId, ConnectionState, ConversationId, Event, InviteLink, Message, MessageReceipts,
    MessageRef, Progress, TextVersion,
};

use crate::effect::{Gathering, Place};
use crate::model::{About, Hit, Item, ListUpdate, Peer, Person, Quote};

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
    /// To be shown.
    Contacts(Vec<Person>),
    /// For what they are called.
    People(Vec<Person>),
    /// `None`: it could not be read.
    About(ConversationId, Option<About>),
    Info(Box<Info>),
    SafetyNumber {
        account: AccountId,
        digits: String,
        payload: Vec<u8>,
    },
    Hits {
        title: String,
        hits: Vec<Hit>,
    },
    OpenedGroup(ConversationId, String),
    /// People that were looked for are found.
    Gathered {
        accounts: Vec<AccountId>,
        then: Gathering,
    },
    Invited(InviteLink),
    /// How far a file is.
    Transfer(u64, String, Progress),
    TransferEnded(u64, Result<Option<String>, String>),
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
        /// It was to be put in place of this one's text.
        instead_of: Option<MessageRef>,
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

/// What is known of a message.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) message: Message,
    /// Of an own message in a group.
    pub(crate) receipts: Option<MessageReceipts>,
    pub(crate) versions: Vec<TextVersion>,
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
