//! A party in groups: sender keys.
//!
//! Must never: keep group state of its own; all of it is in the peers.

use std::ops::Range;

use serde_json::json;
use uuid::Uuid;

use crate::json;
use crate::party::{Address, Outcome, Party};

impl Party {
    /// What others need to read this party in a group from here on.
    #[must_use]
    pub fn skdm_create(&self, group: Uuid) -> Vec<u8> {
        let answer = self
            .ask("skdm_create", json!({ "distribution_id": group }))
            .expect("a party makes itself a sender key");
        json::bytes(&answer, "message")
    }

    /// Learns a sender's key.
    pub fn skdm_process(&self, from: &Address, distribution: &[u8]) -> Outcome<()> {
        let message = json!({ "message": json::text(distribution) });
        self.ask("skdm_process", from.and(message)).map(drop)
    }

    /// Learns the key of a sender, who hands it out now.
    pub fn join(&self, sender: &Self, group: Uuid) {
        self.skdm_process(&sender.address, &sender.skdm_create(group))
            .expect("an honest distribution message is accepted");
    }

    /// Encrypts once for the whole group.
    pub fn group_encrypt(&self, group: Uuid, plaintext: &[u8]) -> Outcome<Vec<u8>> {
        let fields = json!({ "distribution_id": group, "plaintext": json::text(plaintext) });
        self.ask("group_encrypt", fields)
            .map(|answer| json::bytes(&answer, "message"))
    }

    /// Encrypts for a group whose sender key this party has made.
    #[must_use]
    pub fn announce(&self, group: Uuid, plaintext: impl AsRef<[u8]>) -> Vec<u8> {
        self.group_encrypt(group, plaintext.as_ref())
            .expect("a sender key encrypts")
    }

    /// Encrypts the numbers of a range as text, one message each.
    #[must_use]
    pub fn announce_numbers(&self, group: Uuid, numbers: Range<u32>) -> Vec<Vec<u8>> {
        let requests = numbers.map(|number| {
            let plaintext = json::text(number.to_string().as_bytes());
            let fields = json!({ "distribution_id": group, "plaintext": plaintext });
            self.request("group_encrypt", fields)
        });
        self.ask_all(requests)
            .into_iter()
            .map(|answer| json::bytes(&answer.expect("a sender key encrypts"), "message"))
            .collect()
    }

    /// Decrypts what is said to come from an address.
    pub fn group_decrypt(&self, from: &Address, message: &[u8]) -> Outcome<Vec<u8>> {
        let message = json!({ "message": json::text(message) });
        self.ask("group_decrypt", from.and(message))
            .map(|answer| json::bytes(&answer, "plaintext"))
    }

    /// Decrypts many messages of one sender, in the order given.
    #[must_use]
    pub fn group_decrypt_all(&self, from: &Self, messages: &[Vec<u8>]) -> Vec<Outcome<Vec<u8>>> {
        let requests = messages.iter().map(|message| {
            let message = json!({ "message": json::text(message) });
            self.request("group_decrypt", from.address.and(message))
        });
        self.ask_all(requests)
            .into_iter()
            .map(|answer| answer.map(|answer| json::bytes(&answer, "plaintext")))
            .collect()
    }

    /// Decrypts a group message that must say exactly this.
    #[track_caller]
    pub fn hear(&self, from: &Self, message: &[u8], expected: impl AsRef<[u8]>) {
        let plaintext = self
            .group_decrypt(&from.address, message)
            .unwrap_or_else(|refusal| panic!("{self} cannot hear {from}: {refusal}"));
        assert_eq!(plaintext, expected.as_ref(), "{self} hearing {from}");
    }
}
