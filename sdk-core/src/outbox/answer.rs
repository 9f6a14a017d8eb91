//! What the relay said to a row that was sent, and what follows.

use core::time::Duration;

use hushpost_wire::{RecipientProblem, Sent};

use crate::Result;
use crate::account::{LocalDevice, contacts};
use crate::connection::RequestError;
use crate::content::{Body, Plaintext};
use crate::conversation::rows as messages;
use crate::event::Event;
use crate::inbox::repair;
use crate::message::FailureReason;
use crate::outbox::rows::{self, OutboxRow, Progress};
use crate::random::Randomness;
use crate::store::{StoreError, Transaction};

/// Tries after which a message to somebody who was never reached counts as failed.
const TRIES_FOR_STRANGERS: u32 = 8;

/// What is to happen with the recipient's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Go on with the next one.
    GoOn,
    /// The row is encrypted again first; the list was, or is to be, fetched.
    Again,
    /// Wait: as long as the relay says, or longer with every time.
    Wait(Option<Duration>),
}

/// Stores what became of one row.
pub(crate) fn apply(
    tx: &mut Transaction<'_>,
    row: &OutboxRow,
    answer: &Result<Sent, RequestError>,
    rng: &Randomness,
    events: &mut Vec<Event>,
) -> Result<Next> {
    let sent = match answer {
        Ok(sent) => sent,
        Err(error) => return refused(tx, row, error, events),
    };
    let problem = sent
        .problems
        .iter()
        .find(|problem| problem.account.as_ref() == row.recipient.as_bytes());
    if let Some(problem) = problem {
        return mend(tx, row, problem, rng);
    }
    stored(tx, row, sent, events)?;
    Ok(Next::GoOn)
}

/// The relay has it durably.
fn stored(
    tx: &mut Transaction<'_>,
    row: &OutboxRow,
    sent: &Sent,
    events: &mut Vec<Event>,
) -> Result<()> {
    // A receipt may have come before the answer; then there is no row to move.
    rows::set_progress(tx, row.id, Progress::Stored)?;
    let local = LocalDevice::load(tx)?;
    contacts::told_list(tx, row.recipient, local.device_list_version)?;
    if let Some(message) = row.message {
        let body = Plaintext::decode(&row.body).map(|plaintext| plaintext.body);
        let Ok(Body::Post(post)) = body else {
            return Err(StoreError::Corrupted("a message in the outbox").into());
        };
        messages::mark_sent(tx, &local, (message, &post), sent.accepted_ms, events)?;
    }
    Ok(())
}

/// Some device did not get it.
fn mend(
    tx: &mut Transaction<'_>,
    row: &OutboxRow,
    problem: &RecipientProblem,
    rng: &Randomness,
) -> Result<Next> {
    let attempts = rows::count_attempt(tx, row.id)?;
    let devices_differ =
        !(problem.missing.is_empty() && problem.extra.is_empty() && problem.stale.is_empty());
    if devices_differ {
        contacts::want_list(tx, row.recipient)?;
        rows::encrypt_again(tx, row.id, rng)?;
        // A relay that says so again and again is not to keep us busy.
        return Ok(if attempts <= 2 {
            Next::Again
        } else {
            Next::Wait(None)
        });
    }
    let after = Duration::from_millis(problem.retry_after_ms);
    Ok(Next::Wait((!after.is_zero()).then_some(after)))
}

fn refused(
    tx: &mut Transaction<'_>,
    row: &OutboxRow,
    error: &RequestError,
    events: &mut Vec<Event>,
) -> Result<Next> {
    match error {
        RequestError::Refused {
            retryable: false, ..
        }
        | RequestError::TooLarge => {
            fail(tx, row, FailureReason::Refused, events)?;
            Ok(Next::GoOn)
        }
        RequestError::Refused { retry_after, .. } => Ok(Next::Wait(*retry_after)),
        _ => Ok(Next::Wait(None)),
    }
}

/// Bundles could not be had. Whoever was never reached may not exist.
pub(crate) fn no_sessions(
    tx: &mut Transaction<'_>,
    row: &OutboxRow,
    error: &crate::Error,
    events: &mut Vec<Event>,
) -> Result<Next> {
    let crate::Error::Relay(RequestError::Refused {
        retry_after,
        retryable,
        ..
    }) = error
    else {
        return Ok(Next::Wait(None));
    };
    if !retryable {
        let attempts = rows::count_attempt(tx, row.id)?;
        let stranger =
            contacts::find(tx, row.recipient)?.is_none_or(|contact| contact.list_version == 0);
        if stranger && attempts >= TRIES_FOR_STRANGERS {
            fail(tx, row, FailureReason::Unreachable, events)?;
            return Ok(Next::GoOn);
        }
    }
    Ok(Next::Wait(*retry_after))
}

/// Gives a row up: the app sees why, and may try again.
fn fail(
    tx: &mut Transaction<'_>,
    row: &OutboxRow,
    reason: FailureReason,
    events: &mut Vec<Event>,
) -> Result<()> {
    rows::delete(tx, row.id)?;
    match row.message {
        Some(message) => messages::mark_failed(tx, message, reason, events)?,
        // Nobody is there to be asked: what came in this account's name stays as it is.
        None if reason == FailureReason::Unreachable => {
            repair::give_up(tx, row.recipient, events)?;
        }
        None => {}
    }
    Ok(())
}
