//! Which process is connected, when several open the same database: an app and its notification extension or worker.
//!
//! One row says who, and until when by the device's own clock: 12 s, renewed every 4 s while the engine runs, given up
//! when it stops. It is taken before a socket is opened. The app takes it whatever is in it, and the relay then ends
//! the other's connection; [`process_push`](crate::process_push) takes it only if nobody has it: what a killed process
//! left runs out, and what lies too far ahead was written before the clock was set back.
//!
//! Whenever the app writes it, it also learns whether another process changed the database meanwhile. Then what the app
//! shows is old, and no event of this process said so ([`Event::Missed`] does); and what the other has left in the
//! database to be sent or shown waits for somebody to look.
//!
//! It saves the network work that two processes would do twice, and nothing else. Correctness never depends on it:
//! ratchet state is read inside the transaction that changes it, and what comes twice is known by its id. So a lease
//! that cannot be written keeps nobody from connecting.
//!
//! Must never: decide what is sent or shown, or be written by a client that has its database to itself
//! ([`Processes::One`]): every renewal is a commit.

use core::future::pending;
use core::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

use crate::Result;
use crate::client::Core;
use crate::config::Processes;
use crate::event::Event;
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::signed;

/// How long it lasts.
const LASTS_MS: u64 = 12_000;
/// How often it is renewed.
const RENEWED: Duration = Duration::from_secs(4);
/// Later than that no clock showed that was not set back since.
const FAR_MS: u64 = 60_000;

/// What a client is to the others on its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// There are no others.
    Alone,
    /// Has precedence.
    App,
    /// Makes way.
    Push,
}

impl Role {
    pub(crate) const fn of(processes: Processes) -> Self {
        match processes {
            Processes::One => Self::Alone,
            Processes::Many => Self::App,
        }
    }
}

/// One opened client, as the lease knows it.
pub(crate) struct Holder {
    process: [u8; 16],
    role: Role,
    /// SQLite's count of what others committed, when it was last looked at.
    others: AtomicI64,
}

/// Whose lease is taken over, though it has not run out.
#[derive(Clone, Copy)]
enum Over {
    /// One's own.
    Own = 0,
    /// And what makes way.
    Push = 1,
    /// And another app's.
    App = 2,
}

impl Holder {
    pub(crate) fn new(role: Role, rng: &Randomness) -> Result<Self> {
        let process = match role {
            Role::Alone => [0; 16],
            Role::App | Role::Push => rng.array()?,
        };
        Ok(Self {
            process,
            role,
            others: AtomicI64::new(0),
        })
    }
}

/// From here on the app is told of what others change.
pub(crate) async fn watch(core: &Core) -> Result<()> {
    if core.holder.role == Role::App {
        let others = core.store.write(|tx| others_commits(tx)).await?;
        core.holder.others.store(others, Ordering::Relaxed);
    }
    Ok(())
}

/// Before a socket is opened for the first time. Says whether this client may.
pub(crate) async fn take(core: &Arc<Core>) -> bool {
    match core.holder.role {
        Role::Alone => true,
        Role::App => put(core, Over::App).await,
        Role::Push => put(core, Over::Own).await,
    }
}

/// Renews it. Returns when this client is to make way for another.
pub(crate) async fn keep(core: &Arc<Core>) {
    loop {
        match core.holder.role {
            Role::Alone => pending().await,
            Role::App | Role::Push => tokio::time::sleep(RENEWED).await,
        }
        if core.holder.role == Role::App {
            // If another app took it, the relay says so too.
            insist(core).await;
        } else if !put(core, Over::Own).await {
            return;
        }
    }
}

/// Whether an app whose connection was replaced has precedence over who did it: a client that made way too late, or
/// that took over while this process was suspended.
pub(crate) async fn insist(core: &Arc<Core>) -> bool {
    core.holder.role == Role::App && put(core, Over::Push).await
}

/// Whether it is still free for this client to speak, now that a connection is there.
pub(crate) async fn is_ours(core: &Core) -> bool {
    if core.holder.role != Role::Push {
        return true;
    }
    let process = core.holder.process;
    let read = core.store.read(move |db| Ok(holder(db)? == Some(process)));
    read.await.unwrap_or(true)
}

/// Lets others have it.
pub(crate) async fn give_up(core: &Core) {
    if core.holder.role == Role::Alone {
        return;
    }
    let process = core.holder.process;
    let given_up = core.store.write(move |tx| {
        tx.execute(
            "DELETE FROM connected_process WHERE process = ?1",
            [process],
        )?;
        Ok(())
    });
    if let Err(error) = given_up.await {
        tracing::debug!(code = error.code(), "the lease runs out by itself");
    }
}

async fn put(core: &Arc<Core>, over: Over) -> bool {
    let now_ms = core.clock.now_ms();
    let (process, app) = (core.holder.process, core.holder.role == Role::App);
    let told = Arc::clone(core);
    let work = move |tx: &mut Transaction<'_>| {
        let others = others_commits(tx)?;
        Ok((put_row(tx, process, app, over, now_ms)?, others))
    };
    let then = move |(taken, others)| {
        if app && told.holder.others.swap(others, Ordering::Relaxed) != others {
            look_again(&told);
        }
        taken
    };
    let taken = core.store.write_then(work, then).await;
    taken.unwrap_or_else(|error| {
        tracing::debug!(code = error.code(), "connecting without a lease");
        true
    })
}

/// Another process changed something, and what it left undone when it made way is to be done here.
fn look_again(core: &Core) {
    core.events.emit(Event::Missed { events: 0 });
    core.wake_receipts.notify_one();
    core.wake_outbox.notify_one();
    core.wake_repair.notify_one();
    core.wake_inbox.notify_one();
    core.housekeeping.words_removed();
}

/// Differs from what it was if anybody but this client committed something. Its readers never do.
fn others_commits(db: &Connection) -> Result<i64> {
    Ok(db.query_row("PRAGMA data_version", [], |row| row.get(0))?)
}

fn put_row(
    tx: &Transaction<'_>,
    process: [u8; 16],
    app: bool,
    over: Over,
    now_ms: u64,
) -> Result<bool> {
    let rows = tx
        .prepare_cached(
            "INSERT INTO connected_process (one, process, app, until_ms) VALUES (1, ?1, ?2, ?3)
             ON CONFLICT (one) DO UPDATE SET process = ?1, app = ?2, until_ms = ?3
             WHERE process = ?1 OR until_ms <= ?4 OR until_ms > ?5 OR app < ?6",
        )?
        .execute((
            process,
            app,
            signed(now_ms.saturating_add(LASTS_MS)),
            signed(now_ms),
            signed(now_ms.saturating_add(FAR_MS)),
            over as i64,
        ))?;
    Ok(rows > 0)
}

fn holder(db: &Connection) -> Result<Option<[u8; 16]>> {
    let mut query = db.prepare_cached("SELECT process FROM connected_process")?;
    Ok(query.query_row([], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::{DatabaseKey, StoreThreads};

    const NOW: u64 = 1_700_000_000_000;
    const APP: ([u8; 16], bool) = ([1; 16], true);
    const OTHER_APP: ([u8; 16], bool) = ([2; 16], true);
    const PUSH: ([u8; 16], bool) = ([3; 16], false);
    const OTHER_PUSH: ([u8; 16], bool) = ([4; 16], false);

    struct Table {
        store: Store,
        _folder: tempfile::TempDir,
    }

    impl Table {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (path, key) = (folder.path().join("db"), DatabaseKey::new([7; 32]));
            Self {
                store: Store::open(&path, &key, StoreThreads::Inline, None).unwrap(),
                _folder: folder,
            }
        }

        async fn put(&self, who: ([u8; 16], bool), over: Over, now_ms: u64) -> bool {
            let put = move |tx: &mut Transaction<'_>| put_row(tx, who.0, who.1, over, now_ms);
            self.store.write(put).await.unwrap()
        }

        async fn holder(&self) -> Option<[u8; 16]> {
            self.store.read(holder).await.unwrap()
        }
    }

    #[tokio::test]
    async fn what_makes_way_takes_it_only_when_it_is_free_or_ran_out() {
        let table = Table::new();
        assert!(table.put(APP, Over::App, NOW).await);
        assert!(!table.put(PUSH, Over::Own, NOW).await);
        assert!(!table.put(PUSH, Over::Own, NOW + LASTS_MS - 1).await);
        assert_eq!(table.holder().await, Some(APP.0));
        assert!(table.put(PUSH, Over::Own, NOW + LASTS_MS).await);
        assert!(!table.put(OTHER_PUSH, Over::Own, NOW + LASTS_MS).await);
        // One's own is renewed.
        assert!(table.put(PUSH, Over::Own, NOW + LASTS_MS + 1).await);
        assert_eq!(table.holder().await, Some(PUSH.0));
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_locks_nobody_out() {
        let table = Table::new();
        assert!(table.put(APP, Over::App, NOW).await);
        let back = NOW + LASTS_MS - FAR_MS;
        assert!(!table.put(PUSH, Over::Own, back).await);
        assert!(table.put(PUSH, Over::Own, back - 1).await);
        assert!(table.put(PUSH, Over::Own, 0).await);
        assert!(table.put(PUSH, Over::Own, u64::MAX).await);
    }

    #[tokio::test]
    async fn an_app_takes_it_from_anybody_and_keeps_it_from_what_makes_way() {
        let table = Table::new();
        assert!(table.put(PUSH, Over::Own, NOW).await);
        assert!(table.put(APP, Over::App, NOW).await);
        assert!(!table.put(PUSH, Over::Own, NOW).await);
        // The one that was opened last counts; the first does not insist.
        assert!(table.put(OTHER_APP, Over::App, NOW).await);
        assert!(!table.put(APP, Over::Push, NOW).await);
        assert!(table.put(OTHER_APP, Over::Push, NOW).await);
        // Suspended for a while, it takes over again.
        let later = NOW + LASTS_MS;
        assert!(table.put(PUSH, Over::Own, later).await);
        assert!(table.put(OTHER_APP, Over::Push, later).await);
        assert_eq!(table.holder().await, Some(OTHER_APP.0));
    }
}
