//! The disk is full, or the database is damaged: a typed error, nothing acknowledged that is not stored, nothing
//! wrong shown, never an empty start; and after a full disk it goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use futures_util::{FutureExt as _, StreamExt as _};
use hushpost::{
    Client, Config, Conversation, ConversationId, DatabaseKey, Event, MAX_PAGE, MessageState,
    Registration, RelayUrl,
};
use hushpost_client_tests::{Person, TestError, script, text};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{RELAY_NAME, RelayProcess, SmallDisk};
use tempfile::TempDir;

type Result<T = ()> = core::result::Result<T, TestError>;

const KEY: [u8; 32] = [3; 32];
const PAGE: usize = 4096;

async fn open(folder: &Path, relay: SocketAddr, key: [u8; 32]) -> hushpost::Result<Client> {
    let url = format!("ws://{relay}").parse::<RelayUrl>().unwrap();
    let url = url.with_relay_name(RELAY_NAME).unwrap();
    let config = Config::new(folder.join("db"), DatabaseKey::new(key), url);
    Client::open(config.pre_key_stock(10)).await
}

/// The texts of a conversation, in order.
async fn texts(conversation: &Conversation) -> hushpost::Result<Vec<String>> {
    let page = conversation.messages_after(None, MAX_PAGE).await?;
    assert!(!page.more);
    let texts = page.messages.iter().map(|message| {
        let text = script::body(message).expect("a text");
        text.to_owned()
    });
    Ok(texts.collect())
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_acknowledges_nothing() -> Result {
    let Some(disk) = SmallDisk::mount("16m") else {
        println!("SKIPPED: a full disk needs the right to mount a small one");
        return Ok(());
    };
    let relay = RelayProcess::start()?;
    let line = EvilRelay::start(relay.address()).await.unwrap();
    let bob = Person::registered("bob", relay.address()).await?;
    let alice = open(disk.path(), line.address(), KEY).await?;
    let account = alice.register(Registration::open()).await?;
    let events = alice.events();
    alice.connect();
    let with_bob = alice.conversation_with(bob.account).await?;
    let hello = with_bob.send(text("hello")?).await?;
    bob.until_shown(hello).await?;
    let with_alice = bob.client.conversation_with(account).await?;
    let answer = with_alice.send(text("hello to you")?).await?;
    bob.until_state(answer, MessageState::Delivered).await?;

    // Sending makes the log grow until the disk is full.
    disk.fill(300_000)?;
    let mut sent = vec![hello];
    let long = "x".repeat(20_000);
    let refused = loop {
        match with_bob.send(text(&long)?).await {
            Ok(message) => sent.push(message),
            Err(error) => break error,
        }
        assert!(sent.len() < 100, "it never fills");
    };
    assert_eq!(refused.code(), "disk_full", "{refused:?}");
    assert!(refused.is_retryable());
    let before = texts(&with_bob).await?;
    assert_eq!(
        before.len(),
        sent.len() + 1,
        "what was refused left nothing"
    );

    // What comes in now finds no room: it is delivered again and again, and not lost.
    let mut waiting = Vec::new();
    for number in 0..20 {
        let message = text(&format!("{number} {}", "y".repeat(20_000)))?;
        waiting.push(with_alice.send(message).await?);
    }
    let last = *waiting.last().unwrap();
    bob.until_state(last, MessageState::Sent).await?;
    line.until("the same delivery again", |record| {
        let mut seen = BTreeSet::new();
        let hers = record.deliveries().filter(|(who, _)| who.is(account));
        hers.map(|(_, one)| one.sequence)
            .any(|one| !seen.insert(one))
    })
    .await
    .unwrap();
    assert!(alice.message(last).await?.is_none());

    // Room again: everything goes on.
    disk.make_room()?;
    alice.disconnect().await;
    alice.connect();
    for message in &sent {
        bob.until_shown(*message).await?;
    }
    for message in &waiting {
        bob.until_state(*message, MessageState::Delivered).await?;
    }
    let after = with_bob.send(text("there is room again")?).await?;
    bob.until_shown(after).await?;
    let history = texts(&with_bob).await?;
    assert_eq!(history.len(), sent.len() + 1 + waiting.len() + 1);
    assert_eq!(history, texts(&with_alice).await?);
    alice.close().await;
    // Had anything been acknowledged without being stored, it would have been missed and asked for again.
    let amiss = events.filter(|event| {
        let amiss = matches!(
            event,
            Event::GapReported { .. } | Event::Undecryptable { .. } | Event::SetUpAnew
        );
        std::future::ready(amiss)
    });
    assert_eq!(amiss.collect::<Vec<_>>().await, []);
    Ok(())
}

/// A database with a history, and all that must come out of it.
struct Good {
    files: BTreeMap<OsString, Vec<u8>>,
    conversation: ConversationId,
    texts: Vec<String>,
}

const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

impl Good {
    /// Alice's, after a talk; copied once closed, or while it is in use.
    async fn make(closed: bool) -> Result<Self> {
        let relay = RelayProcess::start()?;
        let folder = tempfile::tempdir()?;
        let alice = open(folder.path(), relay.address(), KEY).await?;
        let account = alice.register(Registration::open()).await?;
        alice.connect();
        let bob = Person::registered("bob", relay.address()).await?;
        let with_bob = alice.conversation_with(bob.account).await?;
        let with_alice = bob.client.conversation_with(account).await?;
        for number in 0..20 {
            // Some of them fill several pages of their own.
            let long = "long ".repeat(if number % 10 == 9 { 3000 } else { 200 });
            let question = format!("question {number} {long}");
            let question = with_bob.send(text(&question)?).await?;
            bob.until_shown(question).await?;
            let answer = with_alice.send(text(&format!("answer {number}"))?).await?;
            bob.until_state(answer, MessageState::Delivered).await?;
        }
        alice.disconnect().await;
        let texts = texts(&with_bob).await?;
        if closed {
            alice.close().await;
        }
        let files = fs::read_dir(folder.path())?.map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), fs::read(entry.path()).unwrap())
        });
        Ok(Self {
            files: files.collect(),
            conversation: with_bob.id(),
            texts,
        })
    }

    /// A folder with these files, of which some are another way.
    fn folder(&self, other: &[(&str, Option<&[u8]>)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in &self.files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        for (name, content) in other {
            let path = folder.path().join(name);
            match content {
                Some(content) => fs::write(path, content).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
        }
        folder
    }

    /// Opens a folder and reads everything. `Ok` if all is right; else the code of the first error. Anything else
    /// that comes out fails the test.
    async fn read(&self, folder: &Path, context: &str) -> core::result::Result<(), &'static str> {
        let client = match open(folder, NOBODY, KEY).await {
            Ok(client) => client,
            Err(error) => return Err(error.code()),
        };
        let read = self.read_all(&client, context).await;
        client.close().await;
        read.map_err(|error| error.code())
    }

    async fn read_all(&self, client: &Client, context: &str) -> hushpost::Result<()> {
        let account = client.account_id().await?;
        assert!(account.is_some(), "{context}: empty");
        let hits = client.search("answer", 0, 100).await?;
        assert_eq!(hits.len(), self.texts.len() / 2, "{context}");
        let conversation = client.conversation(self.conversation);
        assert_eq!(texts(&conversation).await?, self.texts, "{context}");
        let list = client.conversations().list(false, 0, 10).await?;
        assert_eq!(list.len(), 1, "{context}");
        assert_eq!(client.troubles().await?, [], "{context}");
        Ok(())
    }
}

#[tokio::test]
async fn a_flipped_bit_in_any_page_is_noticed_or_changes_nothing() -> Result {
    let good = Good::make(true).await?;
    assert_eq!(
        good.read(good.folder(&[]).path(), "as it was").await,
        Ok(())
    );
    let database = &good.files[OsStr::new("db")];
    let (mut noticed, mut unnoticed) = (0, 0);
    for page in 0..database.len() / PAGE {
        // Another place in each page, over all of it; the very first bytes have a test of their own.
        let place = page * PAGE + (page * 997 + 100) % PAGE;
        let mut bad = database.clone();
        bad[place] ^= 1 << (page % 8);
        let folder = good.folder(&[("db", Some(&bad))]);
        match good.read(folder.path(), &format!("byte {place}")).await {
            // It lies where nothing was read.
            Ok(()) => unnoticed += 1,
            Err("store_corrupted") => noticed += 1,
            Err(other) => panic!("byte {place}: {other}"),
        }
    }
    println!("{noticed} noticed, {unnoticed} in pages that nothing needed");
    assert!(noticed > 20);
    Ok(())
}

#[tokio::test]
async fn a_flipped_bit_in_the_header_is_noticed_or_changes_nothing() -> Result {
    let good = Good::make(true).await?;
    let database = &good.files[OsStr::new("db")];
    for place in 0..100 {
        for bit in [0, 3, 7] {
            let mut bad = database.clone();
            bad[place] ^= 1 << bit;
            let folder = good.folder(&[("db", Some(&bad))]);
            let read = good.read(folder.path(), &format!("byte {place}")).await;
            assert!(
                matches!(read, Ok(()) | Err("store_corrupted")),
                "byte {place}, bit {bit}: {read:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_file_cut_short_is_noticed() -> Result {
    let good = Good::make(true).await?;
    let database = &good.files[OsStr::new("db")];
    let pages = database.len() / PAGE;
    let lengths = (0..pages).step_by(5).map(|page| page * PAGE);
    for length in lengths.chain([1, 31, 32, 100, PAGE - 1, PAGE + 7]) {
        let folder = good.folder(&[("db", Some(&database[..length]))]);
        let read = good.read(folder.path(), &format!("{length} bytes")).await;
        let expected = match length {
            0 => "store_missing",
            _ => "store_corrupted",
        };
        if read == Ok(()) {
            // The last pages may be free ones.
            assert!(
                pages - length / PAGE < pages / 4,
                "{length} bytes are enough?"
            );
            continue;
        }
        assert_eq!(read, Err(expected), "{length} bytes");
    }
    Ok(())
}

#[tokio::test]
async fn garbage_in_place_of_the_file_is_noticed_and_left_alone() -> Result {
    let good = Good::make(true).await?;
    for garbage in [&[0; 8192][..], &[0xff; 8192], b"hello"] {
        let folder = good.folder(&[("db", Some(garbage))]);
        let read = good.read(folder.path(), "garbage").await;
        assert_eq!(read, Err("store_corrupted"));
        assert_eq!(fs::read(folder.path().join("db"))?, garbage);
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_log_is_no_silent_loss() -> Result {
    let good = Good::make(false).await?;
    let log = &good.files[OsStr::new("db-wal")];
    assert!(log.len() > 50 * PAGE);
    let cuts = (1..8).map(|part| log[..log.len() * part / 8].to_vec());
    let flips = (0..24).map(|part| {
        let mut bad = log.clone();
        let place = bad.len() * part / 24 + part;
        bad[place] ^= 0x10;
        bad
    });
    let mut noticed = 0;
    for (number, bad) in cuts.chain(flips).enumerate() {
        // The shared memory is an index of the log: it is made anew when nobody has the file open.
        let folder = good.folder(&[("db-wal", Some(&bad)), ("db-shm", None)]);
        let client = match open(folder.path(), NOBODY, KEY).await {
            Ok(client) => client,
            Err(error) => {
                let code = error.code();
                assert!(
                    ["store_corrupted", "store_missing"].contains(&code),
                    "{code}"
                );
                noticed += 1;
                continue;
            }
        };
        let mut events = client.events();
        let told = events.next().now_or_never().flatten() == Some(Event::SetUpAnew);
        if told {
            noticed += 1;
        } else {
            let read = good.read_all(&client, &format!("log {number}")).await;
            assert!(read.is_ok(), "log {number}: {read:?}");
        }
        client.close().await;
    }
    assert!(noticed > 10, "{noticed}");
    Ok(())
}

#[tokio::test]
async fn salt_and_key_are_checked_and_a_wrong_key_harms_nothing() -> Result {
    let good = Good::make(true).await?;
    let salt = &good.files[OsStr::new("db.salt")];
    let mut wrong = salt.clone();
    wrong[3] ^= 1;
    for other in [None, Some(&wrong[..]), Some(&salt[..40]), Some(&[][..])] {
        let folder = good.folder(&[("db.salt", other)]);
        let read = good.read(folder.path(), "salt").await;
        assert_eq!(read, Err("store_corrupted"));
        // Nothing was made up in its place.
        assert_eq!(
            fs::read(folder.path().join("db.salt")).ok().as_deref(),
            other
        );
    }
    // Another database's salt, which is whole.
    let foreign = Good::make(true).await?;
    let folder = good.folder(&[("db.salt", Some(&foreign.files[OsStr::new("db.salt")]))]);
    assert_eq!(
        good.read(folder.path(), "salt").await,
        Err("store_corrupted")
    );

    let folder = good.folder(&[]);
    let refused = open(folder.path(), NOBODY, [4; 32]).await;
    assert_eq!(refused.map(|_| ()).unwrap_err().code(), "wrong_key");
    assert_eq!(good.read(folder.path(), "the right key").await, Ok(()));
    let gone = good.folder(&[("db", None)]);
    assert_eq!(good.read(gone.path(), "gone").await, Err("store_missing"));
    Ok(())
}
