//! Other words for what waits to be sent, or to be confirmed: what was deleted for everyone is not to lie here in
//! a body that may be encrypted again.

use crate::Result;
use crate::content::{Body, Plaintext};
use crate::store::{StoreError, Transaction};

/// Puts another content into everything that carries a message. What is encrypted already goes as it is.
pub(crate) fn reword(tx: &Transaction<'_>, message: i64, content: &[u8]) -> Result<()> {
    let rows: Vec<(i64, Vec<u8>)> = tx
        .prepare_cached("SELECT id, body FROM outbox WHERE message = ?1")?
        .query_map([message], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (row, body) in rows {
        let Ok(Body::Post(mut post)) = Plaintext::decode(&body).map(|plaintext| plaintext.body)
        else {
            return Err(StoreError::Corrupted("a message in the outbox").into());
        };
        post.content = content.to_vec();
        tx.prepare_cached("UPDATE outbox SET body = ?2 WHERE id = ?1")?
            .execute((row, Body::Post(post).encode()?))?;
    }
    Ok(())
}
