//! Two parties talking over a bad network, and the book-keeping of who must be able to read what.
//!
//! Must never: accept a wrong plaintext, a repeat that is read twice, or an honest first copy that is
//! not read.

use std::collections::HashSet;

use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;

use crate::faults::{Copy, Delivery, Faults, FaultyLink};
use crate::party::Party;
use crate::sessions::{Ciphertext, Form};
use crate::tamper::{self, Damage};

/// Both say something and hear the other, so many times: every message must be read.
#[track_caller]
pub fn round_trips(alice: &Party, bob: &Party, times: u32) {
    for turn in 0..times {
        for (writer, reader) in [(alice, bob), (bob, alice)] {
            let line = format!("turn {turn} of {writer}");
            let message = writer.write(reader, &line);
            reader.read(writer, &message, &line);
        }
    }
}

/// A conversation over two faulty links.
#[derive(Debug)]
pub struct Conversation<'a> {
    ends: [End<'a>; 2],
    written: u32,
}

#[derive(Debug)]
struct End<'a> {
    party: &'a Party,
    /// What was written to this party.
    inbound: FaultyLink<Posted>,
    read: HashSet<String>,
    may_write: bool,
}

#[derive(Clone, Debug)]
struct Posted {
    line: String,
    message: Ciphertext,
}

impl<'a> Conversation<'a> {
    /// Alice has a session with bob; bob will have one once he has read her.
    #[must_use]
    pub fn started_by(alice: &'a Party, bob: &'a Party, faults: Faults) -> Self {
        Self {
            ends: [End::new(alice, faults, true), End::new(bob, faults, false)],
            written: 0,
        }
    }

    /// Both have started a session with the other.
    #[must_use]
    pub fn started_by_both(alice: &'a Party, bob: &'a Party, faults: Faults) -> Self {
        Self {
            ends: [End::new(alice, faults, true), End::new(bob, faults, true)],
            written: 0,
        }
    }

    /// So many times, somebody writes or something arrives; then all that is under way arrives.
    pub fn play(&mut self, steps: u32, rng: &mut ChaCha20Rng) {
        for _ in 0..steps {
            let side = rng.random_range(0..2);
            if self.ends[side].may_write && rng.random() {
                self.write(side, rng);
            } else {
                self.deliver_to(side, rng);
            }
        }
        for side in [0, 1] {
            while self.deliver_to(side, rng) {}
        }
    }

    fn write(&mut self, side: usize, rng: &mut ChaCha20Rng) {
        self.written += 1;
        let [writer, reader] = [side, 1 - side].map(|side| self.ends[side].party);
        let line = format!("line {} of {writer}", self.written);
        let message = writer.write(reader, &line);
        self.ends[1 - side]
            .inbound
            .carry(Posted { line, message }, rng);
    }

    fn deliver_to(&mut self, side: usize, rng: &mut ChaCha20Rng) -> bool {
        let writer = self.ends[1 - side].party;
        let reader = &mut self.ends[side];
        let Some(delivery) = reader.inbound.deliver(rng) else {
            return false;
        };
        reader.receive(writer, delivery, rng);
        true
    }
}

impl<'a> End<'a> {
    fn new(party: &'a Party, faults: Faults, may_write: bool) -> Self {
        Self {
            party,
            inbound: FaultyLink::new(faults),
            read: HashSet::new(),
            may_write,
        }
    }

    fn receive(&mut self, writer: &Party, delivery: Delivery<Posted>, rng: &mut ChaCha20Rng) {
        let Posted { line, mut message } = delivery.message;
        let known = self.read.contains(&line);
        if delivery.copy == Copy::Damaged {
            let mutant = std::iter::repeat_with(|| tamper::damage(&message.bytes, rng))
                .find(|mutant| message.unseen_byte().map(Damage::Flipped) != Some(mutant.damage))
                .expect("most damage is elsewhere");
            message.bytes = mutant.bytes;
            match self.party.decrypt(&writer.address, &message) {
                Err(_) => return,
                // The envelope of a pre-key message is not all authenticated: what is inside is.
                Ok(plaintext) if message.form == Form::PreKey && !known => {
                    assert_eq!(plaintext, line.as_bytes(), "with {}", mutant.damage);
                }
                Ok(_) => panic!("{} read {line:?} with {}", self.party, mutant.damage),
            }
        } else if known {
            let refusal = self
                .party
                .decrypt(&writer.address, &message)
                .expect_err("a message is read only once");
            refusal.assert_code("duplicate_message");
        } else {
            assert_ne!(delivery.copy, Copy::Repeat, "a repeat follows a first copy");
            self.party.read(writer, &message, &line);
        }
        self.read.insert(line);
        self.may_write = true;
    }
}
