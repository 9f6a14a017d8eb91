//! Starts what is measured, or takes a relay that runs.

use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

use crate::error::LoadError;
use crate::options::Options;
use crate::redis::{Redis, RedisServer};
use crate::relay::{Relay, RelayPlace};
use crate::scenario::{ACCOUNTS, FANOUT};

/// Room for the connections of `idle`, from few addresses.
const ROOM: &str = "
[listen]
max_connections = 60000
max_connections_per_address = 5000
";

/// A relay, and the process if this program started it.
#[derive(Debug)]
pub struct OurServer {
    process: Option<RelayProcess>,
    place: RelayPlace,
}

impl OurServer {
    /// The relay to measure.
    pub fn start(options: &Options) -> Result<Self, LoadError> {
        if let (Some(address), Some(admin), Some(pid)) = (options.relay, options.admin, options.pid)
        {
            for address in [address, admin] {
                if !address.ip().is_loopback() {
                    return Err(LoadError::NotLoopback(address));
                }
            }
            let place = RelayPlace {
                address,
                admin,
                pid,
                data_dir: options.data_dir.clone(),
            };
            return Ok(Self {
                process: None,
                place,
            });
        }
        let process = RelayOptions::default()
            .config(LIMITERS_OFF)
            .config(ROOM)
            .start()?;
        let place = RelayPlace {
            address: process.address(),
            admin: process.admin(),
            pid: process.pid()?,
            data_dir: Some(process.data_dir()),
        };
        Ok(Self {
            process: Some(process),
            place,
        })
    }

    /// With the accounts of the scenarios.
    pub async fn with_accounts(&self) -> Result<Relay, LoadError> {
        Relay::register(self.place.clone(), ACCOUNTS, FANOUT).await
    }

    /// With no account yet.
    pub async fn empty(&self) -> Result<Relay, LoadError> {
        Relay::register(self.place.clone(), 0, 0..0).await
    }

    /// Stops the relay that this program started, and waits until it is gone.
    pub fn stop(mut self) -> Result<(), LoadError> {
        if let Some(process) = &mut self.process {
            process.terminate()?;
        }
        Ok(())
    }
}

/// A new Redis; `None`, said loudly, if there is none on this machine.
pub fn start_redis() -> Result<Option<Redis>, LoadError> {
    let server = RedisServer::start()?;
    if server.is_none() {
        eprintln!("SKIPPED: redis-server not found. There is nothing to compare with in this run.");
    }
    Ok(server.map(|server| Redis::new(server, ACCOUNTS)))
}
