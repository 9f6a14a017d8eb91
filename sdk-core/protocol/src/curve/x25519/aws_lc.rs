//! X25519 by aws-lc-rs: hand-scheduled assembly, about twice as fast as dalek.
//!
//! The library refuses an all-zero result itself; this room hands that on as zeros, so that the one
//! check above it speaks for both backends. Importing a private key computes its public key, so a
//! new pair costs no multiplication of its own.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use zeroize::Zeroizing;

use super::SharedSecret;

pub(super) fn public_key(private: &[u8; 32]) -> [u8; 32] {
    public_of(&import(private))
}

pub(super) struct Peer([u8; 32]);

impl Peer {
    pub(super) fn new(u: &[u8; 32]) -> Self {
        Self(*u)
    }

    pub(super) fn agree(&self, private: &[u8; 32]) -> SharedSecret {
        self.agree_imported(&import(private))
    }

    pub(super) fn agree_with_new(&self, private: &[u8; 32]) -> ([u8; 32], SharedSecret) {
        let private = import(private);
        (public_of(&private), self.agree_imported(&private))
    }

    fn agree_imported(&self, private: &PrivateKey) -> SharedSecret {
        let mut shared = Zeroizing::new([0; 32]);
        let peer = UnparsedPublicKey::new(&X25519, &self.0);
        // A refusal leaves the zeros in place: not contributory.
        let _refused = agreement::agree(private, peer, (), |secret| {
            if secret.len() == shared.len() {
                shared.copy_from_slice(secret);
            }
            Ok(())
        });
        shared
    }
}

/// # Panics
/// Only if the library cannot allocate: any 32 bytes are an X25519 private key.
#[expect(clippy::expect_used, reason = "32 bytes are always importable")]
fn import(private: &[u8; 32]) -> PrivateKey {
    PrivateKey::from_private_key(&X25519, private).expect("32 bytes are an X25519 private key")
}

#[expect(
    clippy::expect_used,
    reason = "an imported key always has its public key"
)]
fn public_of(private: &PrivateKey) -> [u8; 32] {
    private
        .compute_public_key()
        .ok()
        .and_then(|public| public.as_ref().try_into().ok())
        .expect("an X25519 public key has 32 bytes")
}
