//! Why a request has no answer.

use std::time::Duration;

use hushpost_wire::{Error as Refusal, ErrorCode};
use thiserror::Error;

/// Characters of a relay's message that are kept.
const MAX_MESSAGE_CHARS: usize = 256;
/// Longer than any limit of a relay lasts.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a request has no answer.
///
/// After [`Disconnected`](Self::Disconnected) and [`Timeout`](Self::Timeout) nobody knows whether the relay
/// did it; [`Refused`](Self::Refused), [`Busy`](Self::Busy) and [`TooLarge`](Self::TooLarge) changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The relay says no.
    #[error("the relay refused: {}: {message}", code.as_str_name())]
    Refused {
        /// What is wrong, for programs.
        code: ErrorCode,
        /// What is wrong, for developers; up to 256 characters, none of them a control character.
        message: String,
        /// Whether the same request may succeed later.
        retryable: bool,
        /// When to try again, if the relay can tell.
        retry_after: Option<Duration>,
    },
    /// The link ended first.
    #[error("the link to the relay ended")]
    Disconnected,
    /// No answer came in time, though the relay is there.
    #[error("the relay did not answer in time")]
    Timeout,
    /// The answer is none to this request.
    #[error("the relay answered something else")]
    Unexpected,
    /// As many requests as may be are on their way.
    #[error("too many requests at once")]
    Busy,
    /// The request does not fit into a frame.
    #[error("the request is too large")]
    TooLarge,
}

impl RequestError {
    /// A stable name of the cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } => code.as_str_name(),
            Self::Disconnected => "disconnected",
            Self::Timeout => "timeout",
            Self::Unexpected => "unexpected_answer",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { retryable, .. } => *retryable,
            Self::Disconnected | Self::Timeout | Self::Busy => true,
            Self::Unexpected | Self::TooLarge => false,
        }
    }

    /// The relay's code, if it refused.
    pub(crate) const fn refusal(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl From<Refusal> for RequestError {
    fn from(refusal: Refusal) -> Self {
        let retry_after = Duration::from_millis(refusal.retry_after_ms).min(MAX_RETRY_AFTER);
        Self::Refused {
            code: refusal.code(),
            message: printable(&refusal.message),
            retryable: refusal.retryable,
            retry_after: (!retry_after.is_zero()).then_some(retry_after),
        }
    }
}

/// What a stranger wrote, fit for a log.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_MESSAGE_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_bounded_and_printable() {
        let text = format!("no\r\n\u{1b}[31m{}", "é".repeat(1000));
        let refusal = ErrorCode::Busy.because(text).retry_after(u64::MAX);
        let RequestError::Refused {
            code,
            message,
            retryable,
            retry_after,
        } = refusal.into()
        else {
            panic!("not a refusal")
        };
        assert_eq!(code, ErrorCode::Busy);
        assert!(message.starts_with("no[31mé"));
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
        assert!(retryable);
        assert_eq!(retry_after, Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn an_unknown_code_is_unspecified_and_zero_is_no_time() {
        let refusal = Refusal {
            code: 9999,
            ..Refusal::default()
        };
        assert_eq!(
            RequestError::from(refusal),
            RequestError::Refused {
                code: ErrorCode::Unspecified,
                message: String::new(),
                retryable: false,
                retry_after: None,
            }
        );
    }
}
