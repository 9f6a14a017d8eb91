//! The safety number with a contact.

use hushpost::ContactSafetyNumber;

use crate::Result;

/// The safety number with a contact: the same on both sides if, and only if, nobody stands between.
#[derive(Debug, uniffi::Object)]
pub struct SafetyNumber(pub(crate) ContactSafetyNumber);

#[uniffi::export]
impl SafetyNumber {
    /// The 60 digits, in twelve groups of five.
    ///
    /// # Errors
    /// None today.
    pub fn digits(&self) -> Result<String> {
        Ok(self.0.digits())
    }

    /// The bytes for a QR code.
    ///
    /// # Errors
    /// None today.
    pub fn qr_payload(&self) -> Result<Vec<u8>> {
        Ok(self.0.qr_payload())
    }

    /// Whether a code scanned from the other's screen is of the same two accounts.
    ///
    /// # Errors
    /// `Refused` if it is no such code, or of another version.
    pub fn matches_scanned(&self, scanned: Vec<u8>) -> Result<bool> {
        Ok(self.0.matches_scanned(&scanned)?)
    }
}
