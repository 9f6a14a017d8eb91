//! How far a group's member is with a message.

use std::time::SystemTime;

use crate::ids::AccountId;
use crate::times::maybe_time;

/// How far a group's member is with a message.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MemberReceipt {
    /// Who.
    pub account: AccountId,
    /// When a device of theirs had it; none if they only said that they read it.
    pub delivered: Option<SystemTime>,
    /// When they read it.
    pub read: Option<SystemTime>,
}

impl From<hushpost::MemberReceipt> for MemberReceipt {
    fn from(receipt: hushpost::MemberReceipt) -> Self {
        Self {
            account: receipt.account.into(),
            delivered: maybe_time(receipt.delivered_ms),
            read: maybe_time(receipt.read_ms),
        }
    }
}
