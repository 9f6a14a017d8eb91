//! A change of a group as it stands in the history: "Alice added Bob".

use core::fmt;

use hushpost_wire::AccountId;

use crate::group::change::{Action, SignedChange};

/// A change of a group, made by the message's sender.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupChangeMessage(pub(crate) SignedChange);

/// What was changed.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupNotice {
    /// The group was made.
    Created,
    /// These came in.
    Added(Vec<AccountId>),
    /// These were taken out.
    Removed(Vec<AccountId>),
    /// Somebody became an admin.
    Promoted(AccountId),
    /// Somebody is no admin any more.
    Demoted(AccountId),
    /// The group has another name.
    Renamed(String),
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

impl GroupChangeMessage {
    /// What was changed.
    #[must_use]
    pub fn notice(&self) -> GroupNotice {
        // It was checked before it was stored.
        let Ok(change) = self.0.read_verified() else {
            return GroupNotice::Unknown;
        };
        match change.action {
            Action::Create { .. } => GroupNotice::Created,
            Action::Add(accounts) => GroupNotice::Added(accounts),
            Action::Remove(accounts) => GroupNotice::Removed(accounts),
            Action::Role {
                account,
                admin: true,
            } => GroupNotice::Promoted(account),
            Action::Role { account, .. } => GroupNotice::Demoted(account),
            Action::Details(details) => match details.name {
                Some(name) => GroupNotice::Renamed(name),
                None => GroupNotice::DetailsChanged,
            },
            Action::Rules(_) => GroupNotice::SettingsChanged,
            Action::Leave => GroupNotice::Left,
            Action::Invite(_) => GroupNotice::InviteChanged,
            Action::Unknown => GroupNotice::Unknown,
        }
    }
}

impl fmt::Debug for GroupChangeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupChangeMessage(…)")
    }
}

/// Says of which kind, and nothing that a user wrote.
impl fmt::Debug for GroupNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "Created",
            Self::Added(_) => "Added(…)",
            Self::Removed(_) => "Removed(…)",
            Self::Promoted(_) => "Promoted(…)",
            Self::Demoted(_) => "Demoted(…)",
            Self::Renamed(_) => "Renamed(…)",
            Self::DetailsChanged => "DetailsChanged",
            Self::SettingsChanged => "SettingsChanged",
            Self::Left => "Left",
            Self::InviteChanged => "InviteChanged",
            Self::Unknown => "Unknown",
        })
    }
}
