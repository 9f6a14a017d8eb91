//! What the database holds of blobs: rows of `blob` and `blob_part`. Hashes, sizes and times; no bytes.

use core::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::BlobError;
use super::key::{Name, TokenHash};
use crate::refusal::Refusal;
use crate::store::{from_sql, to_sql};

/// What a blob counts for at least in its account's quota: a file and a row are not free.
pub(super) const LEAST_CHARGE: u64 = 4096;
/// Parts that any blob may have, and one more for each [`PART_WORTH`] bytes.
const PARTS: u64 = 64;
/// Bytes that a part must be worth on average.
const PART_WORTH: u64 = 64 << 10;

/// A part of a blob: one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it begins in the blob.
    pub(super) start: u64,
    /// Its bytes.
    pub(super) length: u64,
}

impl Part {
    /// The bytes of this part, counted from its start, that a range of the blob touches; `None` if none.
    pub(super) fn within(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let first = range.start.saturating_sub(self.start);
        let last = range.end.saturating_sub(self.start).min(self.length);
        (first < last).then_some(first..last)
    }
}

/// A blob that is to be uploaded.
pub(super) struct NewBlob {
    pub(super) name: Name,
    pub(super) token: TokenHash,
    pub(super) account: i64,
    pub(super) size: u64,
    pub(super) digest: [u8; 32],
    pub(super) upload_until_ms: u64,
    pub(super) expires_ms: u64,
}

/// An upload, as far as it got.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// Bytes announced.
    pub(super) size: u64,
    /// SHA-256 announced.
    pub(super) digest: [u8; 32],
    /// Bytes stored.
    pub(super) received: u64,
    /// Whether all are stored and checked.
    pub(super) complete: bool,
}

/// Adds a blob if its account has room for it: what an account holds counts by what was announced, and
/// counts until it is deleted.
///
/// # Errors
/// [`hushpost_wire::ErrorCode::QuotaExceeded`].
pub(super) fn add(connection: &Connection, blob: &NewBlob, quota: u64) -> Result<(), Refusal> {
    let held: i64 = connection
        .prepare_cached("SELECT COALESCE(SUM(MAX(size, ?2)), 0) FROM blob WHERE account = ?1")?
        .query_row(params![blob.account, to_sql(LEAST_CHARGE)], |row| {
            row.get(0)
        })?;
    if from_sql(held).saturating_add(blob.size.max(LEAST_CHARGE)) > quota {
        return Err(Refusal::new(
            hushpost_wire::ErrorCode::QuotaExceeded,
            format!("the account's blobs may take {quota} bytes: wait until some expire"),
        ));
    }
    connection
        .prepare_cached(
            "INSERT INTO blob (name, account, token_hash, size, digest, due_ms, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            blob.name.as_bytes(),
            blob.account,
            blob.token.as_bytes(),
            to_sql(blob.size),
            blob.digest,
            to_sql(blob.upload_until_ms),
            to_sql(blob.expires_ms)
        ])?;
    Ok(())
}

/// The upload of that name and token.
///
/// # Errors
/// [`BlobError::NotFound`], whichever is wrong.
pub(super) fn upload(
    connection: &Connection,
    name: Name,
    token: TokenHash,
    now_ms: u64,
) -> Result<Upload, BlobError> {
    let found = connection
        .prepare_cached(
            "SELECT token_hash, size, digest, received, complete FROM blob
              WHERE name = ?1 AND due_ms > ?2",
        )?
        .query_row(params![name.as_bytes(), to_sql(now_ms)], |row| {
            let upload = Upload {
                size: from_sql(row.get(1)?),
                digest: row.get(2)?,
                received: from_sql(row.get(3)?),
                complete: row.get(4)?,
            };
            Ok((row.get::<_, [u8; 32]>(0)?, upload))
        })
        .optional()?;
    // Where there is nothing to compare with, something is compared all the same.
    let (stored, upload) = found.map_or(([0; 32], None), |(stored, upload)| (stored, Some(upload)));
    let matches = token.is(&stored);
    upload.filter(|_| matches).ok_or(BlobError::NotFound)
}

/// The size of a blob that can be downloaded.
///
/// # Errors
/// [`BlobError::NotFound`].
pub(super) fn download(connection: &Connection, name: Name, now_ms: u64) -> Result<u64, BlobError> {
    let size: Option<i64> = connection
        .prepare_cached("SELECT size FROM blob WHERE name = ?1 AND due_ms > ?2 AND complete = 1")?
        .query_row(params![name.as_bytes(), to_sql(now_ms)], |row| row.get(0))
        .optional()?;
    size.map(from_sql).ok_or(BlobError::NotFound)
}

/// The parts of a blob that a range touches, in order.
///
/// # Errors
/// The database's.
pub(super) fn parts(
    connection: &Connection,
    name: Name,
    range: &Range<u64>,
) -> Result<Vec<Part>, BlobError> {
    let parts = connection
        .prepare_cached(
            "SELECT start, length FROM blob_part
              WHERE blob = ?1 AND start < ?3 AND start + length > ?2 ORDER BY start",
        )?
        .query_map(
            params![name.as_bytes(), to_sql(range.start), to_sql(range.end)],
            |row| {
                Ok(Part {
                    start: from_sql(row.get(0)?),
                    length: from_sql(row.get(1)?),
                })
            },
        )?
        .collect::<rusqlite::Result<_>>()?;
    Ok(parts)
}

/// Refuses another part of an upload that came in crumbs.
///
/// # Errors
/// [`BlobError::TooManyParts`].
pub(super) fn check_parts(connection: &Connection, name: Name, size: u64) -> Result<(), BlobError> {
    let count: i64 = connection
        .prepare_cached("SELECT COUNT(*) FROM blob_part WHERE blob = ?1")?
        .query_row(params![name.as_bytes()], |row| row.get(0))?;
    if from_sql(count) < PARTS.saturating_add(size.checked_div(PART_WORTH).unwrap_or(0)) {
        Ok(())
    } else {
        Err(BlobError::TooManyParts)
    }
}

/// Records a part whose object is durable.
///
/// # Errors
/// [`BlobError::NotFound`] if the upload has ended or stands elsewhere.
pub(super) fn add_part(
    connection: &Connection,
    name: Name,
    part: Part,
    now_ms: u64,
) -> Result<(), BlobError> {
    let moved = connection
        .prepare_cached(
            "UPDATE blob SET received = received + ?3
              WHERE name = ?1 AND received = ?2 AND received + ?3 <= size
                AND complete = 0 AND due_ms > ?4",
        )?
        .execute(params![
            name.as_bytes(),
            to_sql(part.start),
            to_sql(part.length),
            to_sql(now_ms)
        ])?;
    if moved == 0 {
        return Err(BlobError::NotFound);
    }
    connection
        .prepare_cached("INSERT INTO blob_part (blob, start, length) VALUES (?1, ?2, ?3)")?
        .execute(params![
            name.as_bytes(),
            to_sql(part.start),
            to_sql(part.length)
        ])?;
    Ok(())
}

/// Opens an upload, whose bytes were checked, for download.
///
/// # Errors
/// [`BlobError::NotFound`] if it has ended.
pub(super) fn complete(connection: &Connection, name: Name, now_ms: u64) -> Result<(), BlobError> {
    let done = connection
        .prepare_cached(
            "UPDATE blob SET complete = 1, due_ms = expires_ms
              WHERE name = ?1 AND received = size AND due_ms > ?2",
        )?
        .execute(params![name.as_bytes(), to_sql(now_ms)])?;
    if done == 0 {
        return Err(BlobError::NotFound);
    }
    Ok(())
}

/// Removes blobs with their parts.
///
/// # Errors
/// The database's.
pub(super) fn remove(connection: &Connection, names: &[Name]) -> Result<(), BlobError> {
    for name in names {
        connection
            .prepare_cached("DELETE FROM blob WHERE name = ?1")?
            .execute(params![name.as_bytes()])?;
    }
    Ok(())
}

/// Blobs that are due, after a place in the order of becoming due; each with its own place.
///
/// # Errors
/// The database's.
pub(super) fn due(
    connection: &Connection,
    after: &(i64, Vec<u8>),
    now_ms: u64,
    limit: u32,
) -> Result<Vec<(i64, Vec<u8>)>, BlobError> {
    let due = connection
        .prepare_cached(
            "SELECT due_ms, name FROM blob
              WHERE due_ms <= ?1 AND (due_ms, name) > (?2, ?3) ORDER BY due_ms, name LIMIT ?4",
        )?
        .query_map(params![to_sql(now_ms), after.0, after.1, limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(due)
}

/// Whether the database knows this object.
///
/// # Errors
/// The database's.
pub(super) fn knows_part(
    connection: &Connection,
    name: Name,
    start: u64,
) -> Result<bool, BlobError> {
    let known = connection
        .prepare_cached("SELECT 1 FROM blob_part WHERE blob = ?1 AND start = ?2")?
        .exists(params![name.as_bytes(), to_sql(start)])?;
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_gives_what_the_range_touches() {
        let part = Part {
            start: 10,
            length: 5,
        };
        for (range, inner) in [
            (0..100, Some(0..5)),
            (0..10, None),
            (15..20, None),
            (0..11, Some(0..1)),
            (14..15, Some(4..5)),
            (11..14, Some(1..4)),
        ] {
            assert_eq!(part.within(&range), inner, "{range:?}");
        }
    }
}
