//! What a message answers.

use core::fmt;

use crate::{HushpostError, MessageRef, Result};

/// What a message answers, with the beginning of it for who does not have it.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Reply {
    /// Which message.
    pub to: MessageRef,
    /// Its beginning; may be empty. Over 512 bytes are cut.
    #[uniffi(default = "")]
    pub excerpt: String,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl From<&hushpost::Reply> for Reply {
    fn from(reply: &hushpost::Reply) -> Self {
        Self {
            to: reply.to.into(),
            excerpt: reply.excerpt.clone(),
        }
    }
}

impl TryFrom<Reply> for hushpost::Reply {
    type Error = HushpostError;

    fn try_from(reply: Reply) -> Result<Self> {
        Ok(Self {
            to: reply.to.read()?,
            excerpt: reply.excerpt,
        })
    }
}
