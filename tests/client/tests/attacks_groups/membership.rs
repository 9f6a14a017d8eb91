//! D1: nobody comes in, goes or gets a role but by a change of somebody who may; nobody else is given a key or a
//! message. And what was once true does not become true again.

use ed25519_dalek::SigningKey;
use futures_util::StreamExt as _;
use hushpost::{AccountId, ConversationId, Event, TroubleKind};
use hushpost_evil_relay::Verdict;
use hushpost_harness::Identity;
use hushpost_wire::client_frame::Request;
use prost::Message as _;

use crate::member::Member;
use crate::puppet::group::{Change, Log, SenderKey, Signed};
use crate::puppet::{Plaintext, content};
use crate::{Outcome, Stage, is_member, texts};

/// The key of somebody who never was a member.
fn outsider() -> SigningKey {
    Identity::new().unwrap().account_key
}

/// Changes that a plain member may not make.
fn beyond_a_member(stage: &Stage) -> Vec<(&'static str, Change)> {
    let (alice, carol) = (stage.alice().account, stage.carol().account);
    let mallory = stage.mallory.account();
    vec![
        ("adds", Change::adds(stage.dave().account)),
        ("removes a member", Change::removes(carol)),
        ("removes the admin", Change::removes(alice)),
        ("promotes itself", Change::role(mallory, true)),
        ("promotes another", Change::role(carol, true)),
        ("demotes the admin", Change::role(alice, false)),
        ("lets only admins send", Change::rules(Some(true), None)),
        ("lets only admins edit", Change::rules(None, Some(true))),
        ("makes a link", Change::invites([7; 32])),
        (
            "ends the link",
            Change {
                invite: Some(crate::puppet::group::Invite::default()),
                ..Change::default()
            },
        ),
    ]
}

/// Changes that would be right, were they somebody's who may.
fn forgeries(stage: &Stage) -> Vec<(&'static str, Signed)> {
    let mallory = &stage.mallory;
    let (dave, mine) = (stage.dave().account, mallory.key());
    let alices_key = mallory.log[0].read().author_key;
    let outsider = outsider();
    let in_her_name = Change {
        author_key: alices_key,
        ..mallory.change_by(Change::adds(dave), &mine)
    };
    let good = in_her_name.encode_to_vec();
    let claim = |signature: Vec<u8>| Signed {
        change: good.clone(),
        signature,
    };
    // Alice's signature under another change of hers.
    let of_another = mallory.log[0].signature.clone();
    let mut flipped = mallory.log[1].clone();
    *flipped.change.last_mut().unwrap() ^= 1;
    let by = |change, key: &SigningKey| mallory.change_by(change, key).sign(key);
    vec![
        ("signed by another", in_her_name.sign(&mine)),
        ("not signed", claim(Vec::new())),
        ("signed by zeros", claim(vec![0; 64])),
        ("signed too long", claim(vec![1; 65])),
        ("under another signature of hers", claim(of_another)),
        ("a signed one with a bit flipped", flipped),
        ("an outsider adds", by(Change::adds(dave), &outsider)),
        (
            "an outsider adds itself",
            by(
                Change::adds(AccountId::of_key(outsider.verifying_key().as_bytes())),
                &outsider,
            ),
        ),
        ("an outsider names", by(Change::names("pwned"), &outsider)),
        ("a second beginning", {
            let create = crate::puppet::group::Create {
                nonce: vec![1; 16],
                members: vec![stage.alice().account.as_bytes().to_vec()],
                details: Change::names("pwned").details,
            };
            Change {
                author_key: mine.verifying_key().to_bytes().to_vec(),
                stamp: crate::member::now_stamp(),
                create: Some(create),
                ..Change::default()
            }
            .sign(&mine)
        }),
    ]
}

/// Changes that Mallory could make, were they on top of what there is.
fn without_a_past(stage: &Stage) -> Vec<(&'static str, Signed)> {
    let mallory = &stage.mallory;
    let on = |parents: Vec<Vec<u8>>| {
        Change {
            parents,
            ..mallory.change_by(Change::names("pwned"), &mallory.key())
        }
        .sign(&mallory.key())
    };
    let heads = mallory.heads();
    let mut false_hash = heads[0].clone();
    false_hash[31] ^= 1;
    let early = on(vec![vec![9; 32]]);
    vec![
        ("on nothing", on(Vec::new())),
        ("on a false hash", on(vec![false_hash])),
        ("on an unknown one that is unknown", on(vec![early.id()])),
        ("on what is unknown", early),
        ("on half a hash", on(vec![heads[0][..16].to_vec()])),
        ("twice on one", on(vec![heads[0].clone(), heads[0].clone()])),
        (
            "in no order",
            on(vec![vec![0xff; 32], mallory.log[0].id(), vec![0; 32]]),
        ),
        (
            "on too many",
            on((0..17).map(|number| vec![number; 32]).collect()),
        ),
    ]
}

#[tokio::test]
async fn no_change_has_an_effect_whose_author_may_not_make_it() -> Outcome {
    let mut stage = Stage::new().await?;
    let dave = stage.dave().account;
    let before = stage.infos().await?;
    let mut claims = Vec::new();
    for (name, change) in beyond_a_member(&stage) {
        claims.push((name, stage.mallory.change(change)));
    }
    claims.extend(forgeries(&stage));
    claims.extend(without_a_past(&stage));
    for (name, signed) in claims {
        stage.claim(&signed).await?;
        stage.claim(&signed).await?;
        stage.behind().await?;
        assert!(stage.infos().await? == before, "{name}");
    }
    // All posts of it are accounted for: what is said next is shown, and reaches who it should.
    stage.mallory_says("an honest one").await?;
    stage.both_say("after all of that").await?;
    stage.nothing_for(dave);
    for person in &stage.crew.people[..2] {
        let mallory = stage.mallory.account();
        assert_eq!(stage.notices_by(person, mallory).await?, 0);
    }
    // What a member may do, it can: the claims were of the right form.
    let others = stage.others();
    stage.mallory.makes(&others, Change::names("ours")).await?;
    for person in [stage.alice(), stage.carol()] {
        let named = |info: &hushpost::GroupInfo| info.name == "ours";
        stage.crew.until_info(person, "the name", named).await?;
    }
    stage.crew.of(stage.alice()).add([dave]).await?;
    stage.crew.enters(stage.dave()).await?;
    Ok(())
}

#[tokio::test]
async fn a_change_of_another_group_is_none_of_this_one() -> Outcome {
    let mut stage = Stage::new().await?;
    let [alice, _] = stage.others();
    let (dave, mallory) = (stage.dave().account, stage.mallory.account());
    // There, Alice takes Dave in and makes Mallory an admin.
    let new = hushpost::NewGroup::new("another", [mallory]);
    let another = stage.alice().client.create_group(new).await?;
    another.add([dave]).await?;
    another.promote(mallory).await?;
    let known = stage.mallory.log.len();
    let all_three = |member: &Member, _: &_| member.log.len() >= known + 3;
    stage
        .mallory
        .hear(&stage.line, "the other group's changes", all_three)
        .await?;
    let foreign = stage.mallory.log.split_off(known);
    let before = stage.infos().await?;
    for signed in &foreign {
        stage.claim(signed).await?;
    }
    for other in stage.others() {
        stage.mallory.tell_changes(other, &foreign).await?;
    }
    // On top of the other group's promotion, in this one.
    let on_top = Change {
        parents: vec![foreign[2].id()],
        ..stage
            .mallory
            .change_by(Change::adds(dave), &stage.mallory.key())
    };
    let on_top = on_top.sign(&stage.mallory.key());
    stage.claim(&on_top).await?;
    stage.behind().await?;
    assert!(stage.infos().await? == before);
    let sent = stage.sent_to(dave).len();
    stage.both_say("to us alone").await?;
    assert_eq!(stage.sent_to(dave).len(), sent);
    let other_of_carol = stage.carol().client.group(another.id()).info().await;
    assert!(other_of_carol.is_err());
    assert!(is_member(&another.info().await?, alice));
    Ok(())
}

#[tokio::test]
async fn an_outsider_with_a_session_gets_nowhere() -> Outcome {
    let stage = Stage::new().await?;
    let others = stage.others();
    let mut eve = Member::facing(stage.relay.address(), &others).await?;
    eve.group = stage.mallory.group.clone();
    // Mallory lets her have the log.
    eve.log = stage.mallory.log.clone();
    let before = stage.infos().await?;
    let itself = eve.change(Change::adds(eve.account()));
    let name = eve.change(Change::names("eve's"));
    for other in others {
        eve.give_key(other).await?;
        let all: Vec<Signed> = eve.log.iter().chain([&itself, &name]).cloned().collect();
        eve.tell_changes(other, &all).await?;
        eve.ask_changes(other).await?;
    }
    let mut shouted = Vec::new();
    for signed in [&itself, &name] {
        shouted.push(eve.post_to(&others, signed.content()).await?);
    }
    shouted.push(eve.post_to(&others, content(b"hello from eve")).await?);
    // The same, between two.
    for other in others {
        let post = eve.post(content(b"hello once more"));
        shouted.push(eve.puppet.name(&post));
        let post = Some(post);
        let plaintext = Plaintext {
            post,
            ..Plaintext::default()
        };
        eve.tell(other, plaintext).await?;
    }
    for other in 0..2 {
        let account = stage.crew.people[other].account;
        let said = eve.say(account, "I am a stranger").await?;
        stage.crew.people[other].until_shown(said).await?;
    }
    assert!(stage.infos().await? == before);
    for person in [stage.alice(), stage.carol()] {
        for message in &shouted {
            assert!(person.client.message(*message).await?.is_none());
        }
        let troubles = person.client.troubles().await?;
        let refused = troubles.iter().filter(|trouble| {
            trouble.account == eve.account()
                && matches!(&trouble.kind, TroubleKind::Quarantined { cause, .. } if cause == "not_a_member")
        });
        assert_eq!(refused.count(), 4, "{troubles:?}");
    }
    stage.both_say("among us").await?;
    // She asked for the log, for a key: she was given neither.
    eve.listen(&stage.line);
    assert_eq!(eve.log.len(), stage.mallory.log.len());
    stage.nothing_for(eve.account());
    Ok(())
}

#[tokio::test]
async fn whom_the_relay_adds_to_the_recipients_reads_nothing() -> Outcome {
    let stage = Stage::new().await?;
    let dave = stage.dave().account;
    // A session, so that all that is missing is the key.
    let hello = stage.dave().say(stage.alice(), "hello").await?;
    stage.alice().until_shown(hello).await?;
    stage.alice().accept(stage.dave()).await?;
    let answer = stage.alice().say(stage.dave(), "hello, Dave").await?;
    stage.dave().until_shown(answer).await?;
    let as_dave = stage.sent_to(dave)[0].recipients[0].clone();
    let alice = stage.alice().account;
    stage.line.once().on_request(move |request, who| {
        let Request::Send(send) = request else {
            return Verdict::Pass;
        };
        if !who.is(alice) || send.shared_ciphertext.is_none() {
            return Verdict::Pass;
        }
        let mut added = as_dave.clone();
        for device in &mut added.devices {
            device.ciphertext = Vec::new().into();
        }
        send.recipients.push(added);
        Verdict::Rewrite
    });
    let mut events = stage.dave().client.events();
    let secret = stage.crew.says(stage.alice(), "not for Dave").await?;
    stage.carol().until_shown(secret).await?;
    let cannot = |event: &Event| matches!(event, Event::Undecryptable { .. });
    stage.dave().until_event(&mut events, "it", cannot).await?;
    // He asks for it again, and is told that there is no such thing for him.
    let gone = |event: &Event| matches!(event, Event::GapGone { .. });
    stage
        .dave()
        .until_event(&mut events, "an answer", gone)
        .await?;
    let last = stage.alice().say(stage.dave(), "anything else?").await?;
    stage.dave().until_shown(last).await?;
    assert!(stage.dave().client.message(secret).await?.is_none());
    let group = stage.dave().client.group(stage.crew.group);
    assert!(group.info().await.is_err());
    let infos = stage.infos().await?;
    assert!(infos.iter().all(|info| !is_member(info, dave)));
    Ok(())
}

#[tokio::test]
async fn old_changes_that_come_again_change_nothing() -> Outcome {
    let mut stage = Stage::new().await?;
    let dave = stage.dave().account;
    let group = stage.crew.of(stage.alice());
    let before_dave = stage.mallory.log.clone();
    group.add([dave]).await?;
    stage.crew.enters(stage.dave()).await?;
    group.set_name("with Dave").await?;
    group.remove([dave]).await?;
    group.set_name("without Dave").await?;
    let named = |info: &hushpost::GroupInfo| info.name == "without Dave";
    stage
        .crew
        .until_info(stage.carol(), "the name", named)
        .await?;
    let all = before_dave.len() + 4;
    let has_all = |member: &Member, _: &_| member.log.len() == all;
    stage
        .mallory
        .hear(&stage.line, "all changes", has_all)
        .await?;
    stage.both_say("before").await?;
    let before = stage.infos().await?;
    let history = texts(&stage, 1).await?;
    let events = stage.carol().client.events();
    // The relay delivers to Carol once more all that it ever did.
    let carol = stage.carol().account;
    for (who, delivery) in stage.line.recorded_deliveries() {
        if who.is(carol) {
            stage.line.deliver(carol, &delivery)?;
            let mut renamed = delivery;
            renamed.message_id = rand::random::<[u8; 16]>().to_vec().into();
            stage.line.deliver(carol, &renamed)?;
        }
    }
    // And a member tells all of it again, whole, backwards, and up to when Dave was in.
    let log = stage.mallory.log.clone();
    let backwards: Vec<Signed> = log.iter().rev().cloned().collect();
    for other in stage.others() {
        for changes in [&log, &backwards, &log[..all - 2].to_vec()] {
            stage.mallory.tell_changes(other, changes).await?;
        }
    }
    for signed in &log {
        stage.claim(signed).await?;
    }
    stage.behind().await?;
    stage.both_say("after").await?;
    assert!(stage.infos().await? == before);
    let added = |event: &Event| match event {
        Event::MessageAdded { conversation, .. } => *conversation == stage.crew.group,
        _ => false,
    };
    let expected = [history, vec!["alice after".into(), "carol after".into()]].concat();
    assert_eq!(texts(&stage, 1).await?, expected);
    stage.crew.people[1].client.close().await;
    let told: Vec<Event> = events.collect().await;
    assert_eq!(told.iter().filter(|event| added(event)).count(), 2);
    Ok(())
}

#[tokio::test]
async fn nobody_is_put_into_a_group_by_a_log_that_is_not_true() -> Outcome {
    let mut stage = Stage::new().await?;
    let dave = stage.dave().account;
    stage.mallory.puppet.turn_to(dave).await?;
    let log = stage.mallory.log.clone();
    // Who may not add him says that he is in; a beginning is missing; it is told of as another group's.
    let added = stage.mallory.change(Change::adds(dave));
    let whole: Vec<Signed> = log.iter().cloned().chain([added.clone()]).collect();
    stage.mallory.tell_changes(dave, &whole).await?;
    stage.mallory.tell_changes(dave, &[added]).await?;
    let other = Log {
        conversation: vec![7; 16],
        changes: log,
    };
    let as_another = Plaintext {
        group_log: Some(other),
        ..Plaintext::default()
    };
    stage.mallory.tell(dave, as_another).await?;
    let key = SenderKey {
        conversation: stage.mallory.group.clone(),
        distribution: stage.mallory.own.distribution_message().to_bytes().to_vec(),
        chain: 1,
        first: 1,
    };
    stage.mallory.tell_key(dave, key).await?;
    stage.mallory.post_to(&[dave], content(b"welcome!")).await?;
    let said = stage.mallory.say(dave, "did you see?").await?;
    stage.dave().until_shown(said).await?;
    let group = stage.dave().client.group(stage.crew.group);
    assert!(group.info().await.is_err());
    let conversations = stage.dave().client.conversations();
    let conversations = conversations.list(false, 0, 100).await?;
    let alone = ConversationId::between(dave, stage.mallory.account());
    assert!(conversations.iter().all(|one| one.id == alone));
    // By who may, he is.
    stage.crew.of(stage.alice()).add([dave]).await?;
    stage.crew.enters(stage.dave()).await?;
    Ok(())
}
