//! A group of 1,024 members over a real relay: one ciphertext for all, few frames, receipts of everybody, somebody
//! goes, somebody comes, and no one more.
//!
//! Most members have real keys and no database: what they read is what any member could.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hushpost::{AccountId, Error, GroupRefusal, MAX_MEMBERS, MessageState, NewGroup};
use hushpost_client_tests::{Crew, Person, TestError};
use hushpost_evil_relay::{EvilRelay, Verdict};
use hushpost_harness::{Crowd, Heard, HeardPost, LIMITERS_OFF, RelayOptions};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Delivery, Send};

type Result<T = ()> = core::result::Result<T, TestError>;

/// Limits are off for what the whole crowd does from one address; what one account may send is as a relay comes.
const MESSAGES_AS_THEY_COME: &str = r#"
[limits.rate]
messages_per_account = { burst = 200, per_minute = 100, when_full = "open" }
"#;

/// What the admin sent and the relay took.
#[derive(Default)]
struct Sent {
    /// Frames with one ciphertext for all, and with one for each.
    shared: usize,
    own: usize,
    ciphertexts: BTreeSet<Vec<u8>>,
    /// Devices that the relay has something for.
    stored_shared: usize,
    stored_own: usize,
}

impl Sent {
    fn note(&mut self, send: &Send, stored: u32) {
        let stored = usize::try_from(stored).unwrap();
        if let Some(ciphertext) = &send.shared_ciphertext {
            self.shared += 1;
            self.ciphertexts.insert(ciphertext.to_vec());
            self.stored_shared += stored;
        } else {
            self.own += 1;
            self.stored_own += stored;
        }
    }
}

/// Reads along between the admin and the relay.
fn count(line: &EvilRelay) -> Arc<Mutex<Sent>> {
    let sent = Arc::new(Mutex::new(Sent::default()));
    let noted = Arc::clone(&sent);
    line.on_answer(move |request, body, _| {
        if let (Request::Send(send), Body::Sent(answer)) = (request, body) {
            noted.lock().unwrap().note(send, answer.stored);
        }
        Verdict::Pass
    });
    sent
}

/// Waits until the relay has messages to the group for so many devices; all that was counted since the last time.
async fn stored(admin: &Person, sent: &Mutex<Sent>, devices: usize) -> Result<Sent> {
    admin
        .until("the relay to have it for all", || async {
            let mut sent = sent.lock().unwrap();
            Ok((sent.stored_shared >= devices).then(|| core::mem::take(&mut *sent)))
        })
        .await
}

/// Everybody opens what came; the posts of each.
fn open(crowd: &mut Crowd, mailboxes: &[Vec<Delivery>]) -> Result<Vec<Vec<HeardPost>>> {
    let mut all = Vec::new();
    for (member, mailbox) in crowd.members.iter_mut().zip(mailboxes) {
        let mut posts = Vec::new();
        for delivery in mailbox {
            if let Heard::Post(post) = member.open(delivery)? {
                posts.push(post);
            }
        }
        all.push(posts);
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_1024_under_the_limits_that_a_relay_has() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(MESSAGES_AS_THEY_COME)
        .start()?;
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let sent = count(&line);
    let mut crowd = Crowd::register(relay.address(), MAX_MEMBERS - 2).await?;
    let admin = Person::registered("admin", line.address()).await?;
    let reader = Person::registered("reader", relay.address()).await?;
    let others = MAX_MEMBERS - 1;

    let members: Vec<AccountId> = crowd.accounts().chain([reader.account]).collect();
    let group = admin.client.create_group(NewGroup::new("all", members));
    let mut crew = Crew {
        group: group.await?.id(),
        people: vec![admin, reader],
    };
    let [admin, reader] = &crew.people[..] else {
        panic!("two");
    };
    crew.enters(reader).await?;
    let hello = crew.says(admin, "hello, all").await?;
    let first = stored(admin, &sent, others).await?;
    assert_eq!((first.shared, first.ciphertexts.len()), (1, 1));
    assert_eq!(first.stored_own, 2 * others, "the log and the key for each");
    assert!(first.own < 199, "{} frames", first.own);
    assert_eq!(reader.until_shown(hello).await?, "hello, all");

    // A second one: nothing but the one frame.
    let again = crew.says(admin, "hello again").await?;
    let second = stored(admin, &sent, others).await?;
    assert_eq!((second.shared, second.own), (1, 0));
    assert_eq!(second.stored_shared, others);
    reader.until_shown(again).await?;

    let mailboxes = crowd.fetch(relay.address()).await?;
    for mailbox in &mailboxes {
        let ciphertext = mailbox.last().unwrap().ciphertext.to_vec();
        assert!(second.ciphertexts.contains(&ciphertext));
    }
    let posts = open(&mut crowd, &mailboxes)?;
    for posts in &posts {
        let ids: Vec<_> = posts.iter().map(|post| &post.message[..]).collect();
        assert_eq!(ids, [hello.id.as_bytes(), again.id.as_bytes()]);
    }

    // Receipts, of everybody.
    let members = crowd.members.iter_mut().zip(&posts);
    let receipts = members.map(|(member, posts)| member.receipt(&posts[1]));
    let receipts = receipts.collect::<core::result::Result<_, _>>()?;
    crowd.send(relay.address(), receipts).await?;
    admin.until_state(again, MessageState::Delivered).await?;
    let conversation = crew.of(admin).conversation();
    let receipts = conversation.receipts(again).await?.unwrap();
    assert_eq!(receipts.recipients, u64::try_from(others).unwrap());
    assert_eq!(receipts.delivered(), others);
    let earlier = conversation.receipts(hello).await?.unwrap();
    assert_eq!(earlier.delivered(), 1, "the reader alone has said so");

    // No one more.
    let newcomer = Person::registered("newcomer", relay.address()).await?;
    let refused = crew.of(admin).add([newcomer.account]).await;
    assert!(
        matches!(refused, Err(Error::Group(GroupRefusal::Full))),
        "{refused:?}"
    );

    // One goes: what is said next is under another key, which all others are given.
    let gone = crowd.members[0].identity.account();
    crew.of(admin).remove([gone]).await?;
    stored(admin, &sent, others).await?;
    let after = crew.says(admin, "without them").await?;
    let third = stored(admin, &sent, others - 1).await?;
    assert_eq!((third.shared, third.stored_own), (1, others - 1));
    assert!(third.own < 20, "{} frames", third.own);
    reader.until_shown(after).await?;
    let mailboxes = crowd.fetch(relay.address()).await?;
    let posts = open(&mut crowd, &mailboxes)?;
    assert_eq!(posts[0].len(), 1, "that it was taken out");
    assert_eq!(mailboxes[0].len(), 1);
    for posts in &posts[1..] {
        assert_eq!(posts[1].message, after.id.as_bytes());
    }

    // One comes, and reads what is said from then on.
    crew.of(admin).add([newcomer.account]).await?;
    crew.enters(&newcomer).await?;
    let welcome = crew.says(admin, "welcome").await?;
    assert_eq!(newcomer.until_shown(welcome).await?, "welcome");
    assert_eq!(crew.texts(&newcomer).await?, ["welcome"]);
    crew.people.push(newcomer);
    for person in &crew.people {
        assert_eq!(person.client.troubles().await?, [], "{}", person.name);
    }
    Ok(())
}
