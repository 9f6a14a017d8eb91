//! vodozemac's side: the same states, by Olm.

use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};

pub struct Pair {
    pub alice: Session,
    pub bob: Session,
}

/// An account with one unused one-time key.
pub fn account() -> (Account, Curve25519PublicKey) {
    let mut account = Account::new();
    account.generate_one_time_keys(1);
    let one_time = *account.one_time_keys().values().next().unwrap();
    account.mark_keys_as_published();
    (account, one_time)
}

pub fn initiate(alice: &Account, bob: &Account, one_time: Curve25519PublicKey) -> Session {
    alice
        .create_outbound_session(SessionConfig::version_1(), bob.curve25519_key(), one_time)
        .unwrap()
}

pub fn receive_first(bob: &mut Account, alice: &Account, parts: &(usize, Vec<u8>)) -> Session {
    let OlmMessage::PreKey(message) = OlmMessage::from_parts(parts.0, &parts.1).unwrap() else {
        unreachable!("a first message is a pre-key message");
    };
    bob.create_inbound_session(SessionConfig::version_1(), alice.curve25519_key(), &message)
        .unwrap()
        .session
}

impl Pair {
    pub fn established() -> Self {
        let alice_account = Account::new();
        let (mut bob_account, one_time) = account();
        let mut alice = initiate(&alice_account, &bob_account, one_time);
        let first = encrypt(&mut alice, b"first");
        let bob = receive_first(&mut bob_account, &alice_account, &first);
        let mut pair = Self { alice, bob };
        for _ in 0..10 {
            pair.turn();
        }
        pair
    }

    pub fn turn(&mut self) {
        let message = encrypt(&mut self.bob, &[7; 100]);
        decrypt(&mut self.alice, &message);
        let message = encrypt(&mut self.alice, &[7; 100]);
        decrypt(&mut self.bob, &message);
    }
}

pub fn encrypt(session: &mut Session, plaintext: &[u8]) -> (usize, Vec<u8>) {
    session.encrypt(plaintext).unwrap().to_parts()
}

pub fn decrypt(session: &mut Session, parts: &(usize, Vec<u8>)) -> Vec<u8> {
    let message = OlmMessage::from_parts(parts.0, &parts.1).unwrap();
    session.decrypt(&message).unwrap()
}
