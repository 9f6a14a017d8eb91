//! Reads what changes amount to where it is not stored with the message: reactions, votes, older versions.
//!
//! A page of messages costs one query more, and only if a message of it has any.

use std::collections::BTreeMap;

use hushpost_wire::MessageId;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::resolve::{Made, Outcome, resolve};
use crate::clock::Stamp;
use crate::content::{Change, Content, Said, Text, change::kind};
use crate::conversation::rows::Loaded;
use crate::message::{Cursor, Message};
use crate::store::columns::{account, device, message_id, unsigned};
use crate::{Error, Result};

/// A text that a message had, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextVersion {
    /// The text.
    pub text: Text,
    /// Since when, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// The columns that [`read`] reads, of `change c JOIN message m ON m.id = c.post`.
pub(super) const COLUMNS: &str =
    "c.target, m.stamp, m.sender, m.device, m.sequence, m.message_id, m.content, m.accepted_ms";

/// A change, and the row that it changes. `None`: what it said was emptied.
pub(super) fn read(row: &Row<'_>) -> Result<(i64, Option<Made>), rusqlite::Error> {
    let at = Cursor {
        stamp: Stamp::from_bits(unsigned(row, 1)?),
        sender: account(row, 2)?,
        device: device(row, 3)?,
        sequence: unsigned(row, 4)?,
    };
    let id: MessageId = message_id(row, 5)?;
    let content: Vec<u8> = row.get(6)?;
    let accepted_ms: Option<i64> = row.get(7)?;
    let accepted_ms = accepted_ms.and_then(|time| u64::try_from(time).ok());
    let made = match Said::decode(&content) {
        Ok(Said::Quiet(change)) => Some(Made {
            at,
            id,
            change,
            accepted_ms,
        }),
        _ => None,
    };
    Ok((row.get(0)?, made))
}

/// The messages with their reactions and votes.
pub(crate) fn complete(db: &Connection, loaded: Vec<Loaded>) -> Result<Vec<Message>> {
    let rows: Vec<String> = loaded
        .iter()
        .filter(|loaded| loaded.changed)
        .map(|loaded| loaded.row.to_string())
        .collect();
    let mut changes: BTreeMap<i64, Vec<Made>> = BTreeMap::new();
    if !rows.is_empty() {
        let mut query = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM json_each(?1) j JOIN change c ON c.target = j.value
                 JOIN message m ON m.id = c.post WHERE c.kind IN (?2, ?3)"
        ))?;
        let rows = format!("[{}]", rows.join(","));
        for found in query.query_map((rows, kind::REACTION, kind::VOTE), read)? {
            if let (target, Some(made)) = found? {
                changes.entry(target).or_default().push(made);
            }
        }
    }
    let complete = loaded.into_iter().map(|loaded| {
        let mut message = loaded.message;
        let changes = changes.remove(&loaded.row).unwrap_or_default();
        let is_poll = matches!(message.content, Content::Poll(_));
        if is_poll || !changes.is_empty() {
            let Outcome {
                reactions, votes, ..
            } = resolve(message.cursor, &message.content, changes);
            (message.reactions, message.votes) = (reactions, votes);
        }
        message
    });
    Ok(complete.collect())
}

/// All texts that a message had, oldest first, the present one last. Only the present one if it was never edited.
pub(crate) fn versions(db: &Connection, row: i64) -> Result<Vec<TextVersion>> {
    let found: Option<(Vec<u8>, u64)> = db
        .query_row(
            "SELECT content, stamp FROM message WHERE id = ?1 AND state > 0",
            [row],
            |row| Ok((row.get(0)?, unsigned(row, 1)?)),
        )
        .optional()?;
    let (content, stamp) = found.ok_or(Error::NotFound("message"))?;
    let content = Content::decode(&content).unwrap_or(Content::Unknown);
    let Some(original) = content.text().cloned() else {
        return Ok(Vec::new());
    };
    let mut query = db.prepare(&format!(
        "SELECT {COLUMNS} FROM change c JOIN message m ON m.id = c.post
         WHERE c.target = ?1 AND c.kind = ?2"
    ))?;
    let mut edits = Vec::new();
    for found in query.query_map((row, kind::EDIT), read)? {
        edits.extend(found?.1);
    }
    edits.sort_by_key(|made| (made.at, made.id));
    let reply_to = original.reply_to().cloned();
    let mut versions = vec![TextVersion {
        text: original,
        at_ms: Stamp::from_bits(stamp).ms(),
    }];
    for made in edits {
        if let Change::Edit(_, text) = made.change {
            versions.push(TextVersion {
                text: text.answering(reply_to.clone()),
                at_ms: made.at.stamp.ms(),
            });
        }
    }
    Ok(versions)
}
