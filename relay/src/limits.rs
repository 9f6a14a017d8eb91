//! Rate limits: how much of everything one account, address, pair or connection may ask for.
//!
//! Each limiter is a token bucket a key (`governor`), in memory, with a failure mode of its own in the
//! configuration: a limiter that remembers as many keys as it may either lets everybody through (open) or
//! nobody (closed). A refusal says when to try again.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hushpost_wire::ErrorCode;

use crate::config::{RateLimit, Rates, WhenFull};
use crate::mailbox::DeviceKey;
use crate::refusal::Refusal;

/// How long a key waits that a full limiter refuses.
const FULL_RETRY: Duration = Duration::from_secs(10);

/// Who asks: an account, or on an anonymous connection its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// By its number in the store.
    Account(i64),
    /// By the network address (of IPv6 the network's half).
    Address(IpAddr),
}

/// All limiters.
pub struct Limits {
    /// Messages that an account sends.
    pub messages_per_account: Limiter<i64>,
    /// Messages from one address.
    pub messages_per_address: Limiter<IpAddr>,
    /// Messages from one sender to one account.
    pub messages_per_pair: Limiter<(Asker, i64)>,
    /// KiB into one device's queue: by strangers, and by those with its owner's delivery token.
    pub bytes_per_queue: Limiter<(DeviceKey, bool)>,
    /// Bundles of one account to one asker.
    pub bundles_per_pair: Limiter<(Asker, i64)>,
    /// Bundles of one account.
    pub bundles_per_target: Limiter<i64>,
    /// Names looked up.
    pub name_lookups: Limiter<Asker>,
    /// Registrations from one address.
    pub registrations_per_address: Limiter<IpAddr>,
    /// Connections opened from one address.
    pub handshakes_per_address: Limiter<IpAddr>,
    /// Uploads started by an account.
    pub uploads: Limiter<i64>,
    /// Presence values published on one connection.
    pub presence: Limiter<u64>,
    /// Frames of any kind on one connection.
    pub requests_per_connection: Limiter<u64>,
}

impl Limits {
    /// Limiters as configured, each remembering at most about `tracked` keys.
    #[must_use]
    pub fn new(rates: &Rates, tracked: usize) -> Self {
        Self {
            messages_per_account: Limiter::new(
                "messages_per_account",
                rates.messages_per_account,
                tracked,
            ),
            messages_per_address: Limiter::new(
                "messages_per_address",
                rates.messages_per_address,
                tracked,
            ),
            messages_per_pair: Limiter::new("messages_per_pair", rates.messages_per_pair, tracked),
            bytes_per_queue: Limiter::new("bytes_per_queue", rates.bytes_per_queue, tracked),
            bundles_per_pair: Limiter::new("bundles_per_pair", rates.bundles_per_pair, tracked),
            bundles_per_target: Limiter::new(
                "bundles_per_target",
                rates.bundles_per_target,
                tracked,
            ),
            name_lookups: Limiter::new("name_lookups", rates.name_lookups, tracked),
            registrations_per_address: Limiter::new(
                "registrations_per_address",
                rates.registrations_per_address,
                tracked,
            ),
            handshakes_per_address: Limiter::new(
                "handshakes_per_address",
                rates.handshakes_per_address,
                tracked,
            ),
            uploads: Limiter::new("uploads", rates.uploads, tracked),
            presence: Limiter::new("presence", rates.presence, tracked),
            requests_per_connection: Limiter::new(
                "requests_per_connection",
                rates.requests_per_connection,
                tracked,
            ),
        }
    }

    /// Forgets keys whose buckets are full again, and notes which limiters are full. To be called every
    /// few seconds.
    pub fn tidy(&self) {
        self.messages_per_account.tidy();
        self.messages_per_address.tidy();
        self.messages_per_pair.tidy();
        self.bytes_per_queue.tidy();
        self.bundles_per_pair.tidy();
        self.bundles_per_target.tidy();
        self.name_lookups.tidy();
        self.registrations_per_address.tidy();
        self.handshakes_per_address.tidy();
        self.uploads.tidy();
        self.presence.tidy();
        self.requests_per_connection.tidy();
    }
}

/// One limiter.
pub struct Limiter<K: Hash + Eq + Clone> {
    name: &'static str,
    buckets: Option<DefaultKeyedRateLimiter<K>>,
    when_full: WhenFull,
    tracked: usize,
    full: AtomicBool,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(name: &'static str, limit: RateLimit, tracked: usize) -> Self {
        let (buckets, when_full) = match limit {
            RateLimit::Off => (None, WhenFull::Open),
            RateLimit::On(rate) => (
                quota(rate.burst, rate.per_minute).map(RateLimiter::keyed),
                rate.when_full,
            ),
        };
        Self {
            name,
            buckets,
            when_full,
            tracked,
            full: AtomicBool::new(false),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long to wait.
    pub fn take(&self, key: &K) -> Result<(), Duration> {
        self.take_many(key, NonZeroU32::MIN)
    }

    /// Takes several at once.
    ///
    /// # Errors
    /// How long to wait. More than the whole bucket is never to be had: as long as a full limiter.
    pub fn take_many(&self, key: &K, count: NonZeroU32) -> Result<(), Duration> {
        let Some(buckets) = &self.buckets else {
            return Ok(());
        };
        let taken = if self.full.load(Ordering::Relaxed) {
            match self.when_full {
                WhenFull::Open => Ok(()),
                WhenFull::Closed => Err(FULL_RETRY),
            }
        } else {
            match buckets.check_key_n(key, count) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(later)) => Err(later.wait_time_from(DefaultClock::default().now())),
                Err(_more_than_a_bucket) => Err(FULL_RETRY),
            }
        };
        if taken.is_err() {
            metrics::counter!("hushpost_limited_total", "limiter" => self.name).increment(1);
        }
        taken
    }

    /// As [`take`](Self::take), with the refusal for the client.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`].
    pub fn admit(&self, key: &K) -> Result<(), Refusal> {
        self.take(key).map_err(|wait| {
            Refusal::new(
                ErrorCode::RateLimited,
                format!("too often ({}); wait for retry_after_ms", self.name),
            )
            .retry_after(wait)
        })
    }

    fn tidy(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
            let full = buckets.len() >= self.tracked;
            if full {
                buckets.shrink_to_fit();
            }
            if full && !self.full.swap(full, Ordering::Relaxed) {
                tracing::warn!(limiter = self.name, "a rate limiter is full");
            }
            self.full.store(full, Ordering::Relaxed);
        }
    }
}

fn quota(burst: u32, per_minute: f64) -> Option<Quota> {
    let period = Duration::try_from_secs_f64(60.0 / per_minute).ok()?;
    Some(Quota::with_period(period)?.allow_burst(NonZeroU32::new(burst)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rate;

    fn limiter(burst: u32, tracked: usize, when_full: WhenFull) -> Limiter<u32> {
        let rate = Rate {
            burst,
            per_minute: 0.1,
            when_full,
        };
        Limiter::new("test", RateLimit::On(rate), tracked)
    }

    #[test]
    fn a_burst_then_nothing_until_the_time_said() {
        let limiter = limiter(6, 100, WhenFull::Closed);
        for _ in 0..6 {
            assert!(limiter.take(&1).is_ok());
        }
        let wait = limiter.take(&1).unwrap_err();
        assert!(wait > Duration::from_secs(500) && wait <= Duration::from_secs(600));
        assert!(limiter.take(&2).is_ok(), "another key has its own bucket");
        assert!(limiter.take_many(&3, NonZeroU32::new(7).unwrap()).is_err());
    }

    #[test]
    fn a_full_limiter_fails_as_configured() {
        for (when_full, let_through) in [(WhenFull::Open, true), (WhenFull::Closed, false)] {
            let limiter = limiter(1, 3, when_full);
            for key in 0..3 {
                assert!(limiter.take(&key).is_ok());
            }
            limiter.tidy();
            assert_eq!(limiter.take(&9).is_ok(), let_through);
        }
    }

    #[test]
    fn off_is_off() {
        let limiter = Limiter::new("test", RateLimit::Off, 1);
        for _ in 0..1000 {
            assert!(limiter.take(&1).is_ok());
        }
    }
}
