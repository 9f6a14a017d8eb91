//! The post-quantum ratchet's part of a message, which is worked on before anything is
//! authenticated: any bytes, or a genuine part with some of its bytes changed, in a genuine message,
//! delivered to either side at many places of an epoch.
#![no_main]

#[path = "../../tests/cast/mod.rs"]
mod cast;

use cast::{KemKey, Talk, Wire};
use hushpost_protocol::{PqPolicy, Session, SignalMessage};
use libfuzzer_sys::fuzz_target;

/// After so many round trips each state of the exchange is met.
const ROUND_TRIPS: [usize; 14] = [1, 2, 3, 10, 31, 32, 36, 38, 41, 42, 43, 44, 60, 84];
const MAC: usize = 8;

/// One side's stored session, and a message it can read.
struct Stage {
    stored: Vec<u8>,
    message: Vec<u8>,
    /// Where the ratchet's part lies in it, length byte included.
    part: core::ops::Range<usize>,
}

impl Stage {
    fn new(reader: &Session, (_, message): Wire) -> Self {
        // Version; key (35 bytes); two small numbers; the body of one block (18 bytes); the part.
        let start = 1 + 35 + 2 + 2 + 18;
        assert_eq!(message[start], 0x2a);
        Self {
            stored: reader.encode().to_vec(),
            part: start + 1..message.len() - MAC,
            message,
        }
    }

    fn with_part(&self, part: &[u8]) -> Vec<u8> {
        let mut message = self.message[..self.part.start].to_vec();
        let mut length = part.len();
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend(part);
        message.extend(&self.message[self.part.end..]);
        message
    }
}

fn stages() -> Vec<Stage> {
    let mut talk = Talk::new(1);
    talk.at_alice.set_pq_policy(PqPolicy::Required);
    talk.at_bob.set_pq_policy(PqPolicy::Required);
    talk.start(true, KemKey::Kyber);
    let mut stages = Vec::new();
    for round_trip in 1..=ROUND_TRIPS[ROUND_TRIPS.len() - 1] {
        talk.round_trip();
        if ROUND_TRIPS.contains(&round_trip) {
            let message = talk.alice_says(b"text");
            stages.push(Stage::new(&talk.at_bob, message.clone()));
            talk.bob_reads(&message).unwrap();
            let message = talk.bob_says(b"text");
            stages.push(Stage::new(&talk.at_alice, message.clone()));
            talk.alice_reads(&message).unwrap();
        }
    }
    stages
}

thread_local! {
    static STAGES: Vec<Stage> = stages();
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else {
        return;
    };
    STAGES.with(|stages| {
        let stage = &stages[usize::from(choice / 2) % stages.len()];
        let genuine = &stage.message[stage.part.start + 1..stage.part.end];
        let mut part = rest.to_vec();
        if choice % 2 == 0 {
            part = genuine.to_vec();
            for (byte, change) in part.iter_mut().zip(rest) {
                *byte ^= change;
            }
        }
        let message = stage.with_part(&part);
        let message = SignalMessage::from_bytes(&message).unwrap();
        let mut session = Session::decode(&stage.stored).unwrap();
        match session.decrypt(&message, &mut cast::rng(1)) {
            Ok(received) => {
                assert_eq!(received.plaintext, b"text");
                assert_eq!(part, genuine);
            }
            Err(error) => assert_eq!(*session.encode(), stage.stored, "{error}"),
        }
    });
});
