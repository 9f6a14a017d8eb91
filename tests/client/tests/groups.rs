//! Groups over a real relay: who is in, who may do what, one encryption for all, and what those who left or came
//! late can read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use hushpost::{
    Content, ContentError, Error, Event, GroupNotice, GroupRefusal, GroupSettings, MessageState,
    NewGroup,
};
use hushpost_client_tests::{Crew, TestError};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

type Result<T = ()> = core::result::Result<T, TestError>;

fn relay() -> RelayProcess {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap()
}

fn refused(result: hushpost::Result<()>) -> GroupRefusal {
    match result {
        Err(Error::Group(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn everybody_reads_what_anybody_says_and_says_that_they_did() -> Result {
    let relay = relay();
    let crew = Crew::meet(relay.address(), &["alice", "bob", "carol", "dave"], 4).await?;
    let mut said = Vec::new();
    for round in 0..3 {
        for person in &crew.people {
            said.push(
                crew.says(person, &format!("{} {round}", person.name))
                    .await?,
            );
        }
    }
    for person in &crew.people {
        for message in &said {
            person.until_shown(*message).await?;
        }
    }
    let alice = &crew.people[0];
    alice.until_state(said[0], MessageState::Delivered).await?;
    let conversation = crew.of(alice).conversation();
    let receipts = conversation.receipts(said[0]).await?.unwrap();
    assert_eq!(
        (receipts.recipients, receipts.delivered(), receipts.read()),
        (3, 3, 0)
    );
    for (count, reader) in crew.people[1..].iter().enumerate() {
        let history = crew.history(reader).await?;
        let last = history.last().unwrap().cursor;
        crew.of(reader).conversation().mark_read(last).await?;
        let receipts = alice
            .until(&format!("{} to read", reader.name), || async {
                let receipts = conversation.receipts(said[0]).await?.unwrap();
                Ok(Some(receipts).filter(|receipts| receipts.read() == count + 1))
            })
            .await?;
        let who = receipts
            .members
            .iter()
            .filter(|member| member.read_ms.is_some());
        assert!(
            who.into_iter()
                .any(|member| member.account == reader.account)
        );
    }
    alice.until_state(said[0], MessageState::Read).await?;
    // One order, everywhere.
    let first = crew.texts(alice).await?;
    assert_eq!(first.len(), said.len());
    for person in &crew.people {
        assert_eq!(crew.texts(person).await?, first, "{}", person.name);
        assert_eq!(person.client.troubles().await?, []);
    }
    Ok(())
}

#[tokio::test]
async fn who_is_taken_out_reads_nothing_more_and_who_comes_reads_from_then_on() -> Result {
    let relay = relay();
    let mut crew = Crew::meet(relay.address(), &["alice", "bob", "carol", "dave"], 3).await?;
    let before = crew.says(&crew.people[0], "before").await?;
    for person in &crew.people[1..3] {
        person.until_shown(before).await?;
    }
    let [alice, bob, carol, dave] = &crew.people[..] else {
        panic!("four");
    };
    crew.of(alice).remove([bob.account]).await?;
    crew.until_info(bob, "being taken out", |info| info.members.is_empty())
        .await?;
    crew.of(alice).add([dave.account]).await?;
    crew.enters(dave).await?;
    let mut after = Vec::new();
    for person in [alice, carol, dave] {
        crew.until_info(person, "the new members", |info| {
            info.members.len() == 3
                && info
                    .members
                    .iter()
                    .any(|member| member.account == dave.account)
        })
        .await?;
        after.push(crew.says(person, &format!("{} after", person.name)).await?);
    }
    for person in [alice, carol, dave] {
        for message in &after {
            person.until_shown(*message).await?;
        }
    }
    // Said side by side, so in any order.
    let mut texts = crew.texts(dave).await?;
    texts.sort();
    assert_eq!(texts, ["alice after", "carol after", "dave after"]);
    assert_eq!(crew.texts(bob).await?, ["before"]);
    assert_eq!(dave.client.troubles().await?, []);
    assert_eq!(bob.client.troubles().await?, []);
    let conversation = crew.of(bob).conversation();
    let late = conversation
        .send(hushpost_client_tests::text("may I?")?)
        .await;
    assert!(
        matches!(late, Err(Error::Group(GroupRefusal::NotAMember))),
        "{late:?}"
    );
    // Comes back, after a restart.
    crew.people[1].reopen().await?;
    crew.people[1].client.connect();
    let [alice, bob, ..] = &crew.people[..] else {
        panic!("four");
    };
    crew.of(alice).add([bob.account]).await?;
    crew.until_info(bob, "being back", |info| info.members.len() == 4)
        .await?;
    let again = crew.says(alice, "welcome back").await?;
    bob.until_shown(again).await?;
    let answer = crew.says(bob, "thanks").await?;
    alice.until_shown(answer).await?;
    assert_eq!(crew.texts(bob).await?, ["before", "welcome back", "thanks"]);
    assert_eq!(bob.client.troubles().await?, []);
    Ok(())
}

#[tokio::test]
async fn roles_and_settings_are_kept_by_everybody() -> Result {
    let relay = relay();
    let crew = Crew::meet(relay.address(), &["alice", "bob", "carol"], 3).await?;
    let [alice, bob, carol] = &crew.people[..] else {
        panic!("three");
    };
    assert_eq!(
        refused(crew.of(bob).remove([carol.account]).await),
        GroupRefusal::NotAnAdmin
    );
    assert_eq!(
        refused(crew.of(bob).promote(bob.account).await),
        GroupRefusal::NotAnAdmin
    );
    crew.of(bob).set_name("bob's crew").await?;
    let named = |name: &'static str| move |info: &hushpost::GroupInfo| info.name == name;
    crew.until_info(carol, "the name", named("bob's crew"))
        .await?;
    assert!(matches!(
        crew.of(bob).set_name("").await,
        Err(Error::Content(ContentError::Empty))
    ));
    crew.until_info(alice, "the name", named("bob's crew"))
        .await?;
    let strict = GroupSettings {
        only_admins_send: true,
        only_admins_edit: true,
        ..GroupSettings::default()
    };
    crew.of(alice).set_settings(strict).await?;
    for person in [bob, carol] {
        crew.until_info(person, "the settings", |info| info.settings == strict)
            .await?;
        let refusal = crew.of(person).set_name("mine").await;
        assert_eq!(refused(refusal), GroupRefusal::NotAnAdmin);
        let refusal = crew.says(person, "hello?").await;
        assert!(matches!(
            refusal,
            Err(TestError::Client(Error::Group(GroupRefusal::NotAnAdmin)))
        ));
    }
    crew.of(alice).promote(bob.account).await?;
    let admins = |count: usize| {
        move |info: &hushpost::GroupInfo| {
            info.members.iter().filter(|member| member.admin).count() == count
        }
    };
    crew.until_info(bob, "the promotion", admins(2)).await?;
    crew.until_info(carol, "the promotion", admins(2)).await?;
    let message = crew.says(bob, "an admin speaks").await?;
    carol.until_shown(message).await?;
    // The last admins go: somebody has to be one.
    crew.of(alice).leave().await?;
    crew.until_info(bob, "alice to leave", |info| info.members.len() == 2)
        .await?;
    crew.of(bob).leave().await?;
    crew.until_info(carol, "to be the admin", |info| {
        info.members.len() == 1 && info.members[0].admin
    })
    .await?;
    // The history tells all of it, once.
    let history = crew.history(carol).await?;
    let notices: Vec<GroupNotice> = history
        .iter()
        .filter_map(|message| match &message.content {
            Content::GroupChange(change) => Some(change.notice()),
            _ => None,
        })
        .collect();
    let expected = [
        GroupNotice::Renamed("bob's crew".to_owned()),
        GroupNotice::SettingsChanged,
        GroupNotice::Promoted(bob.account),
        GroupNotice::Left,
        GroupNotice::Left,
    ];
    assert!(notices == expected, "{notices:?}");
    let summary = crew.of(carol).conversation().summary().await?;
    // Changes are never unread; the message is.
    assert_eq!((summary.unread, summary.peer), (1, None));
    assert_eq!(summary.name.as_deref(), Some("bob's crew"));
    Ok(())
}

#[tokio::test]
async fn two_admins_at_once_and_one_who_was_away() -> Result {
    let relay = relay();
    let crew = Crew::meet(
        relay.address(),
        &["alice", "bob", "carol", "dave", "erin"],
        3,
    )
    .await?;
    let [alice, bob, carol, dave, erin] = &crew.people[..] else {
        panic!("five");
    };
    crew.of(alice).promote(bob.account).await?;
    for person in [bob, carol] {
        crew.until_info(person, "two admins", |info| {
            info.members.iter().filter(|member| member.admin).count() == 2
        })
        .await?;
    }
    let mut events = alice.client.events();
    for person in [alice, bob, carol] {
        person.client.disconnect().await;
    }
    crew.of(alice).add([dave.account]).await?;
    crew.of(bob).add([erin.account]).await?;
    crew.of(bob).set_name("of two minds").await?;
    for person in [alice, bob, carol] {
        person.client.connect();
    }
    for person in [dave, erin] {
        crew.enters(person).await?;
    }
    let whole = |info: &hushpost::GroupInfo| info.members.len() == 5 && info.name == "of two minds";
    for person in &crew.people {
        // Whoever lacks a branch hears of it with the next thing that is said.
        crew.says(person, &format!("{} is here", person.name))
            .await?;
    }
    let mut infos = Vec::new();
    for person in &crew.people {
        infos.push(
            crew.until_info(person, "both branches", whole)
                .await?
                .members,
        );
    }
    assert!(infos.iter().all(|members| *members == infos[0]));
    alice
        .until_event(&mut events, "the fork", |event| {
            matches!(event, Event::GroupForked { .. })
        })
        .await?;
    let last = crew.says(carol, "all of us?").await?;
    for person in &crew.people {
        person.until_shown(last).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_invite_link_opens_until_it_is_revoked() -> Result {
    let relay = relay();
    let crew = Crew::meet(
        relay.address(),
        &["alice", "bob", "carol", "dave", "mallory"],
        2,
    )
    .await?;
    let [alice, bob, carol, dave, mallory] = &crew.people[..] else {
        panic!("five");
    };
    let link = crew.of(alice).make_invite(None, false).await?;
    carol.client.join_group(&link.to_text().parse()?).await?;
    crew.enters(carol).await?;
    crew.until_info(bob, "carol", |info| info.members.len() == 3)
        .await?;
    // With approval.
    let mut events = alice.client.events();
    let asking = crew.of(alice).make_invite(None, true).await?;
    dave.client.join_group(&asking).await?;
    let wanted = |event: &Event| matches!(event, Event::JoinRequested { account, .. } if *account == dave.account);
    alice.until_event(&mut events, "a request", wanted).await?;
    assert_eq!(crew.of(alice).join_requests().await?, [dave.account]);
    crew.of(alice).add([dave.account]).await?;
    crew.enters(dave).await?;
    assert_eq!(crew.of(alice).join_requests().await?, []);
    // Revoked ones, old ones and guesses open nothing.
    crew.of(alice).revoke_invite().await?;
    mallory.client.join_group(&link).await?;
    mallory.client.join_group(&asking).await?;
    let hello = mallory.say(alice, "let me in").await?;
    alice.until_shown(hello).await?;
    assert_eq!(crew.of(alice).info().await?.members.len(), 4);
    assert_eq!(crew.of(alice).join_requests().await?, []);
    Ok(())
}

#[tokio::test]
async fn a_group_lives_through_a_relay_that_loses_everything() -> Result {
    let mut relay = relay();
    let crew = Crew::meet(relay.address(), &["alice", "bob", "carol"], 3).await?;
    let [alice, bob, carol] = &crew.people[..] else {
        panic!("three");
    };
    let mut said = vec![crew.says(alice, "one").await?];
    for person in [bob, carol] {
        person.until_shown(said[0]).await?;
    }
    carol.client.disconnect().await;
    said.push(crew.says(alice, "two").await?);
    said.push(crew.says(bob, "three").await?);
    bob.until_shown(said[1]).await?;
    alice.until_shown(said[2]).await?;
    relay.kill()?;
    std::fs::remove_dir_all(relay.data_dir())?;
    relay.restart()?;
    carol.client.connect();
    said.push(crew.says(carol, "four").await?);
    for person in &crew.people {
        for message in &said {
            person.until_shown(*message).await?;
        }
    }
    let first = crew.texts(alice).await?;
    assert_eq!(first.len(), 4);
    for person in &crew.people {
        assert_eq!(crew.texts(person).await?, first);
    }
    Ok(())
}

#[tokio::test]
async fn strangers_do_not_put_anybody_into_a_group_unasked() -> Result {
    let relay = relay();
    let crew = Crew::meet(relay.address(), &["mallory", "bob"], 1).await?;
    let [mallory, bob] = &crew.people[..] else {
        panic!("two");
    };
    let group = mallory
        .client
        .create_group(NewGroup::new("win a prize", [bob.account]))
        .await?;
    let summary = bob
        .until("the request", || async {
            Ok(bob
                .client
                .group(group.id())
                .conversation()
                .summary()
                .await
                .ok())
        })
        .await?;
    assert_eq!(summary.standing, hushpost::Standing::Requested);
    let message = group
        .conversation()
        .send(hushpost_client_tests::text("click here")?)
        .await?;
    bob.until_shown(message).await?;
    let receipts = group.conversation().receipts(message).await?.unwrap();
    // Whoever has not accepted says nothing.
    assert_eq!((receipts.recipients, receipts.delivered()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_newcomer_is_told_of_what_was_before_only_by_a_member_who_chooses_to() -> Result {
    let relay = relay();
    let crew = Crew::meet(relay.address(), &["alice", "bob", "carol", "dave"], 3).await?;
    let [alice, bob, carol, dave] = &crew.people[..] else {
        panic!("four");
    };
    let one = crew.says(alice, "one").await?;
    let two = crew.says(bob, "two").await?;
    let three = crew.says(carol, "three").await?;
    for person in [alice, bob, carol] {
        for message in [one, two, three] {
            person.until_shown(message).await?;
        }
    }
    let in_bobs = crew.of(bob).conversation();
    in_bobs
        .edit(two, hushpost::Text::new("two, better")?)
        .await?;
    alice
        .until("the edit", || async {
            let message = alice.client.message(two).await?;
            Ok(message.filter(|message| message.edited_ms.is_some()))
        })
        .await?;
    crew.of(alice)
        .conversation()
        .delete_for_everyone(one)
        .await?;
    // Whoever is not in is told nothing, and tells nothing.
    let early = crew.of(alice).share_history(dave.account, 10).await;
    assert_eq!(refused(early.map(drop)), GroupRefusal::NotAMember);
    crew.of(alice).add([dave.account]).await?;
    crew.enters(dave).await?;
    let after = crew.says(alice, "after").await?;
    dave.until_shown(after).await?;
    assert_eq!(crew.texts(dave).await?, ["after"]);
    let mut events = dave.client.events();
    assert_eq!(crew.of(alice).share_history(dave.account, 10).await?, 2);
    let told =
        |event: &Event| matches!(event, Event::HistoryShared { by, .. } if *by == alice.account);
    dave.until_event(&mut events, "what was before", told)
        .await?;
    assert_eq!(crew.texts(dave).await?, ["two, better", "three", "after"]);
    for message in crew.history(dave).await? {
        let by = (message.id != after).then_some(alice.account);
        if matches!(message.content, Content::Text(_)) {
            assert_eq!(message.shared_by, by);
        }
    }
    // It is found, and what its author says of it later counts.
    assert_eq!(dave.client.search("better", 0, 10).await?.len(), 1);
    in_bobs.delete_for_everyone(two).await?;
    for person in [carol, dave] {
        person
            .until("the deletion", || async {
                let message = person.client.message(two).await?.unwrap();
                Ok(Some(()).filter(|()| message.content == Content::Deleted))
            })
            .await?;
    }
    // Told again, nothing is there twice.
    assert_eq!(crew.of(carol).share_history(dave.account, 10).await?, 1);
    let last = crew.says(carol, "last").await?;
    dave.until_shown(last).await?;
    assert_eq!(crew.texts(dave).await?, ["three", "after", "last"]);
    for person in &crew.people {
        assert_eq!(person.client.troubles().await?, []);
    }
    Ok(())
}
