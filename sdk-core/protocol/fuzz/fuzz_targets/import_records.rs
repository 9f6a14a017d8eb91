//! Importing records of the official library, of every kind; what is taken in is stable.
#![no_main]

use hushpost_protocol::{
    DistributionId, IdentityKeyPair, InboundSenderKey, KemPreKey, OneTimePreKey, OutboundSenderKey,
    Session, SignedPreKey, Timestamp, import,
};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

macro_rules! stable {
    ($imported:expr, $kind:ty) => {
        if let Ok(state) = $imported {
            let stored = state.encode();
            assert_eq!(<$kind>::decode(&stored).unwrap().encode(), stored);
        }
    };
}

fuzz_target!(|bytes: &[u8]| {
    let id = DistributionId(Uuid::from_u128(1));
    stable!(import::session(bytes), Session);
    stable!(import::identity_key_pair(bytes), IdentityKeyPair);
    stable!(import::one_time_pre_key(bytes), OneTimePreKey);
    stable!(import::signed_pre_key(bytes), SignedPreKey);
    stable!(import::kem_pre_key(bytes, true), KemPreKey);
    stable!(import::outbound_sender_key(bytes, id), OutboundSenderKey);
    stable!(import::inbound_sender_key(bytes, id), InboundSenderKey);
    if let Ok(mut session) = import::session(bytes) {
        let _ = session.encrypt(b"text", Timestamp(0));
    }
});
