//! Why a test cannot go on.

use hushpost_harness::HarnessError;
use thiserror::Error;

/// Why a test cannot go on.
#[derive(Debug, Error)]
pub enum TestError {
    /// The client.
    #[error("{}: {}", .0.code(), .0)]
    Client(#[from] hushpost::Error),
    /// The relay process.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// Files.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What was waited for did not happen.
    #[error("{who} waited in vain for {what}")]
    Silent {
        /// Who waited.
        who: String,
        /// For what.
        what: String,
    },
    /// The relay's address is none.
    #[error(transparent)]
    Url(#[from] hushpost::connection::RelayUrlError),
    /// A crew of nobody.
    #[error("there are no people in the crew")]
    Nobody,
    /// A [`Stage`](crate::Stage) cannot do that.
    #[error("{0}")]
    Stage(&'static str),
    /// The text is none.
    #[error(transparent)]
    Content(#[from] hushpost::ContentError),
}

impl From<hushpost::StoreError> for TestError {
    fn from(error: hushpost::StoreError) -> Self {
        Self::Client(error.into())
    }
}
