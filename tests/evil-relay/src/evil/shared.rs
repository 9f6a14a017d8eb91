//! The one lock, and the bell for those who wait for an event.

use std::cell::Cell;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::traffic::State;

/// Shared by the handle and all connections.
pub(super) struct Shared {
    pub(super) upstream: SocketAddr,
    state: Mutex<State>,
    changes: watch::Sender<usize>,
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Shared({})", self.upstream)
    }
}

thread_local! {
    /// Whether this thread holds a lock: a rule that calls the relay would wait for itself.
    static LOCKED: Cell<bool> = const { Cell::new(false) };
}

/// The lock, held. Who waits for an event looks again when it is given back.
pub(super) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    changes: &'a watch::Sender<usize>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        LOCKED.set(false);
        let events = self.state.record.events().len();
        self.changes
            .send_if_modified(|seen| core::mem::replace(seen, events) != events);
    }
}

impl Shared {
    pub(super) fn new(upstream: SocketAddr, renumbers: bool) -> Self {
        Self {
            upstream,
            changes: watch::Sender::new(0),
            state: Mutex::new(State::new(renumbers)),
        }
    }

    pub(super) fn state(&self) -> Locked<'_> {
        assert!(
            !LOCKED.replace(true),
            "a rule or a condition called an evil relay; a rule says what to do by its verdict"
        );
        Locked {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            changes: &self.changes,
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<usize> {
        self.changes.subscribe()
    }
}
