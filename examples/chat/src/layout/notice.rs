//! What somebody did to a group, in words.

use hushpost::{AccountId, GroupNotice};

use super::{Look, person};
use crate::model::UPDATE_NEEDED;

/// What somebody did to the group, after their name.
pub(super) fn told(notice: &GroupNotice, look: &Look<'_>) -> String {
    let people = |accounts: &[AccountId]| {
        let names = accounts
            .iter()
            .take(5)
            .map(|account| person(*account, look));
        let names = names.collect::<Vec<_>>().join(", ");
        match accounts.len().saturating_sub(5) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    };
    match notice {
        GroupNotice::Created => "made the group".to_owned(),
        GroupNotice::Added(accounts) => format!("added {}", people(accounts)),
        GroupNotice::Removed(accounts) => format!("removed {}", people(accounts)),
        GroupNotice::Promoted(account) => format!("made {} an admin", person(*account, look)),
        GroupNotice::Demoted(account) => format!("took {} from the admins", person(*account, look)),
        GroupNotice::Renamed(name) => {
            format!("called the group {}", crate::text::clean_line(name))
        }
        GroupNotice::DetailsChanged => "changed what is said about the group".to_owned(),
        GroupNotice::SettingsChanged => "changed the group's settings".to_owned(),
        GroupNotice::Left => "left".to_owned(),
        GroupNotice::InviteChanged => "changed the invite link".to_owned(),
        _ => UPDATE_NEEDED.to_owned(),
    }
}
