//! A message that was found.

use crate::{Message, TextRange};

/// A message that was found.
#[derive(Debug, Clone, uniffi::Record)]
pub struct SearchHit {
    /// The message.
    pub message: Message,
    /// What to mark in its text, in order.
    pub highlights: Vec<TextRange>,
}

impl From<hushpost::SearchHit> for SearchHit {
    fn from(hit: hushpost::SearchHit) -> Self {
        Self {
            message: hit.message.into(),
            highlights: hit.highlights.into_iter().map(Into::into).collect(),
        }
    }
}
