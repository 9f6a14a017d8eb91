//! Attacks on pre-keys and on the handshake: rows A1 to A3 and A8 to A11 of the project's list of
//! attacks. A4, A5 and A7 are in `attacks_key_confusion.rs`, A6 (weak keys) in `hostile_keys.rs`, A12
//! (broken generators) in `secrets_stay_secret.rs`.
//!
//! Not shown here, because this crate has no part in it: the limits on fetching bundles and the
//! refill of one-time keys (A1: relay and SDK), the transaction that stores session and deletion
//! together (A2: SDK; here the pieces are stored and loaded), device addresses beside identities
//! (A9: the compatible wire format has none in these versions; the sealed sender certificate names
//! the device), ids that are never used again (A10: the SDK counts them), rotation by the clock
//! (A11: the crate has no clock; here a rotated key is gone).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod cast;
mod forge;

use cast::{DAY_MS, KemKey, NOW, Person, Talk, Wire, rng};
use forge::{Forger, bytes, edit, number, set};
use hushpost_protocol::{
    Error, KeyRole, MessageType, OneTimePreKey, OneTimePreKeyId, PqPolicy, PreKeyBundle,
    ProtocolVersion, PublicKey, ReplayGuard, Session, SignedPreKey, SignedPreKeyId, Timestamp,
};

/// Refused, and nothing changed: neither a session nor anything to send came of it.
#[track_caller]
fn refuse_bundle(alice: &Person, bundle: &PreKeyBundle) -> Error {
    let mut session = Session::new(PqPolicy::Off);
    let before = session.encode();
    let result = session.initiate(alice.local(), bundle, NOW, &mut rng(99));
    assert_eq!(session.encode(), before);
    assert!(!session.can_send(NOW));
    let error = result.unwrap_err();
    assert_eq!(bundle.verify(), Err(error));
    error
}

fn first(change: impl FnOnce(&mut forge::Fields), message: &Wire) -> Wire {
    (MessageType::PreKey, edit(&message.1, 0, change))
}

/// A1: the relay has run out of one-time keys, or says so.
#[test]
fn without_one_time_keys_a_session_starts_and_is_unacknowledged_until_the_answer() {
    for kem in [KemKey::None, KemKey::Kyber, KemKey::MlKem] {
        let mut talk = Talk::started(1, false, kem);
        assert!(talk.at_alice.is_unacknowledged());
        let message = talk.alice_says(b"hello");
        assert_eq!(talk.bob_reads(&message).unwrap(), b"hello");
        assert!(!talk.at_bob.is_unacknowledged());
        let answer = talk.bob_says(b"yes?");
        assert_eq!(talk.alice_reads(&answer).unwrap(), b"yes?");
        assert!(!talk.at_alice.is_unacknowledged());
        talk.round_trip();
    }
}

/// A2: again at once, after a restart, after 200 other messages, and after the session was deleted.
#[test]
fn a_first_message_is_accepted_once_for_ever() {
    for kem in KemKey::ALL {
        for one_time in [true, false] {
            let mut talk = Talk::started(2, one_time, kem);
            let message = talk.alice_says(b"hello");
            assert_eq!(talk.bob_reads(&message).unwrap(), b"hello");
            assert_eq!(talk.bob_refuses(&message), Error::DuplicateMessage);

            talk.at_bob = Session::decode(&talk.at_bob.encode()).unwrap();
            talk.bob.guard = ReplayGuard::decode(&talk.bob.guard.encode()).unwrap();
            assert_eq!(talk.bob_refuses(&message), Error::DuplicateMessage);

            for _ in 0..100 {
                talk.round_trip();
            }
            let late = talk.bob_refuses(&message);
            assert!(matches!(
                late,
                Error::DuplicateMessage | Error::InvalidMessage
            ));

            talk.at_bob = Session::new(PqPolicy::Off);
            let expected = match (one_time, kem) {
                (true, _) => Error::NoSuchPreKey(KeyRole::OneTimePreKey),
                (false, KemKey::KyberOnce) => Error::NoSuchPreKey(KeyRole::KemPreKey),
                (false, _) => Error::ReplayedBaseKey,
            };
            assert_eq!(talk.bob_refuses(&message), expected);
        }
    }
}

/// A2: a full guard refuses new first messages without one-time keys; it forgets nothing, and other
/// first messages go on.
#[test]
fn a_full_replay_guard_refuses_and_forgets_nothing() {
    let mut stored = vec![5, 1];
    forge::put_varint(&mut stored, 10_000);
    for entry in 0..10_000u32 {
        let mut base_key = [9; 32];
        base_key[..4].copy_from_slice(&entry.to_le_bytes());
        stored.extend([1, 1, 1]);
        stored.extend(base_key);
    }
    let full = ReplayGuard::decode(&stored).unwrap();
    let mut talk = Talk::started(3, false, KemKey::Kyber);
    talk.bob.guard = full.clone();
    let message = talk.alice_says(b"hello");
    assert_eq!(talk.bob_refuses(&message), Error::ReplayGuardFull);

    talk.start(true, KemKey::Kyber);
    let message = talk.alice_says(b"hello again");
    assert_eq!(talk.bob_reads(&message).unwrap(), b"hello again");
    assert_eq!(talk.bob.guard, full);
}

/// A3: each of the 512 bits of each signature, and what else may stand in its place.
#[test]
fn a_bundle_with_any_wrong_signature_is_refused_by_name() {
    let mut rng = rng(4);
    let alice = Person::new(1, &mut rng);
    let bob = Person::new(2, &mut rng);
    let fiona = Person::new(3, &mut rng);
    let good = bob.bundle(true, KemKey::Kyber);
    good.verify().unwrap();
    let signed = good.signed_pre_key.signature.clone();
    let kem = good.kem_pre_key.as_ref().unwrap().signature.clone();

    let mut wrong: Vec<(Vec<u8>, Vec<u8>)> = (0..512)
        .map(|bit| {
            let flip = |signature: &[u8]| {
                let mut flipped = signature.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            };
            (flip(&signed), flip(&kem))
        })
        .collect();
    wrong.push((kem.clone(), signed.clone()));
    wrong.push((
        fiona.signed.signature.to_vec(),
        fiona.kyber.signature.to_vec(),
    ));
    for length in [0, 1, 32, 63] {
        wrong.push((signed[..length].to_vec(), kem[..length].to_vec()));
    }
    wrong.push((vec![0; 64], vec![0; 64]));
    wrong.push(([&*signed, &[0]].concat(), [&*kem, &[0]].concat()));

    for (wrong_signed, wrong_kem) in wrong {
        let mut bundle = good.clone();
        bundle.signed_pre_key.signature = wrong_signed;
        let expected = Error::InvalidSignature(KeyRole::SignedPreKey);
        assert_eq!(refuse_bundle(&alice, &bundle), expected);

        let mut bundle = good.clone();
        bundle.kem_pre_key.as_mut().unwrap().signature = wrong_kem;
        let expected = Error::InvalidSignature(KeyRole::KemPreKey);
        assert_eq!(refuse_bundle(&alice, &bundle), expected);
    }
}

/// A3: a flipped bit in a key, or another's key, makes its signature wrong.
#[test]
fn a_bundle_with_any_changed_key_is_refused() {
    let mut rng = rng(5);
    let alice = Person::new(1, &mut rng);
    let bob = Person::new(2, &mut rng);
    let fiona = Person::new(3, &mut rng);
    let good = bob.bundle(true, KemKey::Kyber);
    for bit in 0..255 {
        let mut u = *good.signed_pre_key.key.as_montgomery();
        u[bit / 8] ^= 1 << (bit % 8);
        let mut bundle = good.clone();
        bundle.signed_pre_key.key = PublicKey::from_montgomery(u).unwrap();
        let expected = Error::InvalidSignature(KeyRole::SignedPreKey);
        assert_eq!(bundle.verify(), Err(expected));

        let mut u = *good.identity_key.as_montgomery();
        u[bit / 8] ^= 1 << (bit % 8);
        let mut bundle = good.clone();
        bundle.identity_key = PublicKey::from_montgomery(u).unwrap();
        assert!(matches!(
            bundle.verify(),
            Err(Error::InvalidSignature(KeyRole::SignedPreKey)
                | Error::InvalidKey(KeyRole::Identity))
        ));
    }
    let kem = good.kem_pre_key.as_ref().unwrap().key.to_bytes();
    for at in 0..kem.len() {
        let mut changed = kem.clone();
        changed[at] ^= 1 << (at % 8);
        let Ok(key) = hushpost_protocol::KemPublicKey::from_bytes(&changed) else {
            continue;
        };
        let mut bundle = good.clone();
        bundle.kem_pre_key.as_mut().unwrap().key = key;
        let expected = Error::InvalidSignature(KeyRole::KemPreKey);
        assert_eq!(bundle.verify(), Err(expected));
    }
    let mut bundle = good.clone();
    bundle.identity_key = *fiona.identity.public_key();
    assert_eq!(
        refuse_bundle(&alice, &bundle),
        Error::InvalidSignature(KeyRole::SignedPreKey)
    );
    let mut bundle = good;
    bundle.kem_pre_key = fiona.bundle(false, KemKey::Kyber).kem_pre_key;
    assert_eq!(
        refuse_bundle(&alice, &bundle),
        Error::InvalidSignature(KeyRole::KemPreKey)
    );
}

/// A8: with Bob's identity key alone nobody can pose as Alice to him; with his signed pre-key too
/// it works until that key is rotated away. This is a limit of the handshake.
#[test]
fn who_stole_bobs_identity_key_cannot_pose_as_alice_to_him() {
    let mut talk = Talk::new(6);
    let bundle = talk.bob.bundle(false, KemKey::None);
    let alice = *talk.alice.identity.public_key();
    let eve = Person::new(9, &mut talk.rng);
    let pose = |secret: &[u8; 32], talk: &mut Talk| -> Wire {
        let forger = Forger::start(alice, secret, &bundle, &mut talk.rng);
        (
            MessageType::PreKey,
            forger.pre_key(forger.say(0, b"it's me")),
        )
    };
    // The forger's kit is right: Alice herself is believed.
    let honest = talk.alice.identity.private_key();
    let honest = *honest.agree(&bundle.signed_pre_key.key).unwrap();
    let message = pose(&honest, &mut talk);
    assert_eq!(talk.bob_reads(&message).unwrap(), b"it's me");

    // Everything that Eve can agree with Bob's identity key and her own.
    let stolen = talk.bob.identity.private_key();
    let signed = &bundle.signed_pre_key.key;
    let guesses = [
        *stolen.agree(signed).unwrap(),
        *stolen.agree(&alice).unwrap(),
        *eve.identity.private_key().agree(signed).unwrap(),
        [0; 32],
    ];
    for guess in guesses {
        let message = pose(&guess, &mut talk);
        assert_eq!(talk.bob_refuses(&message), Error::InvalidMessage);
    }

    // The limit, and its end.
    let stolen = *talk.bob.signed.keys.private_key().agree(&alice).unwrap();
    let message = pose(&stolen, &mut talk);
    assert_eq!(talk.bob_reads(&message).unwrap(), b"it's me");
    let message = pose(&stolen, &mut talk);
    let id = SignedPreKeyId(2);
    talk.bob.signed = SignedPreKey::generate(id, &talk.bob.identity, NOW, &mut talk.rng).unwrap();
    let expected = Error::NoSuchPreKey(KeyRole::SignedPreKey);
    assert_eq!(talk.bob_refuses(&message), expected);
}

/// A9: to another receiver, or in another sender's name.
#[test]
fn a_readdressed_first_message_is_refused() {
    for kem in KemKey::ALL {
        let mut talk = Talk::started(7, true, kem);
        let mut fiona = Person::new(3, &mut talk.rng);
        let message = talk.alice_says(b"for Bob");

        let mut at_fiona = Session::new(PqPolicy::Off);
        let result = fiona.read(&mut at_fiona, &message, &mut talk.rng);
        assert!(matches!(result, Err(Error::InvalidMessage)));
        assert_eq!(at_fiona.encode(), Session::new(PqPolicy::Off).encode());
        assert!(fiona.one_time.is_some() && fiona.guard.is_empty());

        let name = bytes(fiona.identity.public_key().to_bytes());
        let renamed = first(|fields| set(fields, 3, name.clone()), &message);
        assert_eq!(talk.bob_refuses(&renamed), Error::InvalidMessage);
        assert_eq!(talk.bob_reads(&message).unwrap(), b"for Bob");

        // The base key is known now, and so is whose it is.
        let next = talk.alice_says(b"next");
        let renamed = first(|fields| set(fields, 3, name), &next);
        assert_eq!(talk.bob_refuses(&renamed), Error::UntrustedIdentity);
        assert_eq!(talk.bob_reads(&next).unwrap(), b"next");
    }
}

/// A10: the relay hands one one-time key to two people; the second starts again and is heard.
#[test]
fn of_two_first_messages_on_one_one_time_key_the_second_needs_a_new_start() {
    for kem in KemKey::ALL {
        let mut talk = Talk::started(8, true, kem);
        let mut fiona = Person::new(3, &mut talk.rng);
        let mut at_fiona = Session::new(PqPolicy::Off);
        let bundle = talk.bob.bundle(true, kem);
        at_fiona
            .initiate(fiona.local(), &bundle, NOW, &mut talk.rng)
            .unwrap();
        let message = talk.alice_says(b"Alice here");
        assert_eq!(talk.bob_reads(&message).unwrap(), b"Alice here");

        // Bob keeps one session a peer.
        let of_alice = std::mem::replace(&mut talk.at_bob, Session::new(PqPolicy::Off));
        let message = cast::wire(at_fiona.encrypt(b"Fiona here", NOW).unwrap());
        let expected = Error::NoSuchPreKey(KeyRole::OneTimePreKey);
        assert_eq!(talk.bob_refuses(&message), expected);
        let bundle = talk.bob.bundle(false, KemKey::Kyber);
        at_fiona
            .initiate(fiona.local(), &bundle, NOW, &mut talk.rng)
            .unwrap();
        let message = cast::wire(at_fiona.encrypt(b"Fiona here", NOW).unwrap());
        assert_eq!(talk.bob_reads(&message).unwrap(), b"Fiona here");
        let answer = talk.bob_says(b"welcome");
        let read = fiona.read(&mut at_fiona, &answer, &mut talk.rng).unwrap();
        assert_eq!(read.plaintext, b"welcome");

        talk.at_bob = of_alice;
        talk.round_trip();
    }
}

/// A10: ids that Bob never gave out; id 0 is as good as any and not the same as none.
#[test]
fn unknown_pre_key_ids_are_named_and_id_zero_is_an_id() {
    let mut talk = Talk::started(9, true, KemKey::Kyber);
    let message = talk.alice_says(b"hello");
    for (field, role) in [
        (1, KeyRole::OneTimePreKey),
        (6, KeyRole::SignedPreKey),
        (7, KeyRole::KemPreKey),
    ] {
        let unknown = first(|fields| set(fields, field, number(u32::MAX)), &message);
        assert_eq!(talk.bob_refuses(&unknown), Error::NoSuchPreKey(role));
    }
    let none = first(|fields| fields.retain(|(field, _)| *field != 1), &message);
    assert_eq!(talk.bob_refuses(&none), Error::InvalidMessage);

    assert_eq!(talk.bob.one_time.as_ref().unwrap().id, OneTimePreKeyId(0));
    assert_eq!(talk.bob_reads(&message).unwrap(), b"hello");
    assert!(talk.bob.one_time.is_none());

    // And the reverse: zero named where none was used.
    talk.bob.one_time = Some(OneTimePreKey::generate(OneTimePreKeyId(0), &mut talk.rng).unwrap());
    talk.start(false, KemKey::Kyber);
    let message = talk.alice_says(b"hello");
    let zero = first(|fields| fields.push((1, number(0))), &message);
    assert_eq!(talk.bob_refuses(&zero), Error::InvalidMessage);
    assert_eq!(talk.bob_reads(&message).unwrap(), b"hello");
}

/// A11: made from a bundle whose signed pre-key Bob has deleted since.
#[test]
fn a_first_message_from_a_stale_bundle_fails_cleanly_and_heals() {
    let mut talk = Talk::started(10, false, KemKey::Kyber);
    let message = talk.alice_says(b"from the drawer");
    let retired = talk.bob.signed.id;
    let id = SignedPreKeyId(2);
    talk.bob.signed = SignedPreKey::generate(id, &talk.bob.identity, NOW, &mut talk.rng).unwrap();
    talk.bob.guard.forget(retired);
    let expected = Error::NoSuchPreKey(KeyRole::SignedPreKey);
    assert_eq!(talk.bob_refuses(&message), expected);
    talk.start(false, KemKey::Kyber);
    let message = talk.alice_says(b"fresh");
    assert_eq!(talk.bob_reads(&message).unwrap(), b"fresh");
    talk.round_trip();
}

/// A11: a start that was never answered is good for 30 days, to the millisecond, and for ever once it
/// is answered.
#[test]
fn an_unanswered_start_expires() {
    let mut talk = Talk::started(11, true, KemKey::Kyber);
    let last = Timestamp(NOW.0 + 30 * DAY_MS);
    let late = Timestamp(last.0 + 1);
    assert!(talk.at_alice.can_send(last) && !talk.at_alice.can_send(late));
    let before = talk.at_alice.encode();
    let refused = talk.at_alice.encrypt(b"?", late).unwrap_err();
    assert_eq!(refused, Error::StaleSession);
    assert_eq!(talk.at_alice.encode(), before);
    let message = cast::wire(talk.at_alice.encrypt(b"still", last).unwrap());
    assert_eq!(talk.bob_reads(&message).unwrap(), b"still");
    let answer = talk.bob_says(b"yes");
    talk.alice_reads(&answer).unwrap();
    assert!(talk.at_alice.can_send(Timestamp(u64::MAX)));
    assert_eq!(talk.at_alice.version(), Some(ProtocolVersion::V4));
}
