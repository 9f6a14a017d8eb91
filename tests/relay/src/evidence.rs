//! What a relay left behind: its files, the cells of its tables, the lines of its log.
//!
//! Must never: look where only the relay could. Everything here is what somebody finds who carries the
//! machine away.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use hushpost_harness::{HarnessError, RelayProcess};
use memchr::memmem;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// Whether the bytes stand anywhere in a file of the data folder, free pages and the write-ahead log
/// included; the names of those files.
///
/// # Errors
/// [`HarnessError::Io`].
pub fn files_with(folder: &Path, wanted: &[u8]) -> Result<BTreeSet<String>, HarnessError> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else if memmem::find(&fs::read(entry.path())?, wanted).is_some() {
                found.insert(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

/// How bytes would look in text: themselves, hex, a list of numbers, escaped, a UUID. The first of these
/// that the text holds.
#[must_use]
pub fn spelled_in(text: &str, wanted: &[u8]) -> Option<String> {
    let hex = hex::encode(wanted);
    let numbers = format!("{wanted:?}");
    let escaped = format!("{:?}", Bytes::copy_from_slice(wanted));
    let mut spellings = vec![
        hex.to_uppercase(),
        numbers.trim_matches(['[', ']']).to_owned(),
        // What stands between the quotes.
        escaped
            .strip_prefix("b\"")
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(&escaped)
            .to_owned(),
        wanted.escape_ascii().to_string(),
    ];
    spellings.extend(core::str::from_utf8(wanted).ok().map(str::to_owned));
    if let Ok(id) = hushpost_wire::AccountId::from_slice(wanted) {
        spellings.push(id.to_string());
    }
    spellings.push(hex);
    spellings
        .into_iter()
        .find(|spelling| memmem::find(text.as_bytes(), spelling.as_bytes()).is_some())
}

/// The relay's database, opened to look only. The relay may run.
///
/// # Errors
/// Any of SQLite's.
pub fn database(relay: &RelayProcess) -> rusqlite::Result<Connection> {
    // Not read-only: without a running relay, SQLite itself has to read the write-ahead log back.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(relay.data_dir().join("relay.db"), flags)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Everything that the relay can keep, as `table.column`.
///
/// # Errors
/// Any of SQLite's.
pub fn columns(database: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for table in tables(database)? {
        let mut statement = database.prepare("SELECT name FROM pragma_table_info(?1)")?;
        for column in statement.query_map([&table], |row| row.get::<_, String>(0))? {
            found.insert(format!("{table}.{}", column?));
        }
    }
    Ok(found)
}

/// The columns in which the bytes stand, whole or inside a longer value.
///
/// # Errors
/// Any of SQLite's.
pub fn cells_with(database: &Connection, wanted: &[u8]) -> rusqlite::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    each_cell(database, |column, value| {
        if let ValueRef::Blob(bytes) | ValueRef::Text(bytes) = value
            && memmem::find(bytes, wanted).is_some()
        {
            found.insert(column.to_owned());
        }
    })?;
    Ok(found)
}

/// Every value of every table, to compare before and after.
///
/// # Errors
/// Any of SQLite's.
pub fn contents(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    each_cell(database, |column, value| {
        found.push(format!("{column}={value:?}"));
    })?;
    found.sort_unstable();
    Ok(found)
}

/// A number that a query answers.
///
/// # Errors
/// Any of SQLite's.
pub fn number(database: &Connection, query: &str) -> rusqlite::Result<i64> {
    database.query_row(query, [], |row| row.get(0))
}

fn tables(database: &Connection) -> rusqlite::Result<Vec<String>> {
    database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn each_cell(
    database: &Connection,
    mut each: impl FnMut(&str, ValueRef<'_>),
) -> rusqlite::Result<()> {
    for table in tables(database)? {
        let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns: Vec<String> = statement
            .column_names()
            .map(|column| format!("{table}.{column}"))
            .collect();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for (place, column) in columns.iter().enumerate() {
                each(column, row.get_ref(place)?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::spelled_in;

    #[test]
    fn bytes_are_found_however_a_log_writes_them() {
        let id = [
            0xa3, 0x27, 0xab, 0xf5, 0x22, 0xe4, 0x80, 0x22, 0xa0, 0x60, 0x78, 0x80, 0xb8, 0x51,
            0x5c, 0x86,
        ];
        for line in [
            "account a327abf5-22e4-8022-a060-7880b8515c86",
            "payload: 0x00a327abf522e48022a0607880b8515c86ff",
            "payload: A327ABF522E48022A0607880B8515C86",
            &format!("{id:?}"),
            &format!("{:?}", bytes::Bytes::copy_from_slice(&id)),
        ] {
            assert!(spelled_in(line, &id).is_some(), "{line}");
        }
        assert!(spelled_in("code sesame", b"sesame").is_some());
        assert!(spelled_in("account a327abf5", &id).is_none());
    }
}
