//! Which message.

use crate::Result;
use crate::ids::{AccountId, MessageId};

/// Which message. Ids are made by senders, so a message is named by both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, uniffi::Record)]
pub struct MessageRef {
    /// Who sent it.
    pub sender: AccountId,
    /// The sender's id for it.
    pub id: MessageId,
}

impl From<hushpost::MessageRef> for MessageRef {
    fn from(message: hushpost::MessageRef) -> Self {
        Self {
            sender: message.sender.into(),
            id: message.id.into(),
        }
    }
}

impl MessageRef {
    /// What it means.
    pub(crate) fn read(&self) -> Result<hushpost::MessageRef> {
        Ok(hushpost::MessageRef {
            sender: self.sender.read()?,
            id: self.id.read()?,
        })
    }
}
