//! What can go wrong with a file.

use std::io;

use thiserror::Error;

use super::sealed::SealedError;

/// A file was not sent, fetched or opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MediaError {
    /// It is larger than this client, or its relay, takes.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// Bytes of the largest that is taken.
        limit: u64,
    },
    /// A file on this device could not be read or written.
    #[error("the file could not be read or written: {0}")]
    File(io::Error),
    /// The file on this device changed while it was read.
    #[error("the file changed while it was read")]
    Changed,
    /// It is no picture that can be made anew: send it as it is, or as a document, if its metadata may go along.
    #[error("the picture {0}")]
    Picture(&'static str),
    /// The relay gave other bytes than the sender stored, or the sender described another file. Nothing of it was kept.
    #[error("what the relay gave is not the file that was sent: {0}")]
    Damaged(&'static str),
    /// The relay does not have it, or not any more.
    #[error("the relay does not have the file any more")]
    Gone,
    /// The relay could not be reached, or broke off again and again. What came was kept: try again.
    #[error("the relay cannot be reached for files")]
    Unreachable,
    /// The page of a link cannot be fetched, or has nothing to show.
    #[error("the link {0}")]
    Link(&'static str),
    /// It was cancelled.
    #[error("it was cancelled")]
    Cancelled,
}

impl MediaError {
    /// A stable name of the cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "media_too_large",
            Self::File(_) => "media_file",
            Self::Changed => "media_changed",
            Self::Picture(_) => "media_picture",
            Self::Damaged(_) => "media_damaged",
            Self::Gone => "media_gone",
            Self::Unreachable => "media_unreachable",
            Self::Link(_) => "media_link",
            Self::Cancelled => "media_cancelled",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::File(_) | Self::Unreachable)
    }
}

impl From<io::Error> for MediaError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<SealedError> for MediaError {
    fn from(error: SealedError) -> Self {
        match error {
            SealedError::TooLarge => Self::TooLarge {
                limit: super::sealed::MAX_FILE_LEN,
            },
            SealedError::SourceChanged => Self::Changed,
            SealedError::Io(error) => Self::File(error),
            SealedError::Version => Self::Damaged("it was sealed in another version's way"),
            SealedError::Commitment => Self::Damaged("it was sealed with another key"),
            SealedError::Chunk => Self::Damaged("a chunk does not verify"),
            SealedError::Length | SealedError::Padding => {
                Self::Damaged("its length is not the one announced")
            }
            SealedError::Truncated | SealedError::Extended => {
                Self::Damaged("its size is not the one announced")
            }
            SealedError::Cipher => Self::Damaged("the cipher could not be set up"),
        }
    }
}
