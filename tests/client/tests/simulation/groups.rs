//! Groups in the simulation: what people do in them, and what is remembered of it for the judge.

use std::collections::BTreeSet;

use hushpost::{
    Content, ConversationId, Error, Group, GroupInfo, GroupNotice, Message, MessageRef, NewGroup,
    Text,
};

use crate::person::Person;
use crate::step::GroupChange;
use crate::world::World;

/// Something that somebody put into a group: a text, or a change of one.
pub struct Post {
    pub group: usize,
    pub from: usize,
    /// `None`: a change, which shows nowhere by itself.
    pub message: Option<MessageRef>,
    /// The last thing of another's that was shown to whom said it: this sorts after it.
    pub after: Option<MessageRef>,
    /// Who was in, as far as its author knew.
    pub members: BTreeSet<usize>,
    /// The turns that its author knew of.
    pub seen: BTreeSet<usize>,
}

/// Somebody changed who is in a group, or who is an admin.
pub struct Turn {
    pub group: usize,
    pub by: usize,
    /// How it stands in histories.
    pub notice: MessageRef,
    pub added: Option<usize>,
    pub removed: Option<usize>,
    pub demoted: Option<usize>,
}

/// All groups of a run.
#[derive(Default)]
pub struct Groups {
    pub ids: Vec<ConversationId>,
    pub posts: Vec<Post>,
    pub turns: Vec<Turn>,
}

impl Person {
    pub async fn group(&mut self, id: ConversationId) -> Group {
        self.open().await.group(id)
    }

    /// What a group is to them; `None` if they do not have it.
    pub async fn info(&mut self, id: ConversationId) -> Option<GroupInfo> {
        match self.group(id).await.info().await {
            Ok(info) => Some(info),
            Err(Error::NotFound(_)) => None,
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    /// The same, if they are in.
    pub async fn info_from_within(&mut self, id: ConversationId) -> Option<GroupInfo> {
        let info = self.info(id).await?;
        let mut members = info.members.iter();
        let within = members.any(|member| member.account == self.account);
        within.then_some(info)
    }
}

impl World {
    /// Which of the people are in, by somebody's word.
    pub fn members(&self, info: &GroupInfo) -> BTreeSet<usize> {
        let people = self.people.iter().enumerate();
        people
            .filter(|(_, person)| {
                let mut members = info.members.iter();
                members.any(|member| member.account == person.account)
            })
            .map(|(number, _)| number)
            .collect()
    }

    /// The group's number and id, if there is one and somebody is in it.
    async fn known(&mut self, group: usize, who: usize) -> Option<(ConversationId, GroupInfo)> {
        let id = *self.groups.ids.get(group)?;
        let info = self.people[who].info_from_within(id).await?;
        Some((id, info))
    }

    pub async fn make_group(&mut self, who: usize, others: &[usize]) {
        let name = format!("group {}", self.groups.ids.len());
        let others: Vec<_> = others
            .iter()
            .map(|other| self.people[*other].account)
            .collect();
        let client = self.people[who].open().await;
        let group = client.create_group(NewGroup::new(name, others)).await;
        self.groups.ids.push(group.unwrap().id());
    }

    pub async fn say_in_group(&mut self, group: usize, from: usize) {
        let Some((id, post)) = self.begin_post(group, from).await else {
            return;
        };
        let body = format!("{from} in group {group}: {}", self.groups.posts.len());
        let conversation = self.people[from].group(id).await.conversation();
        let message = conversation.send(Text::new(body).unwrap()).await.unwrap();
        self.groups.posts.push(Post {
            message: Some(message),
            ..post
        });
    }

    /// What is to be remembered of whatever somebody says next, if they may say anything.
    pub async fn begin_post(
        &mut self,
        group: usize,
        from: usize,
    ) -> Option<(ConversationId, Post)> {
        let (id, info) = self.known(group, from).await?;
        let history = self.people[from].history_of(id).await;
        let ours = self.people[from].account;
        let mut theirs = history.iter().rev().map(|message| message.id);
        let post = Post {
            group,
            from,
            message: None,
            after: theirs.find(|message| message.sender != ours),
            members: self.members(&info),
            seen: self.turns_in(group, &history),
        };
        Some((id, post))
    }

    fn turns_in(&self, group: usize, history: &[Message]) -> BTreeSet<usize> {
        let shown: BTreeSet<MessageRef> = history.iter().map(|message| message.id).collect();
        let turns = self.groups.turns.iter().enumerate();
        turns
            .filter(|(_, turn)| turn.group == group && shown.contains(&turn.notice))
            .map(|(number, _)| number)
            .collect()
    }

    pub async fn accept_group(&mut self, group: usize, who: usize) {
        if let Some((id, _)) = self.known(group, who).await {
            let conversation = self.people[who].group(id).await.conversation();
            conversation.accept().await.unwrap();
        }
    }

    pub async fn read_group(&mut self, group: usize, who: usize) {
        let Some((id, _)) = self.known(group, who).await else {
            return;
        };
        if let Some(last) = self.people[who].history_of(id).await.last() {
            let conversation = self.people[who].group(id).await.conversation();
            conversation.mark_read(last.cursor).await.unwrap();
        }
    }

    /// Somebody changes a group, if they may.
    pub async fn change_group(&mut self, number: usize, by: usize, change: &GroupChange) {
        let Some((id, _)) = self.known(number, by).await else {
            return;
        };
        let group = self.people[by].group(id).await;
        let account = |who: usize| self.people[who].account;
        let made = match *change {
            GroupChange::Add(who) => group.add([account(who)]).await,
            GroupChange::Remove(who) => group.remove([account(who)]).await,
            GroupChange::Leave => group.leave().await,
            GroupChange::Promote(who) => group.promote(account(who)).await,
            GroupChange::Demote(who) => group.demote(account(who)).await,
            GroupChange::Rename(name) => group.set_name(format!("name {name}")).await,
        };
        match made {
            Ok(()) => {}
            // They may not, or it is so already.
            Err(Error::Group(_)) => return,
            Err(error) => panic!("{by} in group {number}: {error}"),
        }
        self.note(&format!("{by} did that"));
        let history = self.people[by].history_of(id).await;
        let ours = self.people[by].account;
        let mut own = history.iter().filter(|message| message.id.sender == ours);
        let notice = own.next_back().unwrap();
        assert!(is_notice(notice), "a change stands in the history");
        let notice = notice.id;
        let mut turn = Turn {
            group: number,
            by,
            notice,
            added: None,
            removed: None,
            demoted: None,
        };
        match *change {
            GroupChange::Add(who) => turn.added = Some(who),
            GroupChange::Remove(who) => turn.removed = Some(who),
            GroupChange::Leave => turn.removed = Some(by),
            GroupChange::Demote(who) => turn.demoted = Some(who),
            GroupChange::Promote(_) | GroupChange::Rename(_) => return,
        }
        self.groups.turns.push(turn);
    }
}

fn is_notice(message: &Message) -> bool {
    match &message.content {
        Content::GroupChange(change) => change.notice() != GroupNotice::Unknown,
        _ => false,
    }
}
