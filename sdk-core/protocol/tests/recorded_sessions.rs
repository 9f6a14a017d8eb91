//! Sessions recorded from the official library, replayed in Bob's role with his recorded keys. His
//! ratchet keys, which our library would draw, are handed to it from his records; then every message
//! he sent has to come out again byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod support;

use hushpost_protocol::{
    CiphertextMessage, ConsumedPreKeys, Error, KemKind, KeyRole, LocalParty, PreKeySignalMessage,
    ProtocolVersion, PublicKey, Received, RegistrationId, ReplayGuard, Session, SignalMessage,
    Timestamp,
};
use rand_core::TryCryptoRng;
use serde_json::Value;
use support::{
    Device, PreKeys, Scripted, bytes, field, fixture, identity, list, number, public_key, seeded,
    text,
};

const RECORDINGS: [&str; 5] = [
    "session-v3-byte33.json",
    "session-v3-byte34.json",
    "session-v3-no-one-time.json",
    "session-v4-pqxdh.json",
    "session-v4-no-one-time.json",
];

const NOW: Timestamp = Timestamp(0);

/// Bob as he was recorded, with a session of ours.
struct Bob {
    device: Device,
    guard: ReplayGuard,
    session: Session,
}

impl Bob {
    fn of(recording: &Value) -> Self {
        let bob = &recording["bob"];
        Self {
            device: Device {
                identity: identity(bob),
                registration_id: RegistrationId(number(bob, "registration_id")),
                pre_keys: PreKeys::of(bob),
            },
            guard: ReplayGuard::new(),
            session: Session::new(hushpost_protocol::PqPolicy::Off),
        }
    }

    fn receive(
        &mut self,
        kind: u32,
        message: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<Received, Error> {
        if kind == 2 {
            let message = SignalMessage::from_bytes(message)?;
            return self.session.decrypt(&message, rng);
        }
        let message = PreKeySignalMessage::from_bytes(message)?;
        let secrets = self.device.secrets(&mut self.guard);
        let local = self.device.local();
        self.session.decrypt_pre_key(local, &message, secrets, rng)
    }

    fn receive_step(&mut self, step: &Value) -> Result<Received, Error> {
        let message = bytes(step, "message");
        self.receive(number(step, "type"), &message, &mut seeded(1))
    }

    /// What a refused message must leave as it was.
    fn stored(&self) -> (Vec<u8>, Vec<u8>) {
        (self.session.encode().to_vec(), self.guard.encode().to_vec())
    }
}

/// The first flight: three messages, delivered as 2, 0, 1.
fn flight(recording: &Value) -> &[Value] {
    &list(recording, "steps")[..3]
}

#[test]
fn every_recorded_message_parses_into_what_was_recorded() {
    let (mut pre_key, mut established) = (0, 0);
    for name in RECORDINGS {
        let recording = fixture(name);
        let version = match name.as_bytes()["session-v".len()] {
            b'3' => ProtocolVersion::V3,
            _ => ProtocolVersion::V4,
        };
        let (alice, bob) = (&recording["alice"], PreKeys::of(&recording["bob"]));
        let after = &recording["alice_after_bundle"];
        for step in list(&recording, "steps") {
            let sent = bytes(step, "message");
            let inner = if number(step, "type") == 3 {
                let message = PreKeySignalMessage::from_bytes(&sent).unwrap();
                assert_eq!(message.as_bytes(), sent);
                assert_eq!(message.version(), version);
                assert_eq!(
                    message.registration_id().0,
                    number(alice, "registration_id")
                );
                assert_eq!(
                    *message.identity_key(),
                    public_key(alice, "identity_public")
                );
                assert_eq!(*message.base_key(), public_key(after, "alice_base_key"));
                assert_eq!(message.signed_pre_key_id(), bob.signed.id);
                let one_time = bob.one_time.as_ref().map(|key| key.id);
                assert_eq!(message.one_time_pre_key_id(), one_time);
                assert_eq!(message.kem_pre_key_id(), bob.kem.as_ref().map(|key| key.id));
                let ratchet_key = public_key(after, "sender_ratchet_public");
                assert_eq!(*message.message().ratchet_key(), ratchet_key);
                pre_key += 1;
                message.message().clone()
            } else {
                established += 1;
                SignalMessage::from_bytes(&sent).unwrap()
            };
            assert_eq!(inner.version(), version);
            assert!(
                sent.windows(inner.as_bytes().len())
                    .any(|part| part == inner.as_bytes())
            );
            // Plaintexts end in their message's number in the chain.
            let plaintext = bytes(step, "plaintext");
            let digit = u32::from(*plaintext.last().unwrap() - b'0');
            assert_eq!(inner.counter(), digit);
        }
    }
    assert_eq!((pre_key, established), (15, 50));
}

#[test]
fn bob_reads_the_first_flight_as_it_was_delivered() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let mut bob = Bob::of(&recording);
        let alice = public_key(&recording["alice"], "identity_public");
        for (position, step) in flight(&recording).iter().enumerate() {
            let received = bob.receive_step(step).unwrap();
            assert_eq!(
                received.plaintext,
                bytes(step, "plaintext"),
                "{name} {position}"
            );
            assert_eq!(received.identity_key, alice);
            // Only the message that came first used keys up.
            let expected = (position == 0).then(|| ConsumedPreKeys {
                one_time_pre_key: bob.device.pre_keys.one_time.as_ref().map(|key| key.id),
                signed_pre_key: bob.device.pre_keys.signed.id,
                kem_pre_key: bob.device.pre_keys.kem.as_ref().map(|key| key.id),
            });
            assert_eq!(received.consumed, expected, "{name} {position}");
        }
        assert_eq!(bob.session.remote_identity(), Some(&alice));
        let registration_id = number(&recording["alice"], "registration_id");
        let remote = bob.session.remote_registration_id();
        assert_eq!(remote, Some(RegistrationId(registration_id)));
        let guarded = bob.device.pre_keys.one_time.is_none();
        assert_eq!(bob.guard.len(), usize::from(guarded), "{name}");
    }
}

#[test]
fn the_first_flight_reads_in_every_order_and_only_once() {
    for name in RECORDINGS {
        let recording = fixture(name);
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut bob = Bob::of(&recording);
            for index in order {
                let step = &flight(&recording)[index];
                let received = bob.receive_step(step).unwrap();
                assert_eq!(received.plaintext, bytes(step, "plaintext"));
                // Stored and loaded between any two messages.
                bob.session = Session::decode(&bob.session.encode()).unwrap();
            }
            let before = bob.stored();
            for step in flight(&recording) {
                assert_eq!(bob.receive_step(step).err(), Some(Error::DuplicateMessage));
            }
            assert_eq!(bob.stored(), before);
        }
    }
}

/// The private ratchet key in a session record: current session, sending chain, private key.
fn ratchet_private(record: &[u8]) -> Vec<u8> {
    let current = field(record, 1).unwrap();
    let sending = field(current, 6).unwrap();
    field(sending, 2).unwrap().to_vec()
}

/// The ratchet key Bob drew when he received this step, if it made him draw one: it is in his record
/// before the step that follows, and for the first step in the decoded view.
fn drawn(steps: &[Value], index: usize) -> Option<Vec<u8>> {
    if index == 0 {
        return Some(bytes(&steps[0]["receiver_after"], "sender_ratchet_private"));
    }
    let previous = steps.get(index - 1)?;
    let next = steps.get(index + 1)?;
    let turns = text(previous, "from") == "bob" && text(next, "from") == "alice";
    turns.then(|| ratchet_private(&bytes(next, "receiver_record_before")))
}

#[test]
fn bob_reads_every_turn_and_his_answers_come_out_byte_for_byte() {
    let (mut read, mut written, mut turns) = (0, 0, 0);
    for name in RECORDINGS {
        let recording = fixture(name);
        let mut bob = Bob::of(&recording);
        let steps = list(&recording, "steps");
        for (index, step) in steps.iter().enumerate() {
            let recorded = bytes(step, "message");
            let plaintext = bytes(step, "plaintext");
            if text(step, "from") == "alice" {
                let draws = drawn(steps, index);
                turns += usize::from(draws.is_some());
                let mut rng = Scripted(draws.into_iter().collect());
                let kind = number(step, "type");
                let received = bob.receive(kind, &recorded, &mut rng).unwrap();
                assert_eq!(received.plaintext, plaintext, "{name} {index}");
                assert!(
                    rng.0.is_empty(),
                    "the recorded key was drawn: {name} {index}"
                );
                read += 1;
                continue;
            }
            let CiphertextMessage::Signal(message) = bob.session.encrypt(&plaintext, NOW).unwrap()
            else {
                panic!("Bob has received, so he sends no pre-key message");
            };
            assert!(
                bob.session
                    .current_ratchet_key_matches(message.ratchet_key())
            );
            let mut ours = message.into_bytes();
            if recorded[0] == 0x33 {
                // An old peer names an older newest version, and its MAC covers that.
                assert_eq!(ours[0], 0x34);
                let mac = ours.len() - 8;
                assert_eq!(ours[1..mac], recorded[1..mac], "{name} {index}");
                ours.clone_from(&recorded);
            }
            assert_eq!(ours, recorded, "{name} {index}");
            written += 1;
        }
    }
    assert_eq!((read, written, turns), (35, 30, 15));
}

#[test]
fn a_changed_message_is_refused_and_changes_nothing() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let mut bob = Bob::of(&recording);
        let steps = flight(&recording);
        let _ = bob.receive_step(&steps[0]).unwrap();
        let before = bob.stored();
        let sent = bytes(&steps[1], "message");
        let message = PreKeySignalMessage::from_bytes(&sent).unwrap();
        let inner = message.message().as_bytes();
        // The inner message carries the MAC; every bit of it counts, in the form it has in a session.
        for bit in (0..inner.len() * 8).step_by(3) {
            let mut changed = inner.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = bob.receive(2, &changed, &mut seeded(1)).unwrap_err();
            assert_ne!(refused, Error::Randomness, "{name} bit {bit}");
            assert_eq!(bob.stored(), before, "{name} bit {bit}");
        }
        let received = bob.receive_step(&steps[1]).unwrap();
        assert_eq!(received.plaintext, bytes(&steps[1], "plaintext"));
    }
}

#[test]
fn a_replayed_first_message_finds_no_key_or_is_remembered() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let mut bob = Bob::of(&recording);
        let first = &flight(&recording)[0];
        let _ = bob.receive_step(first).unwrap();
        // The session is lost, the guard is not, and a used one-time key is deleted.
        bob.session = Session::new(hushpost_protocol::PqPolicy::Off);
        let expected = match bob.device.pre_keys.one_time.take() {
            Some(_) => Error::NoSuchPreKey(KeyRole::OneTimePreKey),
            None => Error::ReplayedBaseKey,
        };
        let before = bob.stored();
        assert_eq!(bob.receive_step(first).err(), Some(expected), "{name}");
        assert_eq!(bob.stored(), before);
    }
}

#[test]
fn the_wrong_pre_keys_open_nothing() {
    let recording = fixture("session-v4-pqxdh.json");
    let swaps: [fn(&mut PreKeys, PreKeys); 3] = [
        |keys, other| keys.signed.keys = other.signed.keys,
        |keys, other| keys.one_time.as_mut().unwrap().keys = other.signed.keys,
        |keys, other| keys.kem.as_mut().unwrap().keys = other.kem.unwrap().keys,
    ];
    for swap in swaps {
        let mut bob = Bob::of(&recording);
        let other = PreKeys::of(&fixture("session-v4-no-one-time.json")["bob"]);
        swap(&mut bob.device.pre_keys, other);
        let before = bob.stored();
        let refused = bob.receive_step(&flight(&recording)[0]);
        assert_eq!(refused.err(), Some(Error::InvalidMessage));
        assert_eq!(bob.stored(), before);
    }
}

#[test]
fn a_recorded_bundle_verifies_and_starts_a_session_that_bob_can_read() {
    for name in RECORDINGS {
        let recording = fixture(name);
        let mut bob = Bob::of(&recording);
        let bundle = bob.device.bundle();
        assert_eq!(bundle.verify(), Ok(()));
        if let Some(kem) = &bundle.kem_pre_key {
            assert_eq!(kem.key.kind(), KemKind::Kyber1024);
        }

        let alice = identity(&recording["alice"]);
        let local = LocalParty {
            identity: &alice,
            registration_id: RegistrationId(number(&recording["alice"], "registration_id")),
        };
        let mut rng = seeded(2);
        let mut session = Session::new(hushpost_protocol::PqPolicy::Off);
        session.initiate(local, &bundle, NOW, &mut rng).unwrap();
        let message = session.encrypt(b"to a recorded Bob", NOW).unwrap();
        let received = bob.receive(3, message.as_bytes(), &mut rng).unwrap();
        assert_eq!(received.plaintext, b"to a recorded Bob");
        assert_eq!(received.identity_key, *alice.public_key());

        // Sizes are the official library's: same fields, same order.
        let recorded = bytes(&flight(&recording)[0], "message").len();
        let same_plaintext_blocks = message.as_bytes().len() - 16;
        assert!(same_plaintext_blocks.abs_diff(recorded) <= 2, "{name}");

        let answer = bob.session.encrypt(b"answer", NOW).unwrap();
        let answer = SignalMessage::from_bytes(answer.as_bytes()).unwrap();
        assert_eq!(
            session.decrypt(&answer, &mut rng).unwrap().plaintext,
            b"answer"
        );
    }
}

#[test]
fn a_bundle_with_a_changed_signature_or_key_is_refused() {
    let bob = Bob::of(&fixture("session-v4-pqxdh.json"));
    let stranger: PublicKey = *Bob::of(&fixture("session-v3-byte34.json"))
        .device
        .identity
        .public_key();

    let mut bundle = bob.device.bundle();
    bundle.signed_pre_key.signature[5] ^= 1;
    let refused = Error::InvalidSignature(KeyRole::SignedPreKey);
    assert_eq!(bundle.verify(), Err(refused));

    let mut bundle = bob.device.bundle();
    bundle.signed_pre_key.key = stranger;
    assert_eq!(bundle.verify(), Err(refused));

    let mut bundle = bob.device.bundle();
    bundle.identity_key = stranger;
    assert_eq!(bundle.verify(), Err(refused));

    let mut bundle = bob.device.bundle();
    bundle.kem_pre_key.as_mut().unwrap().signature[63] ^= 0x80;
    let refused = Error::InvalidSignature(KeyRole::KemPreKey);
    assert_eq!(bundle.verify(), Err(refused));

    // A signature does not carry over from one kind of key to the other.
    let mut bundle = bob.device.bundle();
    let signature = bundle.signed_pre_key.signature.clone();
    bundle.kem_pre_key.as_mut().unwrap().signature = signature;
    assert_eq!(bundle.verify(), Err(refused));
}
