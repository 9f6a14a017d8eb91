//! Opening one connection: the key, then the settings, in the order SQLCipher wants them.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;

/// The library sets itself up with the first connection of a process, and a second one that is opened meanwhile
/// is told that there is no encryption. So the first one is opened while all others wait.
static SET_UP: Once = Once::new();

/// How long another process's lock is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// A connection that may write. Makes the file when there is none.
pub(crate) fn open(path: &Path, key: &str) -> Result<Connection, StoreError> {
    let connection = open_with(
        path,
        key,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Corrupted("the write-ahead log cannot be used"));
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 4194304;",
    )?;
    Ok(connection)
}

/// A connection that cannot write.
pub(crate) fn open_reader(path: &Path, key: &str) -> Result<Connection, StoreError> {
    let connection = open_with(path, key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch("PRAGMA query_only = ON;")?;
    Ok(connection)
}

fn open_with(path: &Path, key: &str, flags: OpenFlags) -> Result<Connection, StoreError> {
    // If it cannot be opened, the next line says why.
    SET_UP.call_once(|| drop(Connection::open_in_memory()));
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    // A plan never depends on a value: otherwise SQLite prepares many statements anew with every new value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // What is wrong is told to the app, by an error, and not to whoever reads its output.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    connection.pragma_update(None, "key", key)?;
    connection.pragma_update(None, "cipher_plaintext_header_size", 32)?;
    let version: String = connection
        .query_row("PRAGMA cipher_version", [], |row| row.get(0))
        .map_err(|_| StoreError::NoEncryption)?;
    if version.is_empty() {
        return Err(StoreError::NoEncryption);
    }
    // The first page is read, decrypted and authenticated here. The key was checked before: what fails is
    // the file.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA cache_size = -2048;")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// Fails if any page that this connection ever read did not decrypt. `SQLCipher` gives such a page, and every
/// one after it, as zeros, which may pass for content; that it happened it remembers for ever, and says when
/// asked.
pub(crate) fn check_pages(connection: &Connection) -> Result<(), StoreError> {
    // Not cached: the answer is found when the statement is prepared.
    let all_well: String = connection.query_row("PRAGMA cipher_status", [], |row| row.get(0))?;
    if all_well == "1" {
        return Ok(());
    }
    Err(StoreError::Corrupted("a page does not decrypt"))
}
