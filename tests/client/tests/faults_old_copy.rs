//! An old copy of the database is put back: no key is used twice, the app is told, peers come along, and what the
//! others said meanwhile is asked for again. (What the device itself said meanwhile is gone from its own history:
//! only the others have it.)
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use hushpost::{Event, Events, MessageRef, MessageState};
use hushpost_client_tests::{KeyUse, Pair, Person, TestError};
use hushpost_evil_relay::EvilRelay;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};

type Result<T = ()> = core::result::Result<T, TestError>;

/// Files of a folder, by name.
struct Copy(BTreeMap<OsString, Vec<u8>>);

impl Copy {
    fn of(person: &Person) -> Self {
        let entries = fs::read_dir(folder(person)).unwrap();
        let files = entries.map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), fs::read(entry.path()).unwrap())
        });
        Self(files.collect())
    }

    /// Leaves only files whose names end so.
    fn only(mut self, endings: &[&str]) -> Self {
        self.0.retain(|name, _| {
            let name = name.to_str().unwrap();
            endings.iter().any(|ending| name.ends_with(ending))
        });
        self
    }

    /// Puts these files back, without the log of newer transactions.
    fn put_back(&self, person: &Person) {
        for stale in ["hushpost.db", "hushpost.db-wal", "hushpost.db-shm"] {
            let path = folder(person).join(stale);
            if path.exists() {
                fs::remove_file(path).unwrap();
            }
        }
        self.put_over(person);
    }

    /// Puts these files back and leaves all others as they are.
    fn put_over(&self, person: &Person) {
        for (name, content) in &self.0 {
            fs::write(folder(person).join(name), content).unwrap();
        }
    }
}

fn folder(person: &Person) -> PathBuf {
    person.database().parent().unwrap().to_owned()
}

struct Stage {
    _relay: RelayProcess,
    line: EvilRelay,
    pair: Pair,
}

impl Stage {
    async fn set() -> Result<Self> {
        let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
        let line = EvilRelay::start(relay.address()).await.unwrap();
        let mut pair = Pair::meet(line.address()).await?;
        pair.talk_while(5, async |_, _| Ok(())).await?;
        pair.judge("before").await?;
        Ok(Self {
            _relay: relay,
            line,
            pair,
        })
    }

    /// Both say something that the copy does not know of.
    async fn go_on(&self, round: &str) -> Result {
        let (alice, bob) = (&self.pair.alice, &self.pair.bob);
        for number in 0..10 {
            let question = alice
                .say(bob, &format!("{round} question {number}"))
                .await?;
            bob.until_shown(question).await?;
            let answer = bob.say(alice, &format!("{round} answer {number}")).await?;
            bob.until_state(answer, MessageState::Delivered).await?;
            alice.until_state(question, MessageState::Delivered).await?;
        }
        Ok(())
    }

    /// Talk goes on, everything that Bob ever said is here, and no key was used twice.
    async fn heals(&self, context: &str) -> Result {
        let (alice, bob) = (&self.pair.alice, &self.pair.bob);
        let mut new = Vec::new();
        for number in 0..5 {
            let question = alice.say(bob, &format!("{context} again {number}")).await?;
            bob.until_shown(question).await?;
            let answer = bob.say(alice, &format!("{context} fine {number}")).await?;
            alice.until_shown(answer).await?;
            bob.until_state(answer, MessageState::Delivered).await?;
            alice.until_state(question, MessageState::Delivered).await?;
            new.extend([question, answer]);
        }
        let his = bob.history(alice).await?;
        let bobs: Vec<MessageRef> = his
            .iter()
            .filter(|message| message.is_own())
            .map(|message| message.id)
            .collect();
        for message in &bobs {
            alice.until_shown(*message).await?;
        }
        let hers: Vec<_> = alice.history(bob).await?;
        let from_bob: Vec<_> = hers
            .iter()
            .filter(|message| !message.is_own())
            .map(|message| message.id)
            .collect();
        assert_eq!(from_bob, bobs, "{context}");
        // What both have is in one order.
        let known: Vec<_> = hers.iter().map(|message| message.id).collect();
        let his: Vec<_> = his.iter().map(|message| message.id).collect();
        let common: Vec<_> = his
            .iter()
            .copied()
            .filter(|id| known.contains(id))
            .collect();
        assert_eq!(known, common, "{context}");
        assert!(new.iter().all(|message| his.contains(message)), "{context}");
        let sends = self.line.recorded_sends();
        let keys = KeyUse::of(sends.iter().flat_map(|(_, send)| {
            let devices = send.recipients.iter().flat_map(|one| &one.devices);
            devices.map(|device| device.ciphertext.as_ref())
        }));
        assert!(keys.keys() > 40, "{context}");
        keys.check(context);
        Ok(())
    }
}

async fn until_set_up_anew(person: &Person, events: &mut Events) -> Result {
    let anew = |event: &Event| *event == Event::SetUpAnew;
    person
        .until_event(events, "to be set up anew", anew)
        .await?;
    Ok(())
}

#[tokio::test]
async fn the_database_copied_while_closed() -> Result {
    let mut stage = Stage::set().await?;
    stage.pair.alice.reopen().await?;
    stage.pair.alice.client.close().await;
    let copy = Copy::of(&stage.pair.alice).only(&[".db", "-wal", "-shm"]);
    assert_eq!(copy.0.len(), 1, "a closed database is one file");
    stage.pair.alice.reopen().await?;
    stage.pair.alice.client.connect();
    stage.go_on("since").await?;
    stage.pair.alice.client.close().await;
    copy.put_back(&stage.pair.alice);
    stage.pair.alice.reopen().await?;
    let mut events = stage.pair.alice.client.events();
    let mut bobs_events = stage.pair.bob.client.events();
    // Said before anything is known of the relay: with new keys already.
    let early = stage.pair.alice.say(&stage.pair.bob, "offline").await?;
    until_set_up_anew(&stage.pair.alice, &mut events).await?;
    stage.pair.alice.client.connect();
    stage.pair.bob.until_shown(early).await?;
    stage.heals("closed").await?;
    // Bob's app can say that Alice's phone was set up anew.
    let account = stage.pair.alice.account;
    let renewed = |event: &Event| match event {
        Event::DevicesChanged {
            account: whose,
            renewed,
            ..
        } => *whose == account && renewed.len() == 1,
        _ => false,
    };
    let bob = &stage.pair.bob;
    bob.until_event(&mut bobs_events, "a renewed device", renewed)
        .await?;
    Ok(())
}

#[tokio::test]
async fn the_database_copied_while_in_use() -> Result {
    let mut stage = Stage::set().await?;
    let copy = Copy::of(&stage.pair.alice).only(&[".db", "-wal", "-shm"]);
    assert_eq!(copy.0.len(), 3);
    stage.go_on("since").await?;
    stage.pair.alice.client.close().await;
    copy.put_back(&stage.pair.alice);
    stage.pair.alice.reopen().await?;
    let mut events = stage.pair.alice.client.events();
    until_set_up_anew(&stage.pair.alice, &mut events).await?;
    stage.pair.alice.client.connect();
    stage.heals("in use").await
}

#[tokio::test]
async fn an_old_database_under_a_newer_log() -> Result {
    let mut stage = Stage::set().await?;
    stage.pair.alice.client.close().await;
    let old = Copy::of(&stage.pair.alice).only(&[".db"]);
    stage.pair.alice.reopen().await?;
    stage.pair.alice.client.connect();
    stage.go_on("since").await?;
    // As if the process had died now: its log is still there, of a newer database.
    let newer = Copy::of(&stage.pair.alice);
    stage.pair.alice.client.close().await;
    newer.put_back(&stage.pair.alice);
    old.put_over(&stage.pair.alice);
    match stage.pair.alice.reopen().await {
        // The log held everything since: then this is the newest database.
        Ok(()) => {
            let shown = stage.pair.alice.texts(&stage.pair.bob).await?;
            let all = shown.iter().any(|text| text == "since answer 9");
            let mut events = stage.pair.alice.client.events();
            if !all {
                until_set_up_anew(&stage.pair.alice, &mut events).await?;
            }
            stage.pair.alice.client.connect();
            stage.heals("newer log").await
        }
        Err(TestError::Client(error)) => {
            assert_eq!(error.code(), "store_corrupted");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[tokio::test]
async fn a_database_that_lost_its_log() -> Result {
    let mut stage = Stage::set().await?;
    // From here on everything is in the log alone.
    stage.pair.alice.reopen().await?;
    stage.pair.alice.client.connect();
    stage.go_on("since").await?;
    // As if the process had died, and somebody had tidied up.
    let crashed = Copy::of(&stage.pair.alice);
    assert!(crashed.0.keys().any(|name| name == "hushpost.db-wal"));
    stage.pair.alice.client.close().await;
    let tidied = crashed.only(&[".db", ".mark"]);
    tidied.put_back(&stage.pair.alice);
    stage.pair.alice.reopen().await?;
    let mut events = stage.pair.alice.client.events();
    until_set_up_anew(&stage.pair.alice, &mut events).await?;
    stage.pair.alice.client.connect();
    stage.heals("without its log").await
}

#[tokio::test]
async fn the_whole_folder_with_its_mark() -> Result {
    let mut stage = Stage::set().await?;
    stage.pair.alice.client.close().await;
    let copy = Copy::of(&stage.pair.alice);
    stage.pair.alice.reopen().await?;
    stage.pair.alice.client.connect();
    stage.go_on("since").await?;
    stage.pair.alice.client.close().await;
    copy.put_back(&stage.pair.alice);
    stage.pair.alice.reopen().await?;
    let mut events = stage.pair.alice.client.events();
    // Nothing on this disk tells: what is said offline is encrypted with old keys, and must not leave so.
    let early = stage.pair.alice.say(&stage.pair.bob, "offline").await?;
    stage.pair.alice.client.connect();
    until_set_up_anew(&stage.pair.alice, &mut events).await?;
    stage.pair.bob.until_shown(early).await?;
    stage.heals("the whole folder").await
}

#[tokio::test]
async fn a_second_copy_after_the_first() -> Result {
    let mut stage = Stage::set().await?;
    let older = Copy::of(&stage.pair.alice).only(&[".db", "-wal", "-shm"]);
    stage.go_on("since").await?;
    let newer = Copy::of(&stage.pair.alice).only(&[".db", "-wal", "-shm"]);
    stage.go_on("and since").await?;
    // First one copy is tried, then another one, that is newer, and old all the same.
    for copy in [&older, &newer] {
        stage.pair.alice.client.close().await;
        copy.put_back(&stage.pair.alice);
        stage.pair.alice.reopen().await?;
        let mut events = stage.pair.alice.client.events();
        stage.pair.alice.say(&stage.pair.bob, "offline").await?;
        until_set_up_anew(&stage.pair.alice, &mut events).await?;
    }
    stage.pair.alice.client.connect();
    stage.heals("two copies").await
}
