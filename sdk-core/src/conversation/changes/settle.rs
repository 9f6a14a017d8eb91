//! Stores what a message's changes amount to: what is shown in its place, and what is found by searching.

use rusqlite::OptionalExtension as _;

use super::may_delete_for_others;
use super::read::{COLUMNS, read};
use super::resolve::{Made, resolve};
use crate::Result;
use crate::clock::Stamp;
use crate::content::{Change, Content, ConversationId, change::kind};
use crate::conversation::rows::Kind;
use crate::conversation::{remove, search};
use crate::event::{Event, MessageRef};
use crate::message::Cursor;
use crate::outbox::reword::reword;
use crate::store::columns::{account, checked, device, message_id, signed, unsigned};
use crate::store::{StoreError, Transaction};

/// A message that is shown, as far as changes concern it.
struct Target {
    conversation: ConversationId,
    row: (i64, Kind),
    is_last: bool,
    id: MessageRef,
    at: Cursor,
    content: Vec<u8>,
    shown: Option<Vec<u8>>,
}

/// Works out anew what is shown of a message. Says whether words went that the search index still has.
pub(crate) fn settle(tx: &Transaction<'_>, row: i64, events: &mut Vec<Event>) -> Result<bool> {
    let Some(target) = load(tx, row)? else {
        return Ok(false);
    };
    let Ok((content, forwards)) = Content::decode_forwarded(&target.content) else {
        return Ok(false);
    };
    if content == Content::Deleted {
        forget_changes(tx, row, Some(target.id))?;
        return Ok(false);
    }
    let mut changes = Vec::new();
    let mut has_more = false;
    let mut query = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM change c JOIN message m ON m.id = c.post WHERE c.target = ?1"
    ))?;
    for found in query.query_map([row], read)? {
        if let (_, Some(made)) = found? {
            if matches!(made.change, Change::Delete(_)) && !may_delete(tx, &target, &made)? {
                continue;
            }
            has_more |= matches!(made.change.kind(), kind::REACTION | kind::VOTE);
            changes.push(made);
        }
    }
    let outcome = resolve(target.at, &content, changes);
    events.push(Event::MessageChanged {
        conversation: target.conversation,
        message: target.id,
    });
    if target.is_last {
        events.push(Event::ConversationChanged {
            conversation: target.conversation,
        });
    }
    if outcome.deleted {
        bury(tx, row, target.id)?;
        return Ok(true);
    }
    let (shown, edited_ms) = match outcome.edit {
        Some((text, at_ms)) => (
            Some(content.with_text(text).encode_forwarded(forwards)),
            Some(signed(at_ms)),
        ),
        None => (None, None),
    };
    let edited = shown != target.shown;
    tx.prepare_cached(
        "UPDATE message SET shown = ?2, edited_ms = ?3, pinned_ms = ?4, changed = ?5 WHERE id = ?1",
    )?
    .execute((
        row,
        &shown,
        edited_ms,
        outcome.pinned_ms.map(signed),
        has_more,
    ))?;
    if edited {
        search::forget(tx, row)?;
        let now = Content::decode(shown.as_ref().unwrap_or(&target.content));
        if let Ok(now) = now
            && let Some(text) = now.searchable_text()
        {
            search::add(tx, row, text)?;
        }
    }
    Ok(edited)
}

fn may_delete(tx: &Transaction<'_>, target: &Target, made: &Made) -> Result<bool> {
    let by = made.at.sender;
    Ok(by == target.id.sender || may_delete_for_others(tx, target.row, by, made.accepted_ms)?)
}

/// Nothing is left of a message and its changes, here or in what is still to be sent.
fn bury(tx: &Transaction<'_>, row: i64, target: MessageRef) -> Result<()> {
    let tombstone = Content::Deleted.encode();
    tx.prepare_cached(
        "UPDATE message SET content = ?2, shown = NULL, edited_ms = NULL, pinned_ms = NULL,
             changed = 0, starred_ms = NULL
         WHERE id = ?1",
    )?
    .execute((row, &tombstone))?;
    reword(tx, row, &tombstone)?;
    // Of a file nothing is left either.
    tx.prepare_cached("DELETE FROM media WHERE message = ?1")?
        .execute([row])?;
    search::forget(tx, row)?;
    forget_changes(tx, row, Some(target))?;
    remove::forget_quotes(tx, row, target)
}

/// Takes a message's changes away, and what they said. What deleted it for everyone stays.
pub(crate) fn forget_changes(
    tx: &Transaction<'_>,
    row: i64,
    deleted: Option<MessageRef>,
) -> Result<()> {
    let mut query =
        tx.prepare_cached("SELECT post FROM change WHERE target = ?1 AND (kind <> ?2 OR ?3)")?;
    let posts: Vec<i64> = query
        .query_map((row, kind::DELETION, deleted.is_none()), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for post in posts {
        tx.prepare_cached("DELETE FROM change WHERE post = ?1")?
            .execute([post])?;
        scrub(tx, post, deleted)?;
    }
    Ok(())
}

/// Empties a change. An own one that others may still ask for becomes the deletion of what it changed, if that was
/// deleted for everyone: whoever has neither needs only that.
pub(crate) fn scrub(tx: &Transaction<'_>, post: i64, deleted: Option<MessageRef>) -> Result<()> {
    let mut query =
        tx.prepare_cached("SELECT state = -3 FROM message WHERE id = ?1 AND quiet = 1")?;
    let own: Option<bool> = query.query_row([post], |row| row.get(0)).optional()?;
    let stand_in = match (own, deleted) {
        (Some(true), Some(target)) => Change::Delete(target).encode(),
        _ => Vec::new(),
    };
    tx.prepare_cached("UPDATE message SET content = ?2 WHERE id = ?1 AND quiet = 1")?
        .execute((post, &stand_in))?;
    if !stand_in.is_empty() {
        reword(tx, post, &stand_in)?;
    }
    Ok(())
}

fn load(tx: &Transaction<'_>, row: i64) -> Result<Option<Target>> {
    let mut query = tx.prepare_cached(
        "SELECT c.conversation_id, m.sender, m.message_id, m.device, m.sequence, m.stamp, m.content,
             m.shown, c.last_message IS m.id, c.id, c.peer
         FROM message m JOIN conversation c ON c.id = m.conversation WHERE m.id = ?1 AND m.state > 0",
    )?;
    Ok(query
        .query_row([row], |row| {
            let conversation: [u8; 16] = row.get(0)?;
            let sender = account(row, 1)?;
            Ok(Target {
                conversation: checked(0, || {
                    ConversationId::from_slice(&conversation)
                        .ok_or(StoreError::Corrupted("a conversation id"))
                })?,
                row: (
                    row.get(9)?,
                    match row.get::<_, Option<[u8; 16]>>(10)? {
                        Some(_) => Kind::Direct(account(row, 10)?),
                        None => Kind::Group,
                    },
                ),
                is_last: row.get(8)?,
                id: MessageRef {
                    sender,
                    id: message_id(row, 2)?,
                },
                at: Cursor {
                    stamp: Stamp::from_bits(unsigned(row, 5)?),
                    sender,
                    device: device(row, 3)?,
                    sequence: unsigned(row, 4)?,
                },
                content: row.get(6)?,
                shown: row.get(7)?,
            })
        })
        .optional()?)
}
