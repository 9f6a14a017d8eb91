//! Loading stored state of every kind; what loads is stable, and a session that loads can be used.
#![no_main]

use hushpost_protocol::{
    IdentityKeyPair, InboundSenderKey, KemPreKey, OneTimePreKey, OutboundSenderKey, ReplayGuard,
    Session, SignedPreKey, Timestamp,
};
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

macro_rules! reload {
    ($bytes:expr, $($kind:ty),*) => {
        $(if let Ok(state) = <$kind>::decode($bytes) {
            let stored = state.encode();
            assert_eq!(<$kind>::decode(&stored).unwrap().encode(), stored);
        })*
    };
}

fuzz_target!(|bytes: &[u8]| {
    reload!(
        bytes,
        IdentityKeyPair,
        OneTimePreKey,
        SignedPreKey,
        KemPreKey,
        ReplayGuard
    );
    reload!(bytes, Session, OutboundSenderKey, InboundSenderKey);
    if let Ok(mut session) = Session::decode(bytes) {
        let _ = session.encrypt(b"text", Timestamp(0));
        session.archive_current();
        assert!(Session::decode(&session.encode()).is_ok());
    }
    if let Ok(mut key) = OutboundSenderKey::decode(bytes) {
        let _ = key.encrypt(b"text", &mut ChaCha20Rng::seed_from_u64(1));
    }
});
