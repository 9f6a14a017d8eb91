//! Numbered migrations: the schema's version is SQLite's `user_version`.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;

/// Every version's step, from an empty file on. A released one is never changed.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001.sql")];

/// Brings the schema up to date, in one transaction, whoever of two processes comes first.
///
/// `used_before`: an empty file here is a damaged one.
pub(crate) fn run(connection: &mut Connection, used_before: bool) -> Result<(), StoreError> {
    let newest = MIGRATIONS.len();
    if version(connection)? == newest {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let current = version(&transaction)?;
    if current == 0 && used_before {
        return Err(StoreError::Corrupted(
            "the file is empty, though it was used before",
        ));
    }
    if current > newest {
        return Err(StoreError::Newer);
    }
    for migration in MIGRATIONS.iter().skip(current) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", newest)?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(version).map_err(|_| StoreError::Corrupted("the schema's version is negative"))
}
