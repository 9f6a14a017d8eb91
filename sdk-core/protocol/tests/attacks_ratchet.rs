//! Attacks on the ratchet, on sessions and on the order of messages: rows B1, B2, B4 to B6, B8 to
//! B10, B14 and B15 of the project's list of attacks. B3 is in `attacks_mutation.rs`, B13 in
//! `attacks_key_confusion.rs`; B6, B8 and B9 are also in the random model, `chaos_model.rs`; B1 and B10
//! for groups are in `attacks_groups.rs`.
//!
//! Not shown here, because this crate has no part in it: the crash between encrypting and storing
//! (B7), and that no key is used twice after a restore (B6), which are the store's; the order within
//! a conversation and its visible gaps (B11, B12), which are the content's; how often sessions are
//! reset (B8), which is the SDK's. The 16-byte MAC of B5 is not possible in the compatible wire format,
//! which has 8 bytes; here it is shown that all 8 count.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod cast;
mod forge;

use cast::{DAY_MS, KemKey, NOW, Talk, Wire, wire};
use forge::{Forger, bytes, edit, number, set};
use hushpost_protocol::{
    Error, MAX_FORWARD_JUMP, MessageType, OneTimePreKey, OneTimePreKeyId, PqPolicy,
    PreKeySignalMessage, ProtocolVersion, Session, SignalMessage, Timestamp,
};

/// What a session of one conversation, nothing pending, may take on disk.
const IDLE_BOUND: usize = 1024;
/// The same with a post-quantum exchange under way.
const PQ_RATCHET_BOUND: usize = 5 * 1024;
/// What it may take whatever a peer does.
const HARD_BOUND: usize = 512 * 1024;

fn signal(bytes: Vec<u8>) -> Wire {
    (MessageType::Signal, bytes)
}

/// A peer who holds the keys and does not keep to the rules. The first message has been read.
fn forged(seed: u64) -> (Talk, Forger) {
    let mut talk = Talk::new(seed);
    let bundle = talk.bob.bundle(true, KemKey::None);
    let identity = &talk.alice.identity;
    let secret = identity.private_key().agree(&bundle.signed_pre_key.key);
    let secret = secret.unwrap();
    let forger = Forger::start(*identity.public_key(), &secret, &bundle, &mut talk.rng);
    let first = (MessageType::PreKey, forger.pre_key(forger.say(0, b"hello")));
    assert_eq!(talk.bob_reads(&first).unwrap(), b"hello");
    (talk, forger)
}

/// B1: an authentic counter may jump 25,000 ahead and not one further; the previous counter, which
/// nothing is done with, may be anything.
#[test]
fn a_jump_beyond_the_bound_is_refused_before_any_work() {
    // Message 0 has been read, so 1 is next.
    for jump in [24_999, MAX_FORWARD_JUMP] {
        let (mut talk, forger) = forged(40);
        let message = signal(forger.say(1 + jump, b"far"));
        assert_eq!(talk.bob_reads(&message).unwrap(), b"far");
        assert!(talk.at_bob.encode().len() < 80_000);
        // The last 2,000 skipped are kept, no more.
        let oldest = 1 + jump - 2_000;
        let kept = signal(forger.say(oldest, b"late"));
        assert_eq!(talk.bob_reads(&kept).unwrap(), b"late");
        let dropped = signal(forger.say(oldest - 1, b"later"));
        assert_eq!(talk.bob_refuses(&dropped), Error::DuplicateMessage);
    }
    let (mut talk, forger) = forged(41);
    let message = signal(forger.say(1 + MAX_FORWARD_JUMP + 1, b"too far"));
    assert_eq!(talk.bob_refuses(&message), Error::TooFarAhead);
    for counter in [1 << 31, u32::MAX - 1, u32::MAX] {
        let message = edit(&forger.say(1, b"?"), 8, |fields| {
            set(fields, 2, number(counter));
        });
        assert_eq!(talk.bob_refuses(&signal(message)), Error::TooFarAhead);
    }
    for (counter, previous) in [(1, 1 << 31), (2, u32::MAX)] {
        let message = forger.signal(counter, previous, |keys| keys.encrypt(&[16; 16]));
        assert_eq!(talk.bob_reads(&signal(message)).unwrap(), b"");
    }
}

/// B1: 5,000 forged messages, with counters near and far and ratchet keys old and new.
#[test]
fn a_flood_of_forged_messages_changes_nothing() {
    let mut talk = Talk::established_under(42, KemKey::Kyber, PqPolicy::Required);
    let (_, genuine) = talk.alice_says(b"genuine");
    let before = talk.at_bob.encode();
    for round in 0..5_000u32 {
        // A jump costs work before the MAC can be checked: few go all the way.
        let counter = match round % 500 {
            0 => MAX_FORWARD_JUMP,
            near => near % 8,
        };
        let forged = edit(&genuine, 8, |fields| {
            set(fields, 2, number(counter));
            set(fields, 4, bytes([round as u8; 32]));
            if round % 2 == 0 {
                let mut key = [5; 33];
                key[1..5].copy_from_slice(&round.to_le_bytes());
                set(fields, 1, bytes(key));
            }
        });
        let message = SignalMessage::from_bytes(&forged).unwrap();
        let refused = talk.at_bob.decrypt(&message, &mut talk.rng).unwrap_err();
        assert!(matches!(
            refused,
            Error::InvalidMessage | Error::DuplicateMessage
        ));
    }
    assert_eq!(talk.at_bob.encode(), before);
    assert_eq!(talk.bob_reads(&signal(genuine)).unwrap(), b"genuine");
}

/// B1: the stored size of a session that has done nothing odd, after much talk.
#[test]
fn an_idle_session_stays_small() {
    for (kem, policy, bound) in [
        (KemKey::None, PqPolicy::Off, IDLE_BOUND),
        (KemKey::Kyber, PqPolicy::Off, IDLE_BOUND),
        (KemKey::MlKem, PqPolicy::Required, PQ_RATCHET_BOUND),
    ] {
        let mut talk = Talk::established_under(43, kem, policy);
        for _ in 0..300 {
            talk.round_trip();
            for session in [&talk.at_alice, &talk.at_bob] {
                assert!(session.encode().len() <= bound);
                assert_eq!(session.archived_len(), 0);
            }
        }
    }
}

/// B1: a peer who skips as much as it can in every chain of every state, and more states than are
/// kept.
#[test]
fn a_session_of_a_peer_who_skips_on_purpose_has_a_hard_bound() {
    let mut talk = Talk::new(44);
    let mut largest = 0;
    for start in 0..45u32 {
        let id = OneTimePreKeyId(start);
        talk.bob.one_time = Some(OneTimePreKey::generate(id, &mut talk.rng).unwrap());
        talk.start(true, KemKey::None);
        let chains = if start % 9 == 0 { 6 } else { 1 };
        for _ in 0..chains {
            for _ in 0..2_001 {
                talk.at_alice.encrypt(b"never arrives", NOW).unwrap();
            }
            let message = talk.alice_says(b"arrives");
            assert_eq!(talk.bob_reads(&message).unwrap(), b"arrives");
            let answer = talk.bob_says(b"go on");
            talk.alice_reads(&answer).unwrap();
            largest = largest.max(talk.at_bob.encode().len());
        }
    }
    assert_eq!(talk.at_bob.archived_len(), 40);
    assert!((10_000 * 34..=HARD_BOUND).contains(&largest), "{largest}");
    let restored = Session::decode(&talk.at_bob.encode()).unwrap();
    assert_eq!(restored.encode(), talk.at_bob.encode());
}

/// B2: each message one to five times, in a row, late, and after a restart.
#[test]
fn a_message_is_read_once() {
    for (kem, policy) in [
        (KemKey::None, PqPolicy::Off),
        (KemKey::Kyber, PqPolicy::Required),
    ] {
        let mut talk = Talk::established_under(45, kem, policy);
        let messages: Vec<Wire> = (0..10u8).map(|text| talk.alice_says(&[text])).collect();
        for index in [0, 3, 1, 9, 5, 2, 4, 8, 7, 6] {
            let message = &messages[index];
            assert_eq!(talk.bob_reads(message).unwrap(), [index as u8]);
            for _ in 0..index % 5 {
                assert_eq!(talk.bob_refuses(message), Error::DuplicateMessage);
            }
        }
        talk.at_bob = Session::decode(&talk.at_bob.encode()).unwrap();
        for message in &messages {
            assert_eq!(talk.bob_refuses(message), Error::DuplicateMessage);
        }
        let answer = talk.bob_says(b"answer");
        talk.alice_reads(&answer).unwrap();
        talk.round_trip();
        for message in &messages {
            assert_eq!(talk.bob_refuses(message), Error::DuplicateMessage);
        }
    }
}

/// B4: wrong MAC, and under the right MAC wrong padding, wrong length, no body: one error for all.
/// The decrypted bytes themselves are out of a test's reach.
#[test]
fn a_bad_mac_bad_padding_and_a_bad_length_look_the_same() {
    let (mut talk, forger) = forged(46);
    let mut bad_mac = forger.say(1, b"text");
    *bad_mac.last_mut().unwrap() ^= 1;
    assert_eq!(talk.bob_refuses(&signal(bad_mac)), Error::InvalidMessage);
    for last in [0, 17, 0x80, 0xff] {
        let block = [&[1; 15], &[last][..]].concat();
        let message = forger.signal(1, 0, |keys| keys.encrypt(&block));
        assert_eq!(talk.bob_refuses(&signal(message)), Error::InvalidMessage);
    }
    for padding in 2..=16u8 {
        let mut block = [padding; 16];
        block[usize::from(16 - padding)] ^= 1;
        let message = forger.signal(1, 0, |keys| keys.encrypt(&block));
        assert_eq!(talk.bob_refuses(&signal(message)), Error::InvalidMessage);
    }
    for length in (0..64).filter(|length| length % 16 != 0 || *length == 0) {
        let message = forger.signal(1, 0, |_| vec![7; length]);
        assert_eq!(talk.bob_refuses(&signal(message)), Error::InvalidMessage);
    }
    let message = signal(forger.say(1, b"text"));
    assert_eq!(talk.bob_reads(&message).unwrap(), b"text");
}

/// B5: as far as the wire format goes.
#[test]
fn all_bytes_of_the_mac_count() {
    let (mut talk, forger) = forged(47);
    let message = forger.say(1, b"text");
    let (content, mac) = message.split_at(message.len() - 8);
    for kept in 0..8 {
        let short = [content, &mac[..kept]].concat();
        assert_eq!(talk.bob_refuses(&signal(short)), Error::InvalidMessage);
        let mut padded = [content, &mac[..kept]].concat();
        padded.resize(message.len(), 0);
        assert_eq!(talk.bob_refuses(&signal(padded)), Error::InvalidMessage);
    }
    assert_eq!(talk.bob_reads(&signal(message)).unwrap(), b"text");
}

/// B6: a device restored from an old copy of its store repeats keys; its peer takes those messages
/// for repeats, and the session heals within two round trips.
#[test]
fn a_rolled_back_session_shows_nothing_twice_and_heals() {
    let mut talk = Talk::established(48, KemKey::Kyber);
    let copy = talk.at_alice.encode();
    for _ in 0..20 {
        let message = talk.alice_says(b"before");
        talk.bob_reads(&message).unwrap();
    }
    talk.at_alice = Session::decode(&copy).unwrap();
    for _ in 0..20 {
        let message = talk.alice_says(b"after");
        assert_eq!(talk.bob_refuses(&message), Error::DuplicateMessage);
    }
    let answer = talk.bob_says(b"are you there?");
    assert_eq!(talk.alice_reads(&answer).unwrap(), b"are you there?");
    talk.round_trip();
    talk.round_trip();
}

/// B8, B9: both start at once, with loss, repeats and reordering: nothing that arrives is unreadable,
/// and both end on one session.
#[test]
fn of_two_simultaneous_starts_one_wins_and_nothing_is_lost() {
    for kems in [
        (KemKey::Kyber, KemKey::Kyber),
        (KemKey::None, KemKey::Kyber),
        (KemKey::MlKem, KemKey::Kyber),
    ] {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 1], [2, 2, 2]] {
            let mut talk = Talk::started(49, true, kems.1);
            let bundle = talk.alice.bundle(true, kems.0);
            talk.at_bob
                .initiate(talk.bob.local(), &bundle, NOW, &mut talk.rng)
                .unwrap();
            let from_alice: Vec<Wire> = (0..3).map(|text| talk.alice_says(&[text])).collect();
            let from_bob: Vec<Wire> = (0..3).map(|text| talk.bob_says(&[text])).collect();
            let weak = kems.0 == KemKey::None;
            let mut seen = [false; 3];
            for index in order {
                let known = std::mem::replace(&mut seen[index], true);
                let expected = if known {
                    Err(Error::DuplicateMessage)
                } else {
                    Ok(vec![index as u8])
                };
                assert_eq!(talk.bob_reads(&from_alice[index]), expected);
                let expected = if weak {
                    Err(Error::Downgrade)
                } else {
                    expected
                };
                assert_eq!(talk.alice_reads(&from_bob[index]), expected);
            }
            talk.round_trip();
            talk.round_trip();
            let [at_alice, at_bob] = [&talk.at_alice, &talk.at_bob].map(Session::archived_len);
            assert!(!talk.at_alice.is_unacknowledged() && !talk.at_bob.is_unacknowledged());
            let last = SignalMessage::from_bytes(&talk.alice_says(b"last").1).unwrap();
            let last = talk.at_bob.decrypt(&last, &mut talk.rng).unwrap();
            assert_eq!(last.plaintext, b"last");
            assert_eq!(talk.at_bob.archived_len(), at_bob);
            assert_eq!(at_alice, usize::from(!weak));
            assert_eq!(talk.at_alice.version(), Some(ProtocolVersion::V4));
        }
    }
}

/// B10: at the end of the counter the chain stops with an error and does not wrap.
#[test]
fn a_sending_chain_ends_with_an_error() {
    let mut talk = Talk::started(50, false, KemKey::None);
    let mut stored = talk.at_alice.encode().to_vec();
    // Kind, version, policy, two presences; version, three keys and two ids; five bytes of pending
    // part and a timestamp of six; root key, ratchet pair and chain key come before the index.
    let index = 5 + (1 + 3 * 32 + 2) + (4 + 6) + 4 * 32;
    assert_eq!(stored[index], 0);
    let mut near_end = Vec::new();
    forge::put_varint(&mut near_end, u64::from(u32::MAX) - 2);
    stored.splice(index..=index, near_end);
    talk.at_alice = Session::decode(&stored).unwrap();
    for counter in [u32::MAX - 2, u32::MAX - 1] {
        let message = talk.alice_says(b"one of the last");
        let parsed = PreKeySignalMessage::from_bytes(&message.1).unwrap();
        assert_eq!(parsed.message().counter(), counter);
        assert_eq!(talk.bob_refuses(&message), Error::TooFarAhead);
    }
    let before = talk.at_alice.encode();
    let refused = talk.at_alice.encrypt(b"one too many", NOW).unwrap_err();
    assert_eq!(refused, Error::ChainExhausted);
    assert_eq!(talk.at_alice.encode(), before);
}

/// B14: authentic and odd: fields missing, doubled, unknown; any bytes as plaintext. Each is either
/// read or refused as a whole, and the next message is read.
#[test]
fn an_authentic_but_odd_message_does_not_stop_the_next() {
    let (mut talk, forger) = forged(54);
    let (fields, keys) = (fields_of(&forger), forger.keys(1));
    for missing in [1, 2, 4] {
        let fewer: Vec<_> = fields
            .iter()
            .filter(|(it, _)| *it != missing)
            .cloned()
            .collect();
        let message = signal(forger.authenticate(&keys, &fewer));
        assert_eq!(talk.bob_refuses(&message), Error::InvalidMessage);
    }
    for extra in [(2, number(u32::MAX)), (1, bytes([5])), (4, bytes([]))] {
        let more = [fields.clone(), vec![extra]].concat();
        talk.bob_refuses(&signal(forger.authenticate(&keys, &more)));
    }
    for extra in [(3, number(1)), (5, bytes([1; 40])), (9_999, bytes([0xff]))] {
        let (mut talk, forger) = forged(55);
        let more = [fields_of(&forger), vec![extra]].concat();
        let message = signal(forger.authenticate(&forger.keys(1), &more));
        assert_eq!(talk.bob_reads(&message).unwrap(), b"");
    }
    let large = vec![0xc3; 300_000];
    for (counter, text) in (2..).zip([&[][..], &[0xff, 0xfe, 0], &[0x80; 16], &large]) {
        let message = signal(forger.say(counter, text));
        assert_eq!(talk.bob_reads(&message).unwrap(), text);
    }
}

fn fields_of(forger: &Forger) -> forge::Fields {
    let plain = forger.signal(1, 0, |keys| keys.encrypt(&[16; 16]));
    forge::parse(&plain[1..plain.len() - 8])
}

/// B15: the caller's clock wrong by any amount, in any direction, changes nothing but whether an
/// unanswered start is still good.
#[test]
fn a_wrong_clock_breaks_nothing() {
    for now in [0, NOW.0 - 3_650 * DAY_MS, NOW.0, NOW.0 + DAY_MS] {
        let mut talk = Talk::started(56, true, KemKey::Kyber);
        let message = wire(talk.at_alice.encrypt(b"when?", Timestamp(now)).unwrap());
        assert_eq!(talk.bob_reads(&message).unwrap(), b"when?");
        talk.round_trip();
    }
    for now in [NOW.0 + 3_650 * DAY_MS, u64::MAX] {
        let mut talk = Talk::started(57, true, KemKey::Kyber);
        let refused = talk.at_alice.encrypt(b"when?", Timestamp(now)).unwrap_err();
        assert_eq!(refused, Error::StaleSession);
        let message = talk.alice_says(b"now");
        talk.bob_reads(&message).unwrap();
        talk.round_trip();
        let message = wire(talk.at_alice.encrypt(b"when?", Timestamp(now)).unwrap());
        assert_eq!(talk.bob_reads(&message).unwrap(), b"when?");
    }
}
