//! How a client is set up.

use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::connection::{NetworkTransport, RelayUrl, Transport};
use crate::media::sealed::MAX_FILE_LEN;
use crate::random::Randomness;
use crate::store::DatabaseKey;

/// Where a client keeps its data, which relay it speaks to, and the few things that apps choose.
///
/// ```no_run
/// use hushpost::{Config, DatabaseKey, RelayUrl};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = DatabaseKey::generate()?; // keep it in the Keychain or Keystore
/// let relay = "ws://localhost:4810".parse::<RelayUrl>()?;
/// let config = Config::new("alice.db", key, relay);
/// # Ok(())
/// # }
/// ```
pub struct Config {
    pub(crate) database: PathBuf,
    pub(crate) key: DatabaseKey,
    pub(crate) relay: RelayUrl,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Randomness,
    pub(crate) hold_back: Duration,
    pub(crate) receipt_delay: Duration,
    pub(crate) read_receipts: bool,
    pub(crate) pre_key_stock: u32,
    pub(crate) media: MediaSettings,
    pub(crate) store_threads: StoreThreads,
    pub(crate) processes: Processes,
    pub(crate) fault_hook: Option<FaultHook>,
}

/// What is chosen for files.
#[derive(Clone, Copy)]
pub(crate) struct MediaSettings {
    pub(crate) max_file_bytes: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) cache_age: Duration,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            max_file_bytes: 100 * 1024 * 1024,
            cache_bytes: 512 * 1024 * 1024,
            cache_age: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// Where transactions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreThreads {
    /// On the runtime's threads for blocking work: what apps want.
    #[default]
    Background,
    /// On the thread that asks: for simulations, which must be the same on every run, and where threads are too dear,
    /// as in a notification extension.
    Inline,
}

/// How many processes open the database and connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Processes {
    /// This one alone.
    #[default]
    One,
    /// Another one may: a notification extension on iOS, a worker on Android, which call
    /// [`process_push`](crate::process_push). The app then says in the database, every 4 seconds, that it is
    /// connected, so that they leave the work to it.
    Many,
}

/// What a [`FaultHook`] is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultPoint {
    /// A transaction is complete and about to be committed.
    BeforeCommit,
    /// A transaction was committed, and nobody was told yet.
    AfterCommit,
}

/// For tests of crashes: is called at every [`FaultPoint`], and may kill the process.
#[derive(Clone)]
pub struct FaultHook(Arc<dyn Fn(FaultPoint) + Send + Sync>);

impl FaultHook {
    /// Calls `hook` at every point.
    #[must_use]
    pub fn new(hook: impl Fn(FaultPoint) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(crate) fn reached(&self, point: FaultPoint) {
        (self.0)(point);
    }
}

impl fmt::Debug for FaultHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultHook")
    }
}

impl Config {
    /// A client with its database at `database`, made if there is none, speaking to `relay`.
    ///
    /// Beside the database lie `.salt` (needed to open it), `.mark` (see the store's page), SQLite's
    /// `-wal` and `-shm`, and the folder `-media` with encrypted files. Keep all of them out of device backups.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>, key: DatabaseKey, relay: RelayUrl) -> Self {
        Self {
            database: database.into(),
            key,
            relay,
            transport: Arc::new(NetworkTransport::new()),
            clock: Arc::new(SystemClock),
            randomness: Randomness::default(),
            hold_back: Duration::from_secs(5),
            receipt_delay: Duration::from_millis(100),
            read_receipts: true,
            pre_key_stock: 100,
            media: MediaSettings::default(),
            store_threads: StoreThreads::default(),
            processes: Processes::default(),
            fault_hook: None,
        }
    }

    /// Reaches the relay another way: a proxy, own root certificates, a connection in memory.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Arc::new(transport);
        self
    }

    /// Tells the time another way.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws keys and ids another way: for simulations alone.
    #[must_use]
    pub fn randomness(mut self, randomness: Randomness) -> Self {
        self.randomness = randomness;
        self
    }

    /// How long a message waits for the ones before it until it is shown without them; 5 s unless set, at
    /// most a minute.
    #[must_use]
    pub fn hold_back(mut self, hold_back: Duration) -> Self {
        self.hold_back = hold_back.min(Duration::from_secs(60));
        self
    }

    /// How long receipts are gathered before they are sent together; 100 ms unless set, at most a minute. A
    /// second or more hides better when a message was received.
    #[must_use]
    pub fn receipt_delay(mut self, receipt_delay: Duration) -> Self {
        self.receipt_delay = receipt_delay.min(Duration::from_secs(60));
        self
    }

    /// Whether others learn what was read here. Delivery receipts are sent all the same.
    #[must_use]
    pub fn read_receipts(mut self, read_receipts: bool) -> Self {
        self.read_receipts = read_receipts;
        self
    }

    /// One-time pre-keys of each kind published at a time, 1 to 100; 100 unless set.
    #[must_use]
    pub fn pre_key_stock(mut self, pre_key_stock: u32) -> Self {
        self.pre_key_stock = pre_key_stock.clamp(1, 100);
        self
    }

    /// Bytes of the largest file that is sent or fetched; 100 MiB unless set, at most 2 GiB.
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.media.max_file_bytes = bytes.min(MAX_FILE_LEN);
        self
    }

    /// How much of what was sent and fetched is kept, encrypted, in the folder `-media` beside the database, and for
    /// how long after its last use; 512 MiB and 30 days unless set. What is beyond goes, the oldest first.
    #[must_use]
    pub fn media_cache(mut self, bytes: u64, age: Duration) -> Self {
        self.media.cache_bytes = bytes;
        self.media.cache_age = age;
        self
    }

    /// Where transactions run.
    #[must_use]
    pub fn store_threads(mut self, store_threads: StoreThreads) -> Self {
        self.store_threads = store_threads;
        self
    }

    /// Whether another process may open the same database and connect; [`Processes::One`] unless set.
    #[must_use]
    pub fn processes(mut self, processes: Processes) -> Self {
        self.processes = processes;
        self
    }

    /// Tells a test of every commit.
    #[must_use]
    pub fn fault_hook(mut self, fault_hook: FaultHook) -> Self {
        self.fault_hook = Some(fault_hook);
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}
