//! A conversation's entry in the list.

use core::fmt;
use std::time::SystemTime;

use hushpost::Standing;

use crate::Message;
use crate::ids::{AccountId, ConversationId};
use crate::times::{maybe_time, time};

/// A conversation's entry in the list.
#[derive(Clone, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct ConversationSummary {
    /// Which.
    pub id: ConversationId,
    /// With whom; none: it is a group.
    pub peer: Option<AccountId>,
    /// The name the user gave them, or the user name they were found by; a group's name.
    pub name: Option<String>,
    /// A stranger wrote, or added this account to a group: waits for the user to accept, block or delete. They get no
    /// receipts.
    pub requested: bool,
    /// The last message.
    pub last_message: Option<Message>,
    /// The last message in one line; empty if there is none, or none with a text.
    pub preview: String,
    /// When something last happened.
    pub activity: SystemTime,
    /// Messages not read here.
    pub unread: u64,
    /// Whether it lies in the archive.
    pub archived: bool,
    /// Silent until then; none if it is not.
    pub muted_until: Option<SystemTime>,
    /// Whether it stands above the others.
    pub pinned: bool,
    /// What was typed and not sent.
    pub draft: Option<String>,
}

/// Says nothing that a user wrote.
impl fmt::Debug for ConversationSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversationSummary")
            .field("id", &self.id)
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

impl From<hushpost::ConversationSummary> for ConversationSummary {
    fn from(entry: hushpost::ConversationSummary) -> Self {
        let preview = entry.preview();
        let muted_ms = (entry.muted_until_ms > 0).then_some(entry.muted_until_ms);
        Self {
            id: entry.id.into(),
            peer: entry.peer.map(Into::into),
            name: entry.name,
            requested: entry.standing == Standing::Requested,
            last_message: entry.last_message.map(Into::into),
            preview,
            activity: time(entry.activity_ms),
            unread: entry.unread,
            archived: entry.archived,
            muted_until: maybe_time(muted_ms),
            pinned: entry.pinned,
            draft: entry.draft,
        }
    }
}
