//! Who of a group has a message, and who has read it.

use hushpost_wire::AccountId;
use rusqlite::{Connection, OptionalExtension as _};

use crate::Result;
use crate::conversation::rows as messages;
use crate::event::{Event, MessageRef};
use crate::group::outbox;
use crate::store::Transaction;
use crate::store::columns::{account, signed};

/// How far a group message is: "delivered to 150 of 255".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageReceipts {
    /// How many it was sent to.
    pub recipients: u64,
    /// Who has it, in the order of accounts.
    pub members: Vec<MemberReceipt>,
}

impl MessageReceipts {
    /// How many have it.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.members.len()
    }

    /// How many have read it.
    #[must_use]
    pub fn read(&self) -> usize {
        let members = self.members.iter();
        members.filter(|member| member.read_ms.is_some()).count()
    }
}

/// What one member has of a message. Times are by their clock, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberReceipt {
    /// Who.
    pub account: AccountId,
    /// When a device of theirs had it; none if they only said that they read it.
    pub delivered_ms: Option<u64>,
    /// When they read it.
    pub read_ms: Option<u64>,
}

/// A member has an own message, or has read it.
pub(crate) fn note(
    tx: &Transaction<'_>,
    message: i64,
    by: AccountId,
    read: bool,
    at_ms: u64,
    events: &mut Vec<Event>,
) -> Result<()> {
    outbox::delivered(tx, message, by)?;
    let column = if read { "read_ms" } else { "delivered_ms" };
    tx.prepare_cached(&format!(
        "INSERT INTO group_receipt (message, account, {column}) VALUES (?1, ?2, ?3)
         ON CONFLICT (message, account) DO UPDATE SET {column} = coalesce({column}, excluded.{column})"
    ))?
    .execute((message, by.as_bytes(), signed(at_ms)))?;
    let (recipients, delivered, have_read): (Option<i64>, i64, i64) = tx
        .prepare_cached(
            "SELECT (SELECT recipients FROM message WHERE id = ?1), count(*), count(read_ms)
             FROM group_receipt WHERE message = ?1",
        )?
        .query_row([message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let recipients = recipients.unwrap_or(i64::MAX);
    if have_read >= recipients {
        messages::mark_received(tx, message, true, at_ms, events)
    } else if delivered >= recipients {
        messages::mark_received(tx, message, false, at_ms, events)
    } else {
        messages::changed(tx, message, events)
    }
}

/// Who has a message.
pub(crate) fn of(db: &Connection, message: MessageRef) -> Result<Option<MessageReceipts>> {
    let Some(row) = messages::row_of(db, message)? else {
        return Ok(None);
    };
    let recipients: Option<i64> = db
        .query_row(
            "SELECT recipients FROM message WHERE id = ?1",
            [row],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    let Some(recipients) = recipients.and_then(|count| u64::try_from(count).ok()) else {
        return Ok(None);
    };
    let mut query = db.prepare_cached(
        "SELECT account, delivered_ms, read_ms FROM group_receipt WHERE message = ?1
         ORDER BY account",
    )?;
    let time = |time: Option<i64>| time.and_then(|time| u64::try_from(time).ok());
    let members = query.query_map([row], |row| {
        Ok(MemberReceipt {
            account: account(row, 0)?,
            delivered_ms: time(row.get(1)?),
            read_ms: time(row.get(2)?),
        })
    })?;
    Ok(Some(MessageReceipts {
        recipients,
        members: members.collect::<Result<_, _>>()?,
    }))
}
