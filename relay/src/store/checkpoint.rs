//! Keeps the write-ahead log short and watches the disk, beside the writer, so that no sender waits for it.
//!
//! Must never write through a connection of its own: there is one writer. When only the writer can help (the
//! log has grown although it was copied, or a full disk may have room again), it is asked to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::writer::{Operation, WriterCore};
use super::{DATABASE, Health};

/// How often the thread looks.
const PERIOD: Duration = Duration::from_millis(250);
/// Copied back into the database from this size on: 16 MiB is some 50,000 small messages.
const COPY_FROM: u64 = 16 << 20;
/// However short, copied back after this long.
const COPY_AFTER: Duration = Duration::from_secs(10);
/// From this size on the writer stops for the moment that it takes to start the log anew.
const RESTART_FROM: u64 = 128 << 20;

pub(super) fn start(
    folder: &Path,
    min_free_disk: u64,
    health: Arc<Health>,
    writer: Weak<WriterCore>,
) -> rusqlite::Result<()> {
    let database = folder.join(DATABASE);
    let connection = Connection::open(&database)?;
    connection.busy_timeout(Duration::from_millis(100))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let log = database.with_extension("db-wal");
    let folder = folder.to_owned();
    spawn("checkpoint", move || {
        let mut watch = Watch {
            connection,
            log,
            folder,
            min_free_disk,
            health,
            last_copy: Instant::now(),
        };
        while let Some(writer) = writer.upgrade() {
            watch.look(&writer);
            drop(writer);
            std::thread::sleep(PERIOD);
        }
    })
}

/// Starts a named thread. A system without a thread to spare is out of memory; said as SQLite says it.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> rusqlite::Result<()> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .map(drop)
        .map_err(|_| {
            rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOMEM),
                Some("cannot start a thread".into()),
            )
        })
}

struct Watch {
    connection: Connection,
    log: PathBuf,
    folder: PathBuf,
    min_free_disk: u64,
    health: Arc<Health>,
    last_copy: Instant,
}

impl Watch {
    fn look(&mut self, writer: &WriterCore) {
        if let Ok(disk) = rustix::fs::statvfs(&self.folder) {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            self.health.low.store(
                free < self.min_free_disk,
                std::sync::atomic::Ordering::Relaxed,
            );
            metrics::gauge!("hushpost_store_disk_free_bytes").set(to_metric(free));
        }
        let size = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        metrics::gauge!("hushpost_store_log_bytes").set(to_metric(size));
        if size >= COPY_FROM || (size > 0 && self.last_copy.elapsed() >= COPY_AFTER) {
            self.last_copy = Instant::now();
            // PASSIVE: copies what no reader needs, waits for nobody. A failure shows in the log's size.
            let copied =
                self.connection
                    .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = copied {
                tracing::debug!(%error, "checkpoint failed");
            }
        }
        if size >= RESTART_FROM {
            writer.send(Operation::RestartLog);
        }
        if self.health.full.load(std::sync::atomic::Ordering::Relaxed)
            || self
                .health
                .failed
                .load(std::sync::atomic::Ordering::Relaxed)
        {
            writer.send(Operation::Probe);
        }
    }
}

/// Metrics are floating-point; bytes beyond 2^53 need not be exact.
#[expect(clippy::cast_precision_loss, reason = "see above")]
const fn to_metric(bytes: u64) -> f64 {
    bytes as f64
}
