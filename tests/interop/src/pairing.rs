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

/// Who plays against whom.
#[derive(Clone, Copy, Debug)]
pub struct Pairing {
    /// Runs alice.
    pub home: Implementation,
    /// Runs bob.
    pub away: Implementation,
}

impl Pairing {
    /// Every pairing with ours in it: each scenario is played in all.
    pub const ALL: [Self; 3] = [
        Self {
            home: Implementation::Ours,
            away: Implementation::Official(Generation::X3dh),
        },
        Self {
            home: Implementation::Official(Generation::X3dh),
            away: Implementation::Ours,
        },
        Self {
            home: Implementation::Ours,
            away: Implementation::Ours,
        },
    ];

    /// Whether it cannot be played without the official library.
    #[must_use]
    pub fn needs_official(self) -> bool {
        [self.home, self.away]
            .iter()
            .any(|side| matches!(side, Implementation::Official(_)))
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
            home: start(pairing.home),
            away: start(pairing.away),
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
        Party::new(&self.home, persona).expect("a party comes to life")
    }

    /// A party on the second side that is already somebody.
    pub fn away_as(&mut self, persona: Persona) -> Party {
        Party::new(&self.away, persona).expect("a party comes to life")
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
