//! People for tests: each a real client with a database of its own, talking through a relay.
//!
//! Tests wait for what happens, never for time to pass; [`PATIENCE`] is where a hang becomes a failure with a
//! reason.
//!
//! ```no_run
//! use hushpost_client_tests::{Person, text};
//! use hushpost_harness::RelayProcess;
//!
//! # async fn example() -> Result<(), hushpost_client_tests::TestError> {
//! let relay = RelayProcess::start()?;
//! let alice = Person::registered("alice", relay.address()).await?;
//! let bob = Person::registered("bob", relay.address()).await?;
//! let sent = alice.say(&bob, "Hello, Bob").await?;
//! assert_eq!(bob.until_shown(sent).await?.as_str(), "Hello, Bob");
//! # Ok(())
//! # }
//! ```

mod crew;
mod echo;
mod error;
mod pair;
mod person;
pub mod script;
mod stage;
mod verdict;

pub use crew::Crew;
pub use error::TestError;
pub use pair::Pair;
pub use person::{Person, PersonOptions, text};
pub use stage::Stage;
pub use verdict::{EventLog, KeyUse, Verdict};

use std::time::Duration;

/// Longest wait for anything that should happen at once, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
