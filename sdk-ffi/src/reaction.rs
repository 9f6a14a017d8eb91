//! An emoji on a message.

use core::fmt;

use crate::ids::AccountId;

/// An emoji that somebody put on a message.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Reaction {
    /// Who.
    pub account: AccountId,
    /// What.
    pub emoji: String,
}

/// Says nothing that a user wrote.
impl fmt::Debug for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaction")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl From<&hushpost::Reaction> for Reaction {
    fn from(reaction: &hushpost::Reaction) -> Self {
        Self {
            account: reaction.account.into(),
            emoji: reaction.emoji.as_str().to_owned(),
        }
    }
}
