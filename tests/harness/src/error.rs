//! What can go wrong in a test that is not an assertion.

use std::io;

use hushpost_wire::{DeviceListError, Error, ErrorCode, InvalidAddress, MalformedFrame};

use crate::PATIENCE;
use crate::relay_binary::RelayBinaryError;

/// Why a step of a test failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HarnessError {
    /// The relay refused a request.
    #[error("the relay refused: {0:?}")]
    Refused(Error),
    /// The relay did what it should have refused.
    #[error("the relay did what it should have refused")]
    NotRefused,
    /// Nothing happened within [`PATIENCE`].
    #[error("no {0} within {PATIENCE:?}")]
    Silent(&'static str),
    /// The connection ended.
    #[error("the connection ended while waiting for {0}")]
    Ended(&'static str),
    /// The relay said something that does not fit here.
    #[error("the relay did not answer with {0}")]
    Unexpected(&'static str),
    /// What the relay sent is no frame.
    #[error(transparent)]
    Malformed(#[from] MalformedFrame),
    /// An id the test made up is out of range.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// A device list does not verify.
    #[error(transparent)]
    DeviceList(#[from] DeviceListError),
    /// The WebSocket failed.
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    /// A socket, file or process failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something does not decrypt, or is no message.
    #[error(transparent)]
    Protocol(#[from] hushpost_protocol::Error),
    /// The system gave no random bytes.
    #[error("no random bytes")]
    Random,
    /// The relay's configuration for this test does not parse.
    #[error("the test's configuration: {0}")]
    Config(String),
    /// There is no relay binary.
    #[error(transparent)]
    Binary(#[from] RelayBinaryError),
    /// The relay process did not become ready, or did not end.
    #[error("the relay {problem}; its last words:\n{last_words}")]
    Relay {
        /// What it did.
        problem: String,
        /// The end of its standard error.
        last_words: String,
    },
    /// The relay has no such metric.
    #[error("no metric {0}")]
    NoMetric(String),
}

impl HarnessError {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(error) => Some(error.code()),
            _ => None,
        }
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for HarnessError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}
