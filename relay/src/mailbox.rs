//! Mailboxes: what waits for a device, in order, until the device says that it has it.
//!
//! ```text
//!            one row a commit                         by (device, sequence)
//!   Submission ─▶ journal ──────── settled later ────▶ mailbox table ─▶ page ─▶ device
//!                    └─▶ memory (recent) ───────────────────────────────────────┘
//! ```
//!
//! A message is durable as soon as the journal row of its commit is: one append, whatever the number of
//! senders and recipients. Most messages are delivered and acknowledged within a second and never go
//! further. What is left is *settled*: moved, sorted, to the table in which a device's messages stand side
//! by side. After a crash the journal is read back.
//!
//! Rules: a message answered as sent is durable; a device's messages have contiguous sequence numbers;
//! nothing goes before it is acknowledged, except by age; an acknowledged message is not delivered
//! again; a repeat of (sender, message id, device) is stored once.
//!
//! - [`Mailbox`]: one device's queue in memory, shared with its connection
//! - `table`: all mailboxes, owned by the writer: staging, publishing, discarding
//! - `journal`: the journal's rows
//! - `settle`: from the journal to the tables
//! - `seen`: recognising repeats
//! - [`page`]: reading settled messages
//! - [`expiry`]: messages that nobody fetched

pub mod expiry;
mod journal;
#[cfg(test)]
mod model;
pub mod page;
mod queue;
mod seen;
mod settle;
mod table;

use std::sync::Arc;

use bytes::Bytes;
use hushpost_wire::{DeviceAddress, MessageId};

use crate::store::StoreError;

pub use queue::{Mailbox, Next, Opened, Receiver};
pub(crate) use settle::delete_all;
pub(crate) use table::MailboxTable;

/// A device's number in the store. Never used again for another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey(pub i64);

/// What all copies of a message have in common.
pub struct Message {
    /// The sender's id for it.
    pub id: MessageId,
    /// Who sent it; `None` if it came over an anonymous connection.
    pub sender: Option<DeviceAddress>,
    /// When it was accepted, milliseconds since the Unix epoch.
    pub accepted_ms: u64,
    /// The part of the ciphertext that all recipients share, held once.
    pub shared: Bytes,
}

/// One device's copy: its own part of the ciphertext, followed by the shared part.
#[derive(Clone)]
pub struct Entry {
    /// What all copies have in common.
    pub message: Arc<Message>,
    /// This device's part.
    pub own: Bytes,
}

impl Entry {
    /// Bytes of the ciphertext.
    #[must_use]
    pub fn len(&self) -> usize {
        self.own.len().saturating_add(self.message.shared.len())
    }

    /// Whether the ciphertext is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ciphertext.
    #[must_use]
    pub fn ciphertext(&self) -> Bytes {
        match (self.own.is_empty(), self.message.shared.is_empty()) {
            (_, true) => self.own.clone(),
            (true, false) => self.message.shared.clone(),
            (false, false) => [self.own.as_ref(), self.message.shared.as_ref()]
                .concat()
                .into(),
        }
    }
}

/// A message handed in.
pub struct Submission {
    /// The sender's id for it.
    pub id: MessageId,
    /// Who sent it; `None` if it came over an anonymous connection.
    pub sender: Option<DeviceAddress>,
    /// The part of the ciphertext that all recipients share.
    pub shared: Bytes,
    /// Who it is for.
    pub recipients: Vec<Recipient>,
    /// Called when it is durable, or not.
    pub answer: Box<dyn FnOnce(Result<Outcome, StoreError>) + Send>,
}

impl Submission {
    pub(crate) fn refuse(self, error: StoreError) {
        (self.answer)(Err(error));
    }
}

/// One device that a message is for.
pub struct Recipient {
    /// The device.
    pub device: DeviceKey,
    /// Its part of the ciphertext.
    pub own: Bytes,
    /// Whether the sender showed no delivery token: strangers may fill only a part of the queue.
    pub stranger: bool,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When it was accepted, milliseconds since the Unix epoch.
    pub accepted_ms: u64,
    /// Recipients it is stored for, earlier tries included.
    pub stored: u32,
    /// Recipients it is not stored for, by their place in [`Submission::recipients`].
    pub refused: Vec<(usize, Refusal)>,
}

/// Why one device did not get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its queue is full.
    Full,
    /// The device was removed.
    Gone,
}

/// A device has stored everything up to here.
pub struct Acknowledgement {
    /// The device.
    pub device: DeviceKey,
    /// Up to and with this sequence number.
    pub through: u64,
    /// Called when it is durable, or not.
    pub answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

impl Acknowledgement {
    pub(crate) fn refuse(self, error: StoreError) {
        (self.answer)(Err(error));
    }
}
