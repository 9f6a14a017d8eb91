//! A party in 1:1 sessions.
//!
//! Must never: keep session state of its own; all of it is in the peers.

use std::ops::Range;

use serde_json::{Value, json};

use crate::json;
use crate::party::{Address, Outcome, Party};
use crate::protobuf;

/// What a bundle offers to whoever wants to start a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// A post-quantum key: the session will be PQXDH (version 4), without it X3DH (version 3).
    pub kyber: bool,
    /// A one-time pre-key.
    pub one_time: bool,
}

impl Offer {
    /// Version 3, with a one-time key.
    pub const X3DH: Self = Self {
        kyber: false,
        one_time: true,
    };
    /// Version 3, the one-time keys used up.
    pub const X3DH_DEPLETED: Self = Self {
        kyber: false,
        one_time: false,
    };
    /// Version 4, with a one-time key.
    pub const PQXDH: Self = Self {
        kyber: true,
        one_time: true,
    };
    /// Version 4, the one-time keys used up.
    pub const PQXDH_DEPLETED: Self = Self {
        kyber: true,
        one_time: false,
    };

    /// The version of the sessions that it leads to.
    #[must_use]
    pub fn version(self) -> u64 {
        if self.kyber { 4 } else { 3 }
    }
}

/// The field of a pre-key message that holds a whole message.
const INNER: u64 = 4;
/// The field of a message that belongs to the post-quantum ratchet.
const PQ_PART: u64 = 5;
/// Bytes of the MAC, which ends a message.
const MAC_LENGTH: usize = 8;

/// An encrypted 1:1 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    /// Its form.
    pub form: Form,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The two forms of a 1:1 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Of an acknowledged session.
    Whisper = 2,
    /// Carries what the receiver needs to make the session.
    PreKey = 3,
}

impl Ciphertext {
    /// The byte of a pre-key message that holds the topmost bit of the base key. The curve does not see
    /// that bit and no MAC covers it: older versions of the official library take the key either way,
    /// and for a new one at that. Newer ones refuse it.
    #[must_use]
    pub fn unseen_byte(&self) -> Option<usize> {
        match self.form {
            Form::PreKey => protobuf::contents(&self.bytes, 2).map(|base_key| base_key.end - 1),
            Form::Whisper => None,
        }
    }

    /// What the post-quantum ratchet has put into it, if anything.
    #[must_use]
    pub fn pq_part(&self) -> Option<&[u8]> {
        let signed = self.signed();
        protobuf::contents(signed, PQ_PART).map(|place| &signed[place])
    }

    /// The same message with something else in the place of that, or nothing; its MAC stays what it was.
    #[must_use]
    pub fn with_pq_part(&self, part: Option<&[u8]>) -> Self {
        let inner = self.inner();
        let mac = &inner[inner.len() - MAC_LENGTH..];
        let inner = [&protobuf::replaced(self.signed(), PQ_PART, part), mac].concat();
        Self {
            form: self.form,
            bytes: match self.form {
                Form::Whisper => inner,
                Form::PreKey => protobuf::replaced(&self.bytes, INNER, Some(&inner)),
            },
        }
    }

    /// What the MAC is over.
    fn signed(&self) -> &[u8] {
        let inner = self.inner();
        &inner[..inner.len() - MAC_LENGTH]
    }

    /// The message proper, which a pre-key message carries whole.
    fn inner(&self) -> &[u8] {
        match self.form {
            Form::Whisper => &self.bytes,
            Form::PreKey => {
                let place = protobuf::contents(&self.bytes, INNER);
                &self.bytes[place.expect("a pre-key message carries a message")]
            }
        }
    }

    /// The fields that carry this message in a request.
    #[must_use]
    pub fn to_fields(&self) -> Value {
        json!({ "type": self.form as u8, "message": json::text(&self.bytes) })
    }

    fn from_answer(answer: &Value) -> Self {
        let form = match json::number(answer, "type") {
            2 => Form::Whisper,
            3 => Form::PreKey,
            other => panic!("a 1:1 message of type {other}"),
        };
        Self {
            form,
            bytes: json::bytes(answer, "message"),
        }
    }
}

impl Party {
    /// Publishes fresh pre-keys.
    #[must_use]
    pub fn bundle(&self, offer: Offer) -> Value {
        let wanted = json!({ "one_time": offer.one_time, "kyber": offer.kyber });
        let mut answer = self
            .ask("bundle", wanted)
            .expect("a party publishes a bundle");
        answer["bundle"].take()
    }

    /// Starts a session from a bundle.
    pub fn process_bundle(&self, peer: &Address, bundle: &Value) -> Outcome<()> {
        self.ask("process_bundle", peer.and(json!({ "bundle": bundle })))
            .map(drop)
    }

    /// Starts a session with somebody who has just published a bundle.
    pub fn meet(&self, other: &Self, offer: Offer) {
        self.process_bundle(&other.address, &other.bundle(offer))
            .expect("an honest bundle is accepted");
    }

    /// Encrypts for the holder of an address.
    pub fn encrypt(&self, to: &Address, plaintext: &[u8]) -> Outcome<Ciphertext> {
        self.ask(
            "encrypt",
            to.and(json!({ "plaintext": json::text(plaintext) })),
        )
        .map(|answer| Ciphertext::from_answer(&answer))
    }

    /// Encrypts one of a conversation that is known to stand.
    #[must_use]
    pub fn write(&self, to: &Self, plaintext: impl AsRef<[u8]>) -> Ciphertext {
        self.encrypt(&to.address, plaintext.as_ref())
            .expect("a session encrypts")
    }

    /// Encrypts the numbers of a range as text, one message each.
    #[must_use]
    pub fn write_numbers(&self, to: &Self, numbers: Range<u32>) -> Vec<Ciphertext> {
        let requests = numbers.map(|number| {
            let plaintext = json::text(number.to_string().as_bytes());
            self.request("encrypt", to.address.and(json!({ "plaintext": plaintext })))
        });
        self.ask_all(requests)
            .into_iter()
            .map(|answer| Ciphertext::from_answer(&answer.expect("a session encrypts")))
            .collect()
    }

    /// Decrypts what is said to come from an address.
    pub fn decrypt(&self, from: &Address, message: &Ciphertext) -> Outcome<Vec<u8>> {
        self.ask("decrypt", from.and(message.to_fields()))
            .map(|answer| json::bytes(&answer, "plaintext"))
    }

    /// Decrypts many messages of one sender, in the order given.
    #[must_use]
    pub fn decrypt_all(&self, from: &Self, messages: &[Ciphertext]) -> Vec<Outcome<Vec<u8>>> {
        let requests = messages
            .iter()
            .map(|message| self.request("decrypt", from.address.and(message.to_fields())));
        self.ask_all(requests)
            .into_iter()
            .map(|answer| answer.map(|answer| json::bytes(&answer, "plaintext")))
            .collect()
    }

    /// Decrypts a message that must say exactly this.
    #[track_caller]
    pub fn read(&self, from: &Self, message: &Ciphertext, expected: impl AsRef<[u8]>) {
        let plaintext = self
            .decrypt(&from.address, message)
            .unwrap_or_else(|refusal| panic!("{self} cannot read {from}: {refusal}"));
        assert_eq!(plaintext, expected.as_ref(), "{self} reading {from}");
    }

    /// What the peer tells of a session, null when there is none.
    #[must_use]
    pub fn session_info(&self, peer: &Address) -> Value {
        let mut answer = self
            .ask("session_info", peer.and(json!({})))
            .expect("session_info is always answered");
        answer["info"].take()
    }
}
