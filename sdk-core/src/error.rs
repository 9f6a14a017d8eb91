//! What can go wrong, and what the app can do about it.

use thiserror::Error;

use crate::connection::RequestError;
use crate::content::ContentError;
use crate::store::StoreError;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a call did not do what it was asked. Nothing was changed.
///
/// [`Error::code`] is a stable name for programs and bindings; the text is for developers and may change. No
/// error holds a key or what a user wrote.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The relay refused, or could not be reached.
    #[error(transparent)]
    Relay(#[from] RequestError),
    /// This needs a connection, and there is none. Try again when connected.
    #[error("not connected to the relay")]
    NotConnected,
    /// Nobody is registered on this device yet: call `register`.
    #[error("no account is registered on this device")]
    NotRegistered,
    /// What the app passed is not allowed.
    #[error("{0}")]
    InvalidInput(&'static str),
    /// What is to be sent is empty or too long.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// There is no such conversation, message or contact on this device.
    #[error("there is no such {0} here")]
    NotFound(&'static str),
    /// The account is blocked here: unblock it first.
    #[error("the contact is blocked here")]
    Blocked,
    /// The conversation is a request that was not accepted yet.
    #[error("the message request was not accepted yet")]
    NotAccepted,
    /// A verified contact's devices or account changed: compare safety numbers, then accept.
    #[error("the verified contact changed; nothing is sent until that is accepted")]
    VerificationNeeded,
    /// The group does not allow it.
    #[error("the group does not allow it: {0}")]
    Group(GroupRefusal),
    /// A key or a session could not be used.
    #[error(transparent)]
    Protocol(#[from] hushpost_protocol::Error),
    /// The relay, or whom it speaks for, gave something that does not verify.
    #[error("the relay's answer does not verify: {0}")]
    Untrusted(&'static str),
}

impl Error {
    /// A stable name of the cause, in `snake_case`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Relay(error) => error.code(),
            Self::NotConnected => "not_connected",
            Self::NotRegistered => "not_registered",
            Self::InvalidInput(_) => "invalid_input",
            Self::Content(_) => "invalid_content",
            Self::NotFound(_) => "not_found",
            Self::Blocked => "blocked",
            Self::NotAccepted => "not_accepted",
            Self::VerificationNeeded => "verification_needed",
            Self::Group(refusal) => refusal.code(),
            Self::Protocol(error) => error.code(),
            Self::Untrusted(_) => "untrusted",
        }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Relay(error) => error.is_retryable(),
            Self::NotConnected => true,
            _ => false,
        }
    }
}

/// Why a group does not allow something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GroupRefusal {
    /// This account is not in the group, or not any more.
    #[error("this account is not a member")]
    NotAMember,
    /// Only admins may do that here.
    #[error("only admins may do that")]
    NotAnAdmin,
    /// It is so already.
    #[error("it would change nothing")]
    Pointless,
    /// A group has at most 1024 members.
    #[error("the group is full")]
    Full,
}

impl GroupRefusal {
    const fn code(self) -> &'static str {
        match self {
            Self::NotAMember => "not_a_member",
            Self::NotAnAdmin => "not_an_admin",
            Self::Pointless => "changes_nothing",
            Self::Full => "group_full",
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
