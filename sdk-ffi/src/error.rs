//! What can go wrong, as the languages see it: few kinds, each with a stable code.

use hushpost::{Error, MediaError, RequestError, StoreError};
use thiserror::Error;

/// Shorthand for what is exported here.
pub type Result<T, E = HushpostError> = core::result::Result<T, E>;

/// Why a call did not do what it was asked. Nothing was changed.
///
/// The kind says what an app can do; `code` is a stable name of the cause in `snake_case`; `reason` is for
/// developers, in English, and may change; `retryable` says whether the same call may succeed later without anybody
/// doing anything. None holds a key or what a user wrote.
#[derive(Debug, Clone, PartialEq, Eq, Error, uniffi::Error)]
pub enum HushpostError {
    /// What the app passed is not allowed: an id that is none, an empty text, a number out of range.
    #[error("{reason} ({code})")]
    Invalid {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// There is no such account, conversation, message, upload or file here.
    #[error("{reason} ({code})")]
    NotFound {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// It is not to be done now: not registered, blocked, not accepted, a verified contact changed, or against the
    /// rules of a group.
    #[error("{reason} ({code})")]
    NotAllowed {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// There is no connection, or it broke off: try again when connected.
    #[error("{reason} ({code})")]
    Network {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// The relay said no, or what it gave does not verify.
    #[error("{reason} ({code})")]
    Refused {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// The database: the wrong key, damage, a full disk, closed.
    #[error("{reason} ({code})")]
    Store {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// A file could not be read, written, sent or fetched.
    #[error("{reason} ({code})")]
    Media {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// The app cancelled it.
    #[error("{reason} ({code})")]
    Cancelled {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// A fault of this library, or of what it runs on. Please report it.
    #[error("{reason} ({code})")]
    Internal {
        /// A stable name of the cause.
        code: String,
        /// For developers.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
}

impl HushpostError {
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid {
            code: "invalid_input".to_owned(),
            reason: reason.into(),
            retryable: false,
        }
    }

    pub(crate) fn internal(code: &str, reason: &str) -> Self {
        Self::Internal {
            code: code.to_owned(),
            reason: reason.to_owned(),
            retryable: false,
        }
    }
}

impl From<Error> for HushpostError {
    fn from(error: Error) -> Self {
        let code = error.code().to_ascii_lowercase();
        let (reason, retryable) = (error.to_string(), error.is_retryable());
        match error {
            Error::InvalidInput(_) | Error::Content(_) => Self::Invalid {
                code,
                reason,
                retryable,
            },
            Error::NotFound(_) => Self::NotFound {
                code,
                reason,
                retryable,
            },
            Error::NotRegistered
            | Error::Blocked
            | Error::NotAccepted
            | Error::VerificationNeeded
            | Error::Group(_) => Self::NotAllowed {
                code,
                reason,
                retryable,
            },
            Error::NotConnected
            | Error::Relay(
                RequestError::Disconnected | RequestError::Timeout | RequestError::Busy,
            ) => Self::Network {
                code,
                reason,
                retryable,
            },
            Error::Relay(_) | Error::Untrusted(_) | Error::Protocol(_) => Self::Refused {
                code,
                reason,
                retryable,
            },
            Error::Store(_) => Self::Store {
                code,
                reason,
                retryable,
            },
            Error::Media(MediaError::Cancelled) => Self::Cancelled {
                code,
                reason,
                retryable,
            },
            Error::Media(_) => Self::Media {
                code,
                reason,
                retryable,
            },
            _ => Self::Internal {
                code,
                reason,
                retryable,
            },
        }
    }
}

impl From<StoreError> for HushpostError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<hushpost::ContentError> for HushpostError {
    fn from(error: hushpost::ContentError) -> Self {
        Error::from(error).into()
    }
}

/// The app's own code threw something when it was called.
impl From<uniffi::UnexpectedUniFFICallbackError> for HushpostError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::internal("callback", "the app's own code failed when it was called")
    }
}
