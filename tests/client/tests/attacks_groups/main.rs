//! Attacks on groups through real clients and a real relay: by a member who has every key it was given and says
//! anything, by an outsider, and by a relay that lets them have all that passes.
//!
//! | attack | here | elsewhere |
//! | --- | --- | --- |
//! | D1 somebody is added, a role is taken, without the right | [`membership`] | the rules one by one: `group/log/tests.rs`, `group/change.rs` |
//! | D1 old changes again | [`membership`] | |
//! | D2 two admins at once, a fork | [`admins`] | every order: `group/log/tests.rs` |
//! | D3 who is out reads on, or speaks on | [`removed`] | the chain itself: `protocol/tests/attacks_groups.rs` |
//! | D4 who came late reads what was before | [`newcomers`] | the same |
//! | D5 an old state opens nothing for long | [`rotation`] | the same |
//! | D6 one writes as another, in another group | [`forgery`] | every bound field: `protocol/tests/attacks_groups.rs` |
//! | D7 keys of others, floods of keys and of changes | [`forgery`], [`floods`] | a flood within one chain: the same |
//! | D8 far ahead | [`floods`] | the bound to the digit: the same |
//! | D9 receipts | [`receipts`] | |
//! | D10 invite links | [`links`] | what a link looks like: `group/invite.rs` |
//!
//! A cycle of changes cannot be made: each names the hash of what it builds on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod admins;
mod floods;
mod forgery;
mod links;
mod member;
mod membership;
mod newcomers;
#[path = "../puppet/mod.rs"]
mod puppet;
mod receipts;
mod removed;
mod rotation;

use std::error::Error;

use hushpost::{AccountId, Content, GroupInfo, MessageRef};
use hushpost_client_tests::{Crew, Person, PersonOptions};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::Send;

use crate::member::{Heard, Member};
use crate::puppet::group::{Change, Signed};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Alice, the admin, and Carol, in a group with Mallory: whom nobody would think ill of so far. Dave is not in it.
struct Stage {
    line: EvilRelay,
    crew: Crew,
    mallory: Member,
    relay: RelayProcess,
}

impl Stage {
    async fn new() -> Outcome<Self> {
        Self::with(PersonOptions::default()).await
    }

    /// Everybody's client is set up like this.
    async fn with(options: PersonOptions) -> Outcome<Self> {
        let mut stage = Self::before(options).await?;
        stage.mallory_comes().await?;
        Ok(stage)
    }

    /// Before Mallory is taken in.
    async fn before(options: PersonOptions) -> Outcome<Self> {
        let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
        let line = EvilRelay::renumbering(relay.address()).await?;
        let names = ["alice", "carol", "dave"];
        let crew = Crew::meet_with(line.address(), options, &names, 2).await?;
        let people = [crew.people[0].account, crew.people[1].account];
        let mut mallory = Member::facing(relay.address(), &people).await?;
        for person in &crew.people[..2] {
            let hello = mallory.say(person.account, "hello, I am new here").await?;
            person.until_shown(hello).await?;
        }
        Ok(Self {
            line,
            crew,
            mallory,
            relay,
        })
    }

    fn alice(&self) -> &Person {
        &self.crew.people[0]
    }

    fn carol(&self) -> &Person {
        &self.crew.people[1]
    }

    fn dave(&self) -> &Person {
        &self.crew.people[2]
    }

    /// Alice and Carol.
    fn others(&self) -> [AccountId; 2] {
        [self.alice().account, self.carol().account]
    }

    /// Mallory is taken in, and is a member like others.
    async fn mallory_comes(&mut self) -> Outcome {
        let account = self.mallory.account();
        self.crew.of(self.alice()).add([account]).await?;
        let is_in = |info: &GroupInfo| info.members.iter().any(|one| one.account == account);
        for person in [self.alice(), self.carol()] {
            let person_knows = self.crew.until_info(person, "mallory", is_in);
            person_knows.await?;
        }
        let has_log = |mallory: &Member, _: &_| {
            let mut changes = mallory.log.iter().map(Signed::read);
            changes.any(|change| change.add == Change::adds(account).add)
        };
        self.mallory.hear(&self.line, "the log", has_log).await?;
        for other in self.others() {
            self.mallory.give_key(other).await?;
        }
        self.mallory_says("thanks for having me").await?;
        Ok(())
    }

    /// Mallory says something in the group that both are shown: all before it was looked at then.
    async fn mallory_says(&mut self, body: &str) -> Outcome<MessageRef> {
        let others = self.others();
        let content = puppet::content(body.as_bytes());
        let name = self.mallory.post_to(&others, content).await?;
        for person in [self.alice(), self.carol()] {
            assert_eq!(person.until_shown(name).await?, body);
        }
        Ok(name)
    }

    /// Mallory says something to each alone: all before it was looked at then.
    async fn behind(&mut self) -> Outcome {
        for other in 0..2 {
            let account = self.crew.people[other].account;
            let name = self.mallory.say(account, "behind all of that").await?;
            self.crew.people[other].until_shown(name).await?;
        }
        Ok(())
    }

    /// Alice and Carol say something in the group that both have.
    async fn both_say(&self, body: &str) -> Outcome {
        for (from, to) in [(self.alice(), self.carol()), (self.carol(), self.alice())] {
            let words = format!("{} {body}", from.name);
            let said = self.crew.says(from, &words).await?;
            to.until_shown(said).await?;
        }
        Ok(())
    }

    /// Both talk, and Mallory reads it: it has their keys.
    async fn mallory_reads_along(&mut self) -> Outcome {
        self.both_say("before").await?;
        let both = |_: &_, heard: &Heard| heard.texts.len() == 2;
        let heard = self.mallory.hear(&self.line, "the talk", both).await?;
        assert!(heard.texts.contains(&"alice before".to_owned()));
        Ok(())
    }

    /// Alice takes Mallory out, and Carol knows.
    async fn mallory_goes(&self) -> Outcome {
        let account = self.mallory.account();
        self.crew.of(self.alice()).remove([account]).await?;
        self.until_without(account).await
    }

    /// Waits until neither counts somebody as a member.
    async fn until_without(&self, account: AccountId) -> Outcome {
        let gone = |info: &GroupInfo| info.members.iter().all(|one| one.account != account);
        for person in [self.alice(), self.carol()] {
            self.crew.until_info(person, "one less", gone).await?;
        }
        Ok(())
    }

    /// Mallory tells both of a change, in a post and in a log.
    async fn claim(&mut self, signed: &Signed) -> Outcome {
        let others = self.others();
        self.mallory.post_to(&others, signed.content()).await?;
        for other in others {
            let changes = core::slice::from_ref(signed);
            self.mallory.tell_changes(other, changes).await?;
        }
        Ok(())
    }

    /// Somebody was given nothing by Alice or Carol.
    fn nothing_for(&self, account: AccountId) {
        assert_eq!(self.sent_to(account).len(), 0);
    }

    /// How many changes somebody is shown as made by this author.
    async fn notices_by(&self, person: &Person, author: AccountId) -> Outcome<usize> {
        let history = self.crew.history(person).await?;
        let notices = history.iter().filter(|message| {
            matches!(message.content, Content::GroupChange(_)) && message.id.sender == author
        });
        Ok(notices.count())
    }

    /// What the group is for Alice and for Carol.
    async fn infos(&self) -> Outcome<[GroupInfo; 2]> {
        Ok([
            self.crew.of(self.alice()).info().await?,
            self.crew.of(self.carol()).info().await?,
        ])
    }

    /// What Alice and Carol sent to somebody.
    fn sent_to(&self, account: AccountId) -> Vec<Send> {
        let sends = self.line.recorded_sends().into_iter();
        let people = self.others();
        sends
            .filter(|(who, send)| {
                people.iter().any(|one| who.is(*one))
                    && (send.recipients.iter())
                        .any(|recipient| recipient.account.as_ref() == account.as_bytes())
            })
            .map(|(_, send)| send)
            .collect()
    }
}

fn is_member(info: &GroupInfo, account: AccountId) -> bool {
    info.members.iter().any(|one| one.account == account)
}

/// What somebody sees of the group.
async fn texts(stage: &Stage, person: usize) -> Outcome<Vec<String>> {
    Ok(stage.crew.texts(&stage.crew.people[person]).await?)
}
