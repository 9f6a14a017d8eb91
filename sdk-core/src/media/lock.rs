//! One process at a time works on one file of the media folder: an app and its notification extension share it.
//!
//! A file of its own is locked, for on some systems a locked file cannot be read through another handle.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::prepare::remove;

/// Held while a transfer runs; the system gives it free if the process dies.
pub(super) struct Lock {
    path: PathBuf,
    file: Option<File>,
}

impl Lock {
    /// Takes it, or says that another has it ([`io::ErrorKind::WouldBlock`]). Blocks no longer than the disk.
    pub(super) fn take(path: PathBuf) -> io::Result<Self> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(Self {
            path,
            file: Some(file),
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.file.take());
        // One that stays is swept.
        let _left_behind = remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let first = Lock::take(path.clone()).unwrap();
        let second = Lock::take(path.clone()).err().map(|error| error.kind());
        assert_eq!(second, Some(io::ErrorKind::WouldBlock));
        drop(first);
        assert!(!path.exists());
        assert!(Lock::take(path).is_ok());
    }
}
