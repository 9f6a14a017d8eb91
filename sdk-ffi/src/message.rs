//! A message of a conversation.

use std::time::SystemTime;

use crate::ids::{AccountId, ConversationId, Cursor, accounts};
use crate::times::{maybe_time, time};
use crate::{Content, MessageRef, MessageState, Reaction};

/// A message of a conversation, as it was when it was read: a later change is told by an event.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Message {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Which message.
    pub id: MessageRef,
    /// Whether it was sent from this account.
    pub is_own: bool,
    /// The device it was sent from.
    pub device: u8,
    /// What it says.
    pub content: Content,
    /// How far it is.
    pub state: MessageState,
    /// When it was sent, by the sender's clock unless that was far ahead of the relay's.
    pub sent: SystemTime,
    /// When the relay accepted it, by the relay's clock.
    pub accepted: Option<SystemTime>,
    /// When the first of the recipient's devices had it, by that device's clock.
    pub delivered: Option<SystemTime>,
    /// When it was read.
    pub read: Option<SystemTime>,
    /// In a group: the member that told it to this account, which came later. That its sender wrote it is that member's
    /// word alone. None for all others.
    pub shared_by: Option<AccountId>,
    /// Its place in the history, for paging and for marking as read.
    pub cursor: Cursor,
    /// How often it had been forwarded when it was sent here; 0: it was written here.
    pub forwards: u32,
    /// When its text was last edited; none: never.
    pub edited: Option<SystemTime>,
    /// Whether it was marked with a star, on this device.
    pub starred: bool,
    /// Whether it is held up for all in the conversation.
    pub pinned: bool,
    /// When it goes, by this device's clock; none: it stays, or its time begins when it is read.
    pub expires: Option<SystemTime>,
    /// The emoji on it, one for each account.
    pub reactions: Vec<Reaction>,
    /// Of a poll: who chose each answer, in the answers' order.
    pub votes: Vec<Vec<AccountId>>,
}

impl From<hushpost::Message> for Message {
    fn from(message: hushpost::Message) -> Self {
        Self {
            conversation: message.conversation.into(),
            id: message.id.into(),
            is_own: message.is_own(),
            device: message.device.get(),
            content: (&message.content).into(),
            state: message.state.into(),
            sent: time(message.sent_ms),
            accepted: maybe_time(message.accepted_ms),
            delivered: maybe_time(message.delivered_ms),
            read: maybe_time(message.read_ms),
            shared_by: message.shared_by.map(Into::into),
            cursor: message.cursor.into(),
            forwards: message.forwards,
            edited: maybe_time(message.edited_ms),
            starred: message.starred,
            pinned: message.pinned,
            expires: maybe_time(message.expires_ms),
            reactions: message.reactions.iter().map(Into::into).collect(),
            votes: message.votes.into_iter().map(accounts).collect(),
        }
    }
}
