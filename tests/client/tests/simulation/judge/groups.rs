//! What must hold of groups.
//!
//! - **One state.** Whoever is in has the same name, members, roles and settings as all who are in; and whoever is in
//!   by anybody's word has the group.
//! - **Nothing lost.** A post is owed to whom its author had for a member, if they are in at the end and nobody took
//!   them out unseen by the author; unless the author was itself taken out, by another, unseen. (What such an author
//!   said is taken or not by the time of the relay: some may have it and others not.) The author shows it always.
//!   Membership is disputed of those whom somebody took in who was then taken out, or out of office: to them, and by
//!   them, nothing is owed.
//! - **Confirmed.** What all whom it was for have and accept is delivered, in its author's eyes.
//! - **Nothing for those who are out.** A post is not shown to whom its author had not for a member, if the author
//!   knew of all that ever took them in. (Somebody taken in unseen by the author may ask for what was said since.)
//! - **Once, in one order.** Each is announced and shown once at most; of any two, those that both show stand in the
//!   same order, an author's own as they were said, an answer after its question.

use std::collections::{BTreeMap, BTreeSet};

use hushpost::{
    Content, ConversationId, GroupInfo, GroupNotice, Message, MessageRef, MessageState, Standing,
};

use crate::groups::{Post, Turn};
use crate::world::World;

impl World {
    /// Everybody's view of a group who is in it by their own word.
    async fn insiders(&mut self, id: ConversationId) -> Vec<(usize, GroupInfo)> {
        let mut insiders = Vec::new();
        for number in 0..self.people.len() {
            if let Some(info) = self.people[number].info_from_within(id).await {
                insiders.push((number, info));
            }
        }
        insiders
    }

    /// Groups that are not one for all who are in.
    async fn different_groups(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for group in 0..self.groups.ids.len() {
            let insiders = self.insiders(self.groups.ids[group]).await;
            let Some((first, reference)) = insiders.first() else {
                continue;
            };
            for member in self.members(reference) {
                if !insiders.iter().any(|(number, _)| *number == member) {
                    faults.push(format!(
                        "group {group}: {first} has {member} for a member, who is not"
                    ));
                }
            }
            for (number, info) in &insiders {
                let same = (&info.name, &info.members, info.settings, &info.description)
                    == (
                        &reference.name,
                        &reference.members,
                        reference.settings,
                        &reference.description,
                    );
                if !same {
                    faults.push(format!(
                        "group {group} differs: {first} has {:?} {:?}, {number} has {:?} {:?}",
                        reference.name,
                        self.roles(reference),
                        info.name,
                        self.roles(info)
                    ));
                }
            }
        }
        faults
    }

    fn roles(&self, info: &GroupInfo) -> Vec<(usize, bool)> {
        let people = self.people.iter().enumerate();
        people
            .filter_map(|(number, person)| {
                let mut members = info.members.iter();
                let member = members.find(|member| member.account == person.account)?;
                Some((number, member.admin))
            })
            .collect()
    }

    /// Whose membership somebody gave who lost the right to.
    fn is_disputed(&self, group: usize, who: usize) -> bool {
        let of_group = |turn: &&Turn| turn.group == group;
        let mut adds = self.groups.turns.iter().filter(of_group);
        adds.any(|add| {
            add.added == Some(who)
                && self.groups.turns.iter().filter(of_group).any(|turn| {
                    turn.by != add.by && [turn.removed, turn.demoted].contains(&Some(add.by))
                })
        })
    }

    /// Whether somebody was taken out unseen by the author of a post.
    fn taken_out_unseen(&self, post: &Post, who: usize, but_by: Option<usize>) -> bool {
        let mut turns = self.groups.turns.iter().enumerate();
        turns.any(|(number, turn)| {
            turn.group == post.group
                && turn.removed == Some(who)
                && but_by != Some(turn.by)
                && !post.seen.contains(&number)
        })
    }

    /// Who is in each group at the end.
    pub async fn members_at_the_end(&mut self) -> Vec<BTreeSet<usize>> {
        let mut all = Vec::new();
        for group in 0..self.groups.ids.len() {
            let insiders = self.insiders(self.groups.ids[group]).await;
            all.push(insiders.into_iter().map(|(number, _)| number).collect());
        }
        all
    }

    /// Whether somebody must have a post.
    pub fn is_owed(&self, post: &Post, to: usize, at_the_end: &[BTreeSet<usize>]) -> bool {
        post.from == to
            || post.members.contains(&to)
                && at_the_end[post.group].contains(&to)
                && !self.is_disputed(post.group, to)
                && !self.is_disputed(post.group, post.from)
                && !self.taken_out_unseen(post, to, None)
                && !self.taken_out_unseen(post, post.from, Some(post.from))
    }

    fn is_forbidden(&self, post: &Post, to: usize) -> bool {
        let mut turns = self.groups.turns.iter().enumerate();
        !post.members.contains(&to)
            && turns.all(|(number, turn)| {
                turn.group != post.group || turn.added != Some(to) || post.seen.contains(&number)
            })
    }

    /// What is not in its place yet.
    pub async fn unfinished_groups(&mut self) -> Vec<String> {
        let mut faults = self.different_groups().await;
        let at_the_end = self.members_at_the_end().await;
        for number in 0..self.groups.posts.len() {
            let post = &self.groups.posts[number];
            let (from, group, Some(message)) = (post.from, post.group, post.message) else {
                continue;
            };
            let found = self.people[from].open().await.message(message).await;
            let state = found.unwrap().map(|found| found.state);
            if matches!(
                state,
                None | Some(MessageState::Queued | MessageState::Failed(_))
            ) {
                faults.push(format!(
                    "post {number} of {from} in group {group} is {state:?}"
                ));
            }
            if self.is_to_be_confirmed(number, &at_the_end).await
                && !matches!(state, Some(MessageState::Delivered | MessageState::Read))
            {
                faults.push(format!(
                    "post {number} of {from} in group {group} is {state:?}"
                ));
            }
            for to in 0..self.people.len() {
                let shown = self.people[to].open().await.message(message).await;
                let owed = self.is_owed(&self.groups.posts[number], to, &at_the_end);
                if owed && shown.unwrap().is_none() {
                    faults.push(format!(
                        "post {number} of {from} in group {group} is lost for {to}: {state:?}"
                    ));
                }
            }
        }
        faults
    }

    /// Whether all whom a post was for have it, and say so.
    async fn is_to_be_confirmed(&mut self, number: usize, at_the_end: &[BTreeSet<usize>]) -> bool {
        let post = &self.groups.posts[number];
        let id = self.groups.ids[post.group];
        let (from, members) = (post.from, post.members.clone());
        if !at_the_end[post.group].contains(&from) {
            return false;
        }
        for to in members {
            let owed = self.is_owed(&self.groups.posts[number], to, at_the_end);
            let summary = self.people[to]
                .open()
                .await
                .conversation(id)
                .summary()
                .await;
            let accepted = summary.is_ok_and(|found| found.standing == Standing::Accepted);
            if !owed || to != from && !accepted {
                return false;
            }
        }
        true
    }

    /// Somebody was told what was not for them, twice, or in another order.
    pub async fn wrong_group_histories(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for group in 0..self.groups.ids.len() {
            let id = self.groups.ids[group];
            let mut histories = Vec::new();
            for person in &mut self.people {
                histories.push(person.history_of(id).await);
            }
            for (number, history) in histories.iter().enumerate() {
                faults.extend(self.wrong_history(group, number, history));
                for (other, others) in histories.iter().enumerate().skip(number + 1) {
                    if !same_order(history, others) {
                        faults.push(format!(
                            "group {group}: {number} and {other} see other orders"
                        ));
                    }
                }
            }
        }
        faults
    }

    fn wrong_history(&self, group: usize, who: usize, history: &[Message]) -> Vec<String> {
        let mut faults = Vec::new();
        let name = format!("group {group}: {who}");
        let mut places: BTreeMap<MessageRef, usize> = BTreeMap::new();
        for (place, message) in history.iter().enumerate() {
            if places.insert(message.id, place).is_some() {
                faults.push(format!("{name} is shown a message twice"));
            }
        }
        let mut last_of: BTreeMap<usize, usize> = BTreeMap::new();
        let mut known: BTreeSet<MessageRef> = BTreeSet::new();
        for (number, post) in self.groups.posts.iter().enumerate() {
            let (true, Some(message)) = (post.group == group, post.message) else {
                continue;
            };
            known.insert(message);
            let Some(place) = places.get(&message).copied() else {
                continue;
            };
            if self.is_forbidden(post, who) {
                faults.push(format!(
                    "{name} is shown post {number}, which is not for them"
                ));
            }
            if last_of
                .insert(post.from, place)
                .is_some_and(|last| last > place)
            {
                faults.push(format!(
                    "{name} is shown post {number} before an earlier one"
                ));
            }
            let question = post.after.and_then(|after| places.get(&after));
            if question.is_some_and(|question| *question > place) {
                faults.push(format!(
                    "{name}: post {number} sorts before what it answers"
                ));
            }
        }
        for message in history {
            let is_notice = match &message.content {
                Content::GroupChange(change) => change.notice() != GroupNotice::Unknown,
                _ => false,
            };
            if !is_notice && !known.contains(&message.id) {
                faults.push(format!("{name} is shown what nobody said: {message:?}"));
            }
        }
        let mut told: BTreeMap<MessageRef, usize> = BTreeMap::new();
        for (conversation, message) in &self.people[who].added {
            if *conversation == self.groups.ids[group] {
                *told.entry(*message).or_default() += 1;
            }
        }
        for message in history {
            let times = told.get(&message.id).copied().unwrap_or(0);
            if times != 1 {
                faults.push(format!("{name} was told {times} times of {:?}", message.id));
            }
        }
        for (message, times) in &told {
            if *times > 1 && !places.contains_key(message) {
                faults.push(format!(
                    "{name} was told {times} times of {message:?}, which is gone"
                ));
            }
            if known.contains(message) && !places.contains_key(message) {
                faults.push(format!("{name} was told of {message:?}, which is gone"));
            }
        }
        faults
    }
}

/// Whether what both show stands in one order.
fn same_order(one: &[Message], other: &[Message]) -> bool {
    let ids = |history: &[Message]| -> BTreeSet<MessageRef> {
        history.iter().map(|message| message.id).collect()
    };
    let (ones, others) = (ids(one), ids(other));
    let one = one.iter().filter(|message| others.contains(&message.id));
    let other = other.iter().filter(|message| ones.contains(&message.id));
    one.map(|message| message.id)
        .eq(other.map(|message| message.id))
}
