//! The key of a database.

use std::sync::Arc;

use crate::{HushpostError, Result};

/// The key of a client's database: 32 random bytes. Keep it in the Keychain, wrapped by the Android Keystore, or in
/// the system's secret store, and nowhere else: whoever has it and the file reads everything.
#[derive(Debug, uniffi::Object)]
pub struct DatabaseKey(hushpost::DatabaseKey);

impl DatabaseKey {
    pub(crate) fn inner(&self) -> hushpost::DatabaseKey {
        hushpost::DatabaseKey::new(*self.0.as_bytes())
    }
}

#[uniffi::export]
impl DatabaseKey {
    /// A new key, for a new database.
    ///
    /// # Errors
    /// `Store` if the system has no randomness.
    #[uniffi::constructor]
    pub fn generate() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(hushpost::DatabaseKey::generate()?)))
    }

    /// A key that was kept: exactly 32 bytes.
    ///
    /// # Errors
    /// `Invalid` for another length.
    #[uniffi::constructor]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Arc<Self>> {
        let bytes = zeroize::Zeroizing::new(bytes);
        let key = <[u8; hushpost::DATABASE_KEY_LEN]>::try_from(bytes.as_slice());
        let key = key.map_err(|_| HushpostError::invalid("a database key has 32 bytes"))?;
        Ok(Arc::new(Self(hushpost::DatabaseKey::new(key))))
    }

    /// The 32 bytes, to be kept in a safe place.
    ///
    /// # Errors
    /// None today.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }
}
