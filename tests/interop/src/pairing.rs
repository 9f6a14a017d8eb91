//! Two peers and a scenario between them.
//!
//! Must never: share a process or a generator between scenarios; each starts its own.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;
use uuid::{Builder, Uuid};

use crate::implementation::{Generation, Implementation};
use crate::party::{Address, Party, Persona, SharedPeer};
use crate::peer::Peer;
use crate::side::{Side, Spqr};

/// Who plays against whom.
#[derive(Clone, Copy, Debug)]
pub struct Pairing {
    /// Runs alice.
    pub home: Side,
    /// Runs bob.
    pub away: Side,
}

impl Pairing {
    /// Without the post-quantum ratchet: against the generation that has none, and among ourselves.
    #[must_use]
    pub fn classic() -> Vec<Self> {
        let ours = Side::ours(Spqr::Off);
        let mut pairings = Self::both_ways(ours, Side::official(Generation::X3dh));
        pairings.push(Self::new(ours, ours));
        pairings
    }

    /// Every pair of policies that leads to a session, whether the post-quantum ratchet runs in it or
    /// had to be given up.
    #[must_use]
    pub fn negotiated() -> Vec<Self> {
        let [required, allowed, off] = [Spqr::Required, Spqr::Allowed, Spqr::Off].map(Side::ours);
        let [x3dh, negotiable, current] = [
            Generation::X3dh,
            Generation::Negotiable,
            Generation::Current,
        ]
        .map(Side::official);
        [
            (required, current),
            (allowed, current),
            (required, negotiable),
            (allowed, negotiable),
            (off, negotiable),
            (allowed, x3dh),
            (required, required),
            (required, allowed),
            (allowed, allowed),
            (allowed, off),
            (off, off),
        ]
        .into_iter()
        .flat_map(|(one, other)| Self::both_ways(one, other))
        .collect()
    }

    /// Where the post-quantum ratchet runs, against each generation that has it.
    #[must_use]
    pub fn ratcheting() -> Vec<Self> {
        let negotiable = Self::both_ways(
            Side::ours(Spqr::Allowed),
            Side::official(Generation::Negotiable),
        );
        [Self::with_current(), negotiable].concat()
    }

    /// Our own policy against the newest official generation.
    #[must_use]
    pub fn with_current() -> Vec<Self> {
        Self::both_ways(
            Side::ours(Spqr::Required),
            Side::official(Generation::Current),
        )
    }

    /// One side insists on the post-quantum ratchet and the other has none.
    #[must_use]
    pub fn irreconcilable() -> Vec<Self> {
        let [required, off] = [Spqr::Required, Spqr::Off].map(Side::ours);
        [
            (required, Side::official(Generation::X3dh)),
            (Side::official(Generation::Current), off),
            (required, off),
        ]
        .into_iter()
        .flat_map(|(one, other)| Self::both_ways(one, other))
        .collect()
    }

    fn new(home: Side, away: Side) -> Self {
        Self { home, away }
    }

    /// Each starts once; a side against itself plays once.
    fn both_ways(one: Side, other: Side) -> Vec<Self> {
        let mut pairings = vec![Self::new(one, other)];
        if one != other {
            pairings.push(Self::new(other, one));
        }
        pairings
    }

    /// Whether it cannot be played without the official library.
    #[must_use]
    pub fn needs_official(self) -> bool {
        [self.home, self.away]
            .iter()
            .any(|side| matches!(side.implementation, Implementation::Official(_)))
    }

    /// Whether both sides have the post-quantum ratchet.
    #[must_use]
    pub fn ratchets(self) -> bool {
        self.home.spqr != Spqr::Off && self.away.spqr != Spqr::Off
    }
}

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} vs {}", self.home, self.away)
    }
}

/// Where one scenario takes place: a fresh process for each side, and all the chance it may use.
#[derive(Debug)]
pub struct Stage {
    /// Who plays.
    pub pairing: Pairing,
    home: SharedPeer,
    away: SharedPeer,
    /// The scenario's own generator.
    pub rng: ChaCha20Rng,
}

impl Stage {
    /// Starts both processes.
    #[must_use]
    pub fn set(pairing: Pairing, rng: ChaCha20Rng) -> Self {
        Self {
            pairing,
            home: start(pairing.home.implementation),
            away: start(pairing.away.implementation),
            rng,
        }
    }

    /// A new party on the first side.
    pub fn home(&mut self, label: &str) -> Party {
        let persona = self.persona(label);
        self.home_as(persona)
    }

    /// A new party on the second side.
    pub fn away(&mut self, label: &str) -> Party {
        let persona = self.persona(label);
        self.away_as(persona)
    }

    /// A party on the first side that is already somebody.
    pub fn home_as(&mut self, persona: Persona) -> Party {
        Party::new(&self.home, persona, self.pairing.home.spqr).expect("a party comes to life")
    }

    /// A party on the second side that is already somebody.
    pub fn away_as(&mut self, persona: Persona) -> Party {
        Party::new(&self.away, persona, self.pairing.away.spqr).expect("a party comes to life")
    }

    /// Somebody new: a random account, its first device.
    pub fn persona(&mut self, label: &str) -> Persona {
        Persona {
            label: label.to_owned(),
            address: Address {
                name: self.uuid(),
                device: 1,
            },
            registration_id: self.rng.random_range(1..=0x3fff),
            identity_private: None,
        }
    }

    /// A random account, group or anything else known by a UUID.
    pub fn uuid(&mut self) -> Uuid {
        Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    /// As many random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.rng.random()).collect()
    }

    /// Another process of the same implementation as a party's.
    #[must_use]
    pub fn another_process(&self, party: &Party) -> SharedPeer {
        start(party.implementation())
    }
}

fn start(implementation: Implementation) -> SharedPeer {
    let peer = Peer::start(implementation)
        .unwrap_or_else(|error| panic!("{implementation} cannot be started: {error}"));
    Rc::new(RefCell::new(peer))
}
