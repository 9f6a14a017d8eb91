//! A group of 1,024 members: an admin and a reader with the SDK, and a crowd with real keys and no database.
//!
//! What goes over the wire is counted there ([`Tap`]), not assumed. The relay, the crowd and both clients share this
//! machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hushpost::{
    Client, Config, ConversationId, DatabaseKey, Group, MAX_MEMBERS, MessageId, MessageRef,
    MessageState, NewGroup, Registration, RelayUrl, Text,
};
use hushpost_harness::{Crowd, Heard, HeardPost, RELAY_NAME};

use super::tap::Tap;
use super::{report, shown, until};

/// Messages one after the other, each waited for.
const SENDS: usize = 50;
/// Messages that wait for a reader who is away; three sender keys' worth.
const QUEUED: usize = 300;

pub async fn run(folder: &Path, relay: SocketAddr) {
    println!("a group of {MAX_MEMBERS} members");
    let start = Instant::now();
    let mut crowd = Crowd::register(relay, MAX_MEMBERS - 2).await.unwrap();
    println!(
        "  set-up: {} accounts registered in {:.1} s",
        crowd.members.len(),
        start.elapsed().as_secs_f64()
    );
    let tap = Tap::new(relay);
    let admin = Person::register(folder.join("admin"), relay, &tap).await;
    let reader = Person::register(folder.join("reader"), relay, &Tap::new(relay)).await;

    let group = begin(&admin, &reader, &crowd).await;
    sends(&admin, &reader, group).await;
    let posts = crowd_reads(&mut crowd, relay, &tap).await;
    let admin = receipts(admin, &mut crowd, relay, group, &posts).await;
    let reader = queue(&admin, reader, group).await;
    removal(&admin, &reader, &crowd, group).await;
    join(&admin, folder, relay, group).await;
    reader.client.close().await;
    admin.client.close().await;
}

struct Person {
    client: Client,
    database: PathBuf,
    tap: Tap,
}

impl Person {
    async fn register(database: PathBuf, relay: SocketAddr, tap: &Tap) -> Self {
        let client = open(&database, relay, tap).await;
        client.register(Registration::open()).await.unwrap();
        client.connect();
        Self {
            client,
            database,
            tap: tap.clone(),
        }
    }

    fn group(&self, group: ConversationId) -> Group {
        self.client.group(group)
    }

    async fn says(&self, group: ConversationId, words: &str) -> MessageRef {
        let conversation = self.group(group).conversation();
        conversation.send(Text::new(words).unwrap()).await.unwrap()
    }

    /// Waits until the group is here, and accepts it.
    async fn enters(&self, group: ConversationId) {
        let mut events = self.client.events();
        let members = async || {
            self.group(group)
                .info()
                .await
                .map(|info| info.members.len())
        };
        while members().await.unwrap_or(0) == 0 {
            events.next().await;
        }
        let conversation = self.group(group).conversation();
        conversation.accept().await.unwrap();
    }
}

async fn open(database: &Path, relay: SocketAddr, tap: &Tap) -> Client {
    let url: RelayUrl = format!("ws://{relay}").parse().unwrap();
    let url = url.with_relay_name(RELAY_NAME).unwrap();
    let config = Config::new(database, DatabaseKey::new([1; 32]), url).transport(tap.clone());
    Client::open(config).await.unwrap()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn others(members: usize) -> u32 {
    u32::try_from(members - 1).unwrap()
}

/// The group is made, all are given its log, and the first message brings all of them the key.
async fn begin(admin: &Person, reader: &Person, crowd: &Crowd) -> ConversationId {
    let members: Vec<_> = crowd
        .accounts()
        .chain(reader.client.account_id().await.unwrap())
        .collect();
    let tap = &admin.tap;
    tap.clear();
    let start = Instant::now();
    let group = admin.client.create_group(NewGroup::new("all", members));
    let group = group.await.unwrap().id();
    println!("  creating it, the call: {:.1} ms", ms(start.elapsed()));
    tap.until(|seen| seen.stored(false) >= others(MAX_MEMBERS))
        .await;
    cost("everybody has the group", start, tap);
    reader.enters(group).await;

    tap.clear();
    let mut events = reader.client.events();
    let start = Instant::now();
    let first = admin.says(group, "the first message").await;
    println!(
        "  the first message, the call: {:.1} ms",
        ms(start.elapsed())
    );
    tap.until(|seen| seen.stored(true) >= others(MAX_MEMBERS))
        .await;
    cost("the first message, which brings all the key", start, tap);
    shown(&mut events, first).await;
    group
}

fn cost(what: &str, start: Instant, tap: &Tap) {
    let elapsed = start.elapsed();
    let seen = tap.seen();
    let bytes: usize = seen.uploads.iter().map(|upload| upload.len).sum();
    println!(
        "  {what}: stored for all after {:.2} s; {} requests, {} uploads of {} KiB together",
        elapsed.as_secs_f64(),
        seen.requests,
        seen.uploads.len(),
        bytes / 1024
    );
}

/// Messages one after the other, with everybody in their place.
async fn sends(admin: &Person, reader: &Person, group: ConversationId) {
    let tap = &admin.tap;
    tap.clear();
    let mut events = reader.client.events();
    let (mut calls, mut stored, mut told, mut read) = (vec![], vec![], vec![], vec![]);
    for number in 0..SENDS {
        let start = Instant::now();
        let words = format!("message number {number}, of about as many bytes as people write");
        let message = admin.says(group, &words).await;
        calls.push(start.elapsed());
        tap.until(|seen| {
            let answered = seen.shared().filter(|upload| upload.answer.is_some());
            answered.count() > number
        })
        .await;
        let answer = tap.seen().shared().next_back().unwrap().answer;
        stored.push(answer.unwrap().0 - start);
        until(&admin.client, message, MessageState::Sent).await;
        told.push(start.elapsed());
        shown(&mut events, message).await;
        read.push(start.elapsed());
    }
    report("  send call", "no target of its own", &mut calls);
    report(
        "  send → the relay says that it is stored for all 1,023",
        "target 150 ms",
        &mut stored,
    );
    report(
        "  send → the app sees it as sent",
        "no target of its own",
        &mut told,
    );
    report(
        "  send → a member sees it",
        "no target of its own",
        &mut read,
    );
    let seen = tap.seen();
    let for_all = |upload: &&super::tap::Upload| {
        upload.recipients == MAX_MEMBERS - 1
            && upload.own == 0
            && upload
                .answer
                .is_some_and(|(_, stored)| stored == others(MAX_MEMBERS))
    };
    let whole = seen.shared().filter(for_all).count();
    let mut ciphertexts: Vec<_> = seen.shared().map(|upload| &upload.shared).collect();
    ciphertexts.sort();
    ciphertexts.dedup();
    let len: usize = seen.shared().map(|upload| upload.len).sum();
    println!(
        "  counted on the wire, {SENDS} messages: {} ciphertexts (target 1 each), {} uploads of {} bytes each (target 1 \
         each), {whole} of them for all 1,023; ciphertexts for one member alone: {}",
        ciphertexts.len(),
        seen.shared().count(),
        len / SENDS,
        seen.uploads.iter().map(|upload| upload.own).sum::<usize>(),
    );
}

/// Everybody of the crowd opens everything; the last post of each.
async fn crowd_reads(crowd: &mut Crowd, relay: SocketAddr, tap: &Tap) -> Vec<HeardPost> {
    let sent: Vec<Vec<u8>> = tap
        .seen()
        .shared()
        .filter_map(|upload| upload.shared.clone())
        .collect();
    let mailboxes = crowd.fetch(relay).await.unwrap();
    let (mut last, mut read, mut time) = (Vec::new(), 0u32, Duration::ZERO);
    for (member, mailbox) in crowd.members.iter_mut().zip(&mailboxes) {
        let (before, posts) = mailbox.split_at(mailbox.len() - sent.len());
        for delivery in before {
            member.open(delivery).unwrap();
        }
        assert!(
            posts
                .iter()
                .map(|post| &post.ciphertext[..])
                .eq(sent.iter().map(|one| &one[..]))
        );
        let start = Instant::now();
        let heard: Vec<_> = posts
            .iter()
            .map(|post| member.open(post).unwrap())
            .collect();
        time += start.elapsed();
        read += u32::try_from(heard.len()).unwrap();
        let Some(Heard::Post(post)) = heard.into_iter().next_back() else {
            panic!("no post");
        };
        last.push(post);
    }
    println!(
        "  decryption alone: {:.1} µs a message (target 1 ms); {read} of them by {} members, all of the same bytes",
        ms(time / read) * 1000.0,
        crowd.members.len(),
    );
    last
}

/// Everybody says that they have a message, while the admin is away: then they come in at once.
async fn receipts(
    admin: Person,
    crowd: &mut Crowd,
    relay: SocketAddr,
    group: ConversationId,
    posts: &[HeardPost],
) -> Person {
    let message = MessageRef {
        sender: posts[0].from.account,
        id: MessageId::from_slice(&posts[0].message).unwrap(),
    };
    admin.client.close().await;
    let members = crowd.members.iter_mut().zip(posts);
    let receipts = members.map(|(member, post)| member.receipt(post).unwrap());
    let receipts = receipts.collect();
    crowd.send(relay, receipts).await.unwrap();
    let client = open(&admin.database, relay, &admin.tap).await;
    let start = Instant::now();
    client.connect();
    until(&client, message, MessageState::Delivered).await;
    let elapsed = start.elapsed();
    let conversation = client.group(group).conversation();
    let all = conversation.receipts(message).await.unwrap().unwrap();
    assert_eq!(all.delivered(), MAX_MEMBERS - 1);
    println!(
        "  {} receipts of one message that waited: {:.0} ms from connecting until it is delivered to all, {:.0} µs each; \
         decryption and database with it",
        posts.len(),
        ms(elapsed),
        ms(elapsed) * 1000.0 / posts.len() as f64,
    );
    Person { client, ..admin }
}

/// A member was away for many messages.
async fn queue(admin: &Person, reader: Person, group: ConversationId) -> Person {
    reader.client.close().await;
    let tap = &admin.tap;
    tap.clear();
    let start = Instant::now();
    let mut last = None;
    for number in 0..QUEUED {
        last = Some(admin.says(group, &format!("queued message {number}")).await);
    }
    let wanted = others(MAX_MEMBERS) * u32::try_from(QUEUED).unwrap();
    tap.until(|seen| seen.stored(true) >= wanted).await;
    let keys = tap.seen().stored(false);
    println!(
        "  {QUEUED} messages at once, and {keys} sender keys between them: stored for all after {:.2} s",
        start.elapsed().as_secs_f64()
    );
    let client = open(&reader.database, reader.tap.relay(), &reader.tap).await;
    let mut events = client.events();
    let start = Instant::now();
    client.connect();
    shown(&mut events, last.unwrap()).await;
    let elapsed = start.elapsed();
    println!(
        "  a member who was away catches up with them in {:.0} ms: {:.2} ms a message (target 1 ms); connecting, \
         decryption and database with it",
        ms(elapsed),
        ms(elapsed) / QUEUED as f64,
    );
    Person { client, ..reader }
}

/// One goes: everybody else is given another key before the next message.
async fn removal(admin: &Person, reader: &Person, crowd: &Crowd, group: ConversationId) {
    let out = crowd.members[0].identity.account();
    admin.tap.clear();
    let mut events = reader.client.events();
    let start = Instant::now();
    admin.group(group).remove([out]).await.unwrap();
    let call = start.elapsed();
    let wanted = others(MAX_MEMBERS);
    admin.tap.until(|seen| seen.stored(true) >= wanted).await;
    println!(
        "  removal, the call: {:.1} ms; told to all 1,023 after {:.0} ms",
        ms(call),
        ms(start.elapsed())
    );
    admin.tap.clear();
    let start = Instant::now();
    let message = admin.says(group, "without them").await;
    let wanted = others(MAX_MEMBERS) - 1;
    admin.tap.until(|seen| seen.stored(true) >= wanted).await;
    cost(
        "the next message, which brings 1,022 the new key",
        start,
        &admin.tap,
    );
    shown(&mut events, message).await;
}

/// One comes: is given the log and the key, and reads what is said next.
async fn join(admin: &Person, folder: &Path, relay: SocketAddr, group: ConversationId) {
    let newcomer = Person::register(folder.join("newcomer"), relay, &Tap::new(relay)).await;
    let account = newcomer.client.account_id().await.unwrap().unwrap();
    let mut events = newcomer.client.events();
    let start = Instant::now();
    admin.group(group).add([account]).await.unwrap();
    let call = start.elapsed();
    newcomer.enters(group).await;
    let entered = start.elapsed();
    let message = admin.says(group, "welcome").await;
    shown(&mut events, message).await;
    println!(
        "  join, the call: {:.1} ms; the newcomer has the group after {:.0} ms, and its first message after {:.0} ms",
        ms(call),
        ms(entered),
        ms(start.elapsed())
    );
}
