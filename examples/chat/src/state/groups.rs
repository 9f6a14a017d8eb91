//! What is done in groups.

use hushpost::{AccountId, ConversationId, InviteLink};

use crate::command::GroupCommand;
use crate::effect::{Gathering, GroupWrite, Relay, Write};
use crate::state::State;
use crate::state::page::{Page, Question};

/// Characters of a link in a line.
const LINK_COLUMNS: usize = 64;

impl State {
    pub(super) fn run_group(&mut self, command: GroupCommand) {
        match command {
            GroupCommand::Make(name, who) => return self.gather(&who, Gathering::NewGroup(name)),
            GroupCommand::Join(link) => return self.write(Write::Join(link)),
            _ => {}
        }
        let group = self.open.as_ref().filter(|open| open.peer.is_none());
        let Some(open) = group else {
            self.warn("open a group first: /group <name> <who> makes one");
            return;
        };
        let (id, name) = (open.id, open.name.clone());
        let write = match command {
            GroupCommand::Members => {
                self.page = Some(Page::Members { selected: 0 });
                return;
            }
            GroupCommand::Leave => {
                self.page = Some(Page::Ask(Question::Leave { group: id, name }));
                return;
            }
            GroupCommand::Add(who) => return self.gather(&who, Gathering::MoreMembers(id)),
            GroupCommand::Remove(who) => {
                let who: Result<Vec<_>, _> = who.iter().map(|who| self.member(who)).collect();
                who.map(GroupWrite::Remove)
            }
            GroupCommand::Promote(who) => self.member(&who).map(GroupWrite::Promote),
            GroupCommand::Demote(who) => self.member(&who).map(GroupWrite::Demote),
            GroupCommand::Describe(text) => Ok(GroupWrite::Describe(text.unwrap_or_default())),
            GroupCommand::Set(rule, on) => Ok(GroupWrite::Set(rule, on)),
            GroupCommand::Invite(hours, ask) => Ok(GroupWrite::Invite { hours, ask }),
            GroupCommand::Revoke => Ok(GroupWrite::Revoke),
            GroupCommand::Approve(who) => self
                .asking(&who)
                .map(|account| GroupWrite::Add(vec![account])),
            GroupCommand::Refuse(who) => self.asking(&who).map(GroupWrite::Refuse),
            GroupCommand::Make(..) | GroupCommand::Join(_) => return,
        };
        match write {
            Ok(write) => self.write(Write::Group(id, write)),
            Err(why) => self.warn(&why),
        }
    }

    /// Finds these people, then goes on.
    fn gather(&mut self, who: &[String], then: Gathering) {
        match self.sort_out(who) {
            Ok((accounts, names)) if names.is_empty() => self.gathered(accounts, then),
            Ok((known, names)) => self.ask(Relay::Gather { known, names, then }),
            Err(why) => self.warn(&why),
        }
    }

    /// They are found.
    pub(super) fn gathered(&mut self, accounts: Vec<AccountId>, then: Gathering) {
        self.write(match then {
            Gathering::NewGroup(name) => Write::MakeGroup {
                name,
                members: accounts,
            },
            Gathering::MoreMembers(group) => Write::Group(group, GroupWrite::Add(accounts)),
        });
    }

    /// A member of the open group.
    fn member(&self, who: &str) -> Result<AccountId, String> {
        let members: Vec<AccountId> = self.members().collect();
        self.people.find_among(who, &members)
    }

    /// Somebody who asks to be let into it.
    fn asking(&self, who: &str) -> Result<AccountId, String> {
        let group = self
            .open
            .as_ref()
            .and_then(|open| open.about.group.as_ref());
        let asking = group.map_or_else(Vec::new, |group| group.asking.clone());
        self.people.find_among(who, &asking)
    }

    /// Who is in the open group.
    pub(super) fn members(&self) -> impl Iterator<Item = AccountId> {
        let group = self
            .open
            .as_ref()
            .and_then(|open| open.about.group.as_ref());
        let members = group.into_iter().flat_map(|group| &group.members);
        members.map(|member| member.account)
    }

    /// How many are in it.
    pub(crate) fn member_count(&self) -> usize {
        self.members().count()
    }

    /// A member on the page is written to.
    pub(super) fn choose_member(&mut self, selected: usize) {
        let chosen = self.members().nth(selected);
        if let Some(account) = chosen.filter(|account| Some(*account) != self.me) {
            self.write(Write::Open(account));
        }
    }

    pub(super) fn show_invite(&mut self, link: &InviteLink) {
        let text = link.to_text();
        let mut lines = vec![
            "Whoever has this link can come in, or ask to: show it to nobody else. They type /join and the link."
                .to_owned(),
            "This device lets them in while it is connected. /revoke ends it.".to_owned(),
            String::new(),
        ];
        // All of it is ASCII.
        lines.extend(
            text.as_bytes()
                .chunks(LINK_COLUMNS)
                .map(|part| String::from_utf8_lossy(part).into_owned()),
        );
        lines.push(String::new());
        let title = match self.list.find(link.group()) {
            Some(entry) => format!("invite to {}", entry.name),
            None => "invite".to_owned(),
        };
        self.page = Some(Page::Code {
            title,
            lines,
            code: crate::qr::rows(text.as_bytes()).unwrap_or_default(),
            scroll: 0,
        });
    }

    /// Something about the open group changed.
    pub(super) fn group_changed(&mut self, group: ConversationId) {
        if let Some(open) = self.open.as_mut().filter(|open| open.id == group) {
            open.about_stale = true;
        }
    }
}
