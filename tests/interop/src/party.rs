//! A named actor living inside a peer: an identity, its pre-keys and its sessions.
//!
//! For: writing scenarios as what alice and bob do. What a party can do is in the modules `sessions`,
//! `groups`, `sealed` and `keys`; methods named like an operation of the conformance protocol do just
//! that, and the others are what scenarios do all the time.
//!
//! Must never: interpret a refusal (the scenario does), or go on when the peer itself is broken.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::implementation::Implementation;
use crate::json;
use crate::peer::{Peer, PeerError, Refusal};
use crate::side::Spqr;

/// What came of an operation: its result, or the peer's refusal.
pub type Outcome<T> = Result<T, Refusal>;

/// A peer that several parties live in.
pub type SharedPeer = Rc<RefCell<Peer>>;

/// Who a party is, before it exists.
#[derive(Clone, Debug)]
pub struct Persona {
    /// What the peer knows it by.
    pub label: String,
    /// Its account and device.
    pub address: Address,
    /// The number it made up when it registered.
    pub registration_id: u32,
    /// Its identity key, when the scenario chooses it.
    pub identity_private: Option<[u8; 32]>,
}

/// Where a party is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The account, a UUID.
    pub name: Uuid,
    /// The device of that account.
    pub device: u8,
}

/// A party, alive in its peer.
#[derive(Clone, Debug)]
pub struct Party {
    peer: SharedPeer,
    label: String,
    spqr: Spqr,
    /// Where it is reached.
    pub address: Address,
    /// Its public identity key.
    pub identity: Vec<u8>,
}

impl Party {
    /// Brings a party to life in a peer, replacing the one of the same label.
    pub fn new(peer: &SharedPeer, persona: Persona, spqr: Spqr) -> Outcome<Self> {
        let mut party = Self {
            peer: Rc::clone(peer),
            label: persona.label,
            spqr,
            address: persona.address,
            identity: Vec::new(),
        };
        let mut fields = json!({
            "name": party.address.name,
            "device": party.address.device,
            "registration_id": persona.registration_id,
            "spqr": spqr.name(),
        });
        if let Some(private) = persona.identity_private {
            fields["identity_private"] = json::text(&private).into();
        }
        let answer = party.ask("new_party", fields)?;
        party.identity = json::bytes(&answer, "identity");
        Ok(party)
    }

    /// The peer that it lives in.
    #[must_use]
    pub fn peer(&self) -> &SharedPeer {
        &self.peer
    }

    /// What runs it.
    #[must_use]
    pub fn implementation(&self) -> Implementation {
        self.peer.borrow().implementation()
    }

    /// What it wants of the post-quantum ratchet.
    #[must_use]
    pub fn spqr(&self) -> Spqr {
        self.spqr
    }

    /// Everything this party knows, as ours keeps it (the official peer has no such operation).
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let answer = self.ask("save", json!({})).expect("ours saves any party");
        json::bytes(&answer, "state")
    }

    /// Replaces the party by what was saved: all since then is forgotten.
    pub fn load(&self, state: &[u8]) -> Outcome<()> {
        self.ask("load", json!({ "state": json::text(state) }))
            .map(drop)
    }

    /// The same party in another peer, which knows nothing of it yet.
    #[must_use]
    pub fn moved_to(&self, peer: &SharedPeer) -> Self {
        Self {
            peer: Rc::clone(peer),
            ..self.clone()
        }
    }

    pub(crate) fn ask(&self, op: &str, fields: Value) -> Outcome<Value> {
        let request = self.request(op, fields);
        let answer = self.peer.borrow_mut().ask(request);
        answer.unwrap_or_else(|broken| self.give_up(&broken))
    }

    pub(crate) fn ask_all(&self, requests: impl Iterator<Item = Value>) -> Vec<Outcome<Value>> {
        let answers = self.peer.borrow_mut().ask_all(requests);
        answers.unwrap_or_else(|broken| self.give_up(&broken))
    }

    /// A request of this party, as it would be sent.
    #[must_use]
    pub fn request(&self, op: &str, mut fields: Value) -> Value {
        fields["op"] = op.into();
        fields["party"] = self.label.as_str().into();
        fields
    }

    fn give_up(&self, broken: &PeerError) -> ! {
        panic!("the peer of {self} is broken: {broken}")
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.label, self.implementation())
    }
}

impl Address {
    /// The fields of a request that concerns the holder of this address.
    #[must_use]
    pub fn and(&self, mut fields: Value) -> Value {
        fields["peer"] = self.name.to_string().into();
        fields["peer_device"] = self.device.into();
        fields
    }
}
