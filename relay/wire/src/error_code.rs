//! Error codes: which may be retried, and the error frame.

use crate::{Error, ErrorCode};

impl ErrorCode {
    /// Whether the same request may succeed later without a change.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Busy
                | Self::StoreFull
                | Self::StoreUnavailable
                | Self::QuotaExceeded
                | Self::ShuttingDown
        )
    }

    /// An error frame with this code.
    #[must_use]
    pub fn because(self, message: impl Into<String>) -> Error {
        Error {
            code: self.into(),
            message: message.into(),
            retryable: self.is_retryable(),
            retry_after_ms: 0,
        }
    }
}

impl Error {
    /// The same error with a time to wait.
    #[must_use]
    pub fn retry_after(self, retry_after_ms: u64) -> Self {
        Self {
            retry_after_ms,
            ..self
        }
    }
}

/// Errors hold no secret, unlike other frames, so they may be printed.
impl core::fmt::Debug for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.code().as_str_name(), self.message)?;
        if self.retryable {
            write!(f, " (may be retried, after {} ms)", self.retry_after_ms)?;
        }
        Ok(())
    }
}
