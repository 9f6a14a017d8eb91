//! Time: the wall clock, and the hybrid clock that orders messages.
//!
//! A stamp is 48 bits of milliseconds and a 16-bit counter (Kulkarni et al., "Logical Physical Clocks", 2014), on
//! a wall clock corrected by the relay's. It rises with every message sent and is moved up by every message
//! seen, so an answer never sorts before what it answers. A stamp far past the relay's accept time counts as
//! the accept time, and moves nobody's clock further than that: one liar, or one phone with a wrong date,
//! cannot push a whole conversation into the future.
//!
//! Timers do not use this clock: they use the runtime's, which never jumps.

use std::time::{SystemTime, UNIX_EPOCH};

/// How far past the relay's accept time a stamp may lie.
const TOLERANCE_MS: u64 = 5 * 60 * 1000;
const COUNTER_BITS: u32 = 16;
/// What is taken from any clock at most: year 4199, far enough below 2^63 that a clock that shows nonsense does
/// not use the stamps up.
const MAX_MS: u64 = (1 << 46) - 1;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| u64::try_from(since.as_millis()).ok())
            .unwrap_or(0)
    }
}

/// A place in time: ordered, equal on all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// The first stamp of a millisecond.
    pub(crate) fn at(ms: u64) -> Self {
        Self(ms.min(MAX_MS) << COUNTER_BITS)
    }

    /// A stamp as it travels; `None` at and above 2^63.
    pub(crate) fn checked(bits: u64) -> Option<Self> {
        (bits >> 63 == 0).then_some(Self(bits))
    }

    /// A stamp as it is stored.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    /// Its milliseconds since the Unix epoch.
    pub(crate) const fn ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The next one.
    pub(crate) const fn next(self) -> Self {
        if self.0 == i64::MAX.cast_unsigned() {
            self
        } else {
            Self(self.0.saturating_add(1))
        }
    }

    /// What this stamp counts as, on a message that the relay accepted then.
    pub(crate) fn effective(self, accepted_ms: u64) -> Self {
        if self.ms() > accepted_ms.min(MAX_MS).saturating_add(TOLERANCE_MS) {
            Self::at(accepted_ms)
        } else {
            self
        }
    }
}

/// The clock of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HybridClock {
    /// The last stamp given or seen.
    pub(crate) last: Stamp,
    /// What the relay's clock is ahead of the wall clock.
    pub(crate) offset_ms: i64,
}

impl HybridClock {
    /// The wall clock, corrected by the relay's.
    pub(crate) fn corrected(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.offset_ms)
    }

    /// The stamp of a new message: above all before.
    pub(crate) fn tick(&mut self, now_ms: u64) -> Stamp {
        let wall = Stamp::at(self.corrected(now_ms));
        self.last = wall.max(self.last.next());
        self.last
    }

    /// Takes note of a message that was seen, by what its stamp counts as: an answer sorts after it, whatever
    /// either clock shows.
    pub(crate) fn observe(&mut self, counts_as: Stamp) {
        self.last = self.last.max(counts_as);
    }

    /// Learns what the relay's clock shows.
    pub(crate) fn correct(&mut self, now_ms: u64, relay_ms: u64) {
        let ahead = i128::from(relay_ms.min(MAX_MS)).saturating_sub(i128::from(now_ms));
        let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
        self.offset_ms = i64::try_from(ahead.clamp(least, most)).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stamp_far_ahead_counts_as_the_accept_time() {
        let accepted = 1_000_000_000;
        let near = Stamp::at(accepted + TOLERANCE_MS);
        let far = Stamp::at(accepted + TOLERANCE_MS + 1);
        assert_eq!(near.effective(accepted), near);
        assert_eq!(far.effective(accepted), Stamp::at(accepted));
        let mut clock = HybridClock::default();
        clock.observe(far.effective(accepted));
        assert_eq!(clock.last, Stamp::at(accepted));
        clock.observe(near.effective(accepted));
        assert!(clock.tick(accepted) > near);
    }

    #[test]
    fn a_wrong_wall_clock_is_corrected() {
        let mut clock = HybridClock::default();
        clock.correct(86_400_000, 1_000_000_000);
        assert_eq!(clock.tick(86_400_005), Stamp::at(1_000_000_005));
        clock.correct(u64::MAX, 0);
        clock.correct(0, u64::MAX);
        assert!(Stamp::checked(clock.tick(u64::MAX).to_bits()).is_some());
    }

    proptest! {
        #[test]
        fn ticks_rise_whatever_the_wall_clock_does(
            times in proptest::collection::vec(any::<u64>(), 1..50),
            seen in any::<u64>(), accepted in any::<u64>(), offset in any::<i64>(),
        ) {
            let mut clock = HybridClock { last: Stamp::default(), offset_ms: offset };
            let mut last = Stamp::default();
            for (turn, now) in times.into_iter().enumerate() {
                if turn == 3 && let Some(stamp) = Stamp::checked(seen) {
                    clock.observe(stamp.effective(accepted));
                }
                let tick = clock.tick(now);
                prop_assert!(tick > last || tick.to_bits() == i64::MAX.cast_unsigned());
                prop_assert!(Stamp::checked(tick.to_bits()).is_some());
                last = tick;
            }
        }

        #[test]
        fn a_stamp_that_moves_a_clock_is_not_far_ahead(bits in 0..u64::MAX / 2, accepted in 0..1u64 << 46) {
            let mut clock = HybridClock::default();
            clock.observe(Stamp::from_bits(bits).effective(accepted));
            prop_assert!(clock.last.ms() <= accepted.saturating_add(TOLERANCE_MS));
        }
    }
}
