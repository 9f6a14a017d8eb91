//! The journal: one row a commit, holding all that was sent and acknowledged in it.

use bytes::Bytes;
use prost::Message as _;
use rusqlite::{Connection, params};

/// What stands in one row.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct Row {
    #[prost(message, repeated, tag = "1")]
    pub(super) messages: Vec<MessageRecord>,
    #[prost(message, repeated, tag = "2")]
    pub(super) acknowledgements: Vec<AcknowledgementRecord>,
}

/// A message, its shared part written once.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct MessageRecord {
    /// As [`super::page::encode_header`] writes it.
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) header: Bytes,
    #[prost(uint64, tag = "2")]
    pub(super) accepted_ms: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) shared: Bytes,
    #[prost(message, repeated, tag = "4")]
    pub(super) entries: Vec<EntryRecord>,
}

/// One device's copy.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct EntryRecord {
    #[prost(int64, tag = "1")]
    pub(super) device: i64,
    #[prost(uint64, tag = "2")]
    pub(super) sequence: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) own: Bytes,
}

/// A device has everything up to here.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AcknowledgementRecord {
    #[prost(int64, tag = "1")]
    pub(super) device: i64,
    #[prost(uint64, tag = "2")]
    pub(super) through: u64,
}

impl Row {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.acknowledgements.is_empty()
    }

    /// Writes the row; its size in bytes.
    pub(super) fn write(&self, connection: &Connection, id: i64) -> rusqlite::Result<usize> {
        let body = self.encode_to_vec();
        connection
            .prepare_cached("INSERT INTO journal (id, body) VALUES (?1, ?2)")?
            .execute(params![id, body])?;
        Ok(body.len())
    }
}

/// Calls `each` with every row, oldest first, and its size.
pub(super) fn read(
    connection: &Connection,
    mut each: impl FnMut(i64, Row, usize) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id, body FROM journal ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(1)?;
        let size = body.len();
        let decoded = Row::decode(Bytes::from(body)).map_err(|_| damaged())?;
        each(row.get(0)?, decoded, size)?;
    }
    Ok(())
}

/// A row that is not what was written.
pub(super) fn damaged() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some("a journal row is damaged".into()),
    )
}

/// Deletes the rows up to and with `id`.
pub(super) fn delete_through(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM journal WHERE id <= ?1")?
        .execute(params![id])?;
    Ok(())
}
