//! The task that delivers: in order for each recipient, several rows at once on the wire.
//!
//! A recipient whose row cannot go on is passed over with all its later rows, and tried again after a wait
//! that doubles, with full jitter. Waits live in memory and on the runtime's clock: after a restart, or when
//! the wall clock jumps, everything is simply tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core::time::Duration;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Recipient, RecipientDevice, Send, Sent};
use rand_core::TryRng as _;
use tokio::time::Instant;

use crate::Result;
use crate::account::LocalDevice;
use crate::account::contacts::{self, take_wanted_lists};
use crate::account::sessions::Sessions;
use crate::client::Core;
use crate::connection::{Link, RequestError};
use crate::group;
use crate::outbox::answer::{self, Next};
use crate::outbox::encrypt::{Encryption, encrypt};
use crate::outbox::rows::{self, DeviceCiphertext, OutboxRow};
use crate::outbox::sessions_needed::{self, Start};
use crate::store::Transaction;

/// Rows on the wire at once.
const WINDOW: usize = 32;
/// Rows looked at in one go.
const PAGE: usize = 128;
/// Accounts whose bundles are fetched in one go.
const FETCHES: usize = 8;
/// First and longest wait for a recipient.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Recipients that wait.
#[derive(Default)]
struct Waits(BTreeMap<AccountId, Wait>);

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

    fn hold(&mut self, account: AccountId, at_least: Option<Duration>, core: &Core) {
        let wait = self.0.entry(account).or_insert(Wait {
            until: None,
            times: 0,
        });
        let ceiling = WAIT.0.saturating_mul(1 << wait.times.min(6)).min(WAIT.1);
        let jitter = core.rng.clone().try_next_u32().unwrap_or(u32::MAX);
        let delay = ceiling.mul_f64(f64::from(jitter) / f64::from(u32::MAX));
        wait.times = wait.times.saturating_add(1);
        wait.until = Instant::now().checked_add(delay.max(at_least.unwrap_or_default()));
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

    fn went_on(&mut self, account: AccountId) {
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
    let (rows, needy) = encrypt_rows(core, rows, waits).await?;
    let mut went_on = false;
    for (account, row) in needy.into_iter().take(FETCHES) {
        went_on |= fetch_sessions(core, link, account, row, waits).await?;
    }
    went_on |= send_rows(core, link, rows, waits).await?;
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
        if found.len() >= WINDOW {
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

async fn fetch_sessions(
    core: &Arc<Core>,
    link: &Link,
    account: AccountId,
    row: OutboxRow,
    waits: &mut Waits,
) -> Result<bool> {
    let Err(error) = sessions_needed::fetch(core, link, account, Start::Missing).await else {
        // A bundle may still be missing: then the next pass comes back here, and must not spin.
        if row.attempts > 2 {
            waits.hold(account, None, core);
        }
        core.store
            .write(move |tx| rows::count_attempt(tx, row.id))
            .await?;
        return Ok(true);
    };
    if link.is_closed() {
        return Ok(false);
    }
    tracing::debug!(code = error.code(), "no sessions yet");
    let told = Arc::clone(core);
    let work = move |tx: &mut Transaction<'_>| {
        let mut events = Vec::new();
        let next = answer::no_sessions(tx, &row, &error, &mut events)?;
        Ok((next, events))
    };
    let then = move |(next, events): (_, Vec<_>)| {
        told.events.emit_all(events);
        next
    };
    let next = core.store.write_then(work, then).await?;
    match next {
        Next::Wait(at_least) => waits.hold(account, at_least, core),
        Next::GoOn | Next::Again => {}
    }
    Ok(next == Next::GoOn)
}

/// Sends rows without waiting for each answer, then stores all the answers.
async fn send_rows(
    core: &Arc<Core>,
    link: &Link,
    mut rows: Vec<OutboxRow>,
    waits: &mut Waits,
) -> Result<bool> {
    rows.truncate(WINDOW);
    if rows.is_empty() {
        return Ok(false);
    }
    let rows = core
        .store
        .read(move |db| {
            let with = |row: OutboxRow| {
                let token = contacts::token(db, row.recipient)?;
                Ok((rows::ciphertexts(db, row.id)?, token, row))
            };
            rows.into_iter().map(with).collect::<Result<Vec<_>>>()
        })
        .await?;
    let mut pending = Vec::with_capacity(rows.len());
    for (ciphertexts, token, row) in rows {
        if ciphertexts.is_empty() {
            continue;
        }
        pending.push((link.start(request(&row, token, ciphertexts)), row));
    }
    let mut answered = Vec::with_capacity(pending.len());
    for (answer, row) in pending {
        let answer = match answer.await {
            Ok(Body::Sent(sent)) => Ok(sent),
            Ok(_) => Err(RequestError::Unexpected),
            Err(error) => Err(error),
        };
        answered.push((row, answer));
    }
    if answered.is_empty() {
        return Ok(false);
    }
    let (rng, told) = (core.rng.clone(), Arc::clone(core));
    let work = move |tx: &mut Transaction<'_>| apply_answers(tx, answered, &rng);
    let then = move |(outcomes, events): (Outcomes, Vec<_>)| {
        told.events.emit_all(events);
        outcomes
    };
    let outcomes = core.store.write_then(work, then).await?;
    let mut went_on = false;
    for (account, next) in outcomes {
        match next {
            Next::GoOn => {
                waits.went_on(account);
                went_on = true;
            }
            Next::Again => went_on = true,
            Next::Wait(at_least) => waits.hold(account, at_least, core),
        }
    }
    Ok(went_on)
}

type Outcomes = Vec<(AccountId, Next)>;

fn apply_answers(
    tx: &mut Transaction<'_>,
    answered: Vec<(OutboxRow, Result<Sent, RequestError>)>,
    rng: &crate::random::Randomness,
) -> Result<(Outcomes, Vec<crate::Event>)> {
    let mut events = Vec::new();
    let mut outcomes = Vec::with_capacity(answered.len());
    for (row, answer) in answered {
        let account = row.recipient;
        if matches!(
            answer,
            Err(RequestError::Disconnected | RequestError::Timeout)
        ) {
            // Whether it was stored is not known; the same bytes go again over the next link.
            continue;
        }
        let next = answer::apply(tx, &row, answer, rng, &mut events)?;
        outcomes.push((account, next));
    }
    Ok((outcomes, events))
}

fn request(row: &OutboxRow, token: Vec<u8>, ciphertexts: Vec<DeviceCiphertext>) -> Request {
    let devices = ciphertexts.into_iter().map(|one| RecipientDevice {
        device: one.device.into(),
        registration_id: one.registration_id,
        ciphertext: one.ciphertext.into(),
    });
    Request::Send(Send {
        message_id: row.envelope_id.as_bytes().to_vec().into(),
        shared_ciphertext: None,
        recipients: vec![Recipient {
            account: row.recipient.as_bytes().to_vec().into(),
            delivery_token: token.into(),
            devices: devices.collect(),
        }],
        ephemeral: false,
    })
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
