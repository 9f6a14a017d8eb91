//! Sequence numbers of its own for one device: what the client counts, what the relay counts, and which is
//! which.
//!
//! Outlives connections. What was lost stays lost, so that numbers once given keep their meaning; numbers
//! above those that the client stored are given anew after a reconnect, as the client has nothing under them.

use std::collections::BTreeMap;

/// What became of one of the relay's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Held, or not decided.
    Waits,
    /// The client knows it as this.
    Given(u64),
    /// The client never hears of it.
    Lost,
}

/// The numbers of one device.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The relay's numbers that came, by their own order.
    seen: BTreeMap<u64, Place>,
    /// The relay's numbers up to here were acknowledged before anything came.
    base: u64,
    /// The highest number given to the client.
    last: u64,
    /// What the client had stored when it began to receive: never shown again.
    stored: u64,
}

impl Numbers {
    /// The client begins to receive after its own `after`. Returns the relay's number for it.
    pub(super) fn receive(&mut self, after: u64) -> u64 {
        if self.seen.is_empty() {
            // Nothing came yet: both count alike.
            self.base = after;
        }
        let upstream = self.upstream(after);
        self.seen.retain(|_, place| match place {
            Place::Waits => false,
            Place::Given(number) => *number <= after,
            Place::Lost => true,
        });
        self.last = after;
        self.stored = after;
        upstream
    }

    /// The relay says that it begins after its own `floor`, above what was asked. Returns what the client is
    /// told.
    pub(super) fn begin(&mut self, floor: u64) -> u64 {
        if self.seen.is_empty() && floor > self.base {
            self.base = floor;
            self.last = floor;
            self.stored = floor;
        }
        self.stored
    }

    /// One of the relay's numbers came. `false` if what it names was lost for good.
    pub(super) fn came(&mut self, upstream: u64) -> bool {
        *self.seen.entry(upstream).or_insert(Place::Waits) != Place::Lost
    }

    /// What one of the relay's numbers names is lost for good.
    pub(super) fn lose(&mut self, upstream: u64) {
        self.seen.insert(upstream, Place::Lost);
    }

    /// The client's number for one of the relay's; `None` if the client has stored it.
    pub(super) fn give(&mut self, upstream: u64) -> Option<u64> {
        if let Some(Place::Given(number)) = self.seen.get(&upstream) {
            return (*number > self.stored).then_some(*number);
        }
        let number = self.next();
        self.seen.insert(upstream, Place::Given(number));
        Some(number)
    }

    /// A number for what the relay knows nothing of.
    pub(super) fn next(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// The highest of the relay's numbers that may be acknowledged when the client has everything up to
    /// `through`: nothing that waits lies below it.
    pub(super) fn upstream(&self, through: u64) -> u64 {
        self.seen
            .iter()
            .take_while(|(_, place)| match place {
                Place::Waits => false,
                Place::Given(number) => *number <= through,
                Place::Lost => true,
            })
            .last()
            .map_or(self.base, |(upstream, _)| *upstream)
    }

    /// The highest number given.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// What the client is told of a mailbox that ends at the relay's `last`.
    pub(super) fn mailbox_end(&self, last: u64) -> u64 {
        let came = self.highest().unwrap_or(self.base);
        self.last.saturating_add(last.saturating_sub(came))
    }

    /// The highest of the relay's numbers that came.
    pub(super) fn highest(&self) -> Option<u64> {
        self.seen.last_key_value().map(|(upstream, _)| *upstream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_leaves_no_gap_and_is_acknowledged_with_the_next() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.receive(0), 0);
        for upstream in 1..=4 {
            assert!(numbers.came(upstream));
        }
        assert_eq!(numbers.give(1), Some(1));
        numbers.lose(2);
        assert_eq!(numbers.give(3), Some(2));
        assert_eq!(numbers.give(4), Some(3));
        assert_eq!(numbers.upstream(0), 0);
        assert_eq!(numbers.upstream(1), 2);
        assert_eq!(numbers.upstream(2), 3);
        assert_eq!(numbers.mailbox_end(6), 5);
        // After a reconnect the lost one is still lost, and what was not stored has its number again.
        assert_eq!(numbers.receive(1), 2);
        assert!(!numbers.came(2));
        assert!(numbers.came(3));
        assert_eq!(numbers.give(3), Some(2));
    }

    #[test]
    fn what_waits_is_never_acknowledged() {
        let mut numbers = Numbers::default();
        numbers.receive(0);
        numbers.came(1);
        numbers.came(2);
        assert_eq!(numbers.give(2), Some(1));
        assert_eq!(numbers.upstream(1), 0);
        // The client stored the second; after a reconnect it gets the first alone.
        assert_eq!(numbers.receive(1), 0);
        assert!(numbers.came(1) && numbers.came(2));
        assert_eq!(numbers.give(1), Some(2));
        assert_eq!(numbers.give(2), None);
        assert_eq!(numbers.upstream(2), 2);
    }

    #[test]
    fn what_is_injected_takes_a_number() {
        let mut numbers = Numbers::default();
        numbers.receive(7);
        assert_eq!(numbers.next(), 8);
        numbers.came(8);
        assert_eq!(numbers.give(8), Some(9));
        assert_eq!(numbers.upstream(8), 7);
        assert_eq!(numbers.upstream(9), 8);
    }

    #[test]
    fn a_relay_that_begins_higher_is_believed_while_nothing_came() {
        let mut numbers = Numbers::default();
        numbers.receive(0);
        assert_eq!(numbers.begin(40), 40);
        numbers.came(41);
        assert_eq!(numbers.give(41), Some(41));
    }
}
