//! The task that delivers: in order for each recipient, several rows at once on the wire.
//!
//! A recipient whose row cannot go on is passed over with all its later rows, and tried again after a wait
//! that doubles, with full jitter. Waits live in memory and on the runtime's clock: after a restart, or when
//! the wall clock jumps, everything is simply tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core::time::Duration;

use hushpost_wire::AccountId;
use rand_core::TryRng as _;
use tokio::time::Instant;

use crate::Result;
use crate::account::LocalDevice;
use crate::account::contacts::take_wanted_lists;
use crate::account::sessions::Sessions;
use crate::client::Core;
use crate::connection::Link;
use crate::group;
use crate::outbox::answer::{self, Next};
use crate::outbox::encrypt::{Encryption, encrypt};
use crate::outbox::rows::{self, OutboxRow};
use crate::outbox::{sessions_needed, upload};
use crate::store::Transaction;

/// Rows looked at in one go.
const PAGE: usize = 128;
/// Accounts whose bundles are fetched in one go.
const FETCHES: usize = 32;
/// First and longest wait for a recipient.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Recipients that wait.
#[derive(Default)]
pub(super) struct Waits(BTreeMap<AccountId, Wait>);

#[derive(Clone, Copy)]
struct Wait {
    /// `None`: until something changes.
    until: Option<Instant>,
    times: u32,
}

impl Waits {
    fn holds(&self, account: AccountId, now: Instant) -> bool {
        self.0
            .get(&account)
            .is_some_and(|wait| wait.until.is_none_or(|until| until > now))
    }

    /// Holds some recipients, all until the same moment. Frames of one pass that are all in vain count as one try.
    pub(super) fn hold(&mut self, accounts: &[AccountId], at_least: Option<Duration>, core: &Core) {
        let jitter = core.rng.clone().try_next_u32().unwrap_or(u32::MAX);
        self.hold_jittered(accounts, at_least.unwrap_or_default(), jitter);
    }

    fn hold_jittered(&mut self, accounts: &[AccountId], at_least: Duration, jitter: u32) {
        let now = Instant::now();
        let known = || accounts.iter().filter_map(|account| self.0.get(account));
        let held = known().filter(|wait| wait.until.is_some_and(|until| until > now));
        let least = now.checked_add(at_least);
        let wait = if let Some(held) = held.max_by_key(|wait| wait.until) {
            Wait {
                until: held.until.max(least),
                times: held.times,
            }
        } else {
            let times = known().map(|wait| wait.times).max().unwrap_or(0);
            let ceiling = WAIT.0.saturating_mul(1 << times.min(6)).min(WAIT.1);
            let delay = ceiling.mul_f64(f64::from(jitter) / f64::from(u32::MAX));
            Wait {
                until: now.checked_add(delay).max(least),
                times: times.saturating_add(1),
            }
        };
        for account in accounts {
            self.0.insert(*account, wait);
        }
    }

    /// Nothing but the user's decision can help.
    fn park(&mut self, account: AccountId) {
        self.0.insert(
            account,
            Wait {
                until: None,
                times: 0,
            },
        );
    }

    /// Whatever was waited for may have happened.
    fn unpark(&mut self) {
        self.0.retain(|_, wait| wait.until.is_some());
    }

    pub(super) fn went_on(&mut self, account: AccountId) {
        self.0.remove(&account);
    }

    fn next(&self, now: Instant) -> Option<Instant> {
        let until = self.0.values().filter_map(|wait| wait.until);
        until.filter(|until| *until > now).min()
    }
}

/// Delivers until the link is closed.
pub(crate) async fn run(core: Arc<Core>, link: Link) {
    let mut waits = Waits::default();
    let mut group_waits = group::delivery::Waits::default();
    loop {
        let went_on = match look(&core, &link, &mut waits, &mut group_waits).await {
            Ok(went_on) => went_on,
            Err(error) => {
                tracing::warn!(code = error.code(), "the outbox could not go on");
                tokio::time::sleep(WAIT.0).await;
                false
            }
        };
        core.outbox_looked_at.notify_waiters();
        if link.is_closed() {
            return;
        }
        if went_on {
            continue;
        }
        let next = [waits.next(Instant::now()), group_waits.next()];
        let next = next.into_iter().flatten().min();
        tokio::select! {
            biased;
            () = core.wake_outbox.notified() => waits.unpark(),
            () = sleep_until(next) => {}
            _ = link.closed() => return,
        }
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => core::future::pending().await,
    }
}

/// One look at everything. Says whether anything went on.
async fn look(
    core: &Arc<Core>,
    link: &Link,
    waits: &mut Waits,
    group_waits: &mut group::delivery::Waits,
) -> Result<bool> {
    // A group's message is sent once, when all the keys that can go have gone.
    Ok(pass(core, link, waits).await? || group::delivery::pass(core, link, group_waits).await?)
}

/// One look at the outbox. Says whether anything went on.
async fn pass(core: &Arc<Core>, link: &Link, waits: &mut Waits) -> Result<bool> {
    refresh_lists(core, link).await?;
    let now = Instant::now();
    let held = waits.0.keys().copied();
    let held: BTreeSet<AccountId> = held.filter(|account| waits.holds(*account, now)).collect();
    let rows = core.store.read(move |db| next_rows(db, &held)).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let (rows, mut needy) = encrypt_rows(core, rows, waits).await?;
    let mut went_on = false;
    needy.truncate(FETCHES);
    went_on |= fetch_sessions(core, link, needy, waits).await?;
    went_on |= upload::send(core, link, rows, waits).await?;
    Ok(went_on)
}

/// The oldest rows of recipients that are not held.
fn next_rows(db: &rusqlite::Connection, held: &BTreeSet<AccountId>) -> Result<Vec<OutboxRow>> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = rows::waiting(db, after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.id;
        found.extend(
            page.into_iter()
                .filter(|row| !held.contains(&row.recipient)),
        );
        if found.len() >= upload::WINDOW {
            found.truncate(PAGE);
            return Ok(found);
        }
    }
}

/// Encrypts what is not yet. Gives the rows that can be sent, in order, and whose sessions are missing.
async fn encrypt_rows(
    core: &Arc<Core>,
    rows: Vec<OutboxRow>,
    waits: &mut Waits,
) -> Result<(Vec<OutboxRow>, Vec<(AccountId, OutboxRow)>)> {
    if rows.iter().all(|row| row.encrypted) {
        return Ok((rows, Vec::new()));
    }
    let now_ms = core.clock.now_ms();
    let (ready, needy, parked) = core
        .store
        .write(move |tx| {
            let local = LocalDevice::load(tx)?;
            let mut sessions = Sessions::new(local.address());
            let (mut ready, mut needy, mut parked) = (Vec::new(), Vec::new(), Vec::new());
            let mut stopped = BTreeSet::new();
            for row in rows {
                if stopped.contains(&row.recipient) {
                    continue;
                }
                if row.encrypted {
                    ready.push(row);
                    continue;
                }
                match encrypt(tx, &local, &mut sessions, &row, now_ms)? {
                    Encryption::Done => ready.push(row),
                    Encryption::Pointless => {}
                    Encryption::NeedsSessions => {
                        stopped.insert(row.recipient);
                        needy.push((row.recipient, row));
                    }
                    Encryption::OnHold => {
                        stopped.insert(row.recipient);
                        parked.push(row.recipient);
                    }
                }
            }
            sessions.save(tx)?;
            Ok((ready, needy, parked))
        })
        .await?;
    for account in parked {
        waits.park(account);
    }
    Ok((ready, needy))
}

/// Fetches what is missing for some recipients, all at once, and stores what came in one transaction.
async fn fetch_sessions(
    core: &Arc<Core>,
    link: &Link,
    needy: Vec<(AccountId, OutboxRow)>,
    waits: &mut Waits,
) -> Result<bool> {
    if needy.is_empty() {
        return Ok(false);
    }
    let accounts = needy.iter().map(|(account, _)| *account).collect();
    let answers = sessions_needed::ask_for_missing(core, link, accounts).await?;
    let (now_ms, mut rng) = (core.clock.now_ms(), core.rng.clone());
    let (told, closed) = (Arc::clone(core), link.is_closed());
    let work = move |tx: &mut Transaction<'_>| {
        let (mut outcomes, mut events) = (Vec::new(), Vec::new());
        for ((account, row), answer) in needy.into_iter().zip(answers) {
            let started = match answer {
                Ok(answer) => {
                    sessions_needed::take(tx, account, &answer, now_ms, &mut rng, &mut events)?
                }
                // The next link asks again.
                Err(_) if closed => continue,
                Err(error) => Err(error),
            };
            let next = match started {
                // A bundle may still be missing: then the next pass comes back here, and must not spin.
                Ok(()) if rows::count_attempt(tx, row.id)? <= 3 => Next::GoOn,
                Ok(()) => Next::Wait(None),
                Err(error) => {
                    tracing::debug!(code = error.code(), "no sessions yet");
                    answer::no_sessions(tx, &row, &error, &mut events)?
                }
            };
            outcomes.push((account, next));
        }
        Ok((outcomes, events))
    };
    let then = move |(outcomes, events): (Vec<_>, Vec<_>)| {
        told.events.emit_all(events);
        outcomes
    };
    let mut went_on = false;
    for (account, next) in core.store.write_then(work, then).await? {
        match next {
            Next::GoOn | Next::Again => went_on = true,
            Next::Wait(at_least) => waits.hold(&[account], at_least, core),
        }
    }
    Ok(went_on)
}

/// Fetches the lists that something did not fit.
async fn refresh_lists(core: &Arc<Core>, link: &Link) -> Result<()> {
    let none_wanted = core
        .store
        .read(|db| {
            Ok(!db.query_row(
                "SELECT EXISTS (SELECT 1 FROM contact WHERE list_wanted = 1)",
                [],
                |row| row.get::<_, bool>(0),
            )?)
        })
        .await?;
    if none_wanted {
        return Ok(());
    }
    let wanted = core.store.write(|tx| take_wanted_lists(tx)).await?;
    for account in wanted {
        if let Err(error) = sessions_needed::refresh_list(core, link, account).await {
            tracing::debug!(code = error.code(), "no newer device list");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pass_in_vain_is_one_try_however_many_frames_it_had() {
        let account = |seed| AccountId::of_key(&[seed; 32]);
        let (alice, bob) = (account(1), account(2));
        let mut waits = Waits::default();
        let start = Instant::now();
        for _ in 0..32 {
            waits.hold_jittered(&[alice], Duration::ZERO, u32::MAX);
        }
        // Bob's went together with hers, and comes again with hers.
        waits.hold_jittered(&[alice, bob], Duration::ZERO, u32::MAX);
        assert!(waits.holds(alice, start) && waits.holds(bob, start));
        let first = start + WAIT.0;
        assert!(!waits.holds(alice, first) && !waits.holds(bob, first));

        tokio::time::advance(WAIT.0).await;
        waits.hold_jittered(&[alice], Duration::ZERO, u32::MAX);
        assert!(waits.holds(alice, first + WAIT.0));
        assert!(!waits.holds(alice, first + 2 * WAIT.0));

        // What the relay asks for counts, whatever came before.
        waits.hold_jittered(&[alice], Duration::from_secs(60), u32::MAX);
        assert!(waits.holds(alice, first + Duration::from_secs(59)));
    }
}
