//! Names of conversations, chains and places in them.

use core::fmt;

use hushpost_wire::{AccountId, MessageId};
use uuid::Uuid;

use crate::content::ContentError;

/// Names of 1:1 conversations are hashes under this one, made for the purpose.
const CONVERSATIONS: Uuid = Uuid::from_u128(0x6f0b_4f5c_1c52_4b0e_9a51_5d0e_3c1d_7a92);

/// A conversation: the same id on all its members' devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId([u8; 16]);

impl ConversationId {
    /// The conversation of two accounts: a UUID of version 5 over their ids, sorted.
    ///
    /// ```
    /// use hushpost::{AccountId, ConversationId};
    ///
    /// let (alice, bob) = (AccountId::of_key(&[1; 32]), AccountId::of_key(&[2; 32]));
    /// assert_eq!(ConversationId::between(alice, bob), ConversationId::between(bob, alice));
    /// ```
    #[must_use]
    pub fn between(one: AccountId, other: AccountId) -> Self {
        let (first, second) = (one.min(other), one.max(other));
        let name = [*first.as_bytes(), *second.as_bytes()].concat();
        Self(Uuid::new_v5(&CONVERSATIONS, &name).into_bytes())
    }

    /// Reads an id; `None` unless it is 16 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

/// Reads what `Display` writes, and nothing else.
///
/// ```
/// use hushpost::{AccountId, ConversationId};
///
/// let id = ConversationId::between(AccountId::of_key(&[1; 32]), AccountId::of_key(&[2; 32]));
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
impl core::str::FromStr for ConversationId {
    type Err = ContentError;

    fn from_str(text: &str) -> Result<Self, ContentError> {
        // Written as a message's id is.
        text.parse::<MessageId>()
            .map(|id| Self(*id.as_bytes()))
            .map_err(|_| ContentError::Malformed("conversation id"))
    }
}

/// What a device counts its messages in: a random number, new whenever it was set up anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChainId(pub(crate) u64);

/// A message's place in its sender's chain, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sequence(u64);

impl Sequence {
    /// The largest: what a double holds exactly, and far below what overflows.
    pub(crate) const MAX: u64 = 1 << 53;

    pub(crate) fn new(number: u64) -> Result<Self, ContentError> {
        if (1..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(ContentError::Malformed("sequence number"))
        }
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_one_id_for_ever() {
        let account = |seed| AccountId::of_key(&[seed; 32]);
        let id = ConversationId::between(account(1), account(2));
        assert_eq!(id, ConversationId::between(account(2), account(1)));
        assert_ne!(id, ConversationId::between(account(1), account(3)));
        // Frozen: two versions of an app must mean the same conversation.
        assert_eq!(id.to_string(), "dcab0d0d-c083-5bf5-a662-fe9fed202c2d");
    }

    #[test]
    fn sequences_start_at_one_and_end_before_they_overflow() {
        assert!(Sequence::new(0).is_err());
        assert!(Sequence::new(1).is_ok() && Sequence::new(Sequence::MAX).is_ok());
        assert!(Sequence::new(Sequence::MAX + 1).is_err());
        assert!(Sequence::new(u64::MAX).is_err());
    }

    #[test]
    fn a_text_that_is_not_exactly_a_conversation_id_is_refused() {
        let text = ConversationId([0xcd; 16]).to_string();
        assert_eq!(text.parse(), Ok(ConversationId([0xcd; 16])));
        for bad in [
            String::new(),
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{text}0"),
            text.replacen('c', "\0", 1),
        ] {
            let refused = bad.parse::<ConversationId>();
            assert_eq!(
                refused,
                Err(ContentError::Malformed("conversation id")),
                "{bad:?}"
            );
        }
    }
}
