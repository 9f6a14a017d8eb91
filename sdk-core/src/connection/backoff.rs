//! How long to wait before the next try: full jitter, so that clients that lost a relay together do not
//! come back together.
//!
//! Pure: the caller brings the randomness and does the waiting.

use std::time::Duration;

use rand_core::Rng;

/// The first wait is at most this long.
const FIRST: Duration = Duration::from_millis(100);
/// Every wait is at most this long, unless the relay asks for more.
const LONGEST: Duration = Duration::from_secs(30);
/// A relay cannot keep its clients away for longer than this by asking.
const LONGEST_ASKED: Duration = Duration::from_secs(15 * 60);
/// A connection that lasted this long was a good one.
const LASTED: Duration = Duration::from_secs(30);

/// The waits between tries: anything up to a bound that begins at 100 ms and doubles to 30 s.
#[derive(Debug, Clone)]
pub struct Backoff {
    bound: Duration,
}

impl Backoff {
    /// From the start.
    #[must_use]
    pub const fn new() -> Self {
        Self { bound: FIRST }
    }

    /// The next wait. What the relay asked for (a shorter wait is not taken from it) is honoured up to 15
    /// minutes; the relay draws it at random already, but only for those that it told.
    pub fn next(&mut self, reconnect_after: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let choices = u64::try_from(self.bound.as_millis())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        // Below 2^32 times at most 30,001: no overflow, and no bias worth a second draw.
        let drawn = u64::from(rng.next_u32()).saturating_mul(choices) >> 32;
        self.bound = self.bound.saturating_mul(2).min(LONGEST);
        let asked = reconnect_after.unwrap_or_default().min(LONGEST_ASKED);
        asked.max(Duration::from_millis(drawn))
    }

    /// A connection ended that had been good for this long. After a short one the waits go on growing: a
    /// relay that takes connections and drops them is no better than one that is away.
    pub fn lasted(&mut self, connected: Duration) {
        if connected >= LASTED {
            self.bound = FIRST;
        }
    }

    /// Starts over: something outside changed (the network came back, the app came to the front).
    pub const fn reset(&mut self) {
        self.bound = FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use proptest::prelude::*;
    use rand_core::TryRng;

    /// Draws what it is told, for ever.
    struct Always(u32);

    impl TryRng for Always {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(self.0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(u64::from(self.0))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(0);
            Ok(())
        }
    }

    fn longest_waits(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count)
            .map(|_| backoff.next(None, &mut Always(u32::MAX)).as_millis())
            .collect()
    }

    #[test]
    fn the_bound_doubles_up_to_half_a_minute() {
        let waits = longest_waits(&mut Backoff::new(), 11);
        assert_eq!(
            waits,
            [
                100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000
            ]
        );
    }

    #[test]
    fn only_a_connection_that_lasted_starts_over() {
        let mut backoff = Backoff::new();
        longest_waits(&mut backoff, 5);
        backoff.lasted(Duration::from_secs(29));
        assert_eq!(longest_waits(&mut backoff, 1), [3200]);
        backoff.lasted(Duration::from_secs(30));
        assert_eq!(longest_waits(&mut backoff, 1), [100]);
        backoff.reset();
        assert_eq!(longest_waits(&mut backoff, 1), [100]);
    }

    #[test]
    fn the_relay_may_ask_for_more_but_not_for_ever() {
        let mut backoff = Backoff::new();
        let mut rng = Always(0);
        assert_eq!(backoff.next(None, &mut rng), Duration::ZERO);
        let asked = Duration::from_secs(40);
        assert_eq!(backoff.next(Some(asked), &mut rng), asked);
        assert_eq!(backoff.next(Some(Duration::MAX), &mut rng), LONGEST_ASKED);
        let less = backoff.next(Some(Duration::from_millis(1)), &mut Always(u32::MAX));
        assert_eq!(less.as_millis(), 800);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_its_bound(
            tries in prop::collection::vec((any::<u32>(), any::<Option<u64>>(), any::<u32>()), 0..50)
        ) {
            let mut backoff = Backoff::new();
            let mut bound = FIRST;
            for (random, asked, lasted) in tries {
                let asked = asked.map(Duration::from_millis);
                let wait = backoff.next(asked, &mut Always(random));
                let floor = asked.unwrap_or_default().min(LONGEST_ASKED);
                prop_assert!(wait >= floor);
                prop_assert!(wait <= bound.max(floor));
                bound = bound.saturating_mul(2).min(LONGEST);
                let lasted = Duration::from_millis(lasted.into());
                backoff.lasted(lasted);
                if lasted >= LASTED {
                    bound = FIRST;
                }
            }
        }
    }
}
