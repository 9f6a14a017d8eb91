//! The one room where X25519 happens, behind two interchangeable backends.
//!
//! `dalek` (the default) is pure Rust; `aws_lc` (feature `aws-lc-rs`) is assembly under a C library.
//! Both give the same answers and, through [`Peer::agree`], the same refusals: the tests of this room
//! and of everything above it run on either.
//!
//! The protocol often agrees several secrets with one and the same peer key (a ratchet step does it
//! twice, the handshake three times), so what can be computed from the peer key alone is done once,
//! in [`Peer::new`].

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(not(feature = "aws-lc-rs"))]
mod dalek;

#[cfg(feature = "aws-lc-rs")]
use aws_lc as backend;
#[cfg(not(feature = "aws-lc-rs"))]
use dalek as backend;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{KeyPair, PrivateKey, PublicKey, SHARED_SECRET_LEN};
use crate::error::{Error, KeyRole, Result};

/// A shared secret, wiped on drop.
pub(crate) type SharedSecret = Zeroizing<[u8; SHARED_SECRET_LEN]>;

/// The public u-coordinate of a clamped scalar.
pub(super) fn public_key(private: &[u8; 32]) -> [u8; 32] {
    backend::public_key(private)
}

/// A peer's public key, ready to be agreed with.
pub(crate) struct Peer(backend::Peer);

impl Peer {
    /// Does the part of an agreement that depends on the peer key alone.
    pub(crate) fn new(key: &PublicKey) -> Self {
        Self(backend::Peer::new(key.as_montgomery()))
    }

    /// X25519 of `private` and this key.
    pub(crate) fn agree(&self, private: &PrivateKey) -> Result<SharedSecret> {
        contributory(self.0.agree(private.as_bytes()))
    }

    /// Completes `private` to a pair and agrees with it: one operation, because a backend may get
    /// the public key on the way.
    pub(crate) fn agree_with_new(&self, private: PrivateKey) -> Result<(KeyPair, SharedSecret)> {
        let (public, shared) = self.0.agree_with_new(private.as_bytes());
        let shared = contributory(shared)?;
        let public = PublicKey(public);
        Ok((KeyPair { private, public }, shared))
    }
}

/// Refuses the all-zero result, which a point of small order forces (RFC 7748 §6.1), in constant
/// time.
fn contributory(shared: SharedSecret) -> Result<SharedSecret> {
    if bool::from(shared.ct_eq(&[0; SHARED_SECRET_LEN])) {
        return Err(Error::InvalidKey(KeyRole::Unspecified));
    }
    Ok(shared)
}

#[cfg(test)]
mod known_answers;
