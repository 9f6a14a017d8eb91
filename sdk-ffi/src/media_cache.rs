//! How much of what was sent and fetched is kept.

use std::time::Duration;

/// How much of what was sent and fetched is kept, encrypted, beside the database. What is beyond goes, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MediaCache {
    /// Bytes, at most.
    pub bytes: u64,
    /// How long after its last use a file is kept.
    pub age: Duration,
}
