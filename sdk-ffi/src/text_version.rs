//! A text that a message had.

use std::time::SystemTime;

use crate::Text;
use crate::times::time;

/// A text that a message has, or had before it was edited.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TextVersion {
    /// The text.
    pub text: Text,
    /// When it was written.
    pub at: SystemTime,
}

impl From<hushpost::TextVersion> for TextVersion {
    fn from(version: hushpost::TextVersion) -> Self {
        Self {
            text: (&version.text).into(),
            at: time(version.at_ms),
        }
    }
}
