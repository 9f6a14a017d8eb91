//! How a client is set up.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use hushpost::{Processes, RelayUrl};

use crate::{DatabaseKey, HushpostError, MediaCache, Result};

/// Where a client keeps its data, which relay it speaks to, and the few things that apps choose. Only `database`,
/// `key` and `relay` have to be given.
#[derive(Clone, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Config {
    /// Path of the database; made if there is none. Beside it lie `.salt`, `.mark`, `-wal`, `-shm` and the folder
    /// `-media`: keep all of them out of device backups, and on iOS in the app group if an extension shares them.
    pub database: String,
    /// The database's key.
    pub key: Arc<DatabaseKey>,
    /// The relay's URL: `wss://relay.example`, or `ws://localhost:4810` for one on this machine.
    pub relay: String,
    /// The name by which the relay knows itself, if it is not the URL's host.
    #[uniffi(default = None)]
    pub relay_name: Option<String>,
    /// Takes `ws://` for any host: only for a relay that is reached through something that encrypts already.
    #[uniffi(default = false)]
    pub insecure_relay: bool,
    /// How long a message waits for the ones before it until it is shown without them; 5 seconds unless set, at most a
    /// minute.
    #[uniffi(default = None)]
    pub hold_back: Option<Duration>,
    /// How long receipts are gathered before they are sent together; 100 milliseconds unless set, at most a minute.
    #[uniffi(default = None)]
    pub receipt_delay: Option<Duration>,
    /// Whether others learn what was read here.
    #[uniffi(default = true)]
    pub read_receipts: bool,
    /// One-time pre-keys of each kind published at a time, 1 to 100; 100 unless set.
    #[uniffi(default = None)]
    pub pre_key_stock: Option<u32>,
    /// Bytes of the largest file that is sent or fetched; 100 MiB unless set, at most 2 GiB.
    #[uniffi(default = None)]
    pub max_file_bytes: Option<u64>,
    /// What is kept of files that were sent and fetched; 512 MiB for 30 days unless set.
    #[uniffi(default = None)]
    pub media_cache: Option<MediaCache>,
    /// Set it, in the app and in its extension or worker alike, if `process_push` is used: the two
    /// then share the database, and only one of them connects.
    #[uniffi(default = false)]
    pub many_processes: bool,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}

impl TryFrom<Config> for hushpost::Config {
    type Error = HushpostError;

    fn try_from(config: Config) -> Result<Self> {
        let refused = |error: hushpost::RelayUrlError| HushpostError::invalid(error.to_string());
        if config.database.is_empty() {
            return Err(HushpostError::invalid("the database needs a path"));
        }
        let relay = if config.insecure_relay {
            RelayUrl::insecure(&config.relay)
        } else {
            config.relay.parse()
        };
        let mut relay = relay.map_err(refused)?;
        if let Some(name) = config.relay_name {
            relay = relay.with_relay_name(name).map_err(refused)?;
        }
        let mut made = Self::new(config.database, config.key.inner(), relay)
            .read_receipts(config.read_receipts)
            .processes(if config.many_processes {
                Processes::Many
            } else {
                Processes::One
            });
        if let Some(time) = config.hold_back {
            made = made.hold_back(time);
        }
        if let Some(time) = config.receipt_delay {
            made = made.receipt_delay(time);
        }
        if let Some(stock) = config.pre_key_stock {
            made = made.pre_key_stock(stock);
        }
        if let Some(bytes) = config.max_file_bytes {
            made = made.max_file_bytes(bytes);
        }
        if let Some(cache) = config.media_cache {
            made = made.media_cache(cache.bytes, cache.age);
        }
        Ok(made)
    }
}
