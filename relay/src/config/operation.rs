//! `[storage]`, `[drain]` and `[log]`: how the process treats its disk, its end and its operator.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{duration, size};

/// The embedded store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// With fewer bytes free on the disk, sends are refused: a full disk could not even delete. 0: never.
    #[serde(with = "size")]
    pub min_free_disk: u64,
    /// Bytes of writes that may wait for the disk.
    #[serde(with = "size")]
    pub journal_memory: u64,
    /// Threads that read from the store.
    pub reader_threads: usize,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            min_free_disk: 64 << 20,
            journal_memory: 32 << 20,
            reader_threads: 2,
        }
    }
}

/// How the relay stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// How long requests that have begun may still take.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Clients are told to come back at a random moment within this, not all at once.
    #[serde(with = "duration")]
    pub reconnect_jitter: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            reconnect_jitter: Duration::from_secs(30),
        }
    }
}

/// What the relay writes to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is logged, as `tracing_subscriber::EnvFilter` reads it.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}
