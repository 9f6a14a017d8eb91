//! D4: who comes late has a relay that kept all that ever passed, and perhaps the admin that took it in. It reads
//! nothing of what was said before.

use crate::member::{Heard, Member};
use crate::puppet::group::Change;
use crate::{Outcome, Stage, is_member};
use hushpost_client_tests::PersonOptions;

const BEFORE: &str = "before mallory came";

/// Mallory asks both for all they ever said, and has them say something more.
async fn asks_for_all(stage: &mut Stage) -> Outcome<Heard> {
    let sends = stage.line.recorded_sends().into_iter();
    let shared = sends.filter(|(_, send)| send.shared_ciphertext.is_some());
    let envelopes: Vec<Vec<u8>> = shared.map(|(_, send)| send.message_id.to_vec()).collect();
    for other in stage.others() {
        let chain = stage.mallory.chains[&other];
        stage
            .mallory
            .ask_again(other, chain, envelopes.clone())
            .await?;
    }
    stage.behind().await?;
    stage.both_say("after all of that").await?;
    let both = |_: &_, heard: &Heard| {
        let texts = heard.texts.iter();
        texts.filter(|text| text.ends_with("all of that")).count() == 2
    };
    stage.mallory.hear(&stage.line, "the end", both).await
}

#[tokio::test]
async fn a_newcomer_opens_nothing_that_the_relay_kept() -> Outcome {
    let mut stage = Stage::before(PersonOptions::default()).await?;
    for _ in 0..3 {
        stage.both_say(BEFORE).await?;
    }
    stage.mallory_comes().await?;
    stage.both_say("since").await?;
    let both = |member: &Member, _: &Heard| member.chains.len() == 2;
    let heard = stage.mallory.hear(&stage.line, "both", both).await?;
    assert!(heard.texts.iter().all(|text| !text.contains(BEFORE)));
    // With the keys it has now.
    let kept = stage.mallory.listen_to_all_of_it_again(&stage.line);
    assert!(kept.closed >= 6, "{}", kept.closed);
    assert_eq!(kept.texts, [""; 0]);
    let heard = asks_for_all(&mut stage).await?;
    assert!(
        heard.texts.iter().all(|text| !text.contains(BEFORE)),
        "{:?}",
        heard.texts
    );
    Ok(())
}

#[tokio::test]
async fn an_admin_gives_nobody_a_past_that_is_not_its_own() -> Outcome {
    let mut stage = Stage::before(PersonOptions::default()).await?;
    for _ in 0..3 {
        stage.both_say(BEFORE).await?;
    }
    stage.mallory_comes().await?;
    let mallory = stage.mallory.account();
    stage.crew.of(stage.alice()).promote(mallory).await?;
    let promoted = Change::role(mallory, true).role;
    let told = |member: &Member, _: &Heard| {
        let mut log = member.log.iter();
        log.any(|signed| signed.read().role == promoted)
    };
    stage.mallory.hear(&stage.line, "it", told).await?;
    // It takes its other self in, as if that had been there from the beginning of time.
    let others = stage.others();
    let mut second = Member::facing(stage.relay.address(), &others).await?;
    for person in &stage.crew.people[..2] {
        let hello = second.say(person.account, "hello").await?;
        person.until_shown(hello).await?;
    }
    let adds = Change {
        stamp: 1,
        ..stage
            .mallory
            .change_by(Change::adds(second.account()), &stage.mallory.key())
    };
    let adds = adds.sign(&stage.mallory.key());
    stage.claim(&adds).await?;
    let is_in = |info: &hushpost::GroupInfo| is_member(info, second.account());
    for person in &stage.crew.people[..2] {
        stage
            .crew
            .until_info(person, "the other self", is_in)
            .await?;
    }
    second.group = stage.mallory.group.clone();
    second.log = stage.mallory.log.clone();
    second.log.push(adds);
    stage.both_say("since").await?;
    let since = |member: &Member, _: &Heard| member.chains.len() == 2;
    second
        .hear(&stage.line, "what is said since", since)
        .await?;
    stage.mallory = second;
    let heard = asks_for_all(&mut stage).await?;
    assert!(
        heard.texts.iter().all(|text| !text.contains(BEFORE)),
        "{:?}",
        heard.texts
    );
    Ok(())
}
