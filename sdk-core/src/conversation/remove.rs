//! Messages that go from this device: deleted here, or when their time is over.
//!
//! The row stays without content, so that the same message is never shown again. What others quoted of it goes too
//! where its time was over; SQLite overwrites what is deleted (`secure_delete`).
//!
//! Must never: take anything back that is still to be sent.

use rusqlite::OptionalExtension as _;

use crate::Result;
use crate::content::{Content, Reply};
use crate::conversation::changes;
use crate::conversation::rows as messages;
use crate::conversation::search;
use crate::event::{Event, MessageRef};
use crate::store::Transaction;
use crate::store::columns::{account, message_id};

/// Remembers that a message quotes another one. What is gone already is not brought back by a quote.
pub(crate) fn note_quote(tx: &Transaction<'_>, row: i64, content: &Content) -> Result<()> {
    let reply = content.text().and_then(|text| text.reply_to());
    let Some(reply) = reply.filter(|reply| !reply.excerpt.is_empty()) else {
        return Ok(());
    };
    tx.prepare_cached("INSERT INTO quote (message, sender, message_id) VALUES (?1, ?2, ?3)")?
        .execute((row, reply.to.sender.as_bytes(), reply.to.id.as_bytes()))?;
    let quoted: Option<(i64, i8, Vec<u8>)> = tx
        .prepare_cached(
            "SELECT id, state, content FROM message WHERE sender = ?1 AND message_id = ?2
                 AND conversation = (SELECT conversation FROM message WHERE id = ?3)",
        )?
        .query_row(
            (reply.to.sender.as_bytes(), reply.to.id.as_bytes(), row),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    match quoted {
        Some((quoted, state, content))
            if state == -1 || Content::decode(&content) == Ok(Content::Deleted) =>
        {
            forget_quotes(tx, quoted, reply.to)
        }
        _ => Ok(()),
    }
}

/// What was quoted of a message goes, in the conversation of its row.
pub(crate) fn forget_quotes(tx: &Transaction<'_>, row: i64, quoted: MessageRef) -> Result<()> {
    type Quoting = (i64, Vec<u8>, Option<Vec<u8>>);
    let mut query = tx.prepare_cached(
        "SELECT m.id, m.content, m.shown FROM quote q JOIN message m ON m.id = q.message
         WHERE q.sender = ?1 AND q.message_id = ?2
             AND m.conversation = (SELECT conversation FROM message WHERE id = ?3)",
    )?;
    let quoting: Vec<Quoting> = query
        .query_map(
            (quoted.sender.as_bytes(), quoted.id.as_bytes(), row),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?
        .collect::<Result<_, _>>()?;
    for (row, content, shown) in quoting {
        tx.prepare_cached("UPDATE message SET content = ?2, shown = ?3 WHERE id = ?1")?
            .execute((row, without_excerpt(content), shown.map(without_excerpt)))?;
        tx.prepare_cached("DELETE FROM quote WHERE message = ?1")?
            .execute([row])?;
    }
    Ok(())
}

fn without_excerpt(content: Vec<u8>) -> Vec<u8> {
    let Ok((read, forwards)) = Content::decode_forwarded(&content) else {
        return content;
    };
    let Some(text) = read.text().cloned() else {
        return content;
    };
    let reply = text.reply_to().map(|reply| Reply {
        to: reply.to,
        excerpt: String::new(),
    });
    read.with_text(text.answering(reply))
        .encode_forwarded(forwards)
}

/// A message goes from this device. Nothing happens if it is not shown here.
pub(crate) fn remove(
    tx: &Transaction<'_>,
    row: i64,
    with_quotes: bool,
    events: &mut Vec<Event>,
) -> Result<()> {
    let found: Option<(MessageRef, i64)> = tx
        .prepare_cached(
            "SELECT sender, message_id, conversation FROM message WHERE id = ?1 AND state > 0",
        )?
        .query_row([row], |row| {
            let id = MessageRef {
                sender: account(row, 0)?,
                id: message_id(row, 1)?,
            };
            Ok((id, row.get(2)?))
        })
        .optional()?;
    let Some((message, conversation)) = found else {
        return Ok(());
    };
    search::forget(tx, row)?;
    changes::forget_changes(tx, row, None)?;
    if with_quotes {
        forget_quotes(tx, row, message)?;
    }
    tx.prepare_cached("DELETE FROM quote WHERE message = ?1")?
        .execute([row])?;
    tx.prepare_cached(
        "UPDATE message SET state = -1, content = x'', shown = NULL, starred_ms = NULL, pinned_ms = NULL,
             edited_ms = NULL, changed = 0, expires_ms = NULL
         WHERE id = ?1",
    )?
    .execute([row])?;
    messages::refresh(tx, conversation)?;
    if let Some(conversation) = messages::by_row(tx, conversation)? {
        let conversation = conversation.conversation_id;
        events.push(Event::MessageRemoved {
            conversation,
            message,
        });
        events.push(Event::ConversationChanged { conversation });
    }
    Ok(())
}
