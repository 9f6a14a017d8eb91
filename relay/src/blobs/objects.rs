//! The bytes of blobs: parts of at most 8 MiB, each one object of the object store.
//!
//! Everything here goes through the `ObjectStore` trait, so that a local folder and S3 are the same to it;
//! only [`Objects::local`] and the leftovers of a crash know the folder. Must never hold a whole part, let
//! alone a whole blob, in memory.

use core::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, future, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, WriteMultipart,
};

use super::claims::Claims;
use super::key::Name;
use super::table::Part;

/// Bytes of one object at most: what a power cut costs an upload that nothing else interrupts.
pub(super) const PART_LEN: u64 = 8 << 20;
/// Bytes handed to a local folder at once. One chunk fills while one is written: half a mebibyte for a
/// transfer. S3 would ask for 5 MiB here.
const LOCAL_CHUNK: usize = 256 << 10;

/// Where objects are. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    chunk: usize,
    local: Option<PathBuf>,
}

impl Objects {
    /// Objects in a folder, which is made. Files and folders are synced before a write counts as done.
    ///
    /// # Errors
    /// The system's, if the folder cannot be made or found.
    pub(super) fn local(folder: &FilePath) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(std::io::Error::other)?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
            chunk: LOCAL_CHUNK,
            local: Some(folder.to_owned()),
        })
    }

    /// Begins an object. One of the same name, left by a crash, is replaced when this one is finished.
    ///
    /// # Errors
    /// The object store's.
    pub(super) async fn begin(&self, name: Name, start: u64) -> object_store::Result<OpenPart> {
        let upload = self.store.put_multipart(&name.object(start)).await?;
        Ok(OpenPart {
            writer: WriteMultipart::new_with_chunk_size(upload, self.chunk),
            chunk: self.chunk,
            part: Part { start, length: 0 },
        })
    }

    /// The bytes of a blob within a range, in order, as the object store gives them: a few KiB at a time.
    pub(super) fn read(
        &self,
        name: Name,
        parts: Vec<Part>,
        range: Range<u64>,
    ) -> impl Stream<Item = object_store::Result<Bytes>> + Send + use<> {
        let store = Arc::clone(&self.store);
        stream::iter(parts)
            .filter_map(move |part| future::ready(part.within(&range).map(|inner| (part, inner))))
            .then(move |(part, inner)| {
                let store = Arc::clone(&store);
                async move {
                    let options = GetOptions::new().with_range(Some(inner));
                    let object = store.get_opts(&name.object(part.start), options).await?;
                    Ok::<_, object_store::Error>(GetResult::into_stream(object))
                }
            })
            .try_flatten()
    }

    /// Deletes all objects of a blob, recorded or not.
    ///
    /// # Errors
    /// The object store's; some may be gone.
    pub(super) async fn delete(&self, name: Name) -> object_store::Result<()> {
        let found = self.store.list(Some(&name.folder()));
        let paths = found.map_ok(|object| object.location).boxed();
        self.store
            .delete_stream(paths)
            .map(gone)
            .try_collect::<()>()
            .await
    }

    /// Deletes one object; one that is not there is deleted.
    ///
    /// # Errors
    /// The object store's.
    pub(super) async fn delete_part(&self, name: Name, start: u64) -> object_store::Result<()> {
        gone(self.store.delete(&name.object(start)).await)
    }

    /// The objects of the blobs whose names begin with this byte.
    pub(super) fn list(
        &self,
        first: u8,
    ) -> impl Stream<Item = object_store::Result<ObjectMeta>> + Send + use<> {
        self.store.list(Some(&Path::from(format!("{first:02x}"))))
    }

    /// Removes what a crash left half-written in a local folder, which the object store does not list.
    /// An object store elsewhere has rules of its own for that.
    pub(super) async fn remove_leftovers(&self, first: u8, before: SystemTime, claims: Claims) {
        let Some(folder) = &self.local else { return };
        let folder = folder.join(format!("{first:02x}"));
        // What cannot be removed now is tried again in the next round.
        let _joined = tokio::task::spawn_blocking(move || {
            for blob in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = blob.file_name();
                let Some(name) = name.to_str().and_then(Name::from_hex) else {
                    continue;
                };
                if let Some(_claim) = claims.take(name) {
                    remove_leftovers_of(&blob.path(), before);
                }
            }
        })
        .await;
    }
}

/// Removes old files named like `0#1` from a blob's folder, and the folder if nothing is left.
fn remove_leftovers_of(folder: &FilePath, before: SystemTime) {
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let half_written = file.file_name().to_str().is_some_and(|name| {
            name.split_once('#')
                .is_some_and(|(_, try_)| try_.bytes().all(|byte| byte.is_ascii_digit()))
        });
        let old = file
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|modified| modified < before);
        if half_written && old && std::fs::remove_file(file.path()).is_ok() {
            // Refused while something else is in it.
            let _kept = std::fs::remove_dir(folder);
        }
    }
}

/// Whether an object is gone after a deletion.
fn gone<T>(deleted: object_store::Result<T>) -> object_store::Result<()> {
    match deleted {
        Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// An object being written. Dropped unfinished, it never was.
#[derive(Debug)]
pub(super) struct OpenPart {
    writer: WriteMultipart,
    chunk: usize,
    part: Part,
}

impl OpenPart {
    /// Takes as much from the front of `data` as fits into this part; waits for the disk.
    ///
    /// # Errors
    /// The object store's.
    pub(super) async fn fill(&mut self, data: &mut Bytes) -> object_store::Result<()> {
        while !data.is_empty() && !self.is_full() {
            let room = PART_LEN.saturating_sub(self.part.length);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let piece = data.split_to(data.len().min(room).min(self.chunk));
            self.writer.wait_for_capacity(1).await?;
            self.writer.write(&piece);
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            self.part.length = self.part.length.saturating_add(length);
        }
        Ok(())
    }

    /// Whether nothing more fits.
    pub(super) const fn is_full(&self) -> bool {
        self.part.length >= PART_LEN
    }

    /// What is in it so far.
    pub(super) const fn part(&self) -> Part {
        self.part
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// The object store's; then it never was.
    pub(super) async fn finish(self) -> object_store::Result<Part> {
        self.writer.finish().await?;
        Ok(self.part)
    }

    /// Throws it away.
    pub(super) async fn abort(self) {
        // An object store that cannot forget it now keeps something half-written, which it never lists.
        let _already_refused = self.writer.abort().await;
    }
}
