//! The folder of one account: the database, its key, the user name.
//!
//! A terminal has no Keychain that is the same everywhere, so the key lies beside the database in a file that only
//! its owner may read: it keeps other users out, not whoever holds the disk. An app on a phone keeps it in the
//! Keychain or Keystore instead.
//!
//! Must never: write over a key.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use hushpost::{DATABASE_KEY_LEN, DatabaseKey};
use zeroize::Zeroizing;

use crate::app::ChatError;
use crate::options::Options;

/// Longest file with a user name that is read, in bytes.
const MAX_NAME_FILE: u64 = 64;
/// In hexadecimal, with a line end.
const MAX_KEY_FILE: usize = 2 * DATABASE_KEY_LEN + 2;

#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    made_key: bool,
}

impl Folder {
    pub(super) fn open(options: &Options) -> Result<Self, ChatError> {
        let path = match &options.data {
            Some(path) => path.clone(),
            None => std::env::home_dir()
                .ok_or(ChatError::NoHome)?
                .join(".hushpost")
                .join(&options.name),
        };
        make_private(&path).map_err(at(&path))?;
        let mut folder = Self {
            path,
            made_key: false,
        };
        if !folder.key_file().exists() && !folder.database().exists() {
            folder.make_key()?;
        }
        Ok(folder)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join("chat.db")
    }

    /// What is to be said at the first start.
    pub(super) fn made(&self) -> Option<String> {
        self.made_key.then(|| {
            format!(
                "made {} with its key beside it, readable by you alone",
                self.database().display()
            )
        })
    }

    pub(super) fn key(&self) -> Result<DatabaseKey, ChatError> {
        let path = self.key_file();
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE));
        let file = fs::File::open(&path).map_err(at(&path))?;
        file.take(MAX_KEY_FILE as u64)
            .read_to_string(&mut text)
            .map_err(at(&path))?;
        let mut key = Zeroizing::new([0; DATABASE_KEY_LEN]);
        hex::decode_to_slice(text.trim_end(), key.as_mut_slice())
            .map_err(|_| ChatError::Key(path))?;
        Ok(DatabaseKey::new(*key))
    }

    /// The name that was taken with `/name`.
    pub(super) fn user_name(&self) -> Option<String> {
        let file = fs::File::open(self.name_file()).ok()?;
        let mut name = String::new();
        file.take(MAX_NAME_FILE).read_to_string(&mut name).ok()?;
        let name = crate::text::clean_line(&name);
        (!name.is_empty()).then_some(name)
    }

    pub(super) fn keep_user_name(&self, name: &str) -> io::Result<()> {
        fs::write(self.name_file(), name)
    }

    fn key_file(&self) -> PathBuf {
        self.path.join("chat.key")
    }

    fn name_file(&self) -> PathBuf {
        self.path.join("user-name")
    }

    fn make_key(&mut self) -> Result<(), ChatError> {
        let key = DatabaseKey::generate().map_err(hushpost::Error::from)?;
        let text = Zeroizing::new(hex::encode(key.as_bytes()));
        let path = self.key_file();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let write = || {
            let mut file = options.open(&path)?;
            file.write_all(text.as_bytes())?;
            // Before the database is made: without the key it is lost.
            file.sync_all()
        };
        write().map_err(at(&path))?;
        self.made_key = true;
        Ok(())
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ChatError + use<> {
    let path = path.to_owned();
    move |error| ChatError::File { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn options(folder: &Path) -> Options {
        let folder = folder.to_str().unwrap();
        Options::try_parse_from(["chat", "--name", "alice", "--data", folder]).unwrap()
    }

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("alice");
        let folder = Folder::open(&options(&path)).unwrap();
        assert!(folder.made().is_some());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&folder.key_file()), 0o600);
            assert_eq!(mode(&path), 0o700);
        }
        let again = Folder::open(&options(&path)).unwrap();
        assert!(again.made().is_none());
        assert_eq!(
            folder.key().unwrap().as_bytes(),
            again.key().unwrap().as_bytes()
        );
    }

    #[test]
    fn a_database_without_its_key_gets_no_other() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("chat.db"), "").unwrap();
        let folder = Folder::open(&options(temporary.path())).unwrap();
        assert!(matches!(folder.key(), Err(ChatError::File { .. })));
        fs::write(folder.key_file(), "no key").unwrap();
        assert!(matches!(folder.key(), Err(ChatError::Key(_))));
    }

    #[test]
    fn a_name_is_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&options(temporary.path())).unwrap();
        assert_eq!(folder.user_name(), None);
        folder.keep_user_name("alice.b").unwrap();
        assert_eq!(folder.user_name().as_deref(), Some("alice.b"));
    }
}
