//! What others ask us to send again, and what they say is gone.
//!
//! Only the one who was to have a message gets it again: requests are served from the conversation with the
//! asker, encrypted for the asking device, and counted, so that nobody can keep us busy.

use std::collections::BTreeSet;

use hushpost_wire::DeviceAddress;

use crate::Result;
use crate::content::control::{MAX_ENVELOPES, MAX_RANGES};
use crate::content::{Body, Gone, Post, ResendRequest, Sequence, SequenceRange};
use crate::conversation::rows::{self as messages, ConversationRow, Kind, OwnMessage};
use crate::event::Event;
use crate::group;
use crate::inbox::batch::Batch;
use crate::outbox::rows::{self as outbox, NewRow, OutboxRow};
use crate::store::columns::signed;

/// Messages sent again for one request. Who misses more asks again.
const MAX_RESENT: usize = 500;
/// Rows that may wait for one recipient because of requests.
const MAX_WAITING: i64 = 2000;

/// Sends again what a device asks for.
pub(crate) fn serve(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    request: &ResendRequest,
) -> Result<()> {
    if waiting(batch, from)? > MAX_WAITING {
        return Ok(());
    }
    let conversation = messages::of_speaker(batch.tx, request.conversation, from.account)?;
    let mut gone = Gone {
        conversation: request.conversation,
        ranges: Vec::new(),
        envelopes: Vec::new(),
    };
    let mut rows = BTreeSet::new();
    for envelope in request.envelopes.iter().take(MAX_ENVELOPES) {
        if let Some(row) = outbox::by_envelope(batch.tx, from.account, *envelope)? {
            rows.insert(row);
        } else if let Some(row) = outbox::replacing(batch.tx, from.account, *envelope)? {
            // It was sent again before. What is still to go out answers this too.
            rows.extend((!row.on_its_way).then_some(row.id));
        } else if !group::resend::envelope(batch, from, *envelope)? {
            gone.envelopes.push(*envelope);
        }
    }
    for row in rows {
        again(batch, from, row)?;
    }
    let mut left = MAX_RESENT;
    if let Some(conversation) = &conversation {
        for range in request.ranges.iter().take(MAX_RANGES) {
            serve_range(
                batch,
                from,
                conversation,
                *range,
                &mut left,
                &mut gone.ranges,
            )?;
        }
    }
    // A stranger learns nothing, not even that this device is on.
    let known = match &conversation {
        Some(conversation) => conversation.accepted,
        None => group::rows::shares_one(batch.tx, from.account)?,
    };
    if known && !(gone.ranges.is_empty() && gone.envelopes.is_empty()) {
        gone.ranges.truncate(MAX_RANGES);
        insert(batch, from, None, &[], Body::Gone(gone))?;
    }
    batch.effects.outbox = true;
    Ok(())
}

/// What we asked for does not exist any more.
pub(crate) fn gone(batch: &mut Batch<'_, '_>, from: DeviceAddress, gone: &Gone) -> Result<()> {
    let conversation = messages::of_speaker(batch.tx, gone.conversation, from.account)?;
    let mut given_up = 0usize;
    let ranges = conversation.map(|conversation| (conversation.id, &gone.ranges));
    for (conversation, range) in ranges
        .into_iter()
        .flat_map(|(id, ranges)| ranges.iter().map(move |range| (id, range)))
    {
        let marked = batch.tx.execute(
            "UPDATE gap SET gone = 1 WHERE gone = 0 AND conversation = ?1 AND sender = ?2
                 AND device = ?3 AND chain = ?4 AND first >= ?5 AND last <= ?6 AND ?7 = device",
            (
                conversation,
                from.account.as_bytes(),
                range.device.get(),
                range.chain.0.cast_signed(),
                signed(range.first.get()),
                signed(range.last.get()),
                from.device.get(),
            ),
        )?;
        given_up = given_up.saturating_add(marked);
    }
    for envelope in &gone.envelopes {
        let marked = batch.tx.execute(
            "UPDATE undecryptable SET gone = 1
             WHERE gone = 0 AND account = ?1 AND device = ?2 AND envelope_id = ?3",
            (
                from.account.as_bytes(),
                from.device.get(),
                envelope.as_bytes(),
            ),
        )?;
        given_up = given_up.saturating_add(marked);
    }
    if given_up > 0 {
        batch.effects.events.push(Event::GapGone {
            conversation: gone.conversation,
            sender: from.account,
        });
    }
    Ok(())
}

fn waiting(batch: &Batch<'_, '_>, from: DeviceAddress) -> Result<i64> {
    Ok(batch.tx.query_row(
        "SELECT count(*) FROM outbox WHERE recipient = ?1 AND only_device IS NOT NULL AND state < 2",
        [from.account.as_bytes()],
        |row| row.get(0),
    )?)
}

/// Encrypts a row that the asker could not open once more, for the asker alone.
fn again(batch: &mut Batch<'_, '_>, from: DeviceAddress, id: i64) -> Result<()> {
    let Some(row) = outbox::find(batch.tx, id)? else {
        return Ok(());
    };
    // What this one was sent for did not decrypt either.
    let mut replaces = [&row.envelope_id.as_bytes()[..], &row.replaces].concat();
    replaces.truncate(MAX_ENVELOPES.saturating_mul(row.envelope_id.as_bytes().len()));
    repeat(batch, from, &row, &replaces)?;
    batch.tx.execute(
        "DELETE FROM outbox_device WHERE outbox = ?1 AND device = ?2",
        (id, from.device.get()),
    )?;
    batch.tx.execute(
        "DELETE FROM outbox WHERE id = ?1 AND NOT EXISTS
             (SELECT 1 FROM outbox_device WHERE outbox = ?1)",
        [id],
    )?;
    Ok(())
}

fn repeat(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    row: &OutboxRow,
    replaces: &[u8],
) -> Result<()> {
    outbox::insert(
        batch.tx,
        &NewRow {
            recipient: from.account,
            message: row.message,
            only_device: Some(from.device),
            replaces,
            body: &row.body,
        },
        batch.now_ms,
        &batch.rng,
    )?;
    Ok(())
}

fn serve_range(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    conversation: &ConversationRow,
    range: SequenceRange,
    left: &mut usize,
    gone: &mut Vec<SequenceRange>,
) -> Result<()> {
    if range.device != batch.local.device || *left == 0 {
        return Ok(());
    }
    let (first, last) = (range.first.get(), range.last.get());
    let found = messages::own_in_range(
        batch.tx,
        conversation.id,
        &batch.local,
        range.chain,
        first,
        last,
        *left,
    )?;
    *left = left.saturating_sub(found.len());
    let mut expected = first;
    for message in found {
        let sequence = message.sequence.get();
        note_gone(gone, range, expected, sequence.saturating_sub(1));
        expected = sequence.saturating_add(1);
        if conversation.kind == Kind::Group
            && !group::resend::is_entitled(batch, conversation.id, from, message.stamp.ms())?
        {
            note_gone(gone, range, sequence, sequence);
            continue;
        }
        send_again(batch, from, conversation, range, message)?;
    }
    if *left > 0 {
        note_gone(gone, range, expected, last);
    }
    Ok(())
}

fn note_gone(gone: &mut Vec<SequenceRange>, range: SequenceRange, first: u64, last: u64) {
    if let (true, Ok(first), Ok(last)) = (first <= last, Sequence::new(first), Sequence::new(last))
    {
        gone.push(SequenceRange {
            first,
            last,
            ..range
        });
    }
}

fn send_again(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    conversation: &ConversationRow,
    range: SequenceRange,
    message: OwnMessage,
) -> Result<()> {
    if let Some(row) = outbox::of_message(batch.tx, message.row, from.account)? {
        let on_its_way: bool = batch.tx.query_row(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE message = ?1 AND recipient = ?2 AND state < 2)",
            (message.row, from.account.as_bytes()),
            |row| row.get(0),
        )?;
        if on_its_way {
            return Ok(());
        }
        return again(batch, from, row.id);
    }
    let post = Post {
        conversation: conversation.conversation_id,
        message_id: message.id,
        stamp: message.stamp,
        chain: range.chain,
        sequence: message.sequence,
        heads: Vec::new(),
        group_heads: Vec::new(),
        content: message.content,
    };
    insert(batch, from, Some(message.row), &[], Body::Post(post))
}

fn insert(
    batch: &mut Batch<'_, '_>,
    to: DeviceAddress,
    message: Option<i64>,
    replaces: &[u8],
    body: Body,
) -> Result<()> {
    outbox::insert(
        batch.tx,
        &NewRow {
            recipient: to.account,
            message,
            only_device: Some(to.device),
            replaces,
            body: &body.encode()?,
        },
        batch.now_ms,
        &batch.rng,
    )?;
    Ok(())
}
