//! Other words for what waits to be sent, or to be confirmed: what was deleted for everyone is not to lie here in
//! a body that may be encrypted again.

use crate::Result;
use crate::content::{Body, Plaintext};
use crate::store::{StoreError, Transaction};

/// Puts another content into everything that carries a message. What is encrypted already goes as it is.
pub(crate) fn reword(tx: &Transaction<'_>, message: i64, content: &[u8]) -> Result<()> {
    for table in ["outbox", "group_outbox"] {
        let rows: Vec<(i64, Vec<u8>)> = tx
            .prepare_cached(&format!("SELECT id, body FROM {table} WHERE message = ?1"))?
            .query_map([message], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (row, body) in rows {
            let body = reworded(&body, content)?;
            tx.prepare_cached(&format!("UPDATE {table} SET body = ?2 WHERE id = ?1"))?
                .execute((row, body))?;
        }
    }
    Ok(())
}

fn reworded(body: &[u8], content: &[u8]) -> Result<Vec<u8>> {
    let Ok(Body::Post(mut post)) = Plaintext::decode(body).map(|plaintext| plaintext.body) else {
        return Err(StoreError::Corrupted("a message in the outbox").into());
    };
    post.content = content.to_vec();
    Ok(Body::Post(post).encode()?)
}
