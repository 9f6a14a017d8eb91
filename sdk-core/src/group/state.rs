//! What a group is after some changes: members, roles, settings; and what each change may do to it.
//!
//! Must never: let a change through whose author had no right to it.

use std::collections::BTreeMap;

use hushpost_wire::AccountId;

use crate::clock::Stamp;
use crate::error::GroupRefusal;
use crate::group::change::{Action, Change, Details, Invite, MAX_MEMBERS, Rules};

/// A member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) admin: bool,
    /// Stamp of the change that brought them in.
    pub(crate) since: Stamp,
}

/// A group at one point of its log.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupState {
    pub(crate) members: BTreeMap<AccountId, Member>,
    /// Who was in, and the stamp of the change that took them out.
    pub(crate) departed: BTreeMap<AccountId, Stamp>,
    /// Who was an admin and is none now, and the stamp of the change that made it so.
    pub(crate) admins_until: BTreeMap<AccountId, Stamp>,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) icon: Vec<u8>,
    /// Since when only admins may send.
    pub(crate) admins_send: Option<Stamp>,
    pub(crate) admins_edit: bool,
    pub(crate) timer_s: u32,
    pub(crate) invite: Option<Invite>,
}

impl GroupState {
    /// Whether somebody is an admin.
    pub(crate) fn is_admin(&self, account: AccountId) -> bool {
        self.members
            .get(&account)
            .is_some_and(|member| member.admin)
    }

    /// Does what a change says, if its author may. The caller has put it in its place.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), GroupRefusal> {
        let author = change.author;
        if let Action::Create {
            members,
            details,
            rules,
            ..
        } = &change.action
        {
            self.create(change, members, details, *rules);
            return Ok(());
        }
        if !self.members.contains_key(&author) {
            return Err(GroupRefusal::NotAMember);
        }
        let needs_admin = match &change.action {
            Action::Leave | Action::Unknown | Action::Create { .. } => false,
            Action::Details(_) => self.admins_edit,
            Action::Rules(rules) => {
                self.admins_edit || rules.admins_send.is_some() || rules.admins_edit.is_some()
            }
            Action::Add(_) | Action::Remove(_) | Action::Role { .. } | Action::Invite(_) => true,
        };
        if needs_admin && !self.is_admin(author) {
            return Err(GroupRefusal::NotAnAdmin);
        }
        match &change.action {
            Action::Create { .. } | Action::Unknown => Err(GroupRefusal::Pointless),
            Action::Add(accounts) => self.add(accounts, author, change.stamp),
            Action::Remove(accounts) => self.remove(accounts, author, change.stamp),
            Action::Role { account, admin } => self.set_role(*account, *admin, change.stamp),
            Action::Details(details) => {
                self.set_details(details);
                Ok(())
            }
            Action::Rules(rules) => {
                self.set_rules(*rules, change.stamp);
                Ok(())
            }
            Action::Leave => {
                self.take_out(author, change.stamp);
                Ok(())
            }
            Action::Invite(invite) => {
                self.invite = *invite;
                Ok(())
            }
        }
    }

    fn create(&mut self, change: &Change, members: &[AccountId], details: &Details, rules: Rules) {
        let since = change.stamp;
        for account in members {
            self.members.insert(
                *account,
                Member {
                    admin: false,
                    since,
                },
            );
        }
        self.members
            .insert(change.author, Member { admin: true, since });
        self.set_details(details);
        self.set_rules(rules, since);
    }

    fn add(
        &mut self,
        accounts: &[AccountId],
        author: AccountId,
        stamp: Stamp,
    ) -> Result<(), GroupRefusal> {
        // Nobody gives a past that is not theirs: what was said before the author came is for neither.
        let authors = self.members.get(&author).map(|member| member.since);
        let since = stamp.max(authors.unwrap_or_default());
        let new = accounts
            .iter()
            .filter(|account| !self.members.contains_key(account));
        let new: Vec<AccountId> = new.copied().collect();
        if new.is_empty() {
            return Err(GroupRefusal::Pointless);
        }
        if self.members.len().saturating_add(new.len()) > MAX_MEMBERS {
            return Err(GroupRefusal::Full);
        }
        for account in new {
            self.departed.remove(&account);
            self.members.insert(
                account,
                Member {
                    admin: false,
                    since,
                },
            );
        }
        Ok(())
    }

    fn remove(
        &mut self,
        accounts: &[AccountId],
        author: AccountId,
        stamp: Stamp,
    ) -> Result<(), GroupRefusal> {
        let mut any = false;
        for account in accounts {
            // Who goes by themselves says so: then nobody else is blamed.
            if *account != author && self.members.contains_key(account) {
                self.take_out(*account, stamp);
                any = true;
            }
        }
        if any {
            Ok(())
        } else {
            Err(GroupRefusal::Pointless)
        }
    }

    fn take_out(&mut self, account: AccountId, stamp: Stamp) {
        if self.is_admin(account) {
            self.admins_until.insert(account, stamp);
        }
        self.members.remove(&account);
        self.departed.insert(account, stamp);
        self.keep_an_admin();
    }

    fn set_role(
        &mut self,
        account: AccountId,
        admin: bool,
        stamp: Stamp,
    ) -> Result<(), GroupRefusal> {
        match self.members.get_mut(&account) {
            Some(member) if member.admin != admin => {
                member.admin = admin;
                if !admin {
                    self.admins_until.insert(account, stamp);
                }
                self.keep_an_admin();
                Ok(())
            }
            _ => Err(GroupRefusal::Pointless),
        }
    }

    /// A group without an admin could never be changed again: whoever was in it longest becomes one.
    fn keep_an_admin(&mut self) {
        if self.members.values().any(|member| member.admin) {
            return;
        }
        let oldest = self
            .members
            .iter_mut()
            .min_by_key(|(account, member)| (member.since, **account));
        if let Some((_, member)) = oldest {
            member.admin = true;
        }
    }

    fn set_details(&mut self, details: &Details) {
        if let Some(name) = &details.name {
            self.name.clone_from(name);
        }
        if let Some(description) = &details.description {
            self.description.clone_from(description);
        }
        if let Some(icon) = &details.icon {
            self.icon.clone_from(icon);
        }
    }

    fn set_rules(&mut self, rules: Rules, stamp: Stamp) {
        match rules.admins_send {
            Some(true) if self.admins_send.is_none() => self.admins_send = Some(stamp),
            Some(false) => self.admins_send = None,
            _ => {}
        }
        if let Some(admins_edit) = rules.admins_edit {
            self.admins_edit = admins_edit;
        }
        if let Some(timer_s) = rules.timer_s {
            self.timer_s = timer_s;
        }
    }
}
