//! Deleting what is due: blobs and uploads past their time, and objects that no row knows.
//!
//! In slices, so that the writer never waits long. Objects go first and the row after: what a crash leaves
//! between is found again by its row.

use std::time::{Duration, SystemTime};

use futures_util::{TryStreamExt, future};
use object_store::ObjectMeta;

use super::key::Name;
use super::{BlobError, Blobs, table};
use crate::store::now_ms;

/// Blobs deleted in one transaction.
const SLICE: u32 = 64;
/// Objects whose rows are looked up at once.
const BATCH: usize = 256;
/// Of the 256 folders, those searched for orphans in one sweep.
const FOLDERS: u8 = 16;
/// How old an object without a row must be: longer than any part takes from its first byte to its row.
const ORPHAN_AGE: Duration = Duration::from_secs(24 * 3600);

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs and uploads that were due.
    pub due: u64,
    /// Objects that no row knew.
    pub orphans: u64,
}

impl Blobs {
    /// Deletes everything that is due, and the orphans of a sixteenth of all folders. Call it every few
    /// minutes; a failure leaves the rest to the next call.
    ///
    /// # Errors
    /// [`BlobError`], if the database or the object store fails.
    pub async fn sweep(&self) -> Result<Swept, BlobError> {
        let due = self.sweep_due().await?;
        let first = self.inner.next_folder();
        let mut orphans: u64 = 0;
        for folder in (0..FOLDERS).map(|step| first.wrapping_add(step)) {
            orphans = orphans.saturating_add(self.sweep_orphans(folder).await?);
        }
        Ok(Swept { due, orphans })
    }

    async fn sweep_due(&self) -> Result<u64, BlobError> {
        let mut swept: u64 = 0;
        let mut after = (i64::MIN, Vec::new());
        let mut failure = None;
        loop {
            let place = after.clone();
            let due = self
                .inner
                .store
                .read(move |connection| table::due(connection, &place, now_ms(), SLICE))
                .await?;
            let Some(last) = due.last() else {
                return failure.map_or(Ok(swept), Err);
            };
            after.clone_from(last);
            let mut claims = Vec::new();
            let mut names = Vec::new();
            for (_, name) in due {
                let Some(name) = Name::from_slice(&name) else {
                    continue;
                };
                // One that is being written is refused there, and deleted by the next sweep.
                let Some(claim) = self.inner.claims.take(name) else {
                    continue;
                };
                match self.inner.objects.delete(name).await {
                    Ok(()) => {
                        claims.push(claim);
                        names.push(name);
                    }
                    // Its row stays for the next sweep, and the others do not wait for it.
                    Err(error) => failure = Some(error.into()),
                }
            }
            let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
            self.inner
                .store
                .write(move |connection| table::remove(connection, &names))
                .await?;
            drop(claims);
            swept = swept.saturating_add(count);
        }
    }

    async fn sweep_orphans(&self, folder: u8) -> Result<u64, BlobError> {
        let before = SystemTime::now()
            .checked_sub(ORPHAN_AGE)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let mut swept: u64 = 0;
        let mut old = self
            .inner
            .objects
            .list(folder)
            .try_filter_map(|object| future::ready(Ok(old_part(&object, before))))
            .try_chunks(BATCH);
        while let Some(batch) = old.try_next().await.map_err(|error| error.1)? {
            for (name, start) in self.unknown(batch).await? {
                if self.sweep_orphan(name, start).await? {
                    swept = swept.saturating_add(1);
                }
            }
        }
        self.inner
            .objects
            .remove_leftovers(folder, before, self.inner.claims.clone())
            .await;
        Ok(swept)
    }

    /// Those that the database does not know.
    async fn unknown(&self, parts: Vec<(Name, u64)>) -> Result<Vec<(Name, u64)>, BlobError> {
        self.inner
            .store
            .read(move |connection| {
                let mut unknown = Vec::new();
                for (name, start) in parts {
                    if !table::knows_part(connection, name, start)? {
                        unknown.push((name, start));
                    }
                }
                Ok(unknown)
            })
            .await
    }

    /// Deletes an orphan, unless it found a row in the meantime: a resumed upload writes the same object.
    async fn sweep_orphan(&self, name: Name, start: u64) -> Result<bool, BlobError> {
        let Some(_claim) = self.inner.claims.take(name) else {
            return Ok(false);
        };
        if self.unknown(vec![(name, start)]).await?.is_empty() {
            return Ok(false);
        }
        self.inner.objects.delete_part(name, start).await?;
        Ok(true)
    }
}

/// The blob and start of an object of ours that is old enough.
fn old_part(object: &ObjectMeta, before: SystemTime) -> Option<(Name, u64)> {
    let modified = SystemTime::from(object.last_modified);
    (modified < before)
        .then(|| Name::of_object(&object.location))
        .flatten()
}

/// The number of folders that a sweep searches.
pub(super) const fn folders() -> u8 {
    FOLDERS
}
