//! New places for own messages that never left, when the device is set up anew.
//!
//! In the time that this database lost, their places may have been given to other messages.

use crate::Result;
use crate::content::{Body, ChainId, Plaintext, Sequence};
use crate::store::columns::{signed, unsigned};
use crate::store::{StoreError, Transaction};

/// Where rows with a message's body wait: a group's message may wait in both.
const TABLES: [(&str, &str); 2] = [("outbox", "only_device IS NULL"), ("group_outbox", "TRUE")];

/// Moves everything that is queued to a new chain, in its order. Sequences there begin anew.
pub(crate) fn move_to(tx: &Transaction<'_>, chain: ChainId) -> Result<()> {
    let queued: Vec<(i64, i64)> = tx
        .prepare(
            "SELECT id, conversation FROM message WHERE state = 10 AND
                 (id IN (SELECT message FROM outbox WHERE only_device IS NULL)
                  OR id IN (SELECT message FROM group_outbox)) ORDER BY id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (message, conversation) in queued {
        let sequence = tx.query_row(
            "UPDATE conversation SET next_sequence = next_sequence + 1 WHERE id = ?1
             RETURNING next_sequence - 1",
            [conversation],
            |row| unsigned(row, 0),
        )?;
        tx.execute(
            "UPDATE message SET chain = ?2, sequence = ?3 WHERE id = ?1",
            (message, chain.0.cast_signed(), signed(sequence)),
        )?;
        for (table, which) in TABLES {
            move_bodies(tx, table, which, message, (chain, Sequence::new(sequence)?))?;
        }
    }
    Ok(())
}

fn move_bodies(
    tx: &Transaction<'_>,
    table: &str,
    which: &str,
    message: i64,
    (chain, sequence): (ChainId, Sequence),
) -> Result<()> {
    let rows: Vec<(i64, Vec<u8>)> = tx
        .prepare(&format!(
            "SELECT id, body FROM {table} WHERE message = ?1 AND {which}"
        ))?
        .query_map([message], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (row, body) in rows {
        let Ok(Body::Post(mut post)) = Plaintext::decode(&body).map(|plaintext| plaintext.body)
        else {
            return Err(StoreError::Corrupted("a queued message does not decode").into());
        };
        (post.chain, post.sequence) = (chain, sequence);
        tx.execute(
            &format!("UPDATE {table} SET body = ?2 WHERE id = ?1"),
            (row, Body::Post(post).encode()?),
        )?;
    }
    Ok(())
}
