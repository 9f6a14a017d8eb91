//! Uploads in the database, until a message has the file.

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow};

use super::{Unfinished, UploadId};
use crate::Result;
use crate::content::{Attachment, BlobId, decode_attachment};
use crate::store::Transaction;
use crate::store::columns::{checked, signed, unsigned};

/// Unfinished uploads that are listed.
const MAX_LISTED: i64 = 1000;

/// An upload as stored.
pub(super) struct Row {
    pub(super) file: [u8; 16],
    pub(super) attachment: Attachment,
    /// The blob's id and the token, once the relay gave them.
    pub(super) place: Option<(BlobId, [u8; 32])>,
    /// Whether the relay has all of it.
    pub(super) complete: bool,
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    file: &[u8; 16],
    attachment: &Attachment,
    now_ms: u64,
) -> Result<UploadId> {
    tx.prepare_cached("INSERT INTO upload (file, attachment, created_ms) VALUES (?1, ?2, ?3)")?
        .execute((file, attachment.write().encode_to_vec(), signed(now_ms)))?;
    Ok(UploadId(tx.last_insert_rowid()))
}

pub(super) fn set_place(
    tx: &Transaction<'_>,
    id: UploadId,
    (blob, token): (BlobId, [u8; 32]),
) -> Result<()> {
    tx.prepare_cached("UPDATE upload SET blob_id = ?2, token = ?3 WHERE id = ?1")?
        .execute((id.0, blob.0, token))?;
    Ok(())
}

pub(super) fn find(db: &Connection, id: UploadId) -> Result<Option<Row>> {
    let mut query = db.prepare_cached(
        "SELECT file, attachment, blob_id, token, complete FROM upload WHERE id = ?1",
    )?;
    let found = query.query_row([id.0], |row| {
        let (blob, token): (Option<[u8; 32]>, Option<[u8; 32]>) = (row.get(2)?, row.get(3)?);
        Ok(Row {
            file: row.get(0)?,
            attachment: attachment(row, 1)?,
            place: blob.map(BlobId).zip(token),
            complete: row.get(4)?,
        })
    });
    Ok(found.optional()?)
}

/// The relay has all of it.
pub(super) fn set_complete(tx: &Transaction<'_>, id: UploadId) -> Result<()> {
    tx.prepare_cached("UPDATE upload SET complete = 1 WHERE id = ?1")?
        .execute([id.0])?;
    Ok(())
}

/// A message has the file: nobody needs to find the upload any more.
pub(crate) fn sent(tx: &Transaction<'_>, blob: BlobId) -> Result<()> {
    tx.prepare_cached("DELETE FROM upload WHERE complete = 1 AND blob_id = ?1")?
        .execute([blob.0])?;
    Ok(())
}

/// Forgets it here.
pub(in crate::media) fn delete(tx: &Transaction<'_>, id: UploadId) -> Result<()> {
    tx.prepare_cached("DELETE FROM upload WHERE id = ?1")?
        .execute([id.0])?;
    Ok(())
}

pub(in crate::media) fn all(db: &Connection) -> Result<Vec<Unfinished>> {
    let mut query = db.prepare_cached(
        "SELECT attachment, id, created_ms, complete FROM upload ORDER BY id LIMIT ?1",
    )?;
    let rows = query.query_map([MAX_LISTED], |row| {
        let attachment = attachment(row, 0)?;
        Ok(Unfinished {
            id: UploadId(row.get(1)?),
            file_name: attachment.file_name().to_owned(),
            size: attachment.size(),
            created_ms: unsigned(row, 2)?,
            uploaded: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What the ciphertexts of unfinished uploads are called.
pub(in crate::media) fn files(db: &Connection) -> Result<Vec<[u8; 16]>> {
    let mut query = db.prepare_cached("SELECT file FROM upload WHERE complete = 0")?;
    let rows = query.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn attachment(row: &SqlRow<'_>, index: usize) -> Result<Attachment, rusqlite::Error> {
    let bytes: Vec<u8> = row.get(index)?;
    checked(index, || decode_attachment(&bytes))
}
