//! What every test of a real relay process shares: [`RelayProcess`] runs the binary, [`Client`] speaks
//! its frames, [`Identity`] holds the keys of an account and its devices, [`Member`] has real ones and reads what
//! is sent to it, [`Crowd`] is many of those.
//!
//! Must never: link the relay or the client SDK. Tests that use this see what any stranger on the
//! network sees. Nor sleep, nor use a fixed port or a shared folder: tests run beside each other, and
//! wait for what happens, with [`PATIENCE`] as the limit past which a hang is a failure with a reason.
//!
//! ```no_run
//! use hushpost_harness::{Client, Identity, RelayProcess};
//! use hushpost_wire::{Ping, client_frame::Request};
//!
//! # async fn example() -> Result<(), hushpost_harness::HarnessError> {
//! let relay = RelayProcess::start()?;
//! let alice = Identity::new()?;
//! let (mut connection, welcome) = Client::connect(relay.address()).await?;
//! connection.register(&welcome, &alice).await?;
//! connection.request(Request::Ping(Ping {})).await?;
//! # Ok(())
//! # }
//! ```

mod client;
mod config;
mod crowd;
mod error;
mod identity;
mod member;
mod memory;
mod metrics;
mod raw;
mod relay_binary;
mod relay_process;
mod small_disk;
mod upgrade;

use std::time::Duration;

pub use client::{Client, Ending};
pub use config::{LIMITERS_OFF, RELAY_NAME};
pub use crowd::Crowd;
pub use error::HarnessError;
pub use identity::{DeviceKeys, Identity};
pub use member::{Heard, HeardPost, Member};
pub use memory::resident_bytes;
pub use metrics::read_metric;
pub use raw::RawConnection;
pub use relay_binary::{RelayBinary, RelayBinaryError};
pub use relay_process::{RelayOptions, RelayProcess};
pub use small_disk::SmallDisk;

/// Longest wait for anything that should happen at once. Far above what anything takes on a loaded
/// machine: past it, somebody hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);
