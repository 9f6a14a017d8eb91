//! A party's identity key at work: safety numbers, signatures, key agreement.
//!
//! Must never: compute any of it here; both sides are compared, not checked against a third.

use serde_json::json;

use crate::json;
use crate::party::{Outcome, Party};

/// What goes into a safety number beside the two keys.
#[derive(Clone, Copy, Debug)]
pub struct SafetyNumber<'a> {
    /// Of the scannable form.
    pub version: u32,
    /// Hashes in all.
    pub iterations: u32,
    /// Who computes it.
    pub local_id: &'a [u8],
    /// Whom it is about.
    pub peer_id: &'a [u8],
}

impl Party {
    /// The safety number between this party and another's key: digits, and the scannable form.
    pub fn fingerprint(
        &self,
        number: SafetyNumber<'_>,
        peer_identity: &[u8],
    ) -> Outcome<(String, Vec<u8>)> {
        let fields = json!({
            "version": number.version,
            "iterations": number.iterations,
            "local_id": json::text(number.local_id),
            "peer_id": json::text(number.peer_id),
            "peer_identity": json::text(peer_identity),
        });
        self.ask("fingerprint", fields).map(|answer| {
            let display = json::string(&answer, "display").to_owned();
            (display, json::bytes(&answer, "scannable"))
        })
    }

    /// Signs with the identity key.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let answer = self
            .ask("sign", json!({ "message": json::text(message) }))
            .expect("a party signs anything");
        json::bytes(&answer, "signature")
    }

    /// Whether this party's peer takes a signature for good.
    pub fn verify(&self, public: &[u8], message: &[u8], signature: &[u8]) -> Outcome<bool> {
        let fields = json!({
            "public": json::text(public),
            "message": json::text(message),
            "signature": json::text(signature),
        });
        self.ask("verify", fields).map(|answer| {
            answer["valid"]
                .as_bool()
                .expect("a verdict is true or false")
        })
    }

    /// The secret that the identity key shares with a public key.
    pub fn agree(&self, public: &[u8]) -> Outcome<Vec<u8>> {
        self.ask("agree", json!({ "public": json::text(public) }))
            .map(|answer| json::bytes(&answer, "shared"))
    }
}
