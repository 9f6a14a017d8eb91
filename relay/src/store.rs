//! The relay's store: one SQLite file, one writer, a few readers.
//!
//! Everything that changes goes through the one writer thread ([`writer`]), which gathers what waits into
//! one transaction and one fsync: nothing is answered before it is durable. Reading happens beside it, on
//! connections of its own. A full disk or a failing one is an error value; what was promised before stays.
//!
//! Stands between the rooms that own tables (accounts, keys, mailbox, blobs, presence) and the disk; knows
//! none of them but the mailbox, whose journal is part of every commit.

mod checkpoint;
pub(crate) mod schema;
pub mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};
use thiserror::Error;
use tokio::sync::Semaphore;

pub use writer::StoreSettings;
use writer::WriterHandle;

/// The database file inside the data folder.
pub const DATABASE: &str = "relay.db";
/// Held by the process that serves a data folder.
const LOCK: &str = "relay.lock";

/// Why the store did not do something. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room. Works again by itself when there is.
    #[error("the disk is full")]
    Full,
    /// The disk or the database failed; the text is for the operator's log.
    #[error("the store failed: {0}")]
    Failed(String),
    /// The relay is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(cause) if cause.code == rusqlite::ErrorCode::DiskFull => Self::Full,
            // A full disk, too: the log's index, a file in memory, cannot grow.
            Some(cause) if cause.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Self::Full,
            Some(cause) => Self::Failed(format!("{error} (SQLite's code {})", cause.extended_code)),
            None => Self::Failed(error.to_string()),
        }
    }
}

/// Why a store cannot be opened, and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The data folder cannot be made or used.
    #[error("cannot use the data folder {path}: {cause}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// There is no relay's data in this folder.
    #[error(
        "{0} holds no relay's data; is data_dir right? (`--config FILE` or `--set data_dir=FOLDER`)"
    )]
    Missing(PathBuf),
    /// Another process serves this folder.
    #[error("{0} is in use by another hushpost-relay; stop it first, or choose another data_dir")]
    InUse(PathBuf),
    /// The database was made by a newer relay.
    #[error(
        "the database has version {found}, this relay knows up to {known}: run a newer hushpost-relay"
    )]
    TooNew {
        /// Version in the file.
        found: i64,
        /// Newest version that this build can migrate to.
        known: i64,
    },
    /// The database cannot be read.
    #[error(
        "cannot open the database {path}: {cause}. If it is damaged, restore a backup; clients re-send what was not delivered"
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
}

/// Milliseconds since the Unix epoch, by the system's clock.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Numbers in SQLite are signed; ours are below 2^63 by construction, and a larger one is cut.
#[must_use]
pub fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that [`to_sql`] wrote.
#[must_use]
pub fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// How the store is doing, for readiness and metrics.
#[derive(Debug, Default)]
pub struct Health {
    full: AtomicBool,
    failed: AtomicBool,
    low: AtomicBool,
}

impl Health {
    /// Whether the last commit went through and there is room for more.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !(self.full.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed) || self.is_low())
    }

    /// Whether free space is below the configured reserve: sends are refused, so that acknowledgements
    /// and deletions still have room.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    fn committed(&self) {
        self.full.store(false, Ordering::Relaxed);
        self.failed.store(false, Ordering::Relaxed);
    }

    /// Notes a refusal; whether it is the first since the store worked.
    fn refused(&self, error: &StoreError) -> bool {
        let flag = match error {
            StoreError::Full => &self.full,
            _ => &self.failed,
        };
        !flag.swap(true, Ordering::Relaxed)
    }
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct Store {
    writer: WriterHandle,
    readers: Arc<Readers>,
    health: Arc<Health>,
    epoch: [u8; 16],
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes the store in a folder, and starts its threads. Unsettled messages are read back.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path, settings: StoreSettings) -> Result<Self, OpenError> {
        let lock = lock(folder)?;
        let connection = open_database(folder)?;
        let database = |cause| OpenError::Database {
            path: folder.join(DATABASE),
            cause,
        };
        let epoch = schema::epoch(&connection).map_err(database)?;
        let health = Arc::new(Health::default());
        let reserve = settings.min_free_disk;
        let readers = Readers::open(folder, settings.readers).map_err(database)?;
        let writer =
            writer::start(connection, lock, settings, Arc::clone(&health)).map_err(database)?;
        checkpoint::start(folder, reserve, Arc::clone(&health), writer.downgrade())
            .map_err(database)?;
        Ok(Self {
            writer,
            readers: Arc::new(readers),
            health,
            epoch,
        })
    }

    /// Made with the store; another value means another store.
    #[must_use]
    pub const fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// How the store is doing.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The writer, for the mailbox.
    #[must_use]
    pub const fn writer(&self) -> &WriterHandle {
        &self.writer
    }

    /// Runs `job` in the writer's next transaction and returns when it is durable. An `Err` of the job
    /// undoes what the job did.
    ///
    /// # Errors
    /// The job's own, or a [`StoreError`].
    pub async fn write<R, E>(
        &self,
        job: impl FnOnce(&Connection) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.run(job).await
    }

    /// Runs `job` on a reading connection.
    ///
    /// # Errors
    /// The job's own, or a [`StoreError`].
    pub async fn read<R, E>(
        &self,
        job: impl FnOnce(&Connection) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        let _turn = self.readers.turns.acquire().await;
        tokio::task::spawn_blocking(move || readers.with(job))
            .await
            .unwrap_or(Err(StoreError::Closed.into()))
    }
}

/// Opens the database for a command beside a relay that may be running. Never makes one.
///
/// # Errors
/// [`OpenError`].
pub fn open_beside(folder: &Path) -> Result<Connection, OpenError> {
    if !folder.join(DATABASE).is_file() {
        return Err(OpenError::Missing(folder.to_owned()));
    }
    open_database(folder)
}

/// Whether a running relay holds this folder.
#[must_use]
pub fn is_served(folder: &Path) -> bool {
    matches!(lock(folder), Err(OpenError::InUse(_)))
}

/// Gives a copied database an epoch of its own: what the original accepted after the copy is not in it,
/// so clients must treat it as another store.
///
/// # Errors
/// Any of SQLite's.
pub fn renew_epoch(connection: &Connection) -> rusqlite::Result<()> {
    schema::renew_epoch(connection)
}

/// The advisory lock of a data folder, released when dropped.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "held for its lock")] std::fs::File);

fn lock(folder: &Path) -> Result<FolderLock, OpenError> {
    let refused = |cause| OpenError::Folder {
        path: folder.to_owned(),
        cause,
    };
    make_folder(folder).map_err(refused)?;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(folder.join(LOCK))
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(std::fs::TryLockError::Error(cause)) => Err(refused(cause)),
    }
}

/// A folder that is there keeps its permissions; one that is made is for its owner alone.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn open_database(folder: &Path) -> Result<Connection, OpenError> {
    let path = folder.join(DATABASE);
    let refused = |cause| OpenError::Database {
        path: path.clone(),
        cause,
    };
    let connection = Connection::open(&path).map_err(refused)?;
    configure(&connection).map_err(refused)?;
    schema::migrate(&connection, &path)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    // Pages freed by a drained queue are given back in steps (`vacuum`); must come before the first table.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit is on the disk when it returns. NORMAL would lose acknowledged messages with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // The checkpoint thread does it, so that no sender waits for it.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Reading connections, lent one at a time. Who comes when all are lent waits for a turn: a storm of
/// reconnecting clients must not become a storm of threads.
struct Readers {
    idle: std::sync::Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Readers {
    fn open(folder: &Path, count: usize) -> rusqlite::Result<Self> {
        let path = folder.join(DATABASE);
        let count = count.max(1);
        let idle = (0..count)
            .map(|_| Self::connect(&path))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self {
            idle: std::sync::Mutex::new(idle),
            turns: Semaphore::new(count),
        })
    }

    fn connect(path: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "cache_size", -4096)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// To be called by who holds a turn.
    fn with<R, E: From<StoreError>>(
        &self,
        job: impl FnOnce(&Connection) -> Result<R, E>,
    ) -> Result<R, E> {
        let connection = self.idle().pop().ok_or(StoreError::Closed)?;
        let answer = job(&connection);
        self.idle().push(connection);
        answer
    }
}
