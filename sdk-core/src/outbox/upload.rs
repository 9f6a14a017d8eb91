//! Rows on the wire. Those that were put in together, the same for many, go together: one frame for many recipients,
//! each with its own ciphertext. A relay counts frames, and a group of a thousand has to be given its keys.
//!
//! Must never: change a recipient's order, or give a row up because others in its frame were too many.

use std::sync::Arc;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Recipient, RecipientDevice, Send, Sent};

use crate::Result;
use crate::account::contacts;
use crate::client::Core;
use crate::connection::{Link, RequestError};
use crate::event::Event;
use crate::outbox::answer::{self, Next};
use crate::outbox::delivery::Waits;
use crate::outbox::rows::{self, OutboxRow};
use crate::random::Randomness;
use crate::store::Transaction;

/// Frames on the wire at once.
pub(super) const WINDOW: usize = 32;
/// Bytes of a frame with several recipients: below what fits.
const MOST_BYTES: usize = 240 * 1024;
/// Recipients of a frame.
const MOST_RECIPIENTS: usize = 256;
/// What a recipient takes beside its ciphertexts, and a ciphertext beside its bytes; more than they do.
const OVERHEAD: usize = 64;

/// One frame.
struct Upload {
    rows: Vec<OutboxRow>,
    recipients: Vec<Recipient>,
    len: usize,
}

impl Upload {
    /// Whether a row that follows goes into the same frame.
    fn takes(&self, row: &OutboxRow, len: usize) -> bool {
        self.rows
            .last()
            .is_some_and(|last| last.envelope_id == row.envelope_id)
            && self.rows.len() < MOST_RECIPIENTS
            && self.len.saturating_add(len) <= MOST_BYTES
    }
}

/// Sends rows without waiting for each answer, then stores all the answers. Says whether anything went on.
pub(super) async fn send(
    core: &Arc<Core>,
    link: &Link,
    rows: Vec<OutboxRow>,
    waits: &mut Waits,
) -> Result<bool> {
    if rows.is_empty() {
        return Ok(false);
    }
    let uploads = core.store.read(move |db| pack(db, rows)).await?;
    let mut pending = Vec::with_capacity(uploads.len());
    for upload in uploads {
        let Upload {
            rows, recipients, ..
        } = upload;
        let Some(row) = rows.first() else {
            continue;
        };
        let request = Request::Send(Send {
            message_id: row.envelope_id.as_bytes().to_vec().into(),
            shared_ciphertext: None,
            recipients,
            ephemeral: false,
        });
        pending.push((link.start(request), rows));
    }
    let mut answered = Vec::with_capacity(pending.len());
    for (answer, rows) in pending {
        let answer = match answer.await {
            Ok(Body::Sent(sent)) => Ok(sent),
            Ok(_) => Err(RequestError::Unexpected),
            Err(error) => Err(error),
        };
        answered.push((rows, answer));
    }
    if answered.is_empty() {
        return Ok(false);
    }
    let (rng, told) = (core.rng.clone(), Arc::clone(core));
    let work = move |tx: &mut Transaction<'_>| apply(tx, answered, &rng);
    let then = move |(outcomes, events): (Outcomes, Vec<_>)| {
        told.events.emit_all(events);
        outcomes
    };
    let outcomes = core.store.write_then(work, then).await?;
    let mut went_on = false;
    for together in outcomes {
        let (mut waiting, mut longest) = (Vec::new(), None);
        for (account, next) in together {
            match next {
                Next::GoOn => {
                    waits.went_on(account);
                    went_on = true;
                }
                Next::Again => went_on = true,
                Next::Wait(at_least) => {
                    waiting.push(account);
                    longest = longest.max(at_least);
                }
            }
        }
        // What went together comes again together.
        waits.hold(&waiting, longest, core);
    }
    Ok(went_on)
}

/// What goes into which frame: rows side by side that were put in together share one.
fn pack(db: &rusqlite::Connection, rows: Vec<OutboxRow>) -> Result<Vec<Upload>> {
    let mut uploads: Vec<Upload> = Vec::new();
    for row in rows {
        let ciphertexts = rows::ciphertexts(db, row.id)?;
        if ciphertexts.is_empty() {
            continue;
        }
        let len = ciphertexts.iter().fold(OVERHEAD, |len, one| {
            len.saturating_add(one.ciphertext.len())
                .saturating_add(OVERHEAD)
        });
        let devices = ciphertexts.into_iter().map(|one| RecipientDevice {
            device: one.device.into(),
            registration_id: one.registration_id,
            ciphertext: one.ciphertext.into(),
        });
        let recipient = Recipient {
            account: row.recipient.as_bytes().to_vec().into(),
            delivery_token: contacts::token(db, row.recipient)?.into(),
            devices: devices.collect(),
        };
        let window_full = uploads.len() >= WINDOW;
        match uploads.last_mut() {
            Some(upload) if upload.takes(&row, len) => {
                upload.rows.push(row);
                upload.recipients.push(recipient);
                upload.len = upload.len.saturating_add(len);
            }
            _ if window_full => break,
            _ => uploads.push(Upload {
                rows: vec![row],
                recipients: vec![recipient],
                len,
            }),
        }
    }
    Ok(uploads)
}

/// What is next for the recipients of each frame.
type Outcomes = Vec<Vec<(AccountId, Next)>>;

fn apply(
    tx: &mut Transaction<'_>,
    answered: Vec<(Vec<OutboxRow>, Result<Sent, RequestError>)>,
    rng: &Randomness,
) -> Result<(Outcomes, Vec<Event>)> {
    let mut events = Vec::new();
    let mut outcomes = Vec::with_capacity(answered.len());
    for (rows, answer) in answered {
        if matches!(
            answer,
            Err(RequestError::Disconnected | RequestError::Timeout)
        ) {
            // Whether it was stored is not known; the same bytes go again over the next link.
            continue;
        }
        let too_many = rows.len() > 1
            && match &answer {
                Err(RequestError::Refused { retryable, .. }) => !retryable,
                Err(error) => *error == RequestError::TooLarge,
                Ok(_) => false,
            };
        let mut together = Vec::with_capacity(rows.len());
        for row in rows {
            let next = if too_many {
                rows::send_by_itself(tx, row.id, rng)?;
                Next::Again
            } else {
                answer::apply(tx, &row, &answer, rng, &mut events)?
            };
            together.push((row.recipient, next));
        }
        outcomes.push(together);
    }
    Ok((outcomes, events))
}
