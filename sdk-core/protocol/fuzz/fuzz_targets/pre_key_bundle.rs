//! Parsing the keys and signatures of a pre-key bundle, and starting a session from it.
#![no_main]

use hushpost_protocol::{
    DeviceId, IdentityKeyPair, KemCiphertext, KemPreKeyBundle, KemPreKeyId, KemPublicKey,
    LocalParty, OneTimePreKeyBundle, OneTimePreKeyId, PqPolicy, PreKeyBundle, PrivateKey,
    PublicKey, RegistrationId, Session, SignedPreKeyBundle, SignedPreKeyId, Timestamp,
};
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ciphertext) = KemCiphertext::from_bytes(bytes) {
        assert_eq!(ciphertext.to_bytes(), bytes);
    }
    let Some((keys, rest)) = bytes.split_first_chunk::<99>() else {
        return;
    };
    let [identity, signed, one_time] =
        [0, 33, 66].map(|at| PublicKey::from_bytes(&keys[at..at + 33]));
    let (Ok(identity_key), Ok(signed)) = (identity, signed) else {
        return;
    };
    let signature = rest.get(..64).unwrap_or(rest).to_vec();
    let kem = KemPublicKey::from_bytes(rest.get(64..).unwrap_or_default());
    let bundle = PreKeyBundle {
        registration_id: RegistrationId(1),
        device_id: DeviceId::PRIMARY,
        identity_key,
        signed_pre_key: SignedPreKeyBundle {
            id: SignedPreKeyId(1),
            key: signed,
            signature: signature.clone(),
        },
        one_time_pre_key: one_time.ok().map(|key| OneTimePreKeyBundle {
            id: OneTimePreKeyId(1),
            key,
        }),
        kem_pre_key: kem.ok().map(|key| KemPreKeyBundle {
            id: KemPreKeyId(1),
            key,
            signature,
        }),
    };
    let identity = IdentityKeyPair::from_private(PrivateKey::from_bytes([7; 32]));
    let alice = LocalParty {
        identity: &identity,
        registration_id: RegistrationId(2),
    };
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let started = Session::new(PqPolicy::Off).initiate(alice, &bundle, Timestamp(0), &mut rng);
    assert_eq!(started, bundle.verify());
});
