//! What is kept of what was sent and fetched: ciphertexts, until there is no more room for them, nobody used them for
//! long, or the last message that had them is gone.
//!
//! A file goes before its row: after a crash there may be a row without a file, which is noticed when it is looked at,
//! and never a file that nobody knows. What an earlier process left behind is swept at the first use.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension as _};

use super::prepare::remove as remove_file;
use super::{BlobName, Media, blocking, upload};
use crate::Result;
use crate::client::Core;
use crate::store::Transaction;
use crate::store::columns::{signed, unsigned};

/// What is used again within this time is not noted again.
const NOTED_EVERY_MS: u64 = 60 * 60 * 1000;
/// What is not finished, and nobody knows of or went on with, goes after this.
const LEFTOVER_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Rows looked at in one transaction.
const AT_A_TIME: i64 = 256;

/// Notes that a blob is here.
pub(super) fn insert(tx: &Transaction<'_>, name: &BlobName, size: u64, now_ms: u64) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO media_blob (name, size, used_ms) VALUES (?1, ?2, ?3)",
    )?
    .execute((name, signed(size), signed(now_ms)))?;
    Ok(())
}

/// Bytes of all that is kept.
pub(super) fn bytes(db: &Connection) -> Result<u64> {
    Ok(db
        .prepare_cached("SELECT coalesce(sum(size), 0) FROM media_blob")?
        .query_row([], |row| unsigned(row, 0))?)
}

/// Whether a blob is here: noted, and there.
pub(super) async fn has(core: &Arc<Core>, name: BlobName) -> Result<bool> {
    let noted: Option<u64> = core
        .store
        .read(move |db| {
            Ok(db
                .prepare_cached("SELECT size FROM media_blob WHERE name = ?1")?
                .query_row([name], |row| unsigned(row, 0))
                .optional()?)
        })
        .await?;
    let path = core.media.blob_path(&name);
    let there = tokio::fs::metadata(path).await;
    Ok(noted.is_some() && there.is_ok_and(|there| Some(there.len()) == noted))
}

/// Notes that a blob was used.
pub(super) async fn used(core: &Arc<Core>, name: BlobName) -> Result<()> {
    let now_ms = core.clock.now_ms();
    core.store
        .write(move |tx| {
            tx.prepare_cached(
                "UPDATE media_blob SET used_ms = ?2 WHERE name = ?1 AND used_ms < ?3",
            )?
            .execute((
                name,
                signed(now_ms),
                signed(now_ms.saturating_sub(NOTED_EVERY_MS)),
            ))?;
            Ok(())
        })
        .await
}

/// Removes blobs: the files, then the rows.
pub(super) async fn remove(core: &Arc<Core>, names: Vec<BlobName>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let paths: Vec<_> = names
        .iter()
        .map(|name| core.media.blob_path(name))
        .collect();
    blocking(move || {
        for path in paths {
            remove_file(&path)?;
        }
        Ok(())
    })
    .await?;
    core.store
        .write(move |tx| {
            let mut delete = tx.prepare_cached("DELETE FROM media_blob WHERE name = ?1")?;
            for name in names {
                delete.execute([name])?;
            }
            Ok(())
        })
        .await
}

/// Removes what no message has any more. To be called after messages were deleted.
pub(crate) async fn forget_deleted(core: &Arc<Core>) -> Result<()> {
    make_room(core, None).await
}

/// Removes what has to go: of deleted messages, too old, or beyond the room there is; never `but`, which just came.
pub(super) async fn make_room(core: &Arc<Core>, but: Option<BlobName>) -> Result<()> {
    let age = u64::try_from(core.media.cache_age.as_millis()).unwrap_or(u64::MAX);
    let oldest = core.clock.now_ms().saturating_sub(age);
    let room = core.media.cache_bytes;
    loop {
        let gone = core
            .store
            .read(move |db| to_go(db, but.as_ref(), oldest, room))
            .await?;
        if gone.is_empty() {
            return Ok(());
        }
        remove(core, gone).await?;
    }
}

fn to_go(db: &Connection, but: Option<&BlobName>, oldest: u64, room: u64) -> Result<Vec<BlobName>> {
    let mut too_much = bytes(db)?.saturating_sub(room);
    let mut query = db.prepare_cached(
        "SELECT name, size, doomed, used_ms FROM media_blob
         ORDER BY doomed DESC, used_ms LIMIT ?1",
    )?;
    let rows = query.query_map([AT_A_TIME], |row| {
        Ok((
            row.get::<_, BlobName>(0)?,
            unsigned(row, 1)?,
            row.get::<_, bool>(2)? || unsigned(row, 3)? < oldest,
        ))
    })?;
    let mut gone = Vec::new();
    for row in rows {
        let (name, size, must) = row?;
        if (must || too_much > 0) && Some(&name) != but {
            too_much = too_much.saturating_sub(size);
            gone.push(name);
        }
    }
    Ok(gone)
}

/// Removes all that is kept.
pub(super) async fn clear(core: &Arc<Core>) -> Result<()> {
    loop {
        let names = core
            .store
            .read(|db| {
                let mut query = db.prepare_cached("SELECT name FROM media_blob LIMIT ?1")?;
                let rows = query.query_map([AT_A_TIME], |row| row.get(0))?;
                Ok(rows.collect::<Result<Vec<BlobName>, _>>()?)
            })
            .await?;
        if names.is_empty() {
            return Ok(());
        }
        remove(core, names).await?;
    }
}

/// Once in a process: removes files that nobody knows, what is too old, and uploads that were begun long ago.
pub(super) async fn sweep(core: &Arc<Core>) -> Result<()> {
    let swept = core.media.swept.get_or_try_init(|| async {
        let old = upload::rows::all;
        let limit = u64::try_from(LEFTOVER_AGE.as_millis()).unwrap_or(u64::MAX);
        let now_ms = core.clock.now_ms();
        for unfinished in core.store.read(old).await? {
            if unfinished.created_ms.saturating_add(limit) >= now_ms {
                continue;
            }
            if unfinished.uploaded {
                // The app may have kept it for later: the relay is not told.
                let write = move |tx: &mut Transaction<'_>| upload::rows::delete(tx, unfinished.id);
                core.store.write(write).await?;
            } else {
                Media::new(Arc::clone(core)).forget(unfinished.id).await?;
            }
        }
        let known = core
            .store
            .read(|db| {
                let mut names: Vec<Vec<u8>> = Vec::new();
                let mut query = db.prepare_cached("SELECT name FROM media_blob")?;
                for name in query.query_map([], |row| row.get(0))? {
                    names.push(name?);
                }
                names.extend(upload::rows::files(db)?.iter().map(|file| file.to_vec()));
                Ok(names)
            })
            .await?;
        let known: Vec<_> = known
            .iter()
            .flat_map(|name| [".blob", ".up"].map(|ending| core.media.path(name, ending)))
            .collect();
        let folder = core.media.folder.clone();
        blocking(move || {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                // It is made with the first file.
                return Ok(());
            };
            for entry in entries {
                let path = entry?.path();
                if !known.contains(&path) && is_ours(&path) && is_old(&path) {
                    remove_file(&path)?;
                }
            }
            Ok(())
        })
        .await?;
        make_room(core, None).await
    });
    swept.await.copied()
}

fn is_ours(path: &Path) -> bool {
    let endings = ["blob", "lock", "part", "up"];
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| endings.contains(&ending))
}

/// Another process may be at what is new.
fn is_old(path: &Path) -> bool {
    let age = path
        .metadata()
        .and_then(|metadata| metadata.modified())
        .map(|modified| SystemTime::now().duration_since(modified));
    matches!(age, Ok(Ok(age)) if age > LEFTOVER_AGE)
}
