//! The scenarios, each over any [`Target`](crate::target::Target): who connects, what is sent, what is
//! measured, and what makes the figures void.

mod fanout;
mod idle;
mod latch;
mod online;
mod paced;
mod receiver;
mod store;

use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use tokio::time::timeout;

use crate::error::LoadError;

pub use fanout::fanout;
pub use idle::idle;
pub use online::online;
pub use paced::paced;
pub use store::store;

/// Sender and recipient each, in `online` and `paced`.
const PAIRS: usize = 100;
/// Connected accounts of `fanout`; account 0 sends.
pub const FANOUT: Range<usize> = 1..1_001;
/// Accounts that a server must have.
pub const ACCOUNTS: usize = FANOUT.end;

/// The recipient of a sender.
const fn partner(sender: usize) -> usize {
    PAIRS + sender
}

/// Ends a scenario that hangs.
pub async fn bounded<T>(
    scenario: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, LoadError>>,
) -> Result<T, LoadError> {
    timeout(limit, work).await.unwrap_or(Err(LoadError::Silent {
        scenario,
        seconds: limit.as_secs(),
    }))
}
