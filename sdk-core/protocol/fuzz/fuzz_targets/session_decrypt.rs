//! Decrypting what the relay delivers, in a session with live, late and archived parts: any bytes, or
//! a genuine message with some of its bytes changed.
#![no_main]

#[path = "../../tests/cast/mod.rs"]
mod cast;

use cast::{KemKey, Talk, Wire};
use hushpost_protocol::{MessageType, PqPolicy, Session};
use libfuzzer_sys::fuzz_target;

struct Stage {
    stored: Vec<u8>,
    genuine: Vec<Wire>,
}

/// A session with an archived state and skipped messages, and messages it can still read.
fn stage() -> (Stage, Talk) {
    let mut talk = Talk::established(1, KemKey::None);
    talk.alice_says(b"lost");
    let mut genuine = vec![talk.alice_says(b"text")];
    talk.at_alice.set_pq_policy(PqPolicy::Required);
    talk.at_bob.set_pq_policy(PqPolicy::Required);
    talk.start(false, KemKey::Kyber);
    let first = talk.alice_says(b"text");
    talk.bob_reads(&first).unwrap();
    genuine.push(talk.alice_says(b"text"));
    let answer = talk.bob_says(b"text");
    talk.alice_reads(&answer).unwrap();
    genuine.push(talk.alice_says(b"text"));
    let newest = talk.alice_says(b"newest");
    talk.bob_reads(&newest).unwrap();
    talk.start(false, KemKey::MlKem);
    genuine.push(talk.alice_says(b"text"));
    let stored = talk.at_bob.encode().to_vec();
    (Stage { stored, genuine }, talk)
}

thread_local! {
    static STAGE: std::cell::RefCell<(Stage, Talk)> = std::cell::RefCell::new(stage());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else {
        return;
    };
    STAGE.with_borrow_mut(|(stage, talk)| {
        let message = match stage.genuine.get(usize::from(choice / 2)) {
            Some((kind, genuine)) => {
                let mut changed = genuine.clone();
                // Place and difference, three bytes a change.
                for change in rest.chunks_exact(3) {
                    let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
                    let at = at % changed.len();
                    changed[at] ^= change[2];
                }
                (*kind, changed)
            }
            None if choice % 2 == 0 => (MessageType::Signal, rest.to_vec()),
            None => (MessageType::PreKey, rest.to_vec()),
        };
        talk.at_bob = Session::decode(&stage.stored).unwrap();
        let guard = talk.bob.guard.clone();
        match talk.bob_reads(&message) {
            Ok(plaintext) => assert_eq!(plaintext, b"text"),
            Err(error) => {
                assert_eq!(*talk.at_bob.encode(), stage.stored, "{error}");
                assert_eq!(talk.bob.guard, guard);
            }
        }
        talk.bob.guard = guard;
    });
});
