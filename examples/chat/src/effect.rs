//! What the state wants done: the only way from a key to the SDK. `app/tasks.rs` does it, away from the screen.

use hushpost::{AccountId, Activity, ConversationId, Cursor, MessageRef};

use crate::model::Quote;

/// Something to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read(Read),
    Write(Write),
    Relay(Relay),
    /// Rings the terminal's bell.
    Bell,
    /// Reads the conversation list anew.
    ListAgain,
}

/// Read from the database, one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// A part of a history.
    Load {
        conversation: ConversationId,
        place: Place,
    },
    /// Single messages again.
    Refresh {
        conversation: ConversationId,
        messages: Vec<MessageRef>,
    },
    /// What is known of somebody.
    Look(AccountId),
    Contacts,
    SafetyNumber(AccountId),
    Search {
        words: String,
        /// In one conversation, or in all.
        within: Option<ConversationId>,
    },
}

/// Which part of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Newest,
    Oldest,
    /// From the first of so many that were not read.
    Unread(u64),
    Before(Cursor),
    After(Cursor),
    Around(Cursor, MessageRef),
}

/// Written to the database, in the order that they were asked for: two messages never change places.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Open(AccountId),
    Send {
        conversation: ConversationId,
        text: String,
        reply: Option<Quote>,
    },
    Retry(ConversationId, MessageRef),
    Cancel(ConversationId, MessageRef),
    MarkRead(ConversationId, Cursor),
    Activity(ConversationId, Activity),
    Draft(ConversationId, String),
    Archive(ConversationId, bool),
    Pin(ConversationId, bool),
    /// For so many hours; 0 ends it.
    Mute(ConversationId, u32),
    Accept(ConversationId),
    Delete(ConversationId),
    Block(AccountId, bool),
    Verified(AccountId, bool),
    AcceptChange(AccountId),
    Rename(AccountId, Option<String>),
}

/// Asked of the relay: each by itself, since an answer may take long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Relay {
    Connect,
    Find(String),
    SetUserName(String),
    /// With another invite code than at the start, perhaps.
    Register(Option<String>),
}
