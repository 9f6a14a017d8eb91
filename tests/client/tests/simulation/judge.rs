//! What must hold at the end of a run.
//!
//! Here: of 1:1 conversations, and of all. [`groups`]: of groups; [`changes`]: of edits, reactions, deletions.

mod changes;
mod groups;

use std::collections::BTreeMap;
use std::time::Duration;

use hushpost::{ConnectionState, MessageRef, MessageState, Standing, TroubleKind};
use hushpost_client_tests::Verdict;
use tokio::time::sleep;

use crate::person::NOT_A_MEMBER;
use crate::world::World;

/// After the faults, everything must be in its place within this time.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// And stay there.
const AFTERWARDS: Duration = Duration::from_secs(60);

impl World {
    /// Waits until all is quiet; everything that is wrong then.
    pub async fn judge(&mut self) -> Vec<String> {
        let looks = PATIENCE.as_secs() / LOOK_EVERY.as_secs();
        for _ in 0..looks {
            sleep(LOOK_EVERY).await;
            self.try_failed_again().await;
            if self.unfinished().await.is_empty() {
                break;
            }
        }
        self.note("judged");
        sleep(AFTERWARDS).await;
        self.listen();
        let mut faults = self.unfinished().await;
        faults.extend(self.wrong_histories().await);
        faults.extend(self.wrong_announcements());
        faults.extend(self.wrong_group_histories().await);
        for person in &mut self.people {
            faults.append(&mut person.complaints);
        }
        faults
    }

    /// A message to somebody whom the relay forgot before it knew them fails in sight of its sender, who tries
    /// again.
    async fn try_failed_again(&mut self) {
        for number in 0..self.said.len() {
            let said = &self.said[number];
            let (from, to, message) = (said.from, said.to, said.message);
            let client = self.people[from].open().await;
            let found = client.message(message).await.unwrap();
            if found.is_some_and(|found| matches!(found.state, MessageState::Failed(_))) {
                self.note(&format!("number {number} failed and is tried again"));
                let other = self.people[to].account;
                let conversation = self.people[from].with(other).await;
                conversation.retry(message).await.unwrap();
            }
        }
        for number in 0..self.groups.posts.len() {
            let post = &self.groups.posts[number];
            let (from, id, Some(message)) = (post.from, self.groups.ids[post.group], post.message)
            else {
                continue;
            };
            let client = self.people[from].open().await;
            let found = client.message(message).await.unwrap();
            if found.is_some_and(|found| matches!(found.state, MessageState::Failed(_))) {
                self.note(&format!("post {number} failed and is tried again"));
                client.conversation(id).retry(message).await.unwrap();
            }
        }
    }

    /// What is not in its place, or not confirmed.
    async fn unfinished(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for number in 0..self.said.len() {
            let said = &self.said[number];
            let (from, to, message) = (said.from, said.to, said.message);
            let sender = self.people[from].account;
            let at_sender = self.people[from].open().await.message(message).await;
            let state = at_sender.unwrap().map(|found| found.state);
            let recipient = self.people[to].open().await;
            if recipient.message(message).await.unwrap().is_none() {
                faults.push(format!("number {number} is lost: {state:?}"));
                continue;
            }
            let accepted = self.people[to].standing(sender).await == Some(Standing::Accepted);
            let right = match state {
                Some(MessageState::Read) => true,
                Some(MessageState::Delivered) => !self.read.contains(&message),
                Some(MessageState::Sent) => !accepted,
                _ => false,
            };
            if !right {
                let read = self.read.contains(&message);
                faults.push(format!(
                    "number {number}, {from} to {to}, is {state:?}; accepted: {accepted}, read: {read}"
                ));
            }
        }
        if !self.relay.is_quiet() {
            faults.push("messages wait at the relay".to_owned());
        }
        // Who was taken out may be written to by those who do not know it yet.
        let some_went = self.groups.turns.iter().any(|turn| turn.removed.is_some());
        for person in &mut self.people {
            let client = person.open().await;
            let state = client.connection_state();
            if state != ConnectionState::Online {
                faults.push(format!("{} is {state:?}", person.name));
            }
            for trouble in client.troubles().await.unwrap() {
                let late = matches!(&trouble.kind, TroubleKind::Quarantined { cause } if cause == NOT_A_MEMBER);
                if !late || !some_went {
                    faults.push(format!("{} has {trouble:?}", person.name));
                }
            }
        }
        faults.extend(self.unfinished_groups().await);
        faults.extend(self.unfinished_changes().await);
        faults
    }

    /// Lost, twice, made up, out of order, not the same on both sides, or an answer before its question.
    async fn wrong_histories(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for one in 0..self.people.len() {
            for other in one + 1..self.people.len() {
                let accounts = (self.people[one].account, self.people[other].account);
                let ones = self.people[one].history(accounts.1).await;
                let others = self.people[other].history(accounts.0).await;
                let names = (
                    self.people[one].name.clone(),
                    self.people[other].name.clone(),
                );
                let verdict = Verdict::new()
                    .sent(&names.0, self.said_by(one, other))
                    .sent(&names.1, self.said_by(other, one))
                    .shown(&names.0, ones.iter().map(|message| message.id))
                    .shown(&names.1, others.iter().map(|message| message.id));
                faults.extend(verdict.faults());
                let places: BTreeMap<MessageRef, usize> = ones
                    .iter()
                    .enumerate()
                    .map(|(place, message)| (message.id, place))
                    .collect();
                for (number, said) in self.said.iter().enumerate() {
                    let place = |message: &MessageRef| places.get(message).copied();
                    if let (Some(answer), Some(Some(question))) =
                        (place(&said.message), said.after.as_ref().map(place))
                        && answer < question
                    {
                        faults.push(format!("number {number} sorts before what it answers"));
                    }
                }
            }
        }
        faults
    }

    fn said_by(&self, from: usize, to: usize) -> impl Iterator<Item = MessageRef> {
        let of_them = self
            .said
            .iter()
            .filter(move |said| (said.from, said.to) == (from, to));
        of_them.map(|said| said.message)
    }

    /// Every message was announced on both sides, once over the device's whole life.
    fn wrong_announcements(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (number, person) in self.people.iter().enumerate() {
            let mut times: BTreeMap<MessageRef, usize> = BTreeMap::new();
            for (conversation, message) in &person.added {
                if !self.groups.ids.contains(conversation) {
                    *times.entry(*message).or_default() += 1;
                }
            }
            for (place, said) in self.said.iter().enumerate() {
                let expected = usize::from(said.from == number || said.to == number);
                let announced = times.remove(&said.message).unwrap_or(0);
                if announced != expected {
                    let name = &person.name;
                    faults.push(format!(
                        "{name} was told {announced} times of number {place}"
                    ));
                }
            }
            for message in times.keys() {
                faults.push(format!("{} was told of {message:?}", person.name));
            }
        }
        faults
    }

    /// All histories, with everything that is shown of them.
    pub async fn shown(&mut self) -> Vec<String> {
        let accounts: Vec<_> = self.people.iter().map(|person| person.account).collect();
        let mut shown = Vec::new();
        for person in &mut self.people {
            for other in &accounts {
                if *other == person.account {
                    continue;
                }
                for message in person.history(*other).await {
                    shown.push(format!("{}: {message:?}", person.name));
                }
            }
            for group in &self.groups.ids {
                for message in person.history_of(*group).await {
                    shown.push(format!("{}: {message:?}", person.name));
                }
                let info = person.info(*group).await;
                let info = info.map(|info| (info.name, info.members));
                shown.push(format!("{}: {info:?}", person.name));
            }
            for message in &person.added {
                shown.push(format!("{} was told of {message:?}", person.name));
            }
        }
        shown
    }
}
