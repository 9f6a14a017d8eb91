//! Full-text search over the history.

use core::ops::Range;
use std::sync::Arc;

use crate::client::Core;
use crate::content::ConversationId;
use crate::conversation::changes;
use crate::conversation::rows::{COLUMNS, read};
use crate::conversation::search_text::{highlights, index_text, match_expression};
use crate::message::Message;
use crate::store::Transaction;
use crate::{Error, Result};

/// Most hits at a time.
const MAX_HITS: usize = 200;

/// Pages of the index that are written in one transaction when it is cleaned.
const PAGES_AT_A_TIME: i64 = 256;

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchHit {
    /// The message.
    pub message: Message,
    /// What to mark in its text: byte ranges, in order.
    pub highlights: Vec<Range<usize>>,
}

/// The newest messages that hold all the words, after skipping some.
pub(crate) async fn run(
    core: &Arc<Core>,
    query: &str,
    conversation: Option<ConversationId>,
    skip: usize,
    limit: usize,
) -> Result<Vec<SearchHit>> {
    let expression =
        match_expression(query).ok_or(Error::InvalidInput("a search needs two letters or more"))?;
    let (query, limit) = (query.to_owned(), limit.min(MAX_HITS));
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    core.store
        .read(move |db| {
            let mut statement = db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM search s JOIN message m ON m.id = s.rowid
                     JOIN conversation c ON c.id = m.conversation
                 WHERE search MATCH ?1 AND m.state > 0 AND c.hidden = 0
                     AND (?2 IS NULL OR c.conversation_id = ?2)
                 ORDER BY s.rowid DESC LIMIT ?3 OFFSET ?4"
            ))?;
            let only = conversation.map(|id| *id.as_bytes());
            let rows = statement.query_map((expression, only, limit, skip), read)?;
            let mut hits = Vec::new();
            for message in changes::complete(db, rows.collect::<Result<_, _>>()?)? {
                let text = message.content.searchable_text().unwrap_or_default();
                hits.push(SearchHit {
                    highlights: highlights(text, &query),
                    message,
                });
            }
            Ok(hits)
        })
        .await
}

/// Makes a message findable by its words.
pub(crate) fn add(tx: &Transaction<'_>, message: i64, text: &str) -> Result<()> {
    tx.prepare_cached("INSERT INTO search (rowid, text) VALUES (?1, ?2)")?
        .execute((message, index_text(text)))?;
    Ok(())
}

/// Makes a message findable no more.
pub(crate) fn forget(tx: &Transaction<'_>, message: i64) -> Result<()> {
    tx.prepare_cached("DELETE FROM search WHERE rowid = ?1")?
        .execute([message])?;
    Ok(())
}

/// Takes the words of deleted messages out of the index: so far they are only marked as deleted there. In
/// pieces, so that others get their turn.
pub(crate) async fn forget_deleted(core: &Arc<Core>) -> Result<()> {
    // Negative: everything is to be merged, once.
    let mut pages = -PAGES_AT_A_TIME;
    loop {
        let more = core
            .store
            .write(move |tx| {
                let changes = || tx.query_row("SELECT total_changes()", [], |row| row.get(0));
                let before: i64 = changes()?;
                tx.execute(
                    "INSERT INTO search (search, rank) VALUES ('merge', ?1)",
                    [pages],
                )?;
                // The command itself counts as one.
                Ok(changes()?.saturating_sub(before) > 1)
            })
            .await?;
        if !more {
            return Ok(());
        }
        pages = PAGES_AT_A_TIME;
    }
}
