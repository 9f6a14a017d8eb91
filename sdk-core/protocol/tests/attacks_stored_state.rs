//! Stored state that was cut, damaged or mistaken for another kind: it is refused, or loads as
//! something that works within its bounds; it never panics and never takes memory by the claim of a
//! length. (That a store is stolen, swapped or rolled back is not this crate's to prevent.)
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

use cast::{KemKey, NOW, Talk};
use hushpost_protocol::{
    DistributionId, Error, IdentityKeyPair, InboundSenderKey, KemPreKey, OneTimePreKey,
    OutboundSenderKey, PqPolicy, ReplayGuard, Session, SignalMessage, SignedPreKey,
};
use uuid::Uuid;

/// Decodes; answers what encoding it again gives.
type Reload = fn(&[u8]) -> Result<Vec<u8>, Error>;

macro_rules! reload {
    ($kind:ty) => {
        |bytes| <$kind>::decode(bytes).map(|state| state.encode().to_vec())
    };
}

/// One of each kind, with some substance, and how to load it.
fn all_kinds() -> Vec<(Vec<u8>, Reload)> {
    let mut talk = Talk::established_under(80, KemKey::Kyber, PqPolicy::Required);
    let id = DistributionId(Uuid::from_u128(1));
    let mut group = OutboundSenderKey::generate(id, &mut talk.rng).unwrap();
    let mut member = InboundSenderKey::new(id);
    for _ in 0..3 {
        member.process(&group.distribution_message()).unwrap();
        for _ in 0..3 {
            group.encrypt(b"lost", &mut talk.rng).unwrap();
        }
        let read = group.encrypt(b"read", &mut talk.rng).unwrap();
        assert_eq!(member.decrypt(&read).unwrap(), b"read");
        group.rotate(&mut talk.rng).unwrap();
    }
    talk.start(false, KemKey::Kyber);
    let first = talk.alice_says(b"one more start");
    talk.bob_reads(&first).unwrap();
    for _ in 0..4 {
        talk.alice_says(b"lost");
    }
    let late = talk.alice_says(b"read");
    talk.bob_reads(&late).unwrap();
    assert!(talk.at_alice.is_unacknowledged());
    let bob = &talk.bob;
    let one_time = talk.alice.one_time.as_ref().unwrap();
    vec![
        (bob.identity.encode().to_vec(), reload!(IdentityKeyPair)),
        (one_time.encode().to_vec(), reload!(OneTimePreKey)),
        (bob.signed.encode().to_vec(), reload!(SignedPreKey)),
        (bob.kyber.encode().to_vec(), reload!(KemPreKey)),
        (bob.guard.encode().to_vec(), reload!(ReplayGuard)),
        (talk.at_alice.encode().to_vec(), reload!(Session)),
        (talk.at_bob.encode().to_vec(), reload!(Session)),
        (group.encode().to_vec(), reload!(OutboundSenderKey)),
        (member.encode().to_vec(), reload!(InboundSenderKey)),
    ]
}

#[test]
fn state_loads_as_it_was_stored_and_as_its_own_kind_only() {
    let kinds = all_kinds();
    for (index, (stored, _)) in kinds.iter().enumerate() {
        for (other, (same_kind, reload)) in kinds.iter().enumerate() {
            if index == other {
                assert_eq!(reload(stored).as_ref(), Ok(stored));
            } else if stored[0] != same_kind[0] {
                assert_eq!(reload(stored), Err(Error::InvalidState));
            }
        }
    }
}

#[test]
fn cut_or_longer_state_is_refused() {
    for (stored, reload) in all_kinds() {
        for length in 0..stored.len() {
            assert_eq!(reload(&stored[..length]), Err(Error::InvalidState));
        }
        for more in 1..=64 {
            let longer = [&stored[..], &vec![0; more]].concat();
            assert_eq!(reload(&longer), Err(Error::InvalidState));
        }
        // Sessions have an older version that is still read, if the rest is as it was then.
        let newest = stored[1];
        for version in (0..=u8::MAX).filter(|version| !(1..=newest).contains(version)) {
            let mut other = stored.clone();
            other[1] = version;
            assert_eq!(reload(&other), Err(Error::InvalidState));
        }
    }
}

#[test]
fn state_with_any_bit_flipped_is_refused_or_stable() {
    for (stored, reload) in all_kinds() {
        // Of the long ones, which are mostly KEM keys, one bit of each byte.
        let step = if stored.len() > 1_500 { 9 } else { 1 };
        for bit in (0..stored.len() * 8).step_by(step) {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(loaded) = reload(&flipped) {
                assert!(loaded.len() <= stored.len() + 16);
                assert_eq!(reload(&loaded).as_ref(), Ok(&loaded));
            }
        }
    }
}

/// What loads can be used, if not with success.
#[test]
fn a_session_with_a_bit_flipped_does_not_panic_in_use() {
    let mut talk = Talk::established_under(81, KemKey::Kyber, PqPolicy::Required);
    for _ in 0..3 {
        talk.alice_says(b"lost");
    }
    let message = talk.alice_says(b"read");
    talk.bob_reads(&message).unwrap();
    let next = SignalMessage::from_bytes(&talk.alice_says(b"next").1).unwrap();
    let stored = talk.at_bob.encode();
    let (mut read, mut refused) = (0, 0);
    // Most of it is a KEM key; an odd step reaches every bit of a byte.
    for bit in (0..stored.len() * 8).step_by(5) {
        let mut flipped = stored.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(mut session) = Session::decode(&flipped) else {
            continue;
        };
        let _ = session.encrypt(b"text", NOW);
        match session.decrypt(&next, &mut talk.rng) {
            Ok(received) => {
                assert_eq!(received.plaintext, b"next");
                read += 1;
            }
            Err(_) => refused += 1,
        }
        session.archive_current();
        Session::decode(&session.encode()).unwrap();
    }
    assert!(read > 0 && refused > 0);
}

/// A count beyond its bound is refused when it is read, one within it as soon as the bytes end.
#[test]
fn a_claimed_count_takes_nothing() {
    let claims = [40, 41, 2_000, 2_001, 10_000, 10_001, 1 << 32, u64::MAX];
    for claim in claims {
        let mut count = Vec::new();
        forge::put_varint(&mut count, claim);
        let guard = [&[5, 1], count.as_slice()].concat();
        assert_eq!(ReplayGuard::decode(&guard), Err(Error::InvalidState));
        let session = [&[6, 1, 0], count.as_slice()].concat();
        assert!(Session::decode(&session).is_err());
        let member = [&[8, 1], [7; 16].as_slice(), &count].concat();
        assert!(InboundSenderKey::decode(&member).is_err());
        let skipped = [
            &[8, 1],
            [7; 16].as_slice(),
            &[1, 1],
            &[9; 32],
            &[9; 32],
            &[0],
            &count,
        ]
        .concat();
        assert!(InboundSenderKey::decode(&skipped).is_err());
    }
}
