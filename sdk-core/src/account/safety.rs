//! Safety numbers: 60 digits over both accounts' keys, the same on both sides, to read out or to scan.
//!
//! They are over *account* keys, which sign the device lists: a new device changes nothing, another account
//! under the same name does.

use curve25519_dalek::edwards::CompressedEdwardsY;
use hushpost_protocol::{PublicKey, SAFETY_NUMBER_ITERATIONS, SafetyNumber, SafetyNumberParty};
use hushpost_wire::AccountId;
use rusqlite::Connection;

use crate::account::{LocalDevice, contacts};
use crate::{Error, Result};

/// Of what is hashed: ids are account ids, keys are account keys.
const VERSION: u32 = 1;

/// The safety number between this account and a contact's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactSafetyNumber(SafetyNumber);

impl ContactSafetyNumber {
    /// The 60 digits, in twelve groups of five.
    #[must_use]
    pub fn digits(&self) -> String {
        let digits = self.0.display();
        let mut groups = String::with_capacity(72);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && place.is_multiple_of(5) {
                groups.push(' ');
            }
            groups.push(digit);
        }
        groups
    }

    /// The bytes for a QR code.
    #[must_use]
    pub fn qr_payload(&self) -> Vec<u8> {
        self.0.scannable()
    }

    /// Whether a code scanned from the other's screen is of the same two accounts.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is no such code, or of another version.
    pub fn matches_scanned(&self, scanned: &[u8]) -> Result<bool> {
        Ok(self.0.matches_scanned(scanned)?)
    }
}

/// The safety number with a contact.
pub(crate) fn between(db: &Connection, account: AccountId) -> Result<ContactSafetyNumber> {
    let local = LocalDevice::load(db)?;
    let key = contacts::find(db, account)?.and_then(|contact| contact.account_key);
    let key = key.ok_or(Error::NotFound("device list of that contact"))?;
    number(
        (
            local.account(),
            local.account_key.signing_key().verifying_key().to_bytes(),
        ),
        (account, key),
    )
}

fn number(
    local: (AccountId, [u8; 32]),
    remote: (AccountId, [u8; 32]),
) -> Result<ContactSafetyNumber> {
    let (local_key, remote_key) = (montgomery(local.1)?, montgomery(remote.1)?);
    let party = |id, identity_key| SafetyNumberParty { id, identity_key };
    Ok(ContactSafetyNumber(SafetyNumber::new(
        VERSION,
        SAFETY_NUMBER_ITERATIONS,
        party(local.0.as_bytes(), &local_key),
        party(remote.0.as_bytes(), &remote_key),
    )?))
}

/// The Ed25519 key as the Curve25519 key it is birationally equivalent to (RFC 7748 §4.1): what safety
/// numbers are defined over. The sign bit that this drops is fixed by the account id, which is hashed too.
fn montgomery(key: [u8; 32]) -> Result<PublicKey> {
    let point = CompressedEdwardsY(key)
        .decompress()
        .ok_or(Error::Untrusted("an account key"))?;
    Ok(PublicKey::from_montgomery(
        point.to_montgomery().to_bytes(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    #[test]
    fn both_sides_see_the_same_and_nobody_else_does() {
        let party = |seed: u8| {
            let key = SigningKey::from_bytes(&[seed; 32])
                .verifying_key()
                .to_bytes();
            (AccountId::of_key(&key), key)
        };
        let ours = number(party(1), party(2)).unwrap();
        let theirs = number(party(2), party(1)).unwrap();
        assert_eq!(ours.digits(), theirs.digits());
        assert_eq!(ours.digits().len(), 71);
        assert!(ours.matches_scanned(&theirs.qr_payload()).unwrap());
        let other = number(party(2), party(3)).unwrap();
        assert_ne!(ours.digits(), other.digits());
        assert!(!ours.matches_scanned(&other.qr_payload()).unwrap());
        assert!(ours.matches_scanned(b"garbage").is_err());
    }
}
