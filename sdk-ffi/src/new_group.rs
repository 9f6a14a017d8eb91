//! A group to be made.

use core::fmt;

use crate::ids::{AccountId, read_accounts};
use crate::{GroupSettings, HushpostError, Result};

/// A group to be made.
#[derive(Clone, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct NewGroup {
    /// Its name: 1 to 256 bytes.
    pub name: String,
    /// Who is in, beside the account that makes it: up to 1023.
    #[uniffi(default = [])]
    pub members: Vec<AccountId>,
    /// What it is about: at most 2048 bytes.
    #[uniffi(default = None)]
    pub description: Option<String>,
    /// A small picture: JPEG, PNG or WebP, at most 16 KiB.
    #[uniffi(default = None)]
    pub icon: Option<Vec<u8>>,
    /// Who may do what; nothing is reserved to admins but the members, unless set.
    #[uniffi(default = None)]
    pub settings: Option<GroupSettings>,
}

/// No names.
impl fmt::Debug for NewGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewGroup({} members)", self.members.len())
    }
}

impl TryFrom<NewGroup> for hushpost::NewGroup {
    type Error = HushpostError;

    fn try_from(group: NewGroup) -> Result<Self> {
        let mut made = Self::new(group.name, read_accounts(group.members)?);
        if let Some(description) = group.description {
            made = made.description(description);
        }
        if let Some(icon) = group.icon {
            made = made.icon(icon);
        }
        Ok(match group.settings {
            Some(settings) => made.settings(settings.into()),
            None => made,
        })
    }
}
