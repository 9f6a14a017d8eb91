//! What a group is, as it is shown.

use hushpost::{AccountId, GroupInfo};

use crate::text::clean_line;

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupView {
    pub(crate) description: String,
    /// Admins first.
    pub(crate) members: Vec<Member>,
    pub(crate) only_admins_send: bool,
    pub(crate) only_admins_edit: bool,
    pub(crate) has_invite: bool,
    /// Who asks to be let in.
    pub(crate) asking: Vec<AccountId>,
}

/// Somebody in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) account: AccountId,
    pub(crate) admin: bool,
}

/// What the header and the pages tell of a conversation beside its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// Seconds until what was read disappears; 0: it stays.
    pub(crate) timer_s: u64,
    /// None: it is no group.
    pub(crate) group: Option<GroupView>,
}

impl GroupView {
    pub(crate) fn new(info: &GroupInfo, asking: Vec<AccountId>) -> Self {
        let mut members: Vec<Member> = info
            .members
            .iter()
            .map(|member| Member {
                account: member.account,
                admin: member.admin,
            })
            .collect();
        members.sort_by_key(|member| !member.admin);
        Self {
            description: clean_line(&info.description),
            members,
            only_admins_send: info.settings.only_admins_send,
            only_admins_edit: info.settings.only_admins_edit,
            has_invite: info.has_invite,
            asking,
        }
    }
}
