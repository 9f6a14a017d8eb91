//! How a device proves itself to a relay: it signs the challenge of this very connection.
//!
//! What is signed names the relay as the *client* knows it, so that a relay in between cannot pass another
//! one's challenge on, and the connection's nonce, so that a recorded proof is worth nothing. No bearer
//! token exists that could be stolen from a disk.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::address::DeviceAddress;

/// Length of the nonce in [`Welcome`](crate::Welcome).
pub const NONCE_LEN: usize = 32;

const LABEL: &[u8] = b"hushpost relay authentication v1";

/// What a device signs: label, length of the relay's name (8 bytes, big-endian), name, nonce, account
/// id, device number.
#[must_use]
pub fn signed_bytes(relay_name: &str, nonce: &[u8; NONCE_LEN], device: DeviceAddress) -> Vec<u8> {
    let name_len = u64::try_from(relay_name.len()).unwrap_or(u64::MAX);
    [
        LABEL,
        &name_len.to_be_bytes(),
        relay_name.as_bytes(),
        nonce,
        device.account.as_bytes(),
        &[device.device.get()],
    ]
    .concat()
}

/// The device's side: signs a challenge.
///
/// ```
/// use ed25519_dalek::SigningKey;
/// use hushpost_wire::{AccountId, DeviceAddress, DeviceId, challenge};
///
/// let key = SigningKey::from_bytes(&[1; 32]);
/// let device = DeviceAddress { account: AccountId::of_key(&[2; 32]), device: DeviceId::PRIMARY };
/// let proof = challenge::sign("relay.example", &[3; 32], device, &key);
/// let public = key.verifying_key().to_bytes();
/// assert!(challenge::verify("relay.example", &[3; 32], device, &public, &proof));
/// assert!(!challenge::verify("other.example", &[3; 32], device, &public, &proof));
/// ```
#[must_use]
pub fn sign(
    relay_name: &str,
    nonce: &[u8; NONCE_LEN],
    device: DeviceAddress,
    authentication_key: &SigningKey,
) -> [u8; 64] {
    authentication_key
        .sign(&signed_bytes(relay_name, nonce, device))
        .to_bytes()
}

/// The relay's side: whether the signature is the device's, by the strict rules (RFC 8032 §5.1.7, no
/// key of small order, no malleable form).
#[must_use]
pub fn verify(
    relay_name: &str,
    nonce: &[u8; NONCE_LEN],
    device: DeviceAddress,
    authentication_key: &[u8; 32],
    signature: &[u8],
) -> bool {
    verify_strict(
        authentication_key,
        &signed_bytes(relay_name, nonce, device),
        signature,
    )
}

/// Strict Ed25519 over anything.
pub(crate) fn verify_strict(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (
        VerifyingKey::from_bytes(key),
        Signature::from_slice(signature),
    ) else {
        return false;
    };
    key.verify_strict(message, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{AccountId, DeviceId};

    #[test]
    fn every_part_is_bound() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = key.verifying_key().to_bytes();
        let device = |account: u8, number| DeviceAddress {
            account: AccountId::of_key(&[account; 32]),
            device: DeviceId::new(number).unwrap(),
        };
        let proof = sign("relay", &[3; 32], device(2, 1), &key);
        let check =
            |name, nonce, device, key, proof: &[u8]| verify(name, nonce, device, key, proof);
        assert!(check("relay", &[3; 32], device(2, 1), &public, &proof));
        assert!(!check("relax", &[3; 32], device(2, 1), &public, &proof));
        assert!(!check("relay", &[4; 32], device(2, 1), &public, &proof));
        assert!(!check("relay", &[3; 32], device(3, 1), &public, &proof));
        assert!(!check("relay", &[3; 32], device(2, 2), &public, &proof));
        assert!(!check("relay", &[3; 32], device(2, 1), &[9; 32], &proof));
        assert!(!check("relay", &[3; 32], device(2, 1), &public, &[]));
        for bit in 0..512 {
            let mut changed = proof;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!check("relay", &[3; 32], device(2, 1), &public, &changed));
        }
    }

    #[test]
    fn a_key_of_small_order_proves_nothing() {
        // The identity point and the all-zero scalar satisfy the lax equation for every message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify_strict(&identity, b"anything", &signature));
    }
}
