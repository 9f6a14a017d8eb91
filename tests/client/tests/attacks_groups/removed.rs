//! D3: who was taken out, who left, and the device that was before another was set up in its place have every key
//! they were ever given, and a relay that lets them have all that passes. They read nothing of what is said from then
//! on, not even the first message of each; they are told nothing of the group; and they are not heard.

use crate::member::{Heard, now_stamp};
use crate::puppet::group::Change;
use crate::puppet::{Plaintext, content};
use crate::{Outcome, Stage, is_member, texts};

impl Stage {
    /// Both talk, and Mallory, who hears it, reads nothing.
    async fn mallory_reads_nothing(&mut self) -> Outcome {
        self.mallory.listen(&self.line);
        self.both_say("after").await?;
        let heard = self.mallory.listen(&self.line);
        // What it was sent while it was in, it may be sent again.
        let mut texts = heard.texts.iter();
        assert!(
            texts.all(|text| text.ends_with("before")),
            "{:?}",
            heard.texts
        );
        assert!(heard.closed >= 2, "{}", heard.closed);
        Ok(())
    }

    /// The names of all that Alice and Carol sent for all, and their chains as their posts say.
    fn envelopes(&self) -> Vec<Vec<u8>> {
        let sends = self.line.recorded_sends().into_iter();
        let shared = sends.filter(|(_, send)| send.shared_ciphertext.is_some());
        shared.map(|(_, send)| send.message_id.to_vec()).collect()
    }

    async fn mallory_asks_for_all(&mut self) -> Outcome {
        let envelopes = self.envelopes();
        for other in self.others() {
            for envelopes in envelopes.chunks(60) {
                let chain = self.mallory.chains.get(&other).copied();
                self.mallory
                    .ask_again(other, chain.unwrap_or(1), envelopes.to_vec())
                    .await?;
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn who_was_taken_out_reads_nothing_more() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.mallory_reads_along().await?;
    stage.mallory_goes().await?;
    stage.mallory_reads_nothing().await
}

#[tokio::test]
async fn who_left_reads_nothing_more() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.mallory_reads_along().await?;
    let others = stage.others();
    stage.mallory.makes(&others, Change::leaves()).await?;
    stage.until_without(stage.mallory.account()).await?;
    stage.mallory_reads_nothing().await
}

#[tokio::test]
async fn whose_device_was_set_up_anew_reads_nothing_with_the_old_one() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.mallory_reads_along().await?;
    // The old device keeps listening with all it has; the account has another in its place.
    let mut stolen = stage.mallory.stolen_keys();
    stage.mallory.listen(&stage.line);
    let from = stage.line.recorded_sends().len();
    stage.mallory.puppet.set_up_anew().await?;
    for person in 0..2 {
        let account = stage.crew.people[person].account;
        let hello = stage.mallory.say(account, "a new phone").await?;
        stage.crew.people[person].until_shown(hello).await?;
    }
    stage.both_say("after").await?;
    let mut heard = 0;
    for (who, send) in &stage.line.recorded_sends()[from..] {
        let Some(device) = who.device else { continue };
        if let Some(shared) = &send.shared_ciphertext {
            let opened = crate::member::open_with(&mut stolen, device.account, shared);
            assert!(opened.is_none());
            heard += 1;
        }
    }
    assert!(heard >= 2);
    // The new one is a member like before.
    let both = |_: &_, heard: &Heard| heard.texts.len() == 2;
    let heard = stage.mallory.hear(&stage.line, "the talk", both).await?;
    assert!(heard.texts.iter().all(|text| text.ends_with("after")));
    Ok(())
}

#[tokio::test]
async fn who_asked_for_something_again_is_not_forgotten_to_hold_the_key() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.mallory_reads_along().await?;
    // It never confirmed what it read, so it may ask for it: before it goes, and after.
    stage.mallory_asks_for_all().await?;
    stage.behind().await?;
    stage.mallory_goes().await?;
    stage.mallory_asks_for_all().await?;
    stage.behind().await?;
    stage.mallory_reads_nothing().await
}

#[tokio::test]
async fn who_added_a_device_is_not_forgotten_to_hold_the_key() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.mallory_reads_along().await?;
    stage.mallory.puppet.add_device().await?;
    stage.behind().await?;
    stage.mallory_goes().await?;
    stage.mallory_reads_nothing().await
}

#[tokio::test]
async fn who_was_taken_out_is_given_nothing_that_was_said_since() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.mallory_reads_along().await?;
    stage.mallory_goes().await?;
    let gone = stage.mallory.log.len();
    let is_out = |member: &crate::member::Member, _: &_| member.log.len() > gone;
    stage.mallory.hear(&stage.line, "being out", is_out).await?;
    let known = stage.mallory.log.len();
    stage.both_say("after").await?;
    let group = stage.crew.of(stage.alice());
    group.set_name("without mallory").await?;
    group.add([stage.dave().account]).await?;
    stage.crew.enters(stage.dave()).await?;
    let with_dave = |info: &hushpost::GroupInfo| is_member(info, stage.dave().account);
    let carol_knows = stage.crew.until_info(stage.carol(), "dave", with_dave);
    carol_knows.await?;
    stage.mallory.listen(&stage.line);
    stage.mallory_asks_for_all().await?;
    for other in stage.others() {
        stage.mallory.ask_changes(other).await?;
    }
    stage.behind().await?;
    stage.both_say("and after").await?;
    let heard = stage.mallory.listen(&stage.line);
    let mut texts = heard.texts.iter();
    assert!(
        texts.all(|text| text.ends_with("before")),
        "{:?}",
        heard.texts
    );
    // Neither who came since, nor how the group is called now.
    assert_eq!(stage.mallory.log.len(), known);
    Ok(())
}

#[tokio::test]
async fn who_is_out_is_not_heard() -> Outcome {
    let mut stage = Stage::new().await?;
    let others = stage.others();
    stage.mallory_goes().await?;
    let talk = [texts(&stage, 0).await?, texts(&stage, 1).await?];
    stage
        .mallory
        .post_to(&others, content(b"still here"))
        .await?;
    for other in others {
        let post = Some(stage.mallory.post(content(b"still here")));
        let plaintext = Plaintext {
            post,
            ..Plaintext::default()
        };
        stage.mallory.tell(other, plaintext).await?;
        stage.mallory.give_key(other).await?;
    }
    stage
        .mallory
        .post_to(&others, content(b"still here"))
        .await?;
    stage.behind().await?;
    assert_eq!(texts(&stage, 0).await?, talk[0]);
    assert_eq!(texts(&stage, 1).await?, talk[1]);
    Ok(())
}

#[tokio::test]
async fn who_leaves_in_the_far_future_is_not_heard_until_then() -> Outcome {
    let mut stage = Stage::new().await?;
    let others = stage.others();
    let year = 365 * 24 * 3_600_000u64;
    let leaves = Change {
        stamp: now_stamp() + ((100 * year) << 16),
        ..stage
            .mallory
            .change_by(Change::leaves(), &stage.mallory.key())
    };
    let leaves = leaves.sign(&stage.mallory.key());
    stage.claim(&leaves).await?;
    stage.until_without(stage.mallory.account()).await?;
    let talk = [texts(&stage, 0).await?, texts(&stage, 1).await?];
    // Something else happens in the group.
    stage.crew.of(stage.alice()).set_name("ours").await?;
    let named = |info: &hushpost::GroupInfo| info.name == "ours";
    let known = stage.crew.until_info(stage.carol(), "the name", named);
    known.await?;
    stage
        .mallory
        .post_to(&others, content(b"a ghost speaks"))
        .await?;
    stage.behind().await?;
    assert_eq!(texts(&stage, 0).await?, talk[0]);
    assert_eq!(texts(&stage, 1).await?, talk[1]);
    stage.mallory_reads_nothing().await
}
