//! D9: a receipt counts for who sent it, and for what was sent to them.

use hushpost::{MessageReceipts, MessageRef, MessageState};
use hushpost_client_tests::PersonOptions;

use crate::member::{Heard, Member};
use crate::puppet::{Plaintext, Range, Receipt};
use crate::{Outcome, Stage};

impl Stage {
    async fn receipts(&self, message: MessageRef) -> Outcome<MessageReceipts> {
        let conversation = self.crew.of(self.alice()).conversation();
        Ok(conversation.receipts(message).await?.unwrap())
    }
}

/// Says that Alice's posts of this chain were read, all of them.
async fn claims_to_have_read(who: &mut Member, stage: &Stage, chain: u64) -> Outcome {
    for kind in [1, 2] {
        let receipt = Receipt {
            conversation: who.group.clone(),
            kind,
            ranges: vec![Range {
                device: 1,
                chain,
                first: 1,
                last: 1000,
            }],
            at_ms: 1,
        };
        let plaintext = Plaintext {
            receipt: Some(receipt),
            ..Plaintext::default()
        };
        who.tell(stage.alice().account, plaintext).await?;
    }
    Ok(())
}

#[tokio::test]
async fn only_who_was_sent_a_message_says_that_it_is_there() -> Outcome {
    let mut stage = Stage::before(PersonOptions::default()).await?;
    // Carol is away: nobody has this one.
    stage.carol().client.disconnect().await;
    let early = stage.crew.says(stage.alice(), "before mallory").await?;
    stage.alice().until_state(early, MessageState::Sent).await?;
    stage.carol().client.connect();
    stage.carol().until_shown(early).await?;
    stage
        .alice()
        .until_state(early, MessageState::Delivered)
        .await?;
    stage.mallory_comes().await?;
    stage.carol().client.disconnect().await;
    let late = stage.crew.says(stage.alice(), "with mallory").await?;
    stage.alice().until_state(late, MessageState::Sent).await?;
    let heard = |_: &_, heard: &Heard| heard.texts.iter().any(|text| text == "with mallory");
    stage.mallory.hear(&stage.line, "it", heard).await?;
    let alice = stage.alice().account;
    let chain = stage.mallory.chains[&alice];
    // Eve, who is no member, has read everything.
    let mut eve = Member::facing(stage.relay.address(), &[alice]).await?;
    eve.group = stage.mallory.group.clone();
    claims_to_have_read(&mut eve, &stage, chain).await?;
    let hello = eve.say(alice, "a stranger").await?;
    stage.alice().until_shown(hello).await?;
    for message in [early, late] {
        let receipts = stage.receipts(message).await?;
        let mut members = receipts.members.iter();
        assert!(members.all(|member| member.account == stage.carol().account));
        assert_eq!(receipts.read(), 0);
    }
    // Mallory, who is one, has read what it was sent, and nothing else; for Carol it does not speak.
    let mut mallory = core::mem::replace(&mut stage.mallory, eve);
    claims_to_have_read(&mut mallory, &stage, chain).await?;
    let hello = mallory.say(alice, "all read").await?;
    stage.alice().until_shown(hello).await?;
    let receipts = stage.receipts(early).await?;
    assert_eq!(
        (receipts.recipients, receipts.delivered(), receipts.read()),
        (1, 1, 0)
    );
    let receipts = stage.receipts(late).await?;
    assert_eq!(
        (receipts.recipients, receipts.delivered(), receipts.read()),
        (2, 1, 1)
    );
    assert_eq!(receipts.members[0].account, mallory.account());
    let message = stage.alice().client.message(late).await?.unwrap();
    assert_eq!(message.state, MessageState::Sent);
    // Carol comes, and says so herself.
    stage.carol().client.connect();
    stage.carol().until_shown(late).await?;
    stage
        .alice()
        .until_state(late, MessageState::Delivered)
        .await?;
    Ok(())
}

#[tokio::test]
async fn who_is_out_confirms_nothing() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.carol().client.disconnect().await;
    let last = stage.crew.says(stage.alice(), "one last thing").await?;
    stage.alice().until_state(last, MessageState::Sent).await?;
    let heard = |_: &_, heard: &Heard| heard.texts.iter().any(|text| text == "one last thing");
    stage.mallory.hear(&stage.line, "it", heard).await?;
    let alice = stage.alice().account;
    let chain = stage.mallory.chains[&alice];
    let mallory = stage.mallory.account();
    stage.crew.of(stage.alice()).remove([mallory]).await?;
    let since = stage.crew.says(stage.alice(), "without you").await?;
    stage.alice().until_state(since, MessageState::Sent).await?;
    let mut member = stage.mallory;
    let group = member.group.clone();
    stage.mallory = Member::facing(stage.relay.address(), &[alice]).await?;
    stage.mallory.group = group;
    claims_to_have_read(&mut member, &stage, chain).await?;
    let hello = member.say(alice, "all read").await?;
    stage.alice().until_shown(hello).await?;
    for message in [last, since] {
        assert_eq!(stage.receipts(message).await?.delivered(), 0);
    }
    stage.carol().client.connect();
    stage.carol().until_shown(since).await?;
    stage
        .alice()
        .until_state(since, MessageState::Delivered)
        .await?;
    Ok(())
}
