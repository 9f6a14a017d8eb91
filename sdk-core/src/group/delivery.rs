//! Delivers group messages: one upload for all who can read the one ciphertext, 1:1 for who cannot.
//!
//! Comes after the 1:1 rows in every look at the outbox, so that keys go first. A row that cannot go on is tried
//! again after a wait that doubles; what the relay has for some is not sent to them again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core::time::Duration;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Recipient, RecipientProblem, Send, Sent};
use tokio::time::Instant;

use crate::Result;
use crate::account::{LocalDevice, contacts};
use crate::client::Core;
use crate::connection::{Link, RequestError};
use crate::conversation::rows as messages;
use crate::event::Event;
use crate::group::outbox::{self, GroupRow, Reach};
use crate::message::FailureReason;
use crate::store::Transaction;

/// Rows looked at in one go.
const PAGE: usize = 64;
/// Accounts in one upload: what a relay takes unless it is told otherwise.
const MAX_RECIPIENTS: usize = 1024;
/// First and longest wait for a row.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Rows that wait, and members whom the relay does not know.
#[derive(Default)]
pub(crate) struct Waits {
    rows: BTreeMap<i64, (Instant, u32)>,
    /// A relay that lost its store does not know whoever has not been there since. Each is tried with one row at
    /// a time, so that somebody who never comes back costs as little as in a 1:1 conversation.
    away: BTreeMap<AccountId, (Instant, u32)>,
}

fn holds<K: Ord>(waits: &BTreeMap<K, (Instant, u32)>, key: &K) -> bool {
    waits
        .get(key)
        .is_some_and(|(until, _)| *until > Instant::now())
}

fn hold<K: Ord>(waits: &mut BTreeMap<K, (Instant, u32)>, key: K, at_least: Option<Duration>) {
    let times = waits.get(&key).map_or(0, |(_, times)| *times);
    let wait = WAIT.0.saturating_mul(1 << times.min(6)).min(WAIT.1);
    let now = Instant::now();
    let until = now.checked_add(wait.max(at_least.unwrap_or_default()));
    waits.insert(key, (until.unwrap_or(now), times.saturating_add(1)));
}

impl Waits {
    /// When the next one may go on.
    pub(crate) fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        let waits = self.rows.values().chain(self.away.values());
        waits
            .map(|(until, _)| *until)
            .filter(|until| *until > now)
            .min()
    }
}

/// What is to be sent of a row.
struct Upload {
    row: GroupRow,
    recipients: Vec<Recipient>,
    accounts: Vec<AccountId>,
}

impl Upload {
    /// Whoever is away is not tried with every row.
    fn leave_out(&mut self, waits: &Waits) {
        if waits.away.is_empty() {
            return;
        }
        self.accounts.retain(|account| !holds(&waits.away, account));
        let accounts = &self.accounts;
        let is_in = |recipient: &Recipient| {
            let mut accounts = accounts.iter();
            accounts.any(|account| recipient.account.as_ref() == account.as_bytes())
        };
        self.recipients.retain(is_in);
    }
}

/// One look at what waits. Says whether anything went on.
pub(crate) async fn pass(core: &Arc<Core>, link: &Link, waits: &mut Waits) -> Result<bool> {
    let (mut after, mut seen) = (0, BTreeSet::new());
    loop {
        // All of them: one that waits for somebody is not to keep the others back.
        let rows = core
            .store
            .read(move |db| outbox::waiting(db, after, PAGE))
            .await?;
        let Some(last) = rows.last() else {
            break;
        };
        after = last.id;
        let mut went_on = false;
        for row in rows {
            seen.insert(row.id);
            if holds(&waits.rows, &row.id) {
                continue;
            }
            went_on |= go_on(core, link, row, waits).await?;
            if link.is_closed() {
                return Ok(false);
            }
        }
        if went_on {
            return Ok(true);
        }
    }
    waits.rows.retain(|row, _| seen.contains(row));
    Ok(false)
}

async fn go_on(core: &Arc<Core>, link: &Link, row: GroupRow, waits: &mut Waits) -> Result<bool> {
    let (now_ms, rng) = (core.clock.now_ms(), core.rng.clone());
    if row.ciphertext.is_none() {
        core.store
            .write(move |tx| {
                let local = LocalDevice::load(tx)?;
                outbox::encrypt(tx, &local, &row, now_ms, &rng)
            })
            .await?;
        // The keys go first.
        return Ok(true);
    }
    let found = core.store.read(move |db| prepare(db, row)).await?;
    let (mut upload, alone) = found;
    upload.leave_out(waits);
    let any_alone = !alone.is_empty();
    if any_alone {
        let row = upload.row.id;
        core.store
            .write(move |tx| {
                let Some(row) = outbox::find(tx, row)? else {
                    return Ok(());
                };
                for account in alone {
                    outbox::send_alone(tx, &row, account, now_ms, &rng)?;
                }
                Ok(())
            })
            .await?;
    }
    if upload.recipients.is_empty() {
        // Keys are on their way; what carries them wakes us.
        return Ok(any_alone);
    }
    Ok(send(core, link, upload, waits).await? | any_alone)
}

/// Who gets the one ciphertext, and who has to be written to alone.
fn prepare(db: &rusqlite::Connection, row: GroupRow) -> Result<(Upload, Vec<AccountId>)> {
    let (mut recipients, mut accounts, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let mut devices = outbox::devices(db, &row)?;
    for (account, reach) in outbox::recipients(db, &row)? {
        match reach {
            Reach::KeyFirst => {}
            Reach::Alone => alone.push(account),
            Reach::Shared => {
                if accounts.len() >= MAX_RECIPIENTS {
                    continue;
                }
                // One without devices is answered with those that are missing.
                recipients.push(devices.remove(&account).unwrap_or_else(|| Recipient {
                    account: account.as_bytes().to_vec().into(),
                    ..Recipient::default()
                }));
                accounts.push(account);
            }
        }
    }
    let upload = Upload {
        row,
        recipients,
        accounts,
    };
    Ok((upload, alone))
}

async fn send(core: &Arc<Core>, link: &Link, upload: Upload, waits: &mut Waits) -> Result<bool> {
    let Upload {
        row,
        recipients,
        accounts,
    } = upload;
    let request = Request::Send(Send {
        message_id: row.envelope_id.as_bytes().to_vec().into(),
        shared_ciphertext: Some(row.ciphertext.clone().unwrap_or_default().into()),
        recipients,
        ephemeral: false,
    });
    let answer = match link.request(request).await {
        Ok(Body::Sent(sent)) => Ok(sent),
        Ok(_) => Err(RequestError::Unexpected),
        Err(error) => Err(error),
    };
    let id = row.id;
    match answer {
        Ok(sent) => {
            for account in &accounts {
                if problem_of(&sent, *account).is_some_and(|problem| problem.unreachable) {
                    hold(&mut waits.away, *account, None);
                } else {
                    waits.away.remove(account);
                }
            }
            let told = Arc::clone(core);
            let work = move |tx: &mut Transaction<'_>| stored(tx, &row, &accounts, &sent);
            let then = move |(wait, events): (_, Vec<_>)| {
                told.events.emit_all(events);
                wait
            };
            match core.store.write_then(work, then).await? {
                Some(wait) => {
                    hold(&mut waits.rows, id, wait);
                    Ok(false)
                }
                None => Ok(true),
            }
        }
        Err(RequestError::Disconnected | RequestError::Timeout) => Ok(false),
        Err(
            RequestError::Refused {
                retryable: false, ..
            }
            | RequestError::TooLarge,
        ) => {
            let told = Arc::clone(core);
            let work = move |tx: &mut Transaction<'_>| {
                let mut events = Vec::new();
                tx.execute("DELETE FROM group_outbox WHERE id = ?1", [row.id])?;
                messages::mark_failed(tx, row.message, FailureReason::Refused, &mut events)?;
                Ok(events)
            };
            core.store
                .write_then(work, move |events| told.events.emit_all(events))
                .await?;
            Ok(true)
        }
        Err(error) => {
            let after = match &error {
                RequestError::Refused { retry_after, .. } => *retry_after,
                _ => None,
            };
            tracing::debug!(code = error.code(), "a group message waits");
            hold(&mut waits.rows, id, after);
            Ok(false)
        }
    }
}

fn problem_of(sent: &Sent, account: AccountId) -> Option<&RecipientProblem> {
    let mut problems = sent.problems.iter();
    problems.find(|problem| problem.account.as_ref() == account.as_bytes())
}

type Stored = (Option<Option<Duration>>, Vec<Event>);

/// Stores the relay's answer; says how long to wait if it did not take it for all.
fn stored(
    tx: &mut Transaction<'_>,
    row: &GroupRow,
    accounts: &[AccountId],
    sent: &Sent,
) -> Result<Stored> {
    let mut events = Vec::new();
    let mut wait = None;
    let mut done = Vec::with_capacity(accounts.len());
    for account in accounts {
        let Some(problem) = problem_of(sent, *account) else {
            done.push(*account);
            continue;
        };
        let differs =
            !(problem.missing.is_empty() && problem.extra.is_empty() && problem.stale.is_empty());
        if problem.unreachable {
            // Tried again when it may be back.
        } else if differs {
            contacts::want_list(tx, *account)?;
            wait = Some(None);
        } else {
            let after = Duration::from_millis(problem.retry_after_ms);
            wait = Some((!after.is_zero()).then_some(after));
        }
    }
    outbox::set_stored(tx, row.id, &done)?;
    if !done.is_empty() {
        let local = LocalDevice::load(tx)?;
        let post = outbox::post_of(row)?;
        messages::mark_sent(
            tx,
            &local,
            (row.message, &post),
            sent.accepted_ms,
            &mut events,
        )?;
    }
    Ok((wait, events))
}
