//! An emoji on a message.

use crate::ids::AccountId;

/// An emoji that somebody put on a message.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Reaction {
    /// Who.
    pub account: AccountId,
    /// What.
    pub emoji: String,
}

impl From<&hushpost::Reaction> for Reaction {
    fn from(reaction: &hushpost::Reaction) -> Self {
        Self {
            account: reaction.account.into(),
            emoji: reaction.emoji.as_str().to_owned(),
        }
    }
}
