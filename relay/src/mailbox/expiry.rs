//! Messages that nobody fetched: after their time to live they count as acknowledged.

use rusqlite::{Connection, OptionalExtension, params};

use super::DeviceKey;
use crate::store::{StoreError, from_sql, to_sql};

/// Mailboxes in which messages expired, with the sequence number up to which they did, and where to go on;
/// `None` at the end.
pub type Found = (Vec<(DeviceKey, u64)>, Option<DeviceKey>);

/// Devices after `from` whose oldest settled message was accepted before `before_ms`, with the sequence
/// number up to which all are that old. Looks at `devices` mailboxes at most.
///
/// # Errors
/// [`StoreError`].
pub fn find(
    connection: &Connection,
    from: DeviceKey,
    before_ms: u64,
    devices: usize,
) -> Result<Found, StoreError> {
    // One seek a device: the primary key leads from each mailbox's first message to the next mailbox.
    let mut first = connection.prepare_cached(
        "SELECT device, accepted_ms FROM mailbox WHERE device > ?1
          ORDER BY device, sequence LIMIT 1",
    )?;
    // Times rise with the sequence but for a clock that was set back, so the first young one ends it.
    let mut through = connection.prepare_cached(
        "SELECT max(sequence) FROM mailbox WHERE device = ?1 AND sequence < coalesce(
             (SELECT min(sequence) FROM mailbox WHERE device = ?1 AND accepted_ms >= ?2),
             9223372036854775807)",
    )?;
    let mut expired = Vec::new();
    let mut at = from;
    for _ in 0..devices {
        let found: Option<(i64, i64)> = first
            .query_row(params![at.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((device, accepted_ms)) = found else {
            return Ok((expired, None));
        };
        at = DeviceKey(device);
        if from_sql(accepted_ms) < before_ms {
            let last: Option<i64> =
                through.query_row(params![device, to_sql(before_ms)], |row| row.get(0))?;
            expired.extend(last.map(|last| (at, from_sql(last))));
        }
    }
    Ok((expired, Some(at)))
}
