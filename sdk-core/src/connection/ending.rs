//! How a link ended.

use std::io;
use std::time::Duration;

use hushpost_wire::{CloseReason, Closing};
use thiserror::Error;

/// How a link ended. Without reason and error, one side closed in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// What the relay said before it closed.
    pub reason: Option<CloseReason>,
    /// How long the relay asked to wait before the next try.
    pub reconnect_after: Option<Duration>,
    /// What went wrong, if the relay did not say why it closed.
    pub error: Option<LinkError>,
}

/// What went wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The byte stream failed or ended.
    #[error("the connection failed: {0}")]
    Stream(io::ErrorKind),
    /// The relay broke the WebSocket protocol.
    #[error("what came is not WebSocket")]
    WebSocket,
    /// What came is no frame.
    #[error("what came is not a frame")]
    Malformed,
    /// A frame above the limit.
    #[error("a frame came that is too large")]
    TooLarge,
    /// The relay pushed much more than was taken, and more than it may.
    #[error("the relay sent more than was taken")]
    Overrun,
    /// The relay does not answer, and no byte moves.
    #[error("the relay is silent")]
    Silent,
    /// The relay does not read.
    #[error("the relay takes nothing")]
    Stuck,
    /// The runtime that the link lived on was shut down.
    #[error("the link's task was stopped")]
    Stopped,
}

impl Ending {
    pub(super) fn new(closing: Option<&Closing>, error: Option<LinkError>) -> Self {
        let after = closing.map_or(0, |closing| closing.reconnect_after_ms);
        Self {
            reason: closing.map(Closing::reason),
            reconnect_after: (after != 0).then_some(Duration::from_millis(after)),
            // Once the relay said why, what the socket says is no news.
            error: error.filter(|_| closing.is_none()),
        }
    }
}
