//! The store: one encrypted SQLite file that holds everything this device knows.
//!
//! ```text
//!   rooms ──▶ Store::write(|tx| …) ── one at a time, in the order they asked ──▶ writer ──▶ file
//!         └─▶ Store::read(|db| …)  ── beside it, on what was last committed ──▶ readers ─▶
//! ```
//!
//! - SQLCipher with the app's raw key, a plain 32-byte header, the salt in a file beside it ([`key`]).
//! - WAL with `synchronous=FULL`: what was committed is there after a power cut. With NORMAL the last
//!   commits may vanish, and a ratchet that goes back uses keys twice.
//! - One writer with BEGIN IMMEDIATE and a fair queue: nobody ever sees "database is locked" from this
//!   process; another process that holds the lock is waited for, 5 s.
//! - Ratchet state is read inside the transaction that changes it, so an app and its notification extension
//!   may share the file.
//! - A transaction that moved a ratchet says so ([`Transaction::ratchets_moved`]): see [`high_water`].
//!
//! Must never: hold a transaction while waiting for the network, or start empty where a database should be.

pub(crate) mod columns;
mod connection;
pub(crate) mod durable;
mod error;
mod high_water;
pub(crate) mod key;
mod migrations;
mod transaction;

pub use error::StoreError;
pub use key::{DATABASE_KEY_LEN, DatabaseKey};
pub(crate) use transaction::Transaction;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use tokio::sync::{Mutex, OwnedMutexGuard};
use zeroize::Zeroizing;

use crate::config::{FaultHook, FaultPoint, StoreThreads};
use high_water::HighWater;

/// Where the count of steps begins: a mark of 0 means that there never was a database.
const FIRST_STEP: u64 = 1;

/// Connections that read at once.
const READERS: usize = 2;

/// A shared handle to the open database.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    key: Zeroizing<String>,
    writer: Arc<Mutex<Option<Connection>>>,
    readers: [Arc<Mutex<Option<Connection>>>; READERS],
    next_reader: std::sync::atomic::AtomicUsize,
    high_water: HighWater,
    rolled_back: bool,
    threads: StoreThreads,
    fault_hook: Option<FaultHook>,
}

impl Store {
    /// Whether there is a database. Blocks, and makes no file.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there was one.
    pub(crate) fn is_there(path: &Path) -> Result<bool, StoreError> {
        match has_content(path) {
            true => Ok(true),
            false if HighWater::peek(path)? > 0 => Err(StoreError::Missing),
            false => Ok(false),
        }
    }

    /// Opens the database, or makes it. Blocks.
    pub(crate) fn open(
        path: &Path,
        key: &DatabaseKey,
        threads: StoreThreads,
        fault_hook: Option<FaultHook>,
    ) -> Result<Self, StoreError> {
        if std::fs::metadata(path).is_ok_and(|file| !file.is_file()) {
            // A folder, a device, a pipe: nothing is to be made beside it.
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let exists = has_content(path);
        let high_water = HighWater::open(path)?;
        let mark = high_water.read()?;
        if !exists && mark > 0 {
            // Starting empty would look like a loss of everything, and hide that the file is gone.
            return Err(StoreError::Missing);
        }
        let key = key::unlock(path, exists, key)?;
        let mut writer = connection::open(path, &key)?;
        migrations::run(&mut writer, mark > 0)?;
        if mark == 0 {
            high_water.raise(FIRST_STEP)?;
        }
        let steps: Option<i64> = writer
            .query_row("SELECT ratchet_steps FROM local_device", [], |row| {
                row.get(0)
            })
            .optional()?;
        connection::check_pages(&writer)?;
        let steps = steps
            .and_then(|steps| u64::try_from(steps).ok())
            .unwrap_or(FIRST_STEP);
        Ok(Self(Arc::new(Inner {
            path: path.to_path_buf(),
            key,
            writer: Arc::new(Mutex::new(Some(writer))),
            readers: [const { None }; READERS].map(|none| Arc::new(Mutex::new(none))),
            next_reader: 0.into(),
            high_water,
            rolled_back: steps < mark,
            threads,
            fault_hook,
        })))
    }

    /// Whether the database is an older copy of itself, as it was found at opening.
    pub(crate) fn was_rolled_back(&self) -> bool {
        self.0.rolled_back
    }

    /// How many ratchet steps there were, as the file beside the database knows.
    pub(crate) fn mark(&self) -> Result<u64, StoreError> {
        Ok(self.0.high_water.read()?)
    }

    /// Runs one transaction. It is committed if `work` succeeds, and on the disk when this returns; if it
    /// fails, nothing of it is left. A caller that stops waiting loses the result, not the transaction.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, crate::Error> + Send + 'static,
    ) -> Result<T, crate::Error> {
        self.write_then(work, |done| done).await
    }

    /// The same; and once it is committed `then` runs, before the next transaction, even if nobody waits for it
    /// any more: for what others have to be told. It must not block.
    pub(crate) async fn write_then<T, U: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, crate::Error> + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> Result<U, crate::Error> {
        let inner = Arc::clone(&self.0);
        let mut guard = Arc::clone(&self.0.writer).lock_owned().await;
        self.run(move || {
            let writer = guard.as_mut().ok_or(StoreError::Closed)?;
            Ok(then(inner.write(writer, work)?))
        })
        .await
    }

    /// Reads what was last committed.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, crate::Error> + Send + 'static,
    ) -> Result<T, crate::Error> {
        let inner = Arc::clone(&self.0);
        let mut guard = self.reader().await?;
        self.run(move || {
            let (mut work, mut done) = (Some(work), None);
            inner.look(&mut guard, &mut |db| {
                if let Some(work) = work.take() {
                    done = Some(work(db)?);
                }
                Ok(())
            })?;
            Ok(done.ok_or(StoreError::Interrupted)?)
        })
        .await
    }

    /// Waits for what runs, then closes the file. Whoever comes later is told.
    pub(crate) async fn close(&self) {
        drop(self.0.writer.lock().await.take());
        for reader in &self.0.readers {
            drop(reader.lock().await.take());
        }
    }

    async fn reader(&self) -> Result<OwnedMutexGuard<Option<Connection>>, crate::Error> {
        if self
            .0
            .writer
            .try_lock()
            .is_ok_and(|writer| writer.is_none())
        {
            return Err(StoreError::Closed.into());
        }
        for reader in &self.0.readers {
            if let Ok(guard) = Arc::clone(reader).try_lock_owned() {
                return Ok(guard);
            }
        }
        let turn = self
            .0
            .next_reader
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let [first, second] = &self.0.readers;
        let reader = if turn.is_multiple_of(2) {
            first
        } else {
            second
        };
        Ok(Arc::clone(reader).lock_owned().await)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, crate::Error> + Send + 'static,
    ) -> Result<T, crate::Error> {
        match self.0.threads {
            // Boxed: a task's machinery is made once for each kind of answer, and not for each transaction.
            StoreThreads::Background => on_a_thread(Box::new(work)).await,
            StoreThreads::Inline => work(),
        }
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: Box<dyn FnOnce() -> Result<T, crate::Error> + Send>,
) -> Result<T, crate::Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| StoreError::Interrupted)?
}

/// Whether there is a database, and not an empty file or none.
fn has_content(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

impl Inner {
    fn write<T>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, crate::Error>,
    ) -> Result<T, crate::Error> {
        let (mut work, mut done) = (Some(work), None);
        self.commit(connection, &mut |transaction| {
            if let Some(work) = work.take() {
                done = Some(work(transaction)?);
            }
            Ok(())
        })?;
        Ok(done.ok_or(StoreError::Interrupted)?)
    }

    /// What is the same for every transaction, once in the binary.
    fn commit(
        &self,
        connection: &mut Connection,
        work: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), crate::Error>,
    ) -> Result<(), crate::Error> {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let mut transaction = Transaction::new(transaction);
        let result = work(&mut transaction);
        connection::check_pages(&transaction)?;
        result?;
        let steps = transaction.count_step()?;
        self.at(FaultPoint::BeforeCommit);
        transaction.commit()?;
        self.at(FaultPoint::AfterCommit);
        if let Some(steps) = steps
            && let Err(error) = self.high_water.raise(steps)
        {
            // The commit stands. The next step raises the mark again.
            tracing::warn!(kind = %error.kind(), "the high-water mark was not written");
        }
        Ok(())
    }

    fn look(
        &self,
        reader: &mut Option<Connection>,
        work: &mut dyn FnMut(&Connection) -> Result<(), crate::Error>,
    ) -> Result<(), crate::Error> {
        if reader.is_none() {
            *reader = Some(connection::open_reader(&self.path, &self.key)?);
        }
        let reader = reader.as_mut().ok_or(StoreError::Closed)?;
        // Several queries of one reading see one state.
        let view = reader.transaction().map_err(StoreError::from)?;
        let read = work(&view);
        // Whatever came of it: a damaged page may have passed for content.
        connection::check_pages(&view)?;
        read
    }

    fn at(&self, point: FaultPoint) {
        if let Some(hook) = &self.fault_hook {
            hook.reached(point);
        }
    }
}

#[cfg(test)]
mod tests;
