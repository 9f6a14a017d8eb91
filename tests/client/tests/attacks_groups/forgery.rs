//! D6, D7: nobody writes as another, in another group or with another's key.

use hushpost::{AccountId, ConversationId, Event, NewGroup, TroubleKind};
use hushpost_evil_relay::Verdict;
use hushpost_protocol::{DistributionId, OutboundSenderKey};
use hushpost_wire::{Delivery, Sender};
use prost::Message as _;
use rand::rngs::SysRng;

use crate::member::group_message;
use crate::puppet::group::SenderKey;
use crate::puppet::{self, Plaintext, Receipt, Typing, content};
use crate::{Outcome, Stage, texts};

/// The last thing that somebody sent for all.
pub fn last_shared(stage: &Stage, by: AccountId) -> Vec<u8> {
    let sends = stage.line.recorded_sends().into_iter();
    let mut shared = sends
        .filter(|(who, send)| who.is(by) && send.shared_ciphertext.is_some())
        .map(|(_, send)| send.shared_ciphertext.unwrap().to_vec());
    let mut last = shared.next().unwrap();
    for next in shared {
        last = next;
    }
    last
}

/// As the relay would deliver it.
pub fn delivery(from: AccountId, ciphertext: Vec<u8>) -> Delivery {
    Delivery {
        message_id: rand::random::<[u8; 16]>().to_vec().into(),
        sender: Some(Sender {
            account: from.as_bytes().to_vec().into(),
            device: 1,
        }),
        accepted_ms: hushpost::Clock::now_ms(&hushpost::SystemClock),
        ciphertext: ciphertext.into(),
        ..Delivery::default()
    }
}

/// A key of Mallory's own that goes by the name of another's.
pub fn in_the_name_of(distribution: DistributionId) -> OutboundSenderKey {
    OutboundSenderKey::generate(distribution, &mut SysRng).unwrap()
}

impl Stage {
    /// Carol waits for an event of this kind while `then` happens.
    async fn carol_cannot_read(&self, deliver: &Delivery) -> Outcome {
        let mut events = self.carol().client.events();
        self.line.deliver(self.carol().account, deliver)?;
        let cannot = |event: &Event| matches!(event, Event::Undecryptable { .. });
        let carol = self.carol();
        carol.until_event(&mut events, "a forgery", cannot).await?;
        Ok(())
    }

    /// Nothing that says this is shown to anybody.
    async fn nobody_sees(&self, body: &str) -> Outcome {
        for person in 0..2 {
            let seen = texts(self, person).await?;
            assert!(!seen.iter().any(|text| text.contains(body)), "{seen:?}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_member_does_not_write_as_another() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.both_say("before").await?;
    let [alice, carol] = stage.others();
    let hers = group_message(&last_shared(&stage, alice)).unwrap();
    let distribution = hers.distribution_id();
    // A key of its own under her key's name, that it gives to Carol.
    let mut forger = in_the_name_of(distribution);
    let key = SenderKey {
        conversation: stage.mallory.group.clone(),
        distribution: forger.distribution_message().to_bytes().to_vec(),
        chain: stage.mallory.puppet.chain,
        first: 1,
    };
    stage.mallory.tell_key(carol, key).await?;
    let mut forge = |stage: &mut Stage| {
        let post = Some(stage.mallory.post(content(b"forged")));
        let plaintext = Plaintext {
            post,
            ..Plaintext::default()
        };
        let padded = puppet::pad(&plaintext.encode_to_vec());
        let message = forger.encrypt(&padded, &mut SysRng).unwrap();
        puppet::envelope(
            hushpost_protocol::MessageType::SenderKey,
            message.as_bytes(),
        )
    };
    // By the relay's word it is Alice's.
    let as_alice = delivery(alice, forge(&mut stage));
    stage.carol_cannot_read(&as_alice).await?;
    // Mallory's own message, and an honest one of Alice's, change hands.
    let own = Plaintext {
        post: Some(stage.mallory.post(content(b"forged"))),
        ..Plaintext::default()
    };
    let own = stage.mallory.seal(&own);
    stage.carol_cannot_read(&delivery(alice, own)).await?;
    let honest = last_shared(&stage, alice);
    let as_mallory = delivery(stage.mallory.account(), honest);
    stage.carol_cannot_read(&as_mallory).await?;
    // Hers still opens: its key was not touched.
    stage.both_say("after").await?;
    stage.nobody_sees("forged").await?;
    let seen = stage.crew.history(stage.carol()).await?;
    let alices = seen.iter().filter(|message| message.id.sender == alice);
    let said = ["alice before", "alice after"];
    let bodies = alices.filter_map(|message| match &message.content {
        hushpost::Content::Text(text) => Some(text.body().to_owned()),
        _ => None,
    });
    assert_eq!(bodies.collect::<Vec<_>>(), said);
    Ok(())
}

#[tokio::test]
async fn a_swapped_sender_costs_nothing_but_time() -> Outcome {
    let stage = Stage::new().await?;
    stage.both_say("before").await?;
    let [alice, carol] = stage.others();
    let mallory = stage.mallory.account();
    stage.line.once().on_delivery(move |delivery, who| {
        let sender = delivery.sender.as_ref();
        let hers = sender.is_some_and(|sender| sender.account.as_ref() == alice.as_bytes())
            && group_message(&delivery.ciphertext).is_some();
        if !who.is(carol) || !hers {
            return Verdict::Pass;
        }
        delivery.sender = Some(Sender {
            account: mallory.as_bytes().to_vec().into(),
            device: 1,
        });
        Verdict::Rewrite
    });
    let swapped = stage.crew.says(stage.alice(), "mine").await?;
    let next = stage.crew.says(stage.alice(), "next").await?;
    // Carol misses it, asks for it and has it: from Alice.
    stage.carol().until_shown(next).await?;
    assert_eq!(stage.carol().until_shown(swapped).await?, "mine");
    let mut seen = stage.crew.history(stage.carol()).await?.into_iter();
    assert!(!seen.any(|message| message.id.sender == mallory
        && matches!(&message.content, hushpost::Content::Text(text) if text.body() == "mine")));
    Ok(())
}

/// What belongs to another conversation, and what belongs between two.
fn wrong_here(stage: &mut Stage, another: ConversationId) -> Vec<Plaintext> {
    let [alice, carol] = stage.others();
    let mallory = stage.mallory.account();
    let elsewhere = [
        another.as_bytes().to_vec(),
        ConversationId::between(mallory, carol).as_bytes().to_vec(),
        ConversationId::between(alice, carol).as_bytes().to_vec(),
    ];
    let mut wrong = Vec::new();
    for conversation in elsewhere {
        let post = puppet::Post {
            conversation,
            ..stage.mallory.puppet.post("elsewhere")
        };
        wrong.push(Plaintext {
            post: Some(post),
            ..Plaintext::default()
        });
    }
    let distribution = stage.mallory.own.distribution_message().to_bytes().to_vec();
    let conversation = stage.mallory.group.clone();
    wrong.push(Plaintext {
        sender_key: Some(SenderKey {
            conversation: another.as_bytes().to_vec(),
            distribution,
            chain: 1,
            first: 1,
        }),
        ..Plaintext::default()
    });
    wrong.push(Plaintext {
        receipt: Some(Receipt {
            conversation: conversation.clone(),
            kind: 2,
            ranges: vec![puppet::Range {
                device: 1,
                chain: 1,
                first: 1,
                last: 100,
            }],
            at_ms: 1,
        }),
        ..Plaintext::default()
    });
    wrong.push(Plaintext {
        typing: Some(Typing {
            conversation,
            activity: 1,
            at_ms: 1,
        }),
        ..Plaintext::default()
    });
    // With what only first messages between two bring along.
    let brings = Plaintext {
        post: Some(stage.mallory.post(content(b"elsewhere"))),
        replaces: vec![7; 16],
        ..Plaintext::default()
    };
    wrong.push(brings);
    wrong
}

#[tokio::test]
async fn what_was_said_in_one_group_is_said_in_no_other() -> Outcome {
    let mut stage = Stage::new().await?;
    let [alice, carol] = stage.others();
    let mallory = stage.mallory.account();
    // Another group of the same people.
    let new = NewGroup::new("another", [carol, mallory]);
    let another = stage.alice().client.create_group(new).await?;
    let there = stage.carol().client.group(another.id());
    let is_there = || async { Ok(there.info().await.ok()) };
    stage.carol().until("the other group", is_there).await?;
    there.conversation().accept().await?;
    let text = hushpost::Text::new("there")?;
    let said = another.conversation().send(text).await?;
    stage.carol().until_shown(said).await?;
    stage.both_say("here").await?;
    let before = [texts(&stage, 0).await?, texts(&stage, 1).await?];
    // Alice's words come again, under another name.
    for (who, send) in stage.line.recorded_sends() {
        if let (true, Some(shared)) = (who.is(alice), send.shared_ciphertext) {
            stage
                .line
                .deliver(carol, &delivery(alice, shared.to_vec()))?;
        }
    }
    // Mallory says by its key of this group what belongs elsewhere, or what belongs between two.
    let wrong = wrong_here(&mut stage, another.id());
    let count = wrong.len();
    for plaintext in &wrong {
        let ciphertext = stage.mallory.seal(plaintext);
        stage
            .mallory
            .puppet
            .send_shared(ciphertext, &[alice, carol])
            .await?;
    }
    stage.behind().await?;
    for (person, before) in before.iter().enumerate() {
        assert_eq!(texts(&stage, person).await?, *before);
        let troubles = stage.crew.people[person].client.troubles().await?;
        let channel = troubles.iter().filter(|trouble| {
            matches!(&trouble.kind, TroubleKind::Quarantined { cause } if cause == "wrong_channel")
        });
        assert_eq!(channel.count(), count, "{troubles:?}");
    }
    let page = there.conversation().messages_before(None, 100).await?;
    assert_eq!(page.messages.len(), 1);
    let alone = stage.alice().texts(stage.carol()).await?;
    assert_eq!(alone, [""; 0]);
    // Its own key of the one group does not go for the other.
    let key = SenderKey {
        conversation: another.id().as_bytes().to_vec(),
        distribution: stage.mallory.own.distribution_message().to_bytes().to_vec(),
        chain: 1,
        first: 1,
    };
    stage.mallory.tell_key(carol, key).await?;
    let post = puppet::Post {
        conversation: another.id().as_bytes().to_vec(),
        sequence: 1,
        ..stage.mallory.puppet.post("elsewhere")
    };
    let ciphertext = stage.mallory.seal(&Plaintext {
        post: Some(post),
        ..Plaintext::default()
    });
    stage
        .mallory
        .puppet
        .send_shared(ciphertext, &[carol])
        .await?;
    stage.behind().await?;
    let page = there.conversation().messages_before(None, 100).await?;
    assert_eq!(page.messages.len(), 1);
    Ok(())
}
