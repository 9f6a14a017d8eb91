//! The database key, and the file beside the database that holds the salt.
//!
//! SQLCipher usually keeps its salt in the first 16 bytes of the database. A database whose header is
//! plain (iOS tells by it that the file is SQLite, and then does not kill an app that holds its lock while
//! suspended) has no room for it, so it lies in a file of its own, with a check of the key: a wrong key and
//! a damaged database are different errors.
//!
//! Must never: overwrite a salt file. Without the salt the database is lost.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use hushpost_protocol::PRIVATE_KEY_LEN;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::store::{StoreError, durable};

/// Length of a database key.
pub const DATABASE_KEY_LEN: usize = 32;
const _: () = assert!(DATABASE_KEY_LEN == PRIVATE_KEY_LEN);

const SALT_LEN: usize = 16;
const CHECK_LEN: usize = 32;
const SUM_LEN: usize = 32;
const FILE_LEN: usize = SALT_LEN + CHECK_LEN + SUM_LEN;

/// The 32 random bytes that a client's database is encrypted with. The app keeps them in the Keychain or
/// Keystore; whoever has them and the file can read everything.
pub struct DatabaseKey(Zeroizing<[u8; DATABASE_KEY_LEN]>);

impl DatabaseKey {
    /// A key the app has kept.
    #[must_use]
    pub fn new(mut bytes: [u8; DATABASE_KEY_LEN]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    /// A new key, to be kept before the database is made.
    ///
    /// # Errors
    /// [`StoreError::Randomness`] if the system has none.
    pub fn generate() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; DATABASE_KEY_LEN]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| StoreError::Randomness)?;
        Ok(Self(bytes))
    }

    /// The bytes, for the app to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; DATABASE_KEY_LEN] {
        &self.0
    }

    /// SQLCipher's raw form: key and salt in hexadecimal.
    fn pragma(&self, salt: &[u8; SALT_LEN]) -> Zeroizing<String> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = Zeroizing::new(String::with_capacity(3 + 2 * (DATABASE_KEY_LEN + SALT_LEN)));
        text.push_str("x'");
        for byte in self.0.iter().chain(salt) {
            for nibble in [byte >> 4, byte & 15] {
                let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
                text.push(char::from(digit));
            }
        }
        text.push('\'');
        text
    }

    /// Says whether it is the key without saying anything about it: a hash over 256 random bits.
    fn check(&self, salt: &[u8; SALT_LEN]) -> [u8; CHECK_LEN] {
        Sha256::new()
            .chain_update(b"hushpost database key check v1")
            .chain_update(salt)
            .chain_update(self.0.as_slice())
            .finalize()
            .into()
    }
}

impl core::fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("DatabaseKey(…)")
    }
}

/// Where the salt of a database lies.
pub(crate) fn salt_path(database: &Path) -> PathBuf {
    durable::beside(database, ".salt")
}

/// Reads the salt file, or makes it for a new database, and gives SQLCipher's key.
pub(crate) fn unlock(
    database: &Path,
    exists: bool,
    key: &DatabaseKey,
) -> Result<Zeroizing<String>, StoreError> {
    let path = salt_path(database);
    let content = match read(&path)? {
        Some(content) => content,
        None if exists => return Err(StoreError::Corrupted("the salt file is missing")),
        None => {
            create(&path, key)?;
            read(&path)?.ok_or(StoreError::Corrupted("the salt file is missing"))?
        }
    };
    let damaged = StoreError::Corrupted("the salt file is damaged");
    let Some((salt, rest)) = content.split_first_chunk::<SALT_LEN>() else {
        return Err(damaged);
    };
    let Some((check, sum)) = rest.split_first_chunk::<CHECK_LEN>() else {
        return Err(damaged);
    };
    if sum != sum_of(salt, check) {
        return Err(damaged);
    }
    if !bool::from(key.check(salt).ct_eq(check)) {
        return Err(StoreError::WrongKey);
    }
    Ok(key.pragma(salt))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut content = Vec::with_capacity(FILE_LEN);
    let limit = u64::try_from(FILE_LEN).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Two processes may do this at once: a link never replaces what is there, so the first one's salt counts.
fn create(path: &Path, key: &DatabaseKey) -> Result<(), StoreError> {
    let mut salt = [0; SALT_LEN];
    let mut name = [0; 8];
    getrandom::fill(&mut salt).map_err(|_| StoreError::Randomness)?;
    getrandom::fill(&mut name).map_err(|_| StoreError::Randomness)?;
    let check = key.check(&salt);
    let draft = durable::beside(path, &format!(".{:x}", u64::from_be_bytes(name)));
    let mut file = File::create_new(&draft)?;
    file.write_all(&[&salt[..], &check, &sum_of(&salt, &check)].concat())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    durable::sync_folder_of(path)?;
    Ok(())
}

fn sum_of(salt: &[u8; SALT_LEN], check: &[u8; CHECK_LEN]) -> [u8; SUM_LEN] {
    Sha256::new()
        .chain_update(salt)
        .chain_update(check)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_prints_nothing_of_itself() {
        let printed = format!("{:?}", DatabaseKey::new([0xcd; 32]));
        assert!(!printed.contains("cd") && !printed.contains("205"));
    }

    #[test]
    fn a_salt_is_made_once_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        let key = DatabaseKey::new([7; 32]);
        let first = unlock(&database, false, &key).unwrap();
        assert_eq!(*unlock(&database, true, &key).unwrap(), *first);
        create(&salt_path(&database), &key).unwrap();
        assert_eq!(*unlock(&database, true, &key).unwrap(), *first);
        assert_eq!(first.len(), 3 + 96);
    }

    #[test]
    fn a_wrong_key_a_damaged_file_and_a_missing_one_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        let key = DatabaseKey::new([7; 32]);
        assert!(matches!(
            unlock(&database, true, &key),
            Err(StoreError::Corrupted(_))
        ));
        unlock(&database, false, &key).unwrap();
        let wrong = DatabaseKey::new([8; 32]);
        assert!(matches!(
            unlock(&database, true, &wrong),
            Err(StoreError::WrongKey)
        ));
        let good = fs::read(salt_path(&database)).unwrap();
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(salt_path(&database), &bad).unwrap();
            let refused = unlock(&database, true, &key);
            assert!(
                matches!(refused, Err(StoreError::Corrupted(_))),
                "{position}"
            );
        }
        for length in 0..good.len() {
            fs::write(salt_path(&database), &good[..length]).unwrap();
            assert!(unlock(&database, true, &key).is_err(), "{length}");
        }
    }
}
