//! A member of a group.

use std::time::SystemTime;

use crate::ids::AccountId;
use crate::times::time;

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct GroupMember {
    /// Who.
    pub account: AccountId,
    /// Whether they may change members and settings.
    pub admin: bool,
    /// Since when they are in.
    pub since: SystemTime,
}

impl From<hushpost::GroupMember> for GroupMember {
    fn from(member: hushpost::GroupMember) -> Self {
        Self {
            account: member.account.into(),
            admin: member.admin,
            since: time(member.since_ms),
        }
    }
}
