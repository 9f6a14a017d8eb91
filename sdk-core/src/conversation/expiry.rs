//! Disappearing messages: each goes when its time is over, and what it said leaves the search index.
//!
//! A message's time begins when it is read here, or, for an own one, when it is sent. The deadline is stored with it
//! and counts on the clock that the relay corrects, so neither a restart nor a wrong wall clock keeps a message. What
//! is over is removed before a client that was opened can list anything; from then on a task sleeps until the next
//! deadline.
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
    let now_ms = core.corrected_now().await?;
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

/// An own message was sent: its time begins.
pub(crate) fn begin(tx: &Transaction<'_>, row: i64, now_ms: u64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE message SET expires_ms = ?2 + 1000 * expires_after_s
         WHERE id = ?1 AND expires_after_s > 0",
    )?
    .execute((row, signed(now_ms)))?;
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
