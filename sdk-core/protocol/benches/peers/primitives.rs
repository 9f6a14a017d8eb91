//! The curve operations that set the floor, and safety numbers.

use criterion::Criterion;
use hushpost_protocol::{
    IdentityKeyPair, KeyPair, SAFETY_NUMBER_ITERATIONS, SafetyNumber, SafetyNumberParty,
    SigningKeyPair,
};
use vodozemac::{Curve25519PublicKey, Curve25519SecretKey, Ed25519SecretKey};

use crate::{OURS, VODOZEMAC};

const MESSAGE: &[u8] = &[7; 100];

pub fn run(criterion: &mut Criterion) {
    let rng = &mut rand::rng();
    let (ours, theirs) = (
        KeyPair::generate(rng).unwrap(),
        KeyPair::generate(rng).unwrap(),
    );
    let (olm_ours, olm_theirs) = (Curve25519SecretKey::new(), Curve25519SecretKey::new());
    let olm_theirs = Curve25519PublicKey::from(&olm_theirs);
    let line = "X25519";
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter(|| ours.private_key().agree(theirs.public_key()).unwrap());
    });
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| b.iter(|| olm_ours.diffie_hellman(&olm_theirs)));

    let signer = SigningKeyPair::generate(rng).unwrap();
    let olm_signer = Ed25519SecretKey::new();
    let line = "sign 100 B";
    criterion
        .benchmark_group(OURS)
        .bench_function(line, |b| b.iter(|| signer.sign(&[MESSAGE], rng).unwrap()));
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| b.iter(|| olm_signer.sign(MESSAGE)));

    let signature = signer.sign(&[MESSAGE], rng).unwrap();
    let olm_signature = olm_signer.sign(MESSAGE);
    let olm_public = olm_signer.public_key();
    let line = "verify 100 B";
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter(|| signer.public_key().verify(&[MESSAGE], &signature).unwrap());
    });
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter(|| olm_public.verify(MESSAGE, &olm_signature).unwrap());
        });

    let (alice, bob) = (
        IdentityKeyPair::generate(rng).unwrap(),
        IdentityKeyPair::generate(rng).unwrap(),
    );
    let party = |identity| SafetyNumberParty {
        id: b"+14155550100",
        identity_key: identity,
    };
    let mut group = criterion.benchmark_group(OURS);
    group.sample_size(20);
    group.bench_function("safety number", |b| {
        b.iter(|| {
            let (alice, bob) = (party(alice.public_key()), party(bob.public_key()));
            SafetyNumber::new(1, SAFETY_NUMBER_ITERATIONS, alice, bob).unwrap()
        });
    });
}
