//! A party that hides who it is from the relay: sealed sender, and the authority that certifies
//! senders.
//!
//! Must never: outlive a run; every authority here is a throw-away.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::json;
use crate::party::{Address, Outcome, Party, SharedPeer};

/// Milliseconds at which the certificates of the scenarios expire, unless they say otherwise.
pub const EXPIRY: u64 = 2_000_000_000_000;

/// A throw-away authority inside a peer.
#[derive(Debug)]
pub struct Authority {
    peer: SharedPeer,
    label: String,
    /// The public key that its certificates lead up to.
    pub trust_root: Vec<u8>,
}

/// Who a certificate speaks for.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// The account and device.
    pub address: &'a Address,
    /// Their identity key.
    pub identity: &'a [u8],
    /// Until when, in milliseconds.
    pub expires: u64,
}

/// A sealed message, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// What it says.
    pub plaintext: Vec<u8>,
    /// Whose certificate it carried.
    pub sender: Address,
}

/// A sealed envelope with the message inside still encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The kind of message inside.
    pub kind: u64,
    /// That message.
    pub contents: Vec<u8>,
    /// Whose certificate it carried.
    pub sender: Address,
    /// The group it says it belongs to.
    pub group_id: Option<Vec<u8>>,
}

/// What goes sealed to a group.
#[derive(Clone, Debug)]
pub struct Circular<'a> {
    /// Whose sender key encrypts it.
    pub group: Uuid,
    /// The sender's certificate.
    pub certificate: &'a [u8],
    /// What it says.
    pub plaintext: &'a [u8],
    /// The group's own id, hidden in the envelope.
    pub group_id: Option<&'a [u8]>,
}

impl Authority {
    /// Founds an authority in the peer of a party.
    #[must_use]
    pub fn beside(party: &Party, label: &str) -> Self {
        let mut authority = Self {
            peer: SharedPeer::clone(party.peer()),
            label: label.to_owned(),
            trust_root: Vec::new(),
        };
        let answer = authority.ask("authority_new", json!({}));
        authority.trust_root = json::bytes(&answer, "trust_root");
        authority
    }

    /// Certifies a party as what it is.
    #[must_use]
    pub fn certify(&self, party: &Party) -> Vec<u8> {
        self.certify_claim(&Claim {
            address: &party.address,
            identity: &party.identity,
            expires: EXPIRY,
        })
    }

    /// Certifies whatever it is told.
    #[must_use]
    pub fn certify_claim(&self, claim: &Claim<'_>) -> Vec<u8> {
        let answer = self.ask(
            "sender_certificate",
            json!({
                "uuid": claim.address.name,
                "device": claim.address.device,
                "identity": json::text(claim.identity),
                "expires": claim.expires,
            }),
        );
        json::bytes(&answer, "certificate")
    }

    fn ask(&self, op: &str, mut fields: Value) -> Value {
        fields["op"] = op.into();
        fields["authority"] = self.label.as_str().into();
        let answer = self.peer.borrow_mut().ask(fields);
        answer
            .unwrap_or_else(|broken| panic!("the peer of {} is broken: {broken}", self.label))
            .expect("an authority does as it is told")
    }
}

impl Party {
    /// Encrypts for one recipient and seals it (version 1).
    pub fn sealed_encrypt(
        &self,
        to: &Address,
        certificate: &[u8],
        plaintext: &[u8],
    ) -> Outcome<Vec<u8>> {
        let fields = json!({
            "certificate": json::text(certificate),
            "plaintext": json::text(plaintext),
        });
        self.ask("sealed_encrypt", to.and(fields))
            .map(|answer| json::bytes(&answer, "message"))
    }

    /// Opens a sealed message and decrypts what is inside.
    pub fn sealed_decrypt(&self, message: &[u8], trust_root: &[u8], now: u64) -> Outcome<Unsealed> {
        let fields = json!({
            "message": json::text(message),
            "trust_root": json::text(trust_root),
            "now": now,
        });
        self.ask("sealed_decrypt", fields).map(|answer| Unsealed {
            plaintext: json::bytes(&answer, "plaintext"),
            sender: sender(&answer),
        })
    }

    /// Encrypts for a group and seals it once for all recipients (version 2): the form that the relay
    /// gets.
    pub fn sealed_group_encrypt(
        &self,
        circular: &Circular<'_>,
        recipients: &[&Address],
    ) -> Outcome<Vec<u8>> {
        let recipients: Vec<Value> = recipients
            .iter()
            .map(|address| json!({ "name": address.name, "device": address.device }))
            .collect();
        let mut fields = json!({
            "distribution_id": circular.group,
            "certificate": json::text(circular.certificate),
            "plaintext": json::text(circular.plaintext),
            "recipients": recipients,
        });
        if let Some(group_id) = circular.group_id {
            fields["group_id"] = json::text(group_id).into();
        }
        self.ask("sealed_group_encrypt", fields)
            .map(|answer| json::bytes(&answer, "message"))
    }

    /// Turns the relay's form, for exactly one recipient, into what that recipient gets.
    pub fn sealed_split_single(&self, sent: &[u8]) -> Outcome<Vec<u8>> {
        self.ask(
            "sealed_split_single",
            json!({ "message": json::text(sent) }),
        )
        .map(|answer| json::bytes(&answer, "message"))
    }

    /// Opens a sealed envelope without decrypting what is inside.
    pub fn sealed_open(&self, message: &[u8]) -> Outcome<Content> {
        self.ask("sealed_open", json!({ "message": json::text(message) }))
            .map(|answer| Content {
                kind: json::number(&answer, "type"),
                contents: json::bytes(&answer, "contents"),
                sender: sender(&answer),
                group_id: (!answer["group_id"].is_null()).then(|| json::bytes(&answer, "group_id")),
            })
    }
}

fn sender(answer: &Value) -> Address {
    let name = json::string(answer, "sender");
    let device = json::number(answer, "sender_device");
    Address {
        name: name.parse().expect("a sender is a UUID"),
        device: device.try_into().expect("a device fits a byte"),
    }
}
