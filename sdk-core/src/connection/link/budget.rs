//! How much memory a relay's frames may hold until somebody takes them.
//!
//! An honest relay pushes at most a window of deliveries ahead of what is acknowledged, and answers what was
//! asked. A hostile one sends what it likes: what is read and not yet taken is counted, in bytes of memory and
//! not in bytes of frames, because many empty elements fit into a small frame.

use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hushpost_wire::limits::MAX_MESSAGE_LEN;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Delivery, PreKeyBundle, PresenceValue, RecipientProblem, RelayLimits};
use tokio::sync::Notify;

/// Above this, reading waits as long as no answer is awaited, and what may be lost is dropped.
const ENOUGH: usize = 1024 * 1024;
/// The part of the limit that does not depend on the relay: answers, presence.
const BASE: usize = 4 * 1024 * 1024;
/// The limit, whatever window the relay says it has.
const MOST: usize = 64 * 1024 * 1024;
/// What any frame costs beside its bytes.
const PER_FRAME: usize = 512;
/// Deliveries in flight, if the relay does not say.
const USUAL_WINDOW: usize = 256;

/// The count, shared by the task and what it gave away.
#[derive(Clone)]
pub(super) struct Budget(Arc<Count>);

struct Count {
    limit: usize,
    held: AtomicUsize,
    /// Rings when reading may go on.
    bell: Notify,
}

/// Something read, counted until it is taken or dropped.
pub(super) struct Accounted {
    body: Body,
    _share: Share,
}

struct Share {
    count: Arc<Count>,
    cost: usize,
}

/// The relay sent more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Budget {
    /// Two windows of the largest messages, and some: an honest relay never gets there.
    pub(super) fn for_limits(limits: Option<&RelayLimits>) -> Self {
        let told = |value: Option<u32>, usual| {
            let value = usize::try_from(value.unwrap_or(0)).unwrap_or(usize::MAX);
            if value == 0 { usual } else { value }
        };
        let window = told(limits.map(|limits| limits.delivery_window), USUAL_WINDOW);
        let message = told(limits.map(|limits| limits.message_bytes), MAX_MESSAGE_LEN);
        let windows = window
            .saturating_mul(message.saturating_add(PER_FRAME))
            .saturating_mul(2);
        Self::new(BASE.saturating_add(windows).min(MOST))
    }

    fn new(limit: usize) -> Self {
        Self(Arc::new(Count {
            limit,
            held: AtomicUsize::new(0),
            bell: Notify::new(),
        }))
    }

    /// Counts what was in a frame of `len` bytes.
    pub(super) fn account(&self, body: Body, len: usize) -> Result<Accounted, Exhausted> {
        let cost = cost(&body, len);
        // From here on dropping it gives the share back.
        let share = Share {
            count: self.0.clone(),
            cost,
        };
        let held = self.0.held.fetch_add(cost, Ordering::Relaxed);
        if held.saturating_add(cost) > self.0.limit {
            return Err(Exhausted);
        }
        Ok(Accounted {
            body,
            _share: share,
        })
    }

    /// Whether so much is held that reading more should wait.
    pub(super) fn is_enough(&self) -> bool {
        self.0.held.load(Ordering::Relaxed) > ENOUGH
    }

    /// Waits until something was taken, or [`ring`](Self::ring) was called, since the last time.
    pub(super) async fn changed(&self) {
        self.0.bell.notified().await;
    }

    /// Wakes who waits in [`changed`](Self::changed).
    pub(super) fn ring(&self) {
        self.0.bell.notify_one();
    }
}

impl Accounted {
    /// What was read; it no longer counts.
    pub(super) fn take(self) -> Body {
        self.body
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.count.held.fetch_sub(self.cost, Ordering::Relaxed);
        self.count.bell.notify_one();
    }
}

/// Bytes of memory, about: byte fields share the frame's, elements of lists have their own.
fn cost(body: &Body, len: usize) -> usize {
    let list = match body {
        Body::Deliveries(list) => list
            .deliveries
            .capacity()
            .saturating_mul(size_of::<Delivery>()),
        Body::PresenceValues(list) => list
            .values
            .capacity()
            .saturating_mul(size_of::<PresenceValue>()),
        Body::PreKeyBundles(list) => list
            .bundles
            .capacity()
            .saturating_mul(size_of::<PreKeyBundle>()),
        // In it are lists of device numbers, of a byte or more each.
        Body::Sent(sent) => sent
            .problems
            .capacity()
            .saturating_mul(size_of::<RecipientProblem>())
            .saturating_add(len.saturating_mul(size_of::<u64>())),
        _ => 0,
    };
    len.saturating_add(list).saturating_add(PER_FRAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hushpost_wire::{CaughtUp, Deliveries};

    fn small() -> Body {
        Body::CaughtUp(CaughtUp::default())
    }

    fn budget(limits: &RelayLimits) -> usize {
        Budget::for_limits(Some(limits)).0.limit
    }

    #[test]
    fn what_is_taken_or_dropped_no_longer_counts() {
        let budget = Budget::new(2 * (PER_FRAME + 10));
        let first = budget.account(small(), 10).unwrap();
        let second = budget.account(small(), 10).unwrap();
        assert!(budget.account(small(), 10).is_err());
        Accounted::take(first);
        let third = budget.account(small(), 10).unwrap();
        drop((second, third));
        assert_eq!(budget.0.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn empty_elements_cost_what_they_take() {
        let many = Body::Deliveries(Deliveries {
            deliveries: vec![Delivery::default(); 100_000],
        });
        assert!(cost(&many, 200_000) > 100_000 * size_of::<Delivery>());
    }

    #[test]
    fn two_windows_fit_and_no_relay_gets_more_than_the_most() {
        let limits = |delivery_window, message_bytes| RelayLimits {
            delivery_window,
            message_bytes,
            ..RelayLimits::default()
        };
        assert!(budget(&limits(256, 65_536)) > 2 * 256 * 65_536);
        assert_eq!(budget(&limits(u32::MAX, u32::MAX)), MOST);
        assert_eq!(budget(&limits(0, 0)), budget(&limits(256, 65_536)));
        assert!(budget(&limits(1, 1)) > BASE);
    }
}
