//! A network at its worst, from a seed: loses, repeats, reorders and damages what it carries.
//!
//! For: playing the same bad luck again. Must never: invent a message, deliver a damaged copy instead
//! of the honest one (the honest one still follows or is lost), or hold one back for ever.

use std::collections::VecDeque;

use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;

/// How bad a link is.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// How likely a message never arrives.
    pub lose: f64,
    /// How likely a message arrives once more.
    pub repeat: f64,
    /// How likely a damaged copy arrives before it.
    pub corrupt: f64,
    /// How many later messages may overtake one. Chains are dropped when newer ones come: a message
    /// that too many overtake is rightly lost, and scenarios must not wait for it.
    pub overtake: usize,
}

/// One direction of a bad network.
#[derive(Debug)]
pub struct FaultyLink<M> {
    faults: Faults,
    queue: VecDeque<InFlight<M>>,
}

#[derive(Debug)]
struct InFlight<M> {
    message: M,
    overtaken: usize,
    delivered: bool,
}

/// What comes out at the far end.
#[derive(Debug)]
pub struct Delivery<M> {
    /// The message as it was sent.
    pub message: M,
    /// Which copy of it this is.
    pub copy: Copy,
}

/// Which copy of a message arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// The first honest one.
    First,
    /// An honest one again.
    Repeat,
    /// One to be damaged before it is handed over.
    Damaged,
}

impl<M: Clone> FaultyLink<M> {
    /// A link with nothing on it.
    #[must_use]
    pub fn new(faults: Faults) -> Self {
        Self {
            faults,
            queue: VecDeque::new(),
        }
    }

    /// Takes a message, or loses it.
    pub fn carry(&mut self, message: M, rng: &mut ChaCha20Rng) {
        if !rng.random_bool(self.faults.lose) {
            self.queue.push_back(InFlight {
                message,
                overtaken: 0,
                delivered: false,
            });
        }
    }

    /// The next copy to arrive, if anything is under way.
    pub fn deliver(&mut self, rng: &mut ChaCha20Rng) -> Option<Delivery<M>> {
        let place = self.pick(rng)?;
        let chosen = &mut self.queue[place];
        if rng.random_bool(self.faults.corrupt) {
            return Some(Delivery {
                message: chosen.message.clone(),
                copy: Copy::Damaged,
            });
        }
        let copy = if chosen.delivered {
            Copy::Repeat
        } else {
            Copy::First
        };
        chosen.delivered = true;
        let message = chosen.message.clone();
        for earlier in self.queue.range_mut(..place) {
            earlier.overtaken += 1;
        }
        if !rng.random_bool(self.faults.repeat) {
            self.queue.remove(place);
        }
        Some(Delivery { message, copy })
    }

    /// Any of those under way that would not overtake one that was overtaken often enough.
    fn pick(&self, rng: &mut ChaCha20Rng) -> Option<usize> {
        let last = self.queue.len().checked_sub(1)?;
        let patience_ends = self
            .queue
            .iter()
            .position(|waiting| waiting.overtaken >= self.faults.overtake);
        Some(rng.random_range(0..=patience_ends.unwrap_or(last)))
    }
}
