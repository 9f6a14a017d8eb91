//! Who of a group has a message, and who has read it.

use crate::MemberReceipt;

/// How far a group message is: "delivered to 150 of 255".
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MessageReceipts {
    /// How many it was sent to.
    pub recipients: u64,
    /// Who has it, in the order of accounts.
    pub members: Vec<MemberReceipt>,
}

impl From<hushpost::MessageReceipts> for MessageReceipts {
    fn from(receipts: hushpost::MessageReceipts) -> Self {
        Self {
            recipients: receipts.recipients,
            members: receipts.members.into_iter().map(Into::into).collect(),
        }
    }
}
