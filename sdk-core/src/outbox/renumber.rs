//! New places for own messages that never left, when the device is set up anew.
//!
//! In the time that this database lost, their places may have been given to other messages.

use crate::Result;
use crate::content::{Body, ChainId, Plaintext, Sequence};
use crate::store::columns::{signed, unsigned};
use crate::store::{StoreError, Transaction};

/// Moves everything that is queued to a new chain, in its order. Sequences there begin anew.
pub(crate) fn move_to(tx: &Transaction<'_>, chain: ChainId) -> Result<()> {
    let queued: Vec<(i64, i64, i64, Vec<u8>)> = tx
        .prepare(
            "SELECT o.id, m.id, m.conversation, o.body FROM outbox o JOIN message m ON m.id = o.message
             WHERE (m.state = 10 OR m.state = -3 AND m.accepted_ms IS NULL)
                 AND o.only_device IS NULL ORDER BY o.id",
        )?
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    for (row, message, conversation, body) in queued {
        let damaged = StoreError::Corrupted("a queued message does not decode");
        let Ok(Body::Post(mut post)) = Plaintext::decode(&body).map(|plaintext| plaintext.body)
        else {
            return Err(damaged.into());
        };
        let sequence = tx.query_row(
            "UPDATE conversation SET next_sequence = next_sequence + 1 WHERE id = ?1
             RETURNING next_sequence - 1",
            [conversation],
            |row| unsigned(row, 0),
        )?;
        post.chain = chain;
        post.sequence = Sequence::new(sequence)?;
        tx.execute(
            "UPDATE message SET chain = ?2, sequence = ?3 WHERE id = ?1",
            (message, chain.0.cast_signed(), signed(sequence)),
        )?;
        tx.execute(
            "UPDATE outbox SET body = ?2 WHERE id = ?1",
            (row, Body::Post(post).encode()?),
        )?;
    }
    Ok(())
}
