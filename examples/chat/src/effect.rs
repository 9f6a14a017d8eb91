//! What the state wants done: the only way from a key to the SDK. `app/tasks.rs` does it, away from the screen.

use core::ops::Range;

use hushpost::{AccountId, Activity, ConversationId, Cursor, Emoji, InviteLink, MessageRef};

use crate::command::Rule;
use crate::model::Quote;

/// Something to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read(Read),
    Write(Write),
    Relay(Relay),
    File(FileTask),
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
    /// A group's members and settings, anybody's timer.
    About(ConversationId),
    /// Who has a message, and what it said before.
    Info(ConversationId, MessageRef),
    /// The conversation's files.
    Files(ConversationId),
    Starred,
    /// What is held up in a conversation.
    Pinned(ConversationId),
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
        text: Wording,
        reply: Option<Quote>,
    },
    Poll {
        conversation: ConversationId,
        question: String,
        options: Vec<String>,
        several: bool,
    },
    /// About a message of a conversation.
    Message(ConversationId, MessageRef, MessageWrite),
    /// Into a conversation, a message of any.
    Forward(ConversationId, MessageRef),
    /// Seconds; 0: messages stay.
    Timer(ConversationId, u32),
    MakeGroup {
        name: String,
        members: Vec<AccountId>,
    },
    Group(ConversationId, GroupWrite),
    Join(InviteLink),
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

/// A text, and who in it is spoken of: what stands for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wording {
    pub(crate) text: String,
    pub(crate) mentions: Vec<(AccountId, Range<usize>)>,
}

/// What is changed on a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MessageWrite {
    React(Option<Emoji>),
    Edit(Wording),
    DeleteForMe,
    DeleteForAll,
    Star(bool),
    Pin(bool),
    /// Places in the poll, from 0.
    Vote(Vec<u32>),
}

/// What is changed on a group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GroupWrite {
    Add(Vec<AccountId>),
    Remove(Vec<AccountId>),
    Promote(AccountId),
    Demote(AccountId),
    Leave,
    Name(String),
    Describe(String),
    Set(Rule, bool),
    Invite { hours: Option<u32>, ask: bool },
    Revoke,
    Refuse(AccountId),
}

/// Files on their way. Each has a number, to be watched and stopped by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileTask {
    Send {
        transfer: u64,
        conversation: ConversationId,
        path: String,
        caption: Option<String>,
        /// Byte for byte, a picture too.
        as_it_is: bool,
    },
    Save {
        transfer: u64,
        message: MessageRef,
        to: Option<String>,
    },
    Stop(u64),
}

/// What people are gathered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gathering {
    NewGroup(String),
    MoreMembers(ConversationId),
}

/// Asked of the relay: each by itself, since an answer may take long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Relay {
    Connect,
    Find(String),
    /// The accounts of these user names, beside those that are known.
    Gather {
        known: Vec<AccountId>,
        names: Vec<String>,
        then: Gathering,
    },
    /// Sends a text with what its link leads to.
    Link {
        conversation: ConversationId,
        url: String,
        text: String,
    },
    SetUserName(String),
    /// With another invite code than at the start, perhaps.
    Register(Option<String>),
}
