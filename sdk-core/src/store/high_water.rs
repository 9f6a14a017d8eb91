//! The high-water mark: a file beside the database that tells an old copy of it.
//!
//! Whoever puts back an old database would encrypt with keys that were used already. So every transaction
//! that moved a ratchet counts a number up in the database, and after its commit writes it here. A database
//! whose number is below the mark is an old copy (or lost its write-ahead log): before anything is sent, all
//! sessions go and the device is set up anew.
//!
//! The mark is written after the commit and not synced: a crash can leave it behind the database, never
//! ahead. It does not help where the whole folder is put back; there the relay's count of what this device
//! acknowledged tells (see `client::engine`), unless the lost part only sent and received nothing, not even a
//! receipt: that is not noticed.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::store::durable;

/// The open file.
pub(crate) struct HighWater(Mutex<File>);

impl HighWater {
    /// Opens the file, making it when there is none.
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(durable::beside(database, ".mark"))?;
        Ok(Self(Mutex::new(file)))
    }

    /// The mark, without making a file; 0 if there is none.
    pub(crate) fn peek(database: &Path) -> io::Result<u64> {
        match File::open(durable::beside(database, ".mark")) {
            Ok(file) => Self(Mutex::new(file)).read(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The mark; 0 if nothing was ever written.
    pub(crate) fn read(&self) -> io::Result<u64> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = [0; 8];
        match file.read_exact(&mut bytes) {
            Ok(()) => Ok(u64::from_be_bytes(bytes)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Moves the mark up. Two processes may write at once and leave the lower of two neighbours: the next
    /// transaction mends it.
    pub(crate) fn raise(&self, steps: u64) -> io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&steps.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_survives_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        assert_eq!(HighWater::peek(&database).unwrap(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mark = HighWater::open(&database).unwrap();
        assert_eq!(mark.read().unwrap(), 0);
        mark.raise(7).unwrap();
        assert_eq!(HighWater::peek(&database).unwrap(), 7);
        assert_eq!(HighWater::open(&database).unwrap().read().unwrap(), 7);
    }
}
