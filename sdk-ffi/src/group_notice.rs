//! A change of a group as it stands in the history.

use crate::ids::{AccountId, accounts};

use core::fmt;

/// A change of a group, made by the message's sender.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
#[uniffi::export(Debug)]
pub enum GroupNotice {
    /// The group was made.
    Created,
    /// These came in.
    Added {
        /// Who.
        accounts: Vec<AccountId>,
    },
    /// These were taken out.
    Removed {
        /// Who.
        accounts: Vec<AccountId>,
    },
    /// Somebody became an admin.
    Promoted {
        /// Who.
        account: AccountId,
    },
    /// Somebody is no admin any more.
    Demoted {
        /// Who.
        account: AccountId,
    },
    /// The group has another name.
    Renamed {
        /// The name.
        name: String,
    },
    /// Description or picture changed.
    DetailsChanged,
    /// Who may do what, or the timer, changed.
    SettingsChanged,
    /// The sender left.
    Left,
    /// An invite link was made or revoked.
    InviteChanged,
    /// Something that this version does not know: show "update needed".
    Unknown,
}

/// Says of which kind, and nothing that a user wrote.
impl fmt::Debug for GroupNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "Created",
            Self::Added { .. } => "Added(…)",
            Self::Removed { .. } => "Removed(…)",
            Self::Promoted { .. } => "Promoted(…)",
            Self::Demoted { .. } => "Demoted(…)",
            Self::Renamed { .. } => "Renamed(…)",
            Self::DetailsChanged => "DetailsChanged",
            Self::SettingsChanged => "SettingsChanged",
            Self::Left => "Left",
            Self::InviteChanged => "InviteChanged",
            Self::Unknown => "Unknown",
        })
    }
}

impl From<hushpost::GroupNotice> for GroupNotice {
    fn from(notice: hushpost::GroupNotice) -> Self {
        match notice {
            hushpost::GroupNotice::Created => Self::Created,
            hushpost::GroupNotice::Added(who) => Self::Added {
                accounts: accounts(who),
            },
            hushpost::GroupNotice::Removed(who) => Self::Removed {
                accounts: accounts(who),
            },
            hushpost::GroupNotice::Promoted(who) => Self::Promoted {
                account: who.into(),
            },
            hushpost::GroupNotice::Demoted(who) => Self::Demoted {
                account: who.into(),
            },
            hushpost::GroupNotice::Renamed(name) => Self::Renamed { name },
            hushpost::GroupNotice::DetailsChanged => Self::DetailsChanged,
            hushpost::GroupNotice::SettingsChanged => Self::SettingsChanged,
            hushpost::GroupNotice::Left => Self::Left,
            hushpost::GroupNotice::InviteChanged => Self::InviteChanged,
            _ => Self::Unknown,
        }
    }
}
