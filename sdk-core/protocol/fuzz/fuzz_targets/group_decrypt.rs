//! Decrypting group messages: any bytes, or a genuine message with some of its bytes changed.
#![no_main]

use std::sync::LazyLock;

use hushpost_protocol::{DistributionId, InboundSenderKey, OutboundSenderKey, SenderKeyMessage};
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use uuid::Uuid;

/// A member's state with skipped messages, and messages it can read.
static STAGE: LazyLock<(Vec<u8>, Vec<Vec<u8>>)> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let id = DistributionId(Uuid::from_u128(1));
    let mut alice = OutboundSenderKey::generate(id, &mut rng).unwrap();
    let mut bob = InboundSenderKey::new(id);
    let mut genuine = Vec::new();
    for _ in 0..2 {
        bob.process(&alice.distribution_message()).unwrap();
        for read in [false, true, false] {
            let message = alice.encrypt(b"text", &mut rng).unwrap();
            if read {
                bob.decrypt(&message).unwrap();
            }
            genuine.push(message.into_bytes());
        }
        alice.rotate(&mut rng).unwrap();
    }
    (bob.encode().to_vec(), genuine)
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else {
        return;
    };
    let (stored, genuine) = &*STAGE;
    let mut message = rest.to_vec();
    if let Some(genuine) = genuine.get(usize::from(choice)) {
        message.clone_from(genuine);
        for change in rest.chunks_exact(2) {
            let at = usize::from(change[0]) % message.len();
            message[at] ^= change[1];
        }
    }
    let mut bob = InboundSenderKey::decode(stored).unwrap();
    match SenderKeyMessage::from_bytes(&message).and_then(|message| bob.decrypt(&message)) {
        Ok(plaintext) => {
            assert_eq!(plaintext, b"text");
            assert!(genuine.contains(&message));
        }
        Err(error) => assert_eq!(*bob.encode(), *stored, "{error}"),
    }
});
