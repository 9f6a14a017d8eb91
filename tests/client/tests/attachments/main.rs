//! Attachments by the dice of a seed, over the real relay and a line that is cut: uploads that are cut, whose
//! phone is started again in the middle, whose relay loses its store; downloads likewise. What arrives is what
//! was sent, or is said to be gone where the relay lost it, and then goes again.
//!
//! Not in the simulation beside this: sealing and files go through threads that may block, and nothing on a
//! paused clock decides in which order those are done, so the same seed would not be the same run. Here the seed
//! fixes what is sent, where each line breaks, when a phone is started again and when the relay loses its store;
//! the interleaving is the machine's.
//!
//! `HUSHPOST_FILES_SEED=n` runs one alone; `HUSHPOST_FILES_SEEDS=n` tries so many.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod line;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hushpost::connection::NetworkTransport;
use hushpost::{
    AccountId, Attachment, Client, Config, Content, DatabaseKey, Error, MediaError, MessageRef,
    Registration, RelayUrl, UploadId, UploadOptions,
};
use hushpost_client_tests::TestError;
use hushpost_harness::{LIMITERS_OFF, RELAY_NAME, RelayOptions, RelayProcess};
use line::{Cut, Line, Plan};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::time::timeout;

type Result<T = ()> = core::result::Result<T, TestError>;

const SEEDS: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// What a seed says.
#[derive(Debug)]
struct Script {
    files: Vec<Vec<u8>>,
    cuts_up: Vec<Cut>,
    cuts_down: Vec<Cut>,
    /// After which blob connection of the sender's the relay has lost its store.
    loses_after: Option<usize>,
    /// After how many blob connections each phone is started again.
    sender_starts_after: Option<usize>,
    recipient_starts_after: Option<usize>,
}

impl Script {
    fn of(seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let files = (0..dice.random_range(1..=3))
            .map(|_| {
                let most = [1, 2_000, 60_000, 700_000][dice.random_range(0..4)];
                let mut file = vec![0; dice.random_range(0..=most)];
                dice.fill_bytes(&mut file);
                file
            })
            .collect();
        // Even shares of the magnitudes: in the head, soon after it, in the middle.
        let cut = |dice: &mut ChaCha8Rng| {
            let most = [200, 2_000, 100_000, 700_000][dice.random_range(0..4)];
            dice.random_range(1..=most)
        };
        let mut cuts_up = Vec::new();
        for _ in 0..dice.random_range(0..=3) {
            let mut broken = Cut {
                up: cut(&mut dice),
                down: usize::MAX,
            };
            // Or the relay has all, and its answer is lost.
            if dice.random_range(0..3) == 0 {
                broken = Cut {
                    up: usize::MAX,
                    down: dice.random_range(1..=300),
                };
            }
            cuts_up.push(broken);
        }
        let mut cuts_down = Vec::new();
        for _ in 0..dice.random_range(0..=3) {
            cuts_down.push(Cut {
                up: usize::MAX,
                down: cut(&mut dice),
            });
        }
        let mut perhaps = || {
            let at = dice.random_range(1..=4);
            dice.random::<bool>().then_some(at)
        };
        Self {
            files,
            cuts_up,
            cuts_down,
            loses_after: perhaps(),
            sender_starts_after: perhaps(),
            recipient_starts_after: perhaps(),
        }
    }
}

/// A phone.
struct Phone {
    client: Client,
    account: AccountId,
    folder: TempDir,
    relays: [RelayUrl; 2],
    plan: Arc<Plan>,
    fate: Arc<Plan>,
    /// After how many blob connections it is started again, if it still is to be.
    starts_after: Option<usize>,
    was_started_again: bool,
}

fn url(address: SocketAddr) -> RelayUrl {
    let url = format!("ws://{address}").parse::<RelayUrl>().unwrap();
    url.with_relay_name(RELAY_NAME).unwrap()
}

impl Phone {
    async fn new(
        relays: [RelayUrl; 2],
        (plan, fate): (Arc<Plan>, Arc<Plan>),
        starts_after: Option<usize>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let client = open(&folder, &relays, &plan, &fate).await?;
        let account = client.register(Registration::open()).await?;
        client.connect();
        Ok(Self {
            client,
            account,
            folder,
            relays,
            plan,
            fate,
            starts_after,
            was_started_again: false,
        })
    }

    /// Does something with files, and is started again in the middle if that is still to happen; then it is done
    /// again.
    async fn through_a_start<T>(
        &mut self,
        work: impl AsyncFn(&Client) -> hushpost::Result<T>,
    ) -> Result<T> {
        if let Some(after) = self.starts_after {
            let mut over = self.plan.over.subscribe();
            let client = self.client.clone();
            tokio::select! {
                done = work(&client) => return Ok(done?),
                _ = over.wait_for(|over| *over >= after) => {}
            }
            self.starts_after = None;
            self.was_started_again = true;
            self.client.close().await;
            self.client = open(&self.folder, &self.relays, &self.plan, &self.fate).await?;
            self.client.connect();
        }
        Ok(work(&self.client).await?)
    }

    /// Uploads a file: what was begun before goes on.
    async fn uploaded(&mut self, file: &[u8], name: &str) -> Result<Attachment> {
        self.through_a_start(async |client| {
            let media = client.media();
            let begun = media.unfinished().await?;
            let begun: Vec<UploadId> = begun
                .iter()
                .filter(|upload| upload.file_name == name)
                .map(|upload| upload.id)
                .collect();
            assert!(begun.len() <= 1, "begun twice");
            let options = UploadOptions::new().file_name(name).as_document();
            match begun.first() {
                Some(id) => media.resume(*id),
                None => media.upload(file.to_vec(), options),
            }
            .finished()
            .await
        })
        .await
    }

    /// Fetches a file and gives its bytes.
    async fn saved(&mut self, attachment: &Attachment) -> Result<hushpost::Result<Vec<u8>>> {
        let path = self.folder.path().join("saved");
        self.through_a_start(async |client| {
            Ok(match client.media().save(attachment, &path).await {
                Ok(()) => Ok(fs::read(&path).unwrap()),
                Err(error) => Err(error),
            })
        })
        .await
    }

    async fn received(&self, message: MessageRef) -> Result<Vec<Attachment>> {
        let mut events = self.client.events();
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(found) = self.client.message(message).await? {
                    return Ok::<_, TestError>(found);
                }
                events.next().await;
            }
        });
        match found.await.expect("the message comes")?.content {
            Content::Attachments(attachments) => Ok(attachments.items().to_vec()),
            other => panic!("{other:?}"),
        }
    }

    /// Everything in the media folder.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("phone.db-media"));
        let entries = entries.into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

async fn open(
    folder: &TempDir,
    relays: &[RelayUrl; 2],
    plan: &Arc<Plan>,
    fate: &Arc<Plan>,
) -> Result<Client> {
    let database = folder.path().join("phone.db");
    let config = Config::new(database, DatabaseKey::new([7; 32]), relays[0].clone())
        .pre_key_stock(5)
        .transport(Line {
            network: NetworkTransport::new(),
            relays: relays.clone(),
            plan: Arc::clone(plan),
            fate: Arc::clone(fate),
        });
    Ok(Client::open(config).await?)
}

fn relay() -> RelayProcess {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .start()
        .unwrap()
}

/// Runs one seed.
async fn run(seed: u64) -> Result {
    let script = Script::of(seed);
    let before = relay();
    let after = script.loses_after.map(|_| relay());
    let relays = [
        url(before.address()),
        url(after.as_ref().unwrap_or(&before).address()),
    ];
    let up = Plan::new(script.cuts_up, script.loses_after);
    let down = Plan::new(script.cuts_down, None);
    let plans = (Arc::clone(&up), Arc::clone(&up));
    let mut sender = Phone::new(relays.clone(), plans, script.sender_starts_after).await?;
    let plans = (down, Arc::clone(&up));
    let mut recipient = Phone::new(relays, plans, script.recipient_starts_after).await?;

    let mut uploaded = Vec::new();
    for (number, file) in script.files.iter().enumerate() {
        uploaded.push(sender.uploaded(file, &format!("file {number}")).await?);
    }
    for round in 0.. {
        let conversation = sender.client.conversation_with(recipient.account).await?;
        let message = conversation.send_attachments(uploaded.clone(), None);
        let message = message.await?;
        assert_eq!(recipient.received(message).await?, uploaded);
        let mut gone = Vec::new();
        for (number, file) in script.files.iter().enumerate() {
            match recipient.saved(&uploaded[number]).await? {
                Ok(bytes) => assert!(bytes == *file, "file {number} is another one"),
                Err(Error::Media(MediaError::Gone)) => gone.push(number),
                Err(error) => panic!("file {number}: {error}"),
            }
        }
        if gone.is_empty() {
            break;
        }
        // What the relay had whole before it lost its store goes again.
        assert!(
            *up.lost.borrow() && round == 0,
            "gone from a relay that lost nothing"
        );
        for number in gone {
            let name = format!("file {number} again");
            uploaded[number] = sender.uploaded(&script.files[number], &name).await?;
        }
    }
    assert_eq!(sender.client.media().unfinished().await?, []);
    // Nothing half-done is left, and no key was used for two files.
    let lost = *up.lost.borrow();
    let mut commitments = BTreeSet::new();
    for phone in [&sender, &recipient] {
        let mut commitments_here = BTreeSet::new();
        for path in phone.files() {
            let ending = path.extension().unwrap();
            // Sealed and not noted or not moved any more, or gone from the relay: it goes when it is old.
            if phone.was_started_again && ending == "up" || lost && ending == "part" {
                continue;
            }
            assert_eq!(ending, "blob", "{}", path.display());
            let bytes = fs::read(&path)?;
            assert!(
                commitments_here.insert(bytes[1..33].to_vec()),
                "a key twice"
            );
        }
        commitments.extend(commitments_here);
    }
    assert!(commitments.len() >= script.files.len());
    sender.client.close().await;
    recipient.client.close().await;
    Ok(())
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number of the environment"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_files_arrive_as_they_were() -> Result {
    let (first, count) = match from_environment("HUSHPOST_FILES_SEED") {
        Some(seed) => (seed, 1),
        None => (0, from_environment("HUSHPOST_FILES_SEEDS").unwrap_or(SEEDS)),
    };
    for seed in first..first + count {
        if let Err(error) = run(seed).await {
            panic!("HUSHPOST_FILES_SEED={seed}: {error}");
        }
    }
    Ok(())
}

#[test]
fn the_dice_give_every_kind_of_run() {
    let scripts: Vec<Script> = (0..SEEDS).map(Script::of).collect();
    let any = |kind: fn(&Script) -> bool| scripts.iter().any(kind);
    assert!(any(|script| script.loses_after.is_some()));
    assert!(any(|script| script.loses_after.is_none()));
    assert!(any(|script| script.sender_starts_after.is_some()));
    assert!(any(|script| script.recipient_starts_after.is_some()));
    assert!(any(
        |script| script.cuts_up.len() > 1 && script.cuts_down.len() > 1
    ));
    assert!(any(|script| script
        .files
        .iter()
        .any(|file| file.len() > 100_000)));
}
