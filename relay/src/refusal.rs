//! Why a request is refused, in the words of the wire.
//!
//! One type for every room, so that a failing store, a limit and a wrong field reach the client the same
//! way. It carries no secret and no identity: it is sent to clients and may be logged.

use core::time::Duration;

use hushpost_wire::{Error, ErrorCode};

use crate::store::StoreError;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: ErrorCode,
    message: String,
    retry_after: Duration,
}

impl Refusal {
    /// A refusal with its reason for the client's developer.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: Duration::ZERO,
        }
    }

    /// The same, worth another try after a while.
    #[must_use]
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self {
            retry_after,
            ..self
        }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The error frame.
    #[must_use]
    pub fn into_frame(self) -> Error {
        let millis = u64::try_from(self.retry_after.as_millis()).unwrap_or(u64::MAX);
        self.code.because(self.message).retry_after(millis)
    }
}

/// When a store that refused may be tried again.
const STORE_RETRY: Duration = Duration::from_secs(5);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let refusal = match error {
            StoreError::Full => Self::new(ErrorCode::StoreFull, "the relay's disk is full"),
            StoreError::Failed(_) => Self::new(
                ErrorCode::StoreUnavailable,
                "the relay cannot use its store; nothing was changed",
            ),
            StoreError::Closed => Self::new(ErrorCode::ShuttingDown, "the relay is shutting down"),
        };
        refusal.retry_after(STORE_RETRY)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        let error = StoreError::from(error);
        if let StoreError::Failed(cause) = &error {
            tracing::error!(%cause, "a query failed");
        }
        error.into()
    }
}

impl From<hushpost_wire::InvalidAddress> for Refusal {
    fn from(error: hushpost_wire::InvalidAddress) -> Self {
        Self::new(ErrorCode::BadRequest, error.to_string())
    }
}

impl From<hushpost_wire::DeviceListError> for Refusal {
    fn from(error: hushpost_wire::DeviceListError) -> Self {
        Self::new(ErrorCode::DeviceListInvalid, error.to_string())
    }
}
