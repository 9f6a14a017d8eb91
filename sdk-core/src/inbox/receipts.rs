//! Receipts, both ways: what others had of ours, and what we owe them.
//!
//! A receipt names ranges of places in a sender's chain, so ten thousand messages need one. Receipts are owed
//! in the transaction that stores the message, gathered for a moment, and sent to accepted contacts only: a
//! stranger learns nothing about when this device is on.

use std::sync::Arc;

use hushpost_wire::{AccountId, DeviceAddress, DeviceId};
use rusqlite::Connection;

use crate::Result;
use crate::client::Core;
use crate::content::control::MAX_RANGES;
use crate::content::{
    Body, ChainId, ConversationId, Receipt, ReceiptKind, Sequence, SequenceRange,
};
use crate::conversation::rows::{self as messages, ConversationRow, Kind};
use crate::group;
use crate::inbox::batch::{Batch, ChainKey};
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::{account, bits, checked, device, signed, unsigned};

const DELIVERED: u8 = 1;
const READ: u8 = 2;

/// Others had what we sent.
pub(crate) fn receive(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    receipt: &Receipt,
) -> Result<()> {
    let found = messages::of_speaker(batch.tx, receipt.conversation, from.account)?;
    let Some(conversation) = found else {
        return Ok(());
    };
    let read = receipt.kind == ReceiptKind::Read;
    for range in &receipt.ranges {
        if range.device != batch.local.device {
            continue;
        }
        let (first, last) = (range.first.get(), range.last.get());
        let rows = messages::own_rows_in_range(
            batch.tx,
            conversation.id,
            &batch.local,
            range.chain,
            first,
            last,
        )?;
        for row in rows {
            if conversation.kind == Kind::Group
                && !group::outbox::was_sent_to(batch.tx, row, from.account)?
            {
                // Who came later has none of it.
                continue;
            }
            outbox::delivered(batch.tx, row, from.account, from.device)?;
            let events = &mut batch.effects.events;
            match conversation.kind {
                Kind::Direct(_) => {
                    messages::mark_received(batch.tx, row, read, receipt.at_ms, events)?;
                }
                Kind::Group => {
                    let by = from.account;
                    group::receipts::note(batch.tx, row, by, read, receipt.at_ms, events)?;
                }
            }
        }
    }
    Ok(())
}

/// A message is stored here: its sender is to know, if it is a contact.
pub(crate) fn owe_delivered(
    batch: &mut Batch<'_, '_>,
    conversation: &ConversationRow,
    key: ChainKey,
    sequence: Sequence,
) -> Result<()> {
    if !conversation.accepted {
        return Ok(());
    }
    batch
        .tx
        .prepare_cached(
            "INSERT OR IGNORE INTO receipt_due (conversation, kind, sender, device, chain, sequence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            conversation.id,
            DELIVERED,
            key.sender.account.as_bytes(),
            key.sender.device.get(),
            key.chain.0.cast_signed(),
            signed(sequence.get()),
        ))?;
    batch.effects.receipts = true;
    Ok(())
}

/// Messages of a conversation were read, up to a stamp: their senders are to know.
pub(crate) fn owe_read(tx: &Transaction<'_>, conversation: i64, through: i64) -> Result<()> {
    tx.execute(
        "INSERT OR IGNORE INTO receipt_due (conversation, kind, sender, device, chain, sequence)
         SELECT conversation, ?3, sender, device, chain, sequence FROM message
         WHERE conversation = ?1 AND state = 1 AND stamp <= ?2",
        (conversation, through, READ),
    )?;
    Ok(())
}

/// A request is accepted: what was read before is said to be, now.
pub(crate) fn owe_all_read(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    tx.execute(
        "INSERT OR IGNORE INTO receipt_due (conversation, kind, sender, device, chain, sequence)
         SELECT conversation, ?2, sender, device, chain, sequence FROM message
         WHERE conversation = ?1 AND shared_by IS NULL AND state = 2 AND quiet = 0 AND notice = 0",
        (conversation, READ),
    )?;
    Ok(())
}

/// A request was accepted: what came before is confirmed now.
pub(crate) fn owe_all_delivered(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    tx.execute(
        "INSERT OR IGNORE INTO receipt_due (conversation, kind, sender, device, chain, sequence)
         SELECT conversation, ?2, sender, device, chain, sequence FROM message
         WHERE conversation = ?1 AND shared_by IS NULL AND (state IN (0, 1, 2) AND quiet = 0
             OR id IN (SELECT post FROM change WHERE conversation = ?1 AND target IS NOT NULL) AND state = -2)",
        (conversation, DELIVERED),
    )?;
    Ok(())
}

/// Turns what is owed into outbox rows. Says whether there was anything.
pub(crate) fn flush(tx: &mut Transaction<'_>, now_ms: u64, rng: &Randomness) -> Result<bool> {
    let due = due(tx)?;
    if due.is_empty() {
        return Ok(false);
    }
    for (to, kind, ranges) in due {
        for ranges in ranges.chunks(MAX_RANGES) {
            let body = Body::Receipt(Receipt {
                conversation: to.1,
                kind,
                ranges: ranges.to_vec(),
                at_ms: now_ms,
            });
            outbox::insert(
                tx,
                &NewRow {
                    recipient: to.0,
                    message: None,
                    only_device: None,
                    replaces: &[],
                    body: &body.encode()?,
                },
                now_ms,
                rng,
            )?;
        }
    }
    tx.execute("DELETE FROM receipt_due", [])?;
    Ok(true)
}

type Due = Vec<((AccountId, ConversationId), ReceiptKind, Vec<SequenceRange>)>;

/// What is owed, as ranges, by conversation and kind. Read says delivered too.
fn due(db: &Connection) -> Result<Due> {
    let mut query = db.prepare_cached(
        "SELECT r.sender, c.conversation_id, r.kind, r.device, r.chain, r.sequence
         FROM receipt_due r JOIN conversation c ON c.id = r.conversation
         JOIN contact p ON p.account = r.sender
         WHERE c.standing = 1 AND p.blocked = 0
             AND NOT (r.kind = 1 AND EXISTS (SELECT 1 FROM receipt_due q
                 WHERE q.conversation = r.conversation AND q.sender = r.sender AND q.kind = 2
                     AND q.device = r.device AND q.chain = r.chain AND q.sequence = r.sequence))
         ORDER BY r.conversation, r.sender, r.kind, r.device, r.chain, r.sequence",
    )?;
    let rows = query.query_map([], |row| {
        let conversation: [u8; 16] = row.get(1)?;
        let kind = match row.get::<_, u8>(2)? {
            DELIVERED => ReceiptKind::Delivered,
            _ => ReceiptKind::Read,
        };
        let sequence = unsigned(row, 5)?;
        let conversation = checked(1, || {
            ConversationId::from_slice(&conversation)
                .ok_or(crate::store::StoreError::Corrupted("a conversation id"))
        })?;
        Ok((
            (account(row, 0)?, conversation),
            kind,
            (
                device(row, 3)?,
                ChainId(bits(row, 4)?),
                checked(5, || Sequence::new(sequence))?,
            ),
        ))
    })?;
    let mut due: Due = Vec::new();
    for row in rows {
        let (to, kind, place) = row?;
        match due.last_mut() {
            Some((last_to, last_kind, ranges)) if *last_to == to && *last_kind == kind => {
                add(ranges, place);
            }
            _ => {
                let mut ranges = Vec::new();
                add(&mut ranges, place);
                due.push((to, kind, ranges));
            }
        }
    }
    Ok(due)
}

/// Adds the next place, in the range before it if it follows on.
fn add(ranges: &mut Vec<SequenceRange>, place: (DeviceId, ChainId, Sequence)) {
    let (device, chain, sequence) = place;
    if let Some(range) = ranges.last_mut()
        && (range.device, range.chain) == (device, chain)
        && range.last.get().saturating_add(1) == sequence.get()
    {
        range.last = sequence;
        return;
    }
    ranges.push(SequenceRange {
        device,
        chain,
        first: sequence,
        last: sequence,
    });
}

/// Whether any are owed.
pub(crate) fn are_due(db: &Connection) -> Result<bool> {
    let mut query = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM receipt_due)")?;
    Ok(query.query_row([], |row| row.get(0))?)
}

/// Sends what is owed.
pub(crate) async fn send_due(core: &Arc<Core>) -> Result<()> {
    let now_ms = core.corrected_now().await.unwrap_or_default();
    let rng = core.rng.clone();
    let told = Arc::clone(core);
    let then = move |any: bool| {
        if any {
            told.wake_outbox.notify_one();
        }
    };
    core.store
        .write_then(move |tx| flush(tx, now_ms, &rng), then)
        .await
}

/// Sends what is owed, a moment after it is.
pub(crate) async fn run(core: Arc<Core>) {
    loop {
        if let Err(error) = send_due(&core).await {
            tracing::warn!(code = error.code(), "receipts could not be queued");
        }
        core.wake_receipts.notified().await;
        tokio::time::sleep(core.settings.receipt_delay).await;
    }
}
