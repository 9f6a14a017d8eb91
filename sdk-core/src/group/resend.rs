//! For a member who could not read a group message: the same over the 1:1 session, and the key with the next one.

use hushpost_wire::{DeviceAddress, MessageId};

use crate::Result;
use crate::group::{outbox, rows, sender_keys};
use crate::inbox::batch::Batch;
use crate::outbox::rows::{self as direct, NewRow};

/// Sends what did not decrypt as this envelope. Says whether there was such a one for them.
pub(crate) fn envelope(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    envelope: MessageId,
) -> Result<bool> {
    let Some(row) = outbox::by_envelope(batch.tx, envelope, from)? else {
        return Ok(false);
    };
    sender_keys::give_again(batch.tx, row.conversation, from.account)?;
    let alone = NewRow {
        recipient: from.account,
        message: Some(row.message),
        only_device: Some(from.device),
        replaces: row.envelope_id.as_bytes(),
        body: &row.body,
    };
    direct::insert(batch.tx, &alone, batch.now_ms, &batch.rng)?;
    outbox::set_stored(batch.tx, row.id, &[from.account])?;
    Ok(true)
}

/// Whether a member may have a message that was stamped then: what was said before they came is not for them.
pub(crate) fn is_entitled(
    batch: &Batch<'_, '_>,
    conversation: i64,
    from: DeviceAddress,
    stamp_ms: u64,
) -> Result<bool> {
    let member = rows::member(batch.tx, conversation, from.account)?;
    Ok(member.is_some_and(|member| member.left_ms.is_none() && stamp_ms >= member.since_ms))
}
