//! Somebody who is spoken of.

use crate::ids::AccountId;
use crate::{HushpostError, Result, TextRange};

/// Somebody who is spoken of in a text.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Mention {
    /// Who.
    pub account: AccountId,
    /// Where in the text.
    pub range: TextRange,
}

impl From<&hushpost::Mention> for Mention {
    fn from(mention: &hushpost::Mention) -> Self {
        Self {
            account: mention.account.into(),
            range: mention.range.clone().into(),
        }
    }
}

impl TryFrom<Mention> for hushpost::Mention {
    type Error = HushpostError;

    fn try_from(mention: Mention) -> Result<Self> {
        Ok(Self {
            account: mention.account.read()?,
            range: mention.range.into(),
        })
    }
}
