//! The database's tables, by numbered steps, and its epoch.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::OpenError;

/// Step `n` brings a database from version `n` to `n + 1`. A released step is never edited.
const STEPS: [&str; 2] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
];

/// The newest tables, empty.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let connection = Connection::open_in_memory().expect("a database in memory");
    migrate(&connection, Path::new("memory")).expect("tables");
    connection
}

/// Brings the tables to the newest version.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let refused = |cause| OpenError::Database {
        path: path.to_owned(),
        cause,
    };
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    };
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version(connection).map_err(refused)? == known {
        return Ok(());
    }
    // Two processes may open a new folder at once: the version is read again under the lock.
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
            .map_err(refused)?;
    let found = version(&transaction).map_err(refused)?;
    if found > known {
        return Err(OpenError::TooNew { found, known });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step).map_err(refused)?;
    }
    transaction
        .pragma_update(None, "user_version", known)
        .map_err(refused)?;
    if found == 0 {
        renew_epoch(&transaction).map_err(refused)?;
    }
    transaction.commit().map_err(refused)
}

/// The store's epoch.
pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<[u8; 16]> {
    connection.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| {
        row.get(0)
    })
}

/// Draws a new epoch. SQLite's generator will do: an epoch is unique, not secret.
pub(super) fn renew_epoch(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES ('epoch', randomblob(16))",
        [],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_database_is_brought_up_to_date_and_keeps_what_it_knew() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection
            .execute_batch("INSERT INTO seen_a (key) VALUES (x'01'); PRAGMA user_version = 1;")
            .unwrap();
        migrate(&connection, Path::new("memory")).unwrap();
        let accepted_ms: i64 = connection
            .query_row(
                "SELECT accepted_ms FROM seen_a WHERE key = x'01'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(accepted_ms, 0);
    }
}
