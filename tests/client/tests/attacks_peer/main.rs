//! A peer whose keys are right and who says what no client says: nonsense is put aside, other people's
//! conversations are not reached, and silent messages are not answered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod changes;
#[path = "../puppet/mod.rs"]
mod puppet;

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt as _;
use hushpost::{ConversationId, Event, MessageState, TroubleKind};
use hushpost_client_tests::{Person, PersonOptions};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::{AccountId, Send};
use prost::Message as _;
use puppet::{Again, Head, Plaintext, Post, Puppet, Range, Receipt, Typing, content};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Waits so short for what is missing that a test need not.
const HASTY: PersonOptions = PersonOptions {
    configure: |config| {
        config
            .pre_key_stock(10)
            .hold_back(Duration::from_millis(50))
    },
};

/// Bob, whom somebody watches, his friend Carol, and the puppet.
struct Stage {
    line: EvilRelay,
    bob: Person,
    carol: Person,
    puppet: Puppet,
    _relay: RelayProcess,
}

impl Stage {
    async fn new() -> Outcome<Self> {
        let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
        let line = EvilRelay::start(relay.address()).await?;
        let bob = Person::with_options("bob", line.address(), HASTY).await?;
        let carol = Person::registered("carol", line.address()).await?;
        let hello = carol.say(&bob, "hello").await?;
        bob.until_shown(hello).await?;
        bob.accept(&carol).await?;
        carol.until_state(hello, MessageState::Delivered).await?;
        let puppet = Puppet::facing(relay.address(), bob.account).await?;
        Ok(Self {
            line,
            bob,
            carol,
            puppet,
            _relay: relay,
        })
    }

    /// The puppet says something that is shown; everything before it has been looked at then.
    async fn honest(&mut self, body: &str) -> Outcome {
        let post = self.puppet.post(body);
        let name = self.puppet.name(&post);
        self.puppet.say_post(post).await?;
        assert_eq!(self.bob.until_shown(name).await?, body);
        Ok(())
    }

    async fn accepted(&mut self) -> Outcome {
        self.honest("hello, I am new here").await?;
        let conversation = self.bob.client.conversation_with(self.puppet.account());
        conversation.await?.accept().await?;
        let (bob, puppet) = (self.bob.account, self.puppet.account());
        let told = |record: &hushpost_evil_relay::Record| {
            record
                .sends()
                .any(|(who, send)| who.is(bob) && is_for(send, puppet))
        };
        self.line.until("the receipt", told).await?;
        Ok(())
    }

    /// What Bob sent to the puppet. The same envelope tried again is no other one.
    fn answers(&self) -> Vec<Send> {
        let sends = self.line.recorded_sends().into_iter();
        let (bob, puppet) = (self.bob.account, self.puppet.account());
        let mut seen = BTreeSet::new();
        sends
            .filter(|(who, send)| who.is(bob) && is_for(send, puppet))
            .map(|(_, send)| send)
            .filter(|send| seen.insert(send.message_id.clone()))
            .collect()
    }

    /// Bob starts again and says something to Carol: behind all that he had to say.
    async fn settle(&mut self) -> Outcome {
        self.bob.reopen().await?;
        self.bob.client.connect();
        self.bob.until_online().await?;
        let behind = self.bob.say(&self.carol, "behind all of that").await?;
        self.carol.until_shown(behind).await?;
        Ok(())
    }

    async fn texts(&self) -> Outcome<Vec<String>> {
        let conversation = self.bob.client.conversation_with(self.puppet.account());
        let page = conversation.await?.messages_before(None, 100).await?;
        let texts = page.messages.iter().map(|message| match &message.content {
            hushpost::Content::Text(text) => text.body().to_owned(),
            _ => "?".to_owned(),
        });
        Ok(texts.collect())
    }
}

fn is_for(send: &Send, account: AccountId) -> bool {
    let mut recipients = send.recipients.iter();
    recipients.any(|one| one.account[..] == account.as_bytes()[..])
}

fn range(first: u64, last: u64) -> Range {
    Range {
        device: 1,
        chain: 1,
        first,
        last,
    }
}

/// What is never shown, and what nobody is to answer.
fn silent(conversation: &[u8]) -> Vec<Plaintext> {
    let conversation = conversation.to_vec();
    vec![
        Plaintext {
            receipt: Some(Receipt {
                conversation: conversation.clone(),
                kind: 2,
                ranges: vec![range(1, 1000)],
                at_ms: u64::MAX,
            }),
            ..Plaintext::default()
        },
        Plaintext {
            typing: Some(Typing {
                conversation: conversation.clone(),
                activity: 1,
                at_ms: 1,
            }),
            ..Plaintext::default()
        },
        Plaintext {
            gone: Some(Again {
                conversation,
                ranges: vec![range(1, 1000)],
                envelopes: vec![vec![7; 16]],
            }),
            ..Plaintext::default()
        },
        Plaintext {
            later: vec![1, 2, 3],
            ..Plaintext::default()
        },
        Plaintext::default(),
    ]
}

#[tokio::test]
async fn a_strangers_silent_messages_are_not_answered() -> Outcome {
    let mut stage = Stage::new().await?;
    let events = stage.bob.client.events();
    let conversation = stage.puppet.conversation();
    let resend = Plaintext {
        resend_request: Some(Again {
            conversation: conversation.clone(),
            ranges: vec![range(1, 1000)],
            envelopes: vec![vec![7; 16]],
        }),
        ..Plaintext::default()
    };
    for round in 0..40 {
        for plaintext in silent(&conversation).into_iter().chain([resend.clone()]) {
            let bytes = stage.puppet.introduced(plaintext);
            stage.puppet.say_bytes(&bytes, round % 2 == 1).await?;
        }
        if round == 20 {
            stage.honest("so that there is a conversation").await?;
        }
    }
    stage.honest("can you hear me?").await?;
    stage.settle().await?;
    assert_eq!(stage.answers().len(), 0);
    let told: Vec<Event> = events.collect().await;
    let added = |event: &&Event| matches!(event, Event::MessageAdded { .. });
    assert_eq!(told.iter().filter(added).count(), 2);
    let typing = |event: &Event| matches!(event, Event::Typing { .. });
    assert!(!told.iter().any(typing));
    // Accepted, he confirms what he was shown: one receipt.
    let before = stage.answers().len();
    stage.accepted().await?;
    stage.settle().await?;
    assert_eq!(stage.answers().len() - before, 1);
    Ok(())
}

#[tokio::test]
async fn a_strangers_garbage_is_asked_for_all_at_once_and_shown_never() -> Outcome {
    let mut stage = Stage::new().await?;
    let events = stage.bob.client.events();
    for number in 0..100u8 {
        // Whose device this is does not stand in it.
        stage.puppet.say_bytes(&[number; 100], false).await?;
    }
    stage.honest("an honest one").await?;
    stage.settle().await?;
    // He may have sent something that is worth asking for; a hundred times it is not.
    let answers = stage.answers().len();
    assert!(answers < 10, "{answers}");
    let told: Vec<Event> = events.collect().await;
    let added = |event: &&Event| matches!(event, Event::MessageAdded { .. });
    assert_eq!(told.iter().filter(added).count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_contacts_silent_messages_are_not_answered_either() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.accepted().await?;
    let conversation = stage.puppet.conversation();
    let before = stage.answers().len();
    for _ in 0..40 {
        for plaintext in silent(&conversation) {
            stage.puppet.say(plaintext).await?;
        }
    }
    let malformed = Post {
        content: vec![0xff; 20],
        ..stage.puppet.post("")
    };
    stage.puppet.say_post(malformed).await?;
    stage.settle().await?;
    assert_eq!(stage.answers().len(), before);
    stage.honest("can you hear me?").await?;
    Ok(())
}

/// Posts that are authentic, and wrong.
fn wrong_posts(puppet: &mut Puppet, others: ConversationId) -> Vec<(&'static str, Post)> {
    let taken = puppet.sequence;
    // None of them may take a place in the chain.
    let good = puppet.post("not to be shown");
    puppet.sequence = taken;
    let with = |change: &dyn Fn(&mut Post)| {
        let mut post = good.clone();
        post.message_id = rand::random::<[u8; 16]>().to_vec();
        change(&mut post);
        post
    };
    let head = Head {
        account: vec![1; 16],
        device: 1,
        chain: 1,
        sequence: 1,
    };
    vec![
        ("nothing", Post::default()),
        ("no conversation", with(&|post| post.conversation.clear())),
        (
            "a long conversation id",
            with(&|post| post.conversation.push(0)),
        ),
        (
            "another's conversation",
            with(&|post| post.conversation = others.as_bytes().to_vec()),
        ),
        ("a short id", with(&|post| post.message_id.truncate(15))),
        ("no id", with(&|post| post.message_id.clear())),
        ("a stamp of 2^63", with(&|post| post.stamp = 1 << 63)),
        ("the last stamp", with(&|post| post.stamp = u64::MAX)),
        ("sequence 0", with(&|post| post.sequence = 0)),
        (
            "sequence 2^53 + 1",
            with(&|post| post.sequence = (1 << 53) + 1),
        ),
        ("the last sequence", with(&|post| post.sequence = u64::MAX)),
        ("a taken sequence", with(&|post| post.sequence = 1)),
        (
            "65 heads",
            with(&|post| post.heads = vec![head.clone(); 65]),
        ),
        (
            "a head of nobody",
            with(&|post| {
                post.heads = vec![Head {
                    account: vec![1; 15],
                    ..head.clone()
                }];
            }),
        ),
        (
            "a head of device 0",
            with(&|post| {
                post.heads = vec![Head {
                    device: 0,
                    ..head.clone()
                }];
            }),
        ),
        (
            "a head at 0",
            with(&|post| {
                post.heads = vec![Head {
                    sequence: 0,
                    ..head.clone()
                }];
            }),
        ),
    ]
}

#[tokio::test]
async fn what_is_authentic_and_wrong_is_put_aside() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.accepted().await?;
    let others = ConversationId::between(stage.bob.account, stage.carol.account);
    let mut count = 0;
    let mut events = stage.bob.client.events();
    for (name, post) in wrong_posts(&mut stage.puppet, others) {
        stage.puppet.say_post(post).await?;
        let aside = |event: &Event| matches!(event, Event::Quarantined { .. });
        stage.bob.until_event(&mut events, name, aside).await?;
        count += 1;
    }
    // Contents take their place in the chain: nobody is to wait for it.
    for bad in [
        vec![0xff; 20],
        content(b"\xff\xfe"),
        // A text, of nothing.
        vec![0x0a, 0x00],
        content(b"  \n\t"),
        content(&vec![b'x'; 3000])[..2000].to_vec(),
    ] {
        let post = Post {
            content: bad,
            ..stage.puppet.post("")
        };
        stage.puppet.say_post(post).await?;
        count += 1;
    }
    // Nor is what stands around it.
    let post = stage.puppet.post("not to be shown").encode_to_vec();
    stage.puppet.sequence -= 1;
    for bytes in [&b"\x52\xff\xff\xff\xff\x0f"[..], &[0x0a; 300], &post] {
        stage.puppet.say_bytes(bytes, false).await?;
        count += 1;
    }
    for padded in [&[][..], &[0; 383], &[0x80], &[1; 383], &[0x80; 100]] {
        stage.puppet.say_padded(padded, false).await?;
        count += 1;
    }
    stage.honest("an honest one").await?;
    let expected = ["hello, I am new here", "an honest one"];
    assert_eq!(stage.texts().await?, expected);
    stage.settle().await?;
    assert_eq!(stage.texts().await?, expected);
    let troubles = stage.bob.client.troubles().await?;
    for trouble in &troubles {
        assert_eq!(trouble.account, stage.puppet.account());
        let aside = matches!(trouble.kind, TroubleKind::Quarantined { .. });
        assert!(aside, "{trouble:?}");
    }
    assert_eq!(troubles.len(), count, "{troubles:?}");
    assert_eq!(stage.bob.texts(&stage.carol).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_sequence_number_at_the_end_of_all_is_a_gap_like_any_other() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.accepted().await?;
    let mut events = stage.bob.client.events();
    let last = Post {
        sequence: 1 << 53,
        ..stage.puppet.post("far away")
    };
    stage.puppet.sequence -= 1;
    let name = stage.puppet.name(&last);
    stage.puppet.say_post(last).await?;
    assert_eq!(stage.bob.until_shown(name).await?, "far away");
    let gap = |event: &Event| matches!(event, Event::GapReported { .. });
    let gap = stage.bob.until_event(&mut events, "a gap", gap).await?;
    let Event::GapReported { missing, .. } = gap else {
        panic!("no gap");
    };
    assert_eq!(missing, (1 << 53) - 2);
    stage.honest("in the gap").await?;
    stage.settle().await?;
    stage.honest("in it, too").await?;
    assert_eq!(stage.texts().await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn nobody_gets_at_what_was_said_to_others() -> Outcome {
    const SECRET: &str = "for Carol's eyes only";
    let mut stage = Stage::new().await?;
    stage.accepted().await?;
    stage.carol.client.disconnect().await;
    let secret = stage.bob.say(&stage.carol, SECRET).await?;
    stage.bob.until_state(secret, MessageState::Sent).await?;
    // What the relay could tell the puppet: all the names under which it passed.
    let sends = stage.line.recorded_sends();
    let envelopes: Vec<Vec<u8>> = sends
        .iter()
        .map(|(_, send)| send.message_id.to_vec())
        .collect();
    let theirs = ConversationId::between(stage.bob.account, stage.carol.account);
    let already = stage.answers().len();
    for conversation in [stage.puppet.conversation(), theirs.as_bytes().to_vec()] {
        let again = Again {
            conversation: conversation.clone(),
            ranges: vec![range(1, 1000)],
            envelopes: envelopes.clone(),
        };
        let receipt = Receipt {
            conversation,
            kind: 2,
            ranges: vec![range(1, 1000)],
            at_ms: 1,
        };
        stage
            .puppet
            .say(Plaintext {
                resend_request: Some(again.clone()),
                replaces: envelopes.concat(),
                ..Plaintext::default()
            })
            .await?;
        for plaintext in [
            Plaintext {
                gone: Some(again),
                ..Plaintext::default()
            },
            Plaintext {
                receipt: Some(receipt),
                ..Plaintext::default()
            },
        ] {
            stage.puppet.say(plaintext).await?;
        }
    }
    stage.honest("done").await?;
    stage.bob.reopen().await?;
    stage.bob.client.connect();
    stage.bob.until_online().await?;
    // A receipt for what is shown, and at most the answer that there is nothing.
    let (bob, puppet) = (stage.bob.account, stage.puppet.account());
    let answered = |record: &hushpost_evil_relay::Record| {
        let answers = record.sends();
        answers
            .filter(|(who, send)| who.is(bob) && is_for(send, puppet))
            .count()
            > already
    };
    stage.line.until("an answer", answered).await?;
    for send in stage.answers() {
        let plaintext = stage.puppet.read(&send);
        let mut windows = plaintext.windows(SECRET.len());
        assert!(!windows.any(|window| window == SECRET.as_bytes()));
    }
    let tick = stage.bob.client.message(secret).await?.unwrap().state;
    assert_eq!(tick, MessageState::Sent);
    stage.carol.client.connect();
    assert_eq!(stage.carol.until_shown(secret).await?, SECRET);
    let delivered = MessageState::Delivered;
    stage.bob.until_state(secret, delivered).await?;
    Ok(())
}
