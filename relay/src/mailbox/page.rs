//! Reading settled messages, a page at a time, on a reading connection.

use std::sync::Arc;

use bytes::Bytes;
use hushpost_wire::{AccountId, DeviceAddress, DeviceId, MessageId};
use rusqlite::{Connection, params};

use super::{DeviceKey, Entry, Message};
use crate::store::{StoreError, from_sql, to_sql};

/// Message id, then the sender's account and device if there is one.
pub(super) fn encode_header(id: MessageId, sender: Option<DeviceAddress>) -> Vec<u8> {
    let mut header = id.as_bytes().to_vec();
    if let Some(sender) = sender {
        header.extend(sender.account.as_bytes());
        header.push(sender.device.get());
    }
    header
}

/// What [`encode_header`] wrote; `None` if it did not.
pub(super) fn decode_header(header: &[u8]) -> Option<(MessageId, Option<DeviceAddress>)> {
    let (id, sender) = header.split_at_checked(16)?;
    let id = MessageId::from_slice(id).ok()?;
    let sender = match sender.split_last() {
        None => None,
        Some((device, account)) => Some(DeviceAddress {
            account: AccountId::from_slice(account).ok()?,
            device: DeviceId::new(u32::from(*device)).ok()?,
        }),
    };
    Some((id, sender))
}

/// Settled messages of a device after a sequence number and up to and with another: at most `count`, and
/// about `bytes` bytes (one message at least).
///
/// # Errors
/// [`StoreError`].
pub fn read(
    connection: &Connection,
    device: DeviceKey,
    after: u64,
    through: u64,
    count: usize,
    bytes: usize,
) -> Result<Vec<(u64, Entry)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, accepted_ms, header, own, body
           FROM mailbox LEFT JOIN payload ON payload.id = mailbox.payload
          WHERE device = ?1 AND sequence > ?2 AND sequence <= ?3
          ORDER BY sequence LIMIT ?4",
    )?;
    let limit = i64::try_from(count).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![device.0, to_sql(after), to_sql(through), limit])?;
    let mut page = Vec::new();
    let mut size = 0usize;
    while let Some(row) = rows.next()? {
        let header: &[u8] = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let (id, sender) = decode_header(header)
            .ok_or_else(|| StoreError::Failed("a stored message header is damaged".into()))?;
        let message = Message {
            id,
            sender,
            accepted_ms: from_sql(row.get(1)?),
            shared: row
                .get::<_, Option<Vec<u8>>>(4)?
                .map_or_else(Bytes::new, Bytes::from),
        };
        let entry = Entry {
            message: Arc::new(message),
            own: row.get::<_, Vec<u8>>(3)?.into(),
        };
        size = size.saturating_add(entry.len());
        if size > bytes && !page.is_empty() {
            break;
        }
        page.push((from_sql(row.get(0)?), entry));
    }
    Ok(page)
}
