//! What can go wrong between a test and its relay.

use std::io;

use crate::PATIENCE;

/// Why a relay of a test did not do as told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvilError {
    /// What was waited for did not happen.
    #[error("not within {PATIENCE:?}: {0}")]
    Silent(String),
    /// No connection speaks for the account or device.
    #[error("no connection speaks for {0}")]
    NotConnected(String),
    /// A socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A WebSocket failed.
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
}

impl From<tokio_tungstenite::tungstenite::Error> for EvilError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}
