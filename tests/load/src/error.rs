//! Why a run ended early.

use std::io;

use hushpost_harness::HarnessError;

/// A run that cannot go on: its figures would be wrong.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Only this machine may be loaded.
    #[error("{0} is not a loopback address: this program loads nothing but its own machine")]
    NotLoopback(std::net::SocketAddr),
    /// The relay could not be started, or broke off.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// A socket, file or process failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server closed a connection.
    #[error("the server closed a connection")]
    Ended,
    /// The server refused something.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server said something that does not fit.
    #[error("the server said something unexpected: {0}")]
    Unexpected(&'static str),
    /// A message was lost, repeated or out of order.
    #[error("recipient {recipient}: {problem}")]
    Wrong {
        /// Which one.
        recipient: usize,
        /// What is wrong.
        problem: String,
    },
    /// A scenario took too long.
    #[error("{scenario} was not over within {seconds} s")]
    Silent {
        /// Which one.
        scenario: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// A task of the load program itself failed.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// Redis did not start.
    #[error("redis-server did not start: {0}")]
    Redis(String),
}
