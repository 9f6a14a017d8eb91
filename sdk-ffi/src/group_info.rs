//! What a group is now.

use core::fmt;

use crate::ids::ConversationId;
use crate::{GroupMember, GroupSettings};

/// What a group is now.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct GroupInfo {
    /// Which.
    pub id: ConversationId,
    /// Its name.
    pub name: String,
    /// What it is about; may be empty.
    pub description: String,
    /// Its picture: JPEG, PNG or WebP.
    pub icon: Option<Vec<u8>>,
    /// Who is in, by account; empty once this account is not.
    pub members: Vec<GroupMember>,
    /// Who may do what.
    pub settings: GroupSettings,
    /// Whether there is an invite link that opens it.
    pub has_invite: bool,
    /// How often two changed it side by side. The result is the same on every device.
    pub forks: u64,
}

/// No names.
impl fmt::Debug for GroupInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "GroupInfo({:?}, {} members)",
            self.id,
            self.members.len()
        )
    }
}

impl From<hushpost::GroupInfo> for GroupInfo {
    fn from(info: hushpost::GroupInfo) -> Self {
        Self {
            id: info.id.into(),
            name: info.name,
            description: info.description,
            icon: info.icon,
            members: info.members.into_iter().map(Into::into).collect(),
            settings: info.settings.into(),
            has_invite: info.has_invite,
            forks: info.forks,
        }
    }
}
