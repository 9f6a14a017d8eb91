//! Messages, as the app sees them.

use hushpost_wire::{AccountId, DeviceId};

use crate::clock::Stamp;
use crate::content::{Content, ConversationId, Emoji};
use crate::event::MessageRef;

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Which message.
    pub id: MessageRef,
    /// The device it was sent from.
    pub device: DeviceId,
    /// What it says.
    pub content: Content,
    /// How far it is.
    pub state: MessageState,
    /// When it was sent: by the sender's clock, unless that was far ahead of the relay's. Milliseconds since
    /// the Unix epoch, as all times here.
    pub sent_ms: u64,
    /// When the relay accepted it, by the relay's clock.
    pub accepted_ms: Option<u64>,
    /// When the first of the recipient's devices had it, by that device's clock.
    pub delivered_ms: Option<u64>,
    /// When it was read.
    pub read_ms: Option<u64>,
    /// In a group: a member told it to this account, which came later ([`Group::share_history`]). That its sender
    /// wrote it is that member's word alone. `None` for all others.
    ///
    /// [`Group::share_history`]: crate::Group::share_history
    pub shared_by: Option<AccountId>,
    /// Its place in the history.
    pub cursor: Cursor,
    /// How often it had been forwarded when it was sent here; 0: it was written here.
    pub forwards: u32,
    /// When its text was last edited; `None`: never.
    pub edited_ms: Option<u64>,
    /// Whether it was marked with a star, on this device.
    pub starred: bool,
    /// Whether it is held up for all in the conversation.
    pub pinned: bool,
    /// When it goes, by this device's clock; `None`: it stays, or its time begins when it is read.
    pub expires_ms: Option<u64>,
    /// The emoji on it, one for each account, in the accounts' order.
    pub reactions: Vec<Reaction>,
    /// Of a poll: who chose each answer, in the answers' order. Empty for anything else.
    pub votes: Vec<Vec<AccountId>>,
}

/// An emoji that somebody put on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Who.
    pub account: AccountId,
    /// What.
    pub emoji: Emoji,
}

impl Message {
    /// Whether it was sent from this account.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        !matches!(self.state, MessageState::Unread | MessageState::Seen)
    }

    /// Whether its text speaks of somebody.
    #[must_use]
    pub fn mentions(&self, account: AccountId) -> bool {
        let text = self.content.text();
        text.is_some_and(|text| text.mentions().iter().any(|one| one.account == account))
    }
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageState {
    /// Received, and not read on this device yet.
    Unread,
    /// Received and read.
    Seen,
    /// Own: stored here, not at the relay yet.
    Queued,
    /// Own: the relay has it durably. One tick.
    Sent,
    /// Own: the recipient's device has it durably. Two ticks.
    Delivered,
    /// Own: the recipient read it. Blue.
    Read,
    /// Own: given up. `Conversation::retry` tries again.
    Failed(FailureReason),
}

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureReason {
    /// There is no such account, as far as the relay knows.
    Unreachable,
    /// The relay refuses it for good.
    Refused,
    /// The user cancelled it before it was sent.
    Cancelled,
}

impl FailureReason {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Unreachable => 1,
            Self::Refused => 2,
            Self::Cancelled => 3,
        }
    }

    pub(crate) const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Unreachable,
            3 => Self::Cancelled,
            _ => Self::Refused,
        }
    }
}

/// A place in a conversation's history, for paging. The same message has the same one on all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    pub(crate) stamp: Stamp,
    pub(crate) sender: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) sequence: u64,
}
