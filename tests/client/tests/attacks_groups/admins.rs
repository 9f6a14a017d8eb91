//! D2: two admins at once, told of in different orders; one who tells different people different things; one who was
//! an admin. Everybody comes to one state, and is told that there was a fork.

use hushpost::{Event, Events, GroupInfo};
use hushpost_client_tests::{Crew, Person};
use hushpost_evil_relay::{EvilRelay, Verdict};
use hushpost_harness::{LIMITERS_OFF, RelayOptions};

use crate::puppet::group::Change;
use crate::{Outcome, Stage, is_member};

async fn until_forked(person: &Person, events: &mut Events) -> Outcome {
    let forked = |event: &Event| matches!(event, Event::GroupForked { .. });
    person.until_event(events, "a fork", forked).await?;
    Ok(())
}

/// All see the same group, once each has heard of each other's last word.
async fn agree(crew: &Crew, people: &[&Person], group: impl Fn(&GroupInfo) -> bool) -> Outcome {
    let mut infos = Vec::new();
    for person in people {
        infos.push(crew.until_info(person, "one state", &group).await?);
    }
    for info in &infos {
        assert_eq!(info.members, infos[0].members);
        assert!(info.name == infos[0].name && info.settings == infos[0].settings);
        assert!(info.forks > 0);
    }
    Ok(())
}

#[tokio::test]
async fn two_admins_at_once_end_in_one_state_in_whichever_order_they_are_told_of() -> Outcome {
    let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let line = EvilRelay::renumbering(relay.address()).await?;
    let names = ["alice", "bob", "carol", "erin", "dave", "fred"];
    let crew = Crew::meet(line.address(), &names, 4).await?;
    let [alice, bob, carol, erin, dave, fred] = &crew.people[..] else {
        panic!("six");
    };
    crew.of(alice).promote(bob.account).await?;
    let two_admins = |info: &GroupInfo| info.members.iter().filter(|one| one.admin).count() == 2;
    for person in [bob, carol, erin] {
        crew.until_info(person, "two admins", two_admins).await?;
    }
    let mut of_carol = carol.client.events();
    let mut of_erin = erin.client.events();
    // Neither admin hears of the other; Carol hears of Alice first, Erin of Bob.
    let (a, b) = (alice.account, bob.account);
    let (c, e) = (carol.account, erin.account);
    let rule = line.on_delivery(move |delivery, who| {
        let from = delivery
            .sender
            .as_ref()
            .map(|sender| sender.account.to_vec());
        let is_from = |account: hushpost::AccountId| from.as_deref() == Some(account.as_bytes());
        let held = is_from(b) && (who.is(a) || who.is(c)) || is_from(a) && (who.is(b) || who.is(e));
        if held { Verdict::Hold } else { Verdict::Pass }
    });
    crew.of(alice).set_name("alice's").await?;
    crew.of(alice).add([dave.account]).await?;
    crew.of(bob).set_name("bob's").await?;
    crew.of(bob).remove([carol.account]).await?;
    crew.of(bob).add([fred.account]).await?;
    let dave_in = |info: &GroupInfo| is_member(info, dave.account);
    crew.until_info(carol, "alice's changes", dave_in).await?;
    let fred_in = |info: &GroupInfo| is_member(info, fred.account);
    crew.until_info(erin, "bob's changes", fred_in).await?;
    let seen_by_carol = crew.of(carol).info().await?;
    assert!(!fred_in(&seen_by_carol) && seen_by_carol.name == "alice's");
    let seen_by_erin = crew.of(erin).info().await?;
    assert!(!dave_in(&seen_by_erin) && seen_by_erin.name == "bob's");
    line.remove(rule);
    line.release();
    until_forked(carol, &mut of_carol).await?;
    until_forked(erin, &mut of_erin).await?;
    for person in [dave, fred] {
        crew.enters(person).await?;
    }
    // Whoever lacks a branch hears of it with the next thing that is said.
    for person in [alice, bob, erin, dave, fred] {
        crew.says(person, "here").await?;
    }
    let both = |info: &GroupInfo| dave_in(info) && fred_in(info) && !is_member(info, carol.account);
    for person in [alice, bob, erin, dave, fred] {
        crew.until_info(person, "both branches", both).await?;
    }
    agree(&crew, &[alice, bob, erin], both).await?;
    let names = [&crew.of(dave).info().await?, &crew.of(fred).info().await?];
    assert_eq!(names[0].members, names[1].members);
    let last = crew.says(erin, "all of us?").await?;
    for person in [alice, bob, dave, fred] {
        person.until_shown(last).await?;
    }
    assert!(!crew.texts(carol).await?.contains(&"all of us?".to_owned()));
    Ok(())
}

#[tokio::test]
async fn an_admin_who_tells_each_another_thing_is_found_out() -> Outcome {
    let mut stage = Stage::new().await?;
    let [alice, carol] = stage.others();
    stage.mallory_is_an_admin().await?;
    let mut events = [stage.alice().client.events(), stage.carol().client.events()];
    // Two changes in one place: Alice is told of a name, Carol that Dave is in.
    let dave = stage.dave().account;
    let to_alice = stage.mallory.change(Change::names("mallory's"));
    let to_carol = stage.mallory.change(Change::adds(dave));
    stage.mallory.tell_changes(alice, &[to_alice]).await?;
    stage.mallory.tell_changes(carol, &[to_carol]).await?;
    let crew = &stage.crew;
    let named = |info: &GroupInfo| info.name == "mallory's";
    crew.until_info(stage.alice(), "one branch", named).await?;
    let with_dave = |info: &GroupInfo| is_member(info, dave);
    crew.until_info(stage.carol(), "the other", with_dave)
        .await?;
    // What each says next is made on top of what the other never saw: they ask.
    crew.says(stage.carol(), "Dave is one of us").await?;
    crew.says(stage.alice(), "what a name").await?;
    let both = |info: &GroupInfo| named(info) && with_dave(info);
    let people = [stage.alice(), stage.carol()];
    agree(crew, &people, both).await?;
    let mallory = stage.mallory.account();
    let forked = |event: &Event| {
        matches!(event, Event::GroupForked { group, author }
            if *group == stage.crew.group && *author == mallory)
    };
    for (person, events) in people.iter().zip(&mut events) {
        person.until_event(events, "the fork", forked).await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_was_an_admin_does_not_go_on_as_one() -> Outcome {
    let mut stage = Stage::new().await?;
    let [alice, carol] = stage.others();
    let dave = stage.dave().account;
    stage.mallory_is_an_admin().await?;
    let before_demotion = stage.mallory.log.len();
    let mallory = stage.mallory.account();
    stage.crew.of(stage.alice()).demote(mallory).await?;
    let one_admin = |info: &GroupInfo| info.members.iter().filter(|one| one.admin).count() == 1;
    let known = stage
        .crew
        .until_info(stage.carol(), "the demotion", one_admin);
    known.await?;
    let told = |member: &crate::member::Member, _: &_| member.log.len() > before_demotion;
    stage.mallory.hear(&stage.line, "it", told).await?;
    let before = stage.infos().await?;
    let demoted = stage.mallory.log.clone();
    let wishes = [
        Change::adds(dave),
        Change::removes(carol),
        Change::removes(alice),
        Change::role(alice, false),
        Change::role(mallory, true),
        Change::rules(Some(true), Some(true)),
    ];
    // On top of the demotion, and as if it had not come to that.
    for past in [demoted.len(), before_demotion] {
        for wish in &wishes {
            stage.mallory.log = demoted[..past].to_vec();
            let signed = stage.mallory.change(wish.clone());
            stage.claim(&signed).await?;
            stage.claim(&signed).await?;
        }
    }
    stage.behind().await?;
    stage.as_before(&before).await?;
    stage.nothing_for(dave);
    // Out of the group altogether it is not heard any more.
    stage.mallory.log = demoted;
    stage.mallory_goes().await?;
    let before = stage.infos().await?;
    for wish in wishes.iter().chain([&Change::names("mallory's")]) {
        let signed = stage.mallory.change(wish.clone());
        stage.claim(&signed).await?;
    }
    stage.behind().await?;
    stage.as_before(&before).await?;
    stage.both_say("as before").await?;
    stage.nothing_for(dave);
    for person in &stage.crew.people[..2] {
        assert_eq!(stage.notices_by(person, mallory).await?, 0);
    }
    Ok(())
}

impl Stage {
    async fn mallory_is_an_admin(&mut self) -> Outcome {
        let mallory = self.mallory.account();
        self.crew.of(self.alice()).promote(mallory).await?;
        let two = |info: &GroupInfo| info.members.iter().filter(|one| one.admin).count() == 2;
        let known = self.crew.until_info(self.carol(), "two admins", two);
        known.await?;
        let promoted = Change::role(mallory, true).role;
        let told = |member: &crate::member::Member, _: &_| {
            let mut log = member.log.iter();
            log.any(|signed| signed.read().role == promoted)
        };
        self.mallory.hear(&self.line, "it", told).await?;
        Ok(())
    }

    /// Members, roles, name and settings are what they were.
    async fn as_before(&self, before: &[GroupInfo; 2]) -> Outcome {
        for (after, before) in self.infos().await?.iter().zip(before) {
            assert_eq!(after.members, before.members);
            assert!(after.settings == before.settings && after.name == before.name);
        }
        Ok(())
    }
}
