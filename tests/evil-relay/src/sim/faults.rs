//! What goes wrong, and how often. TCP loses no frames: what is lost is lost with its connection.

use std::ops::RangeInclusive;
use std::time::Duration;

use hushpost_wire::Delivery;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// One time in so many, at random; 0: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OneIn(pub u32);

impl OneIn {
    /// Never.
    pub const NEVER: Self = Self(0);

    pub(super) fn strikes(self, dice: &mut ChaCha8Rng) -> bool {
        self.0 != 0 && dice.random_range(0..self.0) == 0
    }
}

/// How often what goes wrong, for each frame or delivery.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    /// How long a frame is on its way, each way; drawn for each frame. Frames never overtake each other.
    pub latency_ms: RangeInclusive<u64>,
    /// The connection is cut before a frame arrives, either way.
    pub cut: OneIn,
    /// The connection is cut after a request was done: its answer is lost.
    pub lose_answer: OneIn,
    /// An answer comes late, after answers and pushes that came of it or after it.
    pub late_answer: OneIn,
    /// How late.
    pub late_by_ms: u64,
    /// A request is refused as if the relay were busy, and not done.
    pub refuse: OneIn,
    /// A message is delivered twice in a row.
    pub duplicate: OneIn,
    /// A message is delivered before the one in front of it, within one frame: what is acknowledged next covers
    /// both, so a client that stores a frame as a whole loses nothing.
    pub swap: OneIn,
}

impl FaultPlan {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            latency_ms: 0..=0,
            cut: OneIn::NEVER,
            lose_answer: OneIn::NEVER,
            late_answer: OneIn::NEVER,
            late_by_ms: 0,
            refuse: OneIn::NEVER,
            duplicate: OneIn::NEVER,
            swap: OneIn::NEVER,
        }
    }

    /// A bad mobile network before a relay that is not well: a little of everything.
    #[must_use]
    pub const fn rough() -> Self {
        Self {
            latency_ms: 5..=400,
            cut: OneIn(60),
            lose_answer: OneIn(60),
            late_answer: OneIn(10),
            late_by_ms: 3000,
            refuse: OneIn(40),
            duplicate: OneIn(10),
            swap: OneIn(10),
        }
    }

    pub(super) fn latency(&self, dice: &mut ChaCha8Rng) -> Duration {
        let (least, most) = (*self.latency_ms.start(), *self.latency_ms.end());
        if most <= least {
            return Duration::from_millis(least);
        }
        Duration::from_millis(dice.random_range(least..=most))
    }

    /// Repeats and swaps messages of one frame.
    pub(super) fn disturb(
        &self,
        deliveries: Vec<Delivery>,
        dice: &mut ChaCha8Rng,
    ) -> Vec<Delivery> {
        let mut disturbed: Vec<Delivery> = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            if self.duplicate.strikes(dice) {
                disturbed.push(delivery.clone());
            }
            let before = disturbed.len().checked_sub(1);
            match before.filter(|_| self.swap.strikes(dice)) {
                Some(before) => disturbed.insert(before, delivery),
                None => disturbed.push(delivery),
            }
        }
        disturbed
    }
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self::none()
    }
}
