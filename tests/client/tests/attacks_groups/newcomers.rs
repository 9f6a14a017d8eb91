//! D4: who comes late has a relay that kept all that ever passed, and perhaps the admin that took it in. It reads
//! nothing of what was said before. And what a member tells of that puts nothing into anybody's mouth that would count.

use crate::member::{Heard, Member, now_stamp};
use crate::puppet::group::{Change, SharedHistory, SharedPost};
use crate::puppet::{self, Plaintext};
use crate::{Outcome, Stage, is_member, texts};
use hushpost::AccountId;
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

/// What somebody is said to have written, in the first place of a chain.
fn told(author: AccountId, stamp: u64, content: Vec<u8>) -> SharedPost {
    SharedPost {
        author: author.as_bytes().to_vec(),
        device: 1,
        message_id: rand::random::<[u8; 16]>().to_vec(),
        stamp,
        sequence: 1,
        content,
    }
}

#[tokio::test]
async fn a_member_who_tells_of_before_forges_nothing_that_is_said_since() -> Outcome {
    let mut stage = Stage::new().await?;
    let dave = stage.dave().account;
    let hello = stage.mallory.say(dave, "hello").await?;
    stage.dave().until_shown(hello).await?;
    // Well before: the members' clocks are the relay's, which may be some milliseconds beside this one.
    let before = now_stamp() - (60_000 << 16);
    stage.crew.of(stage.alice()).add([dave]).await?;
    stage.crew.enters(stage.dave()).await?;
    let since = (now_stamp() >> 16).saturating_add(3_600_000) << 16;
    let [alice, carol] = stage.others();
    let text = |body: &str| puppet::content(body.as_bytes());
    let outsider = AccountId::of_key(&[9; 32]);
    let change = stage.mallory.change(Change::names("mine")).content();
    let posts = vec![
        told(alice, before, text("as it was")),
        // After Dave came; by Dave; by nobody who was ever in; what is no message; the largest numbers.
        told(alice, since, text("forged")),
        told(dave, before, text("forged")),
        told(outsider, before, text("forged")),
        told(carol, before, change),
        told(carol, before, Vec::new()),
        told(carol, (1 << 63) - 1, text("forged")),
    ];
    let tells = |group: &[u8], posts: &[SharedPost]| Plaintext {
        shared_history: Some(SharedHistory {
            conversation: group.to_vec(),
            posts: posts.to_vec(),
        }),
        ..Plaintext::default()
    };
    let group = stage.mallory.group.clone();
    stage.mallory.tell(dave, tells(&group, &posts)).await?;
    // In no conversation of two, and in no group that it is not in.
    let direct = hushpost::ConversationId::between(dave, stage.mallory.account());
    stage
        .mallory
        .tell(dave, tells(direct.as_bytes(), &posts))
        .await?;
    let behind = stage.mallory.say(dave, "behind all of that").await?;
    stage.dave().until_shown(behind).await?;
    assert_eq!(texts(&stage, 2).await?, ["as it was"]);
    let shown = stage.crew.history(stage.dave()).await?;
    let shared = shown.iter().filter(|message| message.shared_by.is_some());
    let by: Vec<_> = shared.map(|message| message.shared_by).collect();
    assert_eq!(by, [Some(stage.mallory.account())]);
    // Alice's own first post since has its place, though Mallory told of one with the same number.
    stage.both_say("since").await?;
    stage
        .dave()
        .until("what both say", || async {
            let history = stage.crew.texts(stage.dave()).await?;
            Ok(Some(()).filter(|()| history.len() == 3))
        })
        .await?;
    // Who is out tells nothing.
    stage.mallory_goes().await?;
    stage
        .crew
        .until_info(stage.dave(), "one less", |info| info.members.len() == 3)
        .await?;
    let late = [told(carol, before, text("late"))];
    stage.mallory.tell(dave, tells(&group, &late)).await?;
    let behind = stage.mallory.say(dave, "behind that too").await?;
    stage.dave().until_shown(behind).await?;
    assert_eq!(texts(&stage, 2).await?.len(), 3);
    Ok(())
}
