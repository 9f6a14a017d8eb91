//! One device's mailbox in memory: where it ends, how far it is acknowledged, and the messages that
//! are not settled yet. The writer appends; the device's connection takes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hushpost_wire::{CloseReason, PreKeyCounts};

use super::{DeviceKey, Entry};

/// Who is told about a mailbox: the device's connection. The writer calls it, so nothing here may wait.
pub trait Receiver: Send + Sync {
    /// Which connection this is.
    fn id(&self) -> u64;
    /// There is something new.
    fn mail_arrived(&self);
    /// Something that is not stored.
    fn ephemeral(&self, entry: &Entry);
    /// A stock of one-time pre-keys ran low.
    fn pre_keys_low(&self, counts: PreKeyCounts);
    /// The connection no longer speaks for the device.
    fn ended(&self, reason: CloseReason);
}

/// A mailbox in memory.
pub struct Mailbox {
    device: DeviceKey,
    state: Mutex<State>,
}

/// A mailbox that somebody holds: while it is held, the writer keeps it in memory.
pub struct Opened(Arc<Mailbox>);

impl Opened {
    pub(crate) const fn new(mailbox: Arc<Mailbox>) -> Self {
        Self(mailbox)
    }
}

impl core::ops::Deref for Opened {
    type Target = Mailbox;

    fn deref(&self) -> &Mailbox {
        &self.0
    }
}

struct State {
    /// The highest sequence number that is durable.
    last: u64,
    /// Everything up to here is acknowledged or expired.
    floor: u64,
    /// What is above the floor and up to here is in the mailbox table.
    settled: u64,
    /// The newest messages, the last of them numbered `last`.
    recent: VecDeque<Entry>,
    receiver: Option<Arc<dyn Receiver>>,
}

impl State {
    /// Sequence number of the first recent message.
    fn first_recent(&self) -> u64 {
        let recent = u64::try_from(self.recent.len()).unwrap_or(u64::MAX);
        self.last.saturating_sub(recent).saturating_add(1)
    }

    fn drop_recent_through(&mut self, through: u64) {
        while !self.recent.is_empty() && self.first_recent() <= through {
            self.recent.pop_front();
        }
        if self.recent.is_empty() {
            // A mailbox once full must not hold its memory for ever.
            self.recent = VecDeque::new();
        }
    }
}

/// What a connection pushes next.
pub enum Next {
    /// These, by rising sequence number.
    Messages(Vec<(u64, Entry)>),
    /// Settled messages: read a [`page`](super::page) from the table, up to and with this number.
    Settled(u64),
    /// Nothing waits.
    Nothing,
}

impl Mailbox {
    pub(super) fn new(device: DeviceKey, last: u64, floor: u64, settled: u64) -> Self {
        Self {
            device,
            state: Mutex::new(State {
                last,
                floor,
                settled,
                recent: VecDeque::new(),
                receiver: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose it is.
    #[must_use]
    pub const fn device(&self) -> DeviceKey {
        self.device
    }

    /// The highest sequence number that is durable.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.state().last
    }

    /// Up to where it is acknowledged or expired.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.state().floor
    }

    /// What comes after a sequence number: at most `count` messages and about `bytes` bytes (one message
    /// at least).
    #[must_use]
    pub fn next_after(&self, after: u64, count: usize, bytes: usize) -> Next {
        let state = self.state();
        let after = after.max(state.floor);
        if after >= state.last {
            return Next::Nothing;
        }
        let first = state.first_recent();
        let next = after.saturating_add(1);
        if next < first {
            return Next::Settled(first.saturating_sub(1));
        }
        let skip = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut taken = Vec::new();
        let mut size = 0usize;
        for (sequence, entry) in (next..).zip(state.recent.iter().skip(skip)).take(count) {
            size = size.saturating_add(entry.len());
            if size > bytes && !taken.is_empty() {
                break;
            }
            taken.push((sequence, entry.clone()));
        }
        Next::Messages(taken)
    }

    /// Makes `receiver` the one that is told; the one before is told that it was replaced.
    pub fn attach(&self, receiver: Arc<dyn Receiver>) {
        let before = self.state().receiver.replace(receiver);
        if let Some(before) = before {
            before.ended(CloseReason::Replaced);
        }
    }

    /// Ends [`attach`](Self::attach), unless somebody newer took over.
    pub fn detach(&self, id: u64) {
        let mut state = self.state();
        if state
            .receiver
            .as_ref()
            .is_some_and(|current| current.id() == id)
        {
            state.receiver = None;
        }
    }

    /// The connected device, if it is.
    #[must_use]
    pub fn receiver(&self) -> Option<Arc<dyn Receiver>> {
        self.state().receiver.clone()
    }

    /// Ends the device's connection.
    pub fn end(&self, reason: CloseReason) {
        let receiver = self.state().receiver.take();
        if let Some(receiver) = receiver {
            receiver.ended(reason);
        }
    }

    /// Appends a durable message; its number is the next one by construction.
    pub(super) fn append(&self, entry: Entry) {
        let receiver = {
            let mut state = self.state();
            state.last = state.last.saturating_add(1);
            state.recent.push_back(entry);
            state.receiver.clone()
        };
        if let Some(receiver) = receiver {
            receiver.mail_arrived();
        }
    }

    /// Moves the floor up; drops what lies below.
    pub(super) fn raise_floor(&self, through: u64) {
        let mut state = self.state();
        state.floor = state.floor.max(through.min(state.last));
        let floor = state.floor;
        state.drop_recent_through(floor);
    }

    /// What is to be settled: recent messages up to here that are not acknowledged.
    pub(super) fn unsettled_through(&self, through: u64) -> Vec<(u64, Entry)> {
        let state = self.state();
        (state.first_recent()..=through)
            .zip(state.recent.iter().cloned())
            .collect()
    }

    /// What [`unsettled_through`](Self::unsettled_through) gave is in the table now.
    pub(super) fn settled_through(&self, through: u64) {
        let mut state = self.state();
        state.settled = state.settled.max(through.min(state.last));
        let settled = state.settled;
        state.drop_recent_through(settled);
    }

    /// `(last, floor, settled)`.
    pub(super) fn place(&self) -> (u64, u64, u64) {
        let state = self.state();
        (state.last, state.floor, state.settled)
    }

    /// Whether nobody needs it in memory.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.recent.is_empty() && state.receiver.is_none()
    }
}
