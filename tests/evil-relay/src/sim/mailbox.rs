//! One device's mailbox.

use std::collections::BTreeMap;

use bytes::Bytes;
use hushpost_wire::{Delivery, DeviceAddress, MessageId, Sender};

/// A message that waits.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) id: MessageId,
    pub(super) sender: Option<DeviceAddress>,
    pub(super) accepted_ms: u64,
    pub(super) ciphertext: Bytes,
}

/// A mailbox.
#[derive(Default)]
pub(super) struct Mailbox {
    /// The highest number given.
    pub(super) last: u64,
    /// Everything up to here is acknowledged.
    pub(super) floor: u64,
    pub(super) waiting: BTreeMap<u64, Waiting>,
}

impl Mailbox {
    pub(super) fn append(&mut self, message: Waiting) {
        self.last = self.last.saturating_add(1);
        self.waiting.insert(self.last, message);
    }

    pub(super) fn acknowledge(&mut self, through: u64) {
        self.floor = self.floor.max(through.min(self.last));
        let floor = self.floor;
        self.waiting.retain(|sequence, _| *sequence > floor);
    }

    /// What comes after a number: at most `count` messages and about `size` bytes, one message at least.
    pub(super) fn after(&self, after: u64, count: usize, size: usize) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let mut taken_size = 0usize;
        for (sequence, message) in self.waiting.range(after.saturating_add(1)..).take(count) {
            taken_size = taken_size.saturating_add(message.ciphertext.len());
            if taken_size > size && !taken.is_empty() {
                break;
            }
            taken.push(Delivery {
                sequence: *sequence,
                message_id: Bytes::copy_from_slice(message.id.as_bytes()),
                sender: message.sender.map(sender_frame),
                accepted_ms: message.accepted_ms,
                ciphertext: message.ciphertext.clone(),
            });
        }
        taken
    }
}

/// A sender as the wire says it.
pub(super) fn sender_frame(sender: DeviceAddress) -> Sender {
    Sender {
        account: Bytes::copy_from_slice(sender.account.as_bytes()),
        device: sender.device.into(),
    }
}
