//! What can go wrong with the database, and what the app can do.

use thiserror::Error;

/// The database could not be opened, read or written. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It is not this database's key. Nothing was deleted: get the right key.
    #[error("the database key is wrong")]
    WrongKey,
    /// The database or a file beside it is damaged. Nothing was deleted: restore it, or move it away and
    /// register anew.
    #[error("the database is damaged: {0}")]
    Corrupted(&'static str),
    /// There was a database here, and now there is none. To start anew on purpose, delete the files beside it.
    #[error("the database is missing, though it was used before")]
    Missing,
    /// A newer version of the app wrote it: update this one.
    #[error("the database was written by a newer version; update the app")]
    Newer,
    /// The library was built without encryption.
    #[error("this build of SQLite does not encrypt")]
    NoEncryption,
    /// The disk is full. Make room; what was not stored was not acknowledged to anybody.
    #[error("the disk is full")]
    Full,
    /// Another process has kept the database locked for 5 seconds. Try again.
    #[error("another process keeps the database locked")]
    Busy,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The runtime was shut down in the middle; the transaction was finished or left nothing.
    #[error("interrupted by the end of the runtime")]
    Interrupted,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Randomness,
    /// The file system refused.
    #[error("the file system refused: {0}")]
    Io(#[from] std::io::Error),
    /// Anything else SQLite said.
    #[error("the database refused: {0}")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    /// A stable name of the cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WrongKey => "wrong_key",
            Self::Corrupted(_) => "store_corrupted",
            Self::Missing => "store_missing",
            Self::Newer => "store_newer",
            Self::NoEncryption => "no_encryption",
            Self::Full => "disk_full",
            Self::Busy => "store_busy",
            Self::Closed => "closed",
            Self::Interrupted => "interrupted",
            Self::Randomness => "randomness",
            Self::Io(_) => "io",
            Self::Sqlite(_) => "store",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Io(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Corrupted("a page does not decrypt or does not make sense")
            }
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => match error {
                // A column that does not hold what it must: only damage does that.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => {
                    Self::Corrupted("a column does not hold what it must")
                }
                other => Self::Sqlite(other),
            },
        }
    }
}
