//! Disappearing messages: each goes when its time is over, and what it said leaves the search index.
//!
//! A message's time begins when it is read here, or, for an own one, when it is sent. The deadline is stored with it,
//! by the device's own clock: a relay that lies about the time cannot empty a history. A clock that was set back
//! keeps a message no longer than its whole time from then on. What is over is removed before a client that was
//! opened can list anything; from then on a task sleeps until the next deadline.
//!
//! Must never: keep a client alive that the app has dropped, or look when there is nothing to come.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::watch;

use crate::client::Core;
use crate::conversation::rows::{ConversationRow, Kind};
use crate::conversation::{remove, search};
use crate::event::MessageRef;
use crate::media::cache;
use crate::store::columns::{signed, unsigned};
use crate::store::{StoreError, Transaction};
use crate::{Error, Result};

/// Messages removed in one transaction.
const AT_A_TIME: usize = 200;
/// A phone that sleeps does not count: while something is to come, is looked again after this long at the latest.
const LONGEST: Duration = Duration::from_secs(600);
/// After something went wrong.
const AGAIN: Duration = Duration::from_secs(30);

/// What a clock shows at most, so that a deadline after it is still a number.
const LATEST_MS: u64 = 1 << 46;

/// Tells the task what there is to do.
pub(crate) struct Housekeeping(watch::Sender<Wishes>);

#[derive(Debug, Default)]
struct Wishes {
    words_removed: bool,
}

impl Housekeeping {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Wishes::default()))
    }

    /// The search index has words of what is not there any more.
    pub(crate) fn words_removed(&self) {
        self.0.send_modify(|wishes| wishes.words_removed = true);
    }

    /// There is a deadline that may come before the one that is waited for.
    pub(crate) fn deadline_set(&self) {
        self.0.send_modify(|_| {});
    }

    fn take_words_removed(&self) -> bool {
        let mut wished = false;
        self.0.send_if_modified(|wishes| {
            wished = core::mem::take(&mut wishes.words_removed);
            false
        });
        wished
    }
}

/// Removes what is over, and starts the task that waits for what is to come.
pub(crate) async fn start(core: &Arc<Core>) -> Result<()> {
    let wishes = core.housekeeping.0.subscribe();
    let next = tidy(core).await?;
    // Without a runtime there is no task, and no connection either.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(run(Arc::downgrade(core), wishes, next));
    }
    Ok(())
}

async fn run(core: Weak<Core>, mut wishes: watch::Receiver<Wishes>, next: Option<Duration>) {
    let mut next = next;
    loop {
        let deadline = async {
            match next {
                Some(wait) => tokio::time::sleep(wait).await,
                None => core::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // Fails once the client is gone.
            changed = wishes.changed() => if changed.is_err() { return },
            () = deadline => {}
        }
        let Some(core) = core.upgrade() else { return };
        next = match tidy(&core).await {
            Ok(next) => next,
            Err(Error::Store(StoreError::Closed)) => return,
            Err(error) => {
                tracing::warn!(code = error.code(), "what is over could not be removed");
                Some(AGAIN)
            }
        };
    }
}

/// Does what is due; says how long until the next deadline.
async fn tidy(core: &Arc<Core>) -> Result<Option<Duration>> {
    let mut words_removed = core.housekeeping.take_words_removed();
    let now_ms = core.clock.now_ms().min(LATEST_MS);
    let was_set_back = move |db: &Connection| was_set_back(db, now_ms);
    if core.store.read(was_set_back).await? {
        core.store.write(move |tx| begin_anew(tx, now_ms)).await?;
    }
    let next = loop {
        let next = core.store.read(next_deadline).await?;
        if next.is_none_or(|next| next > now_ms) {
            break next;
        }
        words_removed = true;
        let told = Arc::clone(core);
        core.store
            .write_then(
                move |tx| {
                    let mut events = Vec::new();
                    for row in over(tx, now_ms)? {
                        remove::remove(tx, row, true, &mut events)?;
                    }
                    Ok(events)
                },
                move |events| told.events.emit_all(events),
            )
            .await?;
    };
    if words_removed {
        search::forget_deleted(core).await?;
        cache::forget_deleted(core).await?;
    }
    Ok(next.map(|next| Duration::from_millis(next.saturating_sub(now_ms)).min(LONGEST)))
}

fn next_deadline(db: &Connection) -> Result<Option<u64>> {
    let next = db
        .prepare_cached(
            "SELECT expires_ms FROM message WHERE expires_ms IS NOT NULL ORDER BY expires_ms LIMIT 1",
        )?
        .query_row([], |row| unsigned(row, 0))
        .optional()?;
    Ok(next)
}

fn over(tx: &Transaction<'_>, now_ms: u64) -> Result<Vec<i64>> {
    // A message that was deleted meanwhile has no deadline any more.
    tx.execute(
        "UPDATE message SET expires_ms = NULL WHERE expires_ms <= ?1 AND state <= 0",
        [signed(now_ms)],
    )?;
    let mut query = tx.prepare_cached(
        "SELECT id FROM message WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2",
    )?;
    let rows = query.query_map((signed(now_ms), AT_A_TIME), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How long what is sent in a conversation stays after reading, seconds; 0: for ever. A group's log says it.
pub(crate) fn timer(db: &Connection, conversation: &ConversationRow) -> Result<u32> {
    let (table, id) = match conversation.kind {
        Kind::Direct(_) => ("conversation", "id"),
        Kind::Group => ("group_info", "conversation"),
    };
    let mut query = db.prepare_cached(&format!("SELECT timer_s FROM {table} WHERE {id} = ?1"))?;
    Ok(query
        .query_row([conversation.id], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

/// Whether a message would stay longer than its time.
fn was_set_back(db: &Connection, now_ms: u64) -> Result<bool> {
    Ok(db.query_row(
        "SELECT EXISTS (SELECT 1 FROM message WHERE expires_ms > ?1 + 1000 * expires_after_s)",
        [signed(now_ms)],
        |row| row.get(0),
    )?)
}

fn begin_anew(tx: &Transaction<'_>, now_ms: u64) -> Result<()> {
    tx.execute(
        "UPDATE message SET expires_ms = ?1 + 1000 * expires_after_s
         WHERE expires_ms > ?1 + 1000 * expires_after_s",
        [signed(now_ms)],
    )?;
    Ok(())
}

/// An own message was sent: its time begins.
pub(crate) fn begin(tx: &Transaction<'_>, row: i64, now_ms: u64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE message SET expires_ms = ?2 + 1000 * expires_after_s
         WHERE id = ?1 AND expires_after_s > 0",
    )?
    .execute((row, signed(now_ms.min(LATEST_MS))))?;
    Ok(())
}

/// Received messages were read, up to a stamp: their time begins.
pub(crate) fn begin_read(
    tx: &Transaction<'_>,
    conversation: i64,
    through: i64,
    now_ms: u64,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE message SET expires_ms = ?3 + 1000 * expires_after_s
         WHERE conversation = ?1 AND state = 1 AND stamp <= ?2 AND expires_after_s > 0",
    )?
    .execute((conversation, through, signed(now_ms.min(LATEST_MS))))?;
    Ok(())
}

/// Whether a message has a deadline.
pub(crate) fn has_deadline(db: &Connection, message: MessageRef) -> Result<bool> {
    let mut query = db.prepare_cached(
        "SELECT expires_ms IS NOT NULL FROM message WHERE sender = ?1 AND message_id = ?2",
    )?;
    let key = (message.sender.as_bytes(), message.id.as_bytes());
    Ok(query
        .query_row(key, |row| row.get(0))
        .optional()?
        .unwrap_or(false))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    use futures_util::StreamExt as _;
    use hushpost_wire::{AccountId, DeviceId, MessageId};
    use tokio::time::Instant;

    use super::*;
    use crate::clock::{Clock, Stamp};
    use crate::content::{ChainId, Content, ConversationId, Sequence, Text};
    use crate::conversation::rows::{self as messages, NewMessage, state};
    use crate::event::Event;
    use crate::{Config, DatabaseKey, RelayUrl, StoreThreads};

    const START: u64 = 1_800_000_000_000;

    /// Goes with the runtime's time, from a beginning.
    struct Paused(Instant, u64);

    impl Clock for Paused {
        fn now_ms(&self) -> u64 {
            self.1 + u64::try_from(self.0.elapsed().as_millis()).unwrap()
        }
    }

    async fn open(folder: &tempfile::TempDir, at_ms: u64) -> Arc<Core> {
        let relay = "wss://relay.example".parse::<RelayUrl>().unwrap();
        let config = Config::new(folder.path().join("db"), DatabaseKey::new([7; 32]), relay)
            .store_threads(StoreThreads::Inline)
            .clock(Paused(Instant::now(), at_ms));
        Core::open(config).await.unwrap()
    }

    /// A message that stays so many seconds, and its conversation.
    async fn message(core: &Core, number: u8, seconds: u32) -> MessageRef {
        let (us, bob) = (AccountId::of_key(&[1; 32]), AccountId::of_key(&[2; 32]));
        let id = MessageRef {
            sender: bob,
            id: MessageId::from_slice(&[number; 16]).unwrap(),
        };
        let work = move |tx: &mut Transaction<'_>| {
            let row = messages::open_with(tx, us, bob, true, Stamp::at(START))?;
            assert_eq!(row.conversation_id, ConversationId::between(us, bob));
            let message = NewMessage {
                conversation: row.id,
                id,
                device: DeviceId::PRIMARY,
                chain: ChainId(1),
                sequence: Sequence::new(number.into())?,
                stamp: Stamp::at(START),
                content: &Content::Text(Text::new("for a while")?).encode(),
                state: state::UNREAD,
                quiet: false,
                expires_after_s: seconds,
                created_ms: START,
                accepted_ms: Some(START),
            };
            messages::insert(tx, &message)?.unwrap();
            Ok(row.conversation_id)
        };
        let conversation = core.store.write(work).await.unwrap();
        let page = core
            .store
            .read(move |db| crate::conversation::history::before(db, conversation, None, 1));
        assert_eq!(page.await.unwrap().messages.len(), 1);
        id
    }

    async fn read_all(core: &Arc<Core>) {
        let (us, bob) = (AccountId::of_key(&[1; 32]), AccountId::of_key(&[2; 32]));
        let id = ConversationId::between(us, bob);
        let handle = crate::Conversation::new(Arc::clone(core), id);
        let newest = handle.messages_before(None, 1).await.unwrap();
        handle.mark_read(newest.messages[0].cursor).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn each_message_goes_at_its_time_and_nobody_looks_before() {
        let folder = tempfile::tempdir().unwrap();
        let core = open(&folder, START).await;
        let mut events = core.events.subscribe();
        let (long, short) = (message(&core, 1, 3600).await, message(&core, 2, 5).await);
        tokio::time::sleep(Duration::from_secs(100)).await;
        let read = Instant::now();
        read_all(&core).await;
        for (expected, after) in [(short, 5), (long, 3600)] {
            loop {
                if let Event::MessageRemoved { message, .. } = events.next().await.unwrap() {
                    assert_eq!(message, expected);
                    break;
                }
            }
            assert_eq!(read.elapsed().as_secs(), after);
        }
        let left = core.store.read(next_deadline).await.unwrap();
        assert_eq!(left, None);
        // The task does not keep the client.
        let gone = Arc::downgrade(&core);
        drop(core);
        assert_eq!(gone.strong_count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_gone_when_the_client_is_open_and_a_clock_set_back_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let core = open(&folder, START).await;
        let one = message(&core, 1, 60).await;
        read_all(&core).await;
        drop(core);
        let there = async |at_ms: u64| {
            let core = open(&folder, at_ms).await;
            let found = core
                .store
                .read(move |db| crate::conversation::history::one(db, one));
            found.await.unwrap()
        };
        // Set back by ten years: its whole time again, and no more.
        let back = START - 315_576_000_000;
        assert_eq!(there(back).await.unwrap().expires_ms, Some(back + 60_000));
        assert!(there(back + 59_000).await.is_some());
        assert!(there(back + 60_000).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_shows_nonsense_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let core = open(&folder, u64::MAX - (1 << 40)).await;
        message(&core, 1, 60).await;
        read_all(&core).await;
        let next = core.store.read(next_deadline).await.unwrap();
        assert_eq!(next, Some(LATEST_MS + 60_000));
    }
}
