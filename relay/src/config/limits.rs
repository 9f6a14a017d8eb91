//! `[limits]`: sizes and counts that bound what one client can make the relay hold.

use std::time::Duration;

use hushpost_wire::limits;
use serde::{Deserialize, Serialize};

use super::rate::Rates;
use super::{duration, size};

const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: u64 = 1 << 20;

/// Sizes and counts. All are told to clients in the answer that welcomes them, or answered with a
/// clear error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one ciphertext.
    #[serde(with = "size")]
    pub message_bytes: usize,
    /// Recipient accounts of one message.
    pub recipients: usize,
    /// Devices of one account.
    pub devices: usize,
    /// Messages waiting for one device.
    pub queue_messages: u64,
    /// The part of a queue, 0 to 1, that senders without a delivery token can fill.
    pub stranger_share: f64,
    /// How long a message waits before it is deleted.
    #[serde(with = "duration")]
    pub message_ttl: Duration,
    /// Messages pushed to a device and not yet acknowledged.
    pub delivery_window: usize,
    /// Presence topics that one connection follows.
    pub topics_per_connection: usize,
    /// Bytes of one blob.
    #[serde(with = "size")]
    pub blob_bytes: u64,
    /// How long a blob is kept.
    #[serde(with = "duration")]
    pub blob_ttl: Duration,
    /// Bytes of blobs stored for one account.
    #[serde(with = "size")]
    pub blob_quota_bytes: u64,
    /// How long an upload may take, interruptions included.
    #[serde(with = "duration")]
    pub upload_timeout: Duration,
    /// Requests of one connection that are not answered yet.
    pub pending_requests: usize,
    /// Accounts, addresses or pairs that each limiter remembers.
    pub tracked_keys: usize,
    /// How often.
    pub rate: Rates,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: limits::MAX_MESSAGE_LEN,
            recipients: limits::MAX_RECIPIENTS,
            devices: limits::MAX_DEVICES,
            queue_messages: limits::MAX_QUEUED,
            stranger_share: 0.5,
            message_ttl: DAY.saturating_mul(30),
            delivery_window: 256,
            topics_per_connection: 2048,
            blob_bytes: 100 * MIB,
            blob_ttl: DAY.saturating_mul(30),
            blob_quota_bytes: 1024 * MIB,
            upload_timeout: DAY,
            pending_requests: 256,
            tracked_keys: 1_000_000,
            rate: Rates::default(),
        }
    }
}
