//! Files that travel beside messages.

use std::sync::Arc;

use crate::ids::UploadId;
use crate::{
    Download, FileRef, HushpostError, Result, UnfinishedUpload, Upload, UploadOptions, runtime,
};

/// The files of a client: uploading, fetching, saving. Files are named by path and never held in memory.
#[derive(Debug, uniffi::Object)]
pub struct Media(pub(crate) hushpost::Media);

#[uniffi::export]
impl Media {
    /// Encrypts a file and brings it to the relay, in the background. From the moment it is encrypted it is among the
    /// unfinished uploads until a message has it, whatever happens to this process. Needs a connection, and waits
    /// for one. That the file cannot be read shows in `finished`.
    ///
    /// # Errors
    /// `Internal`.
    pub fn upload(&self, path: String, options: UploadOptions) -> Result<Arc<Upload>> {
        let _inside = runtime::handle()?.enter();
        let running = self
            .0
            .upload(std::path::PathBuf::from(path), options.into());
        Ok(Upload::new(running))
    }

    /// Uploads that were begun and are part of no message yet, the oldest first; those that run now among them. What
    /// nobody goes on with is forgotten after a week.
    ///
    /// # Errors
    /// `Store`.
    pub async fn unfinished(&self) -> Result<Vec<UnfinishedUpload>> {
        let media = self.0.clone();
        let found = runtime::run(async move { media.unfinished().await }).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Goes on with an upload of an earlier process, or one that failed; of one that is at the relay it gives the
    /// attachment.
    ///
    /// # Errors
    /// `Internal`; that there is no such upload shows in `finished`.
    pub fn resume(&self, upload: UploadId) -> Result<Arc<Upload>> {
        let _inside = runtime::handle()?.enter();
        Ok(Upload::new(self.0.resume(upload.read()?)))
    }

    /// Gives an upload up, whether it runs or not.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn forget(&self, upload: UploadId) -> Result<()> {
        let (media, upload) = (self.0.clone(), upload.read()?);
        runtime::run(async move { media.forget(upload).await }).await
    }

    /// Fetches a file, checks it and keeps it, encrypted, in the background. What is here already is not fetched again.
    ///
    /// # Errors
    /// `Internal`.
    pub fn download(&self, file: Arc<FileRef>) -> Result<Arc<Download>> {
        let _inside = runtime::handle()?.enter();
        Ok(Download::new(self.0.download(&file.0)))
    }

    /// Fetches a file, unless it is here, and writes it, decrypted, to a path. The path has either the whole file or what
    /// it had before.
    ///
    /// # Errors
    /// `Media`, `Store`.
    pub async fn save(&self, file: Arc<FileRef>, path: String) -> Result<()> {
        let media = self.0.clone();
        runtime::run(async move { media.save(&file.0, path).await }).await
    }

    /// Bytes of a file, decrypted and verified, as a player needs them that begins before everything is there. At most 8 MiB
    /// at once.
    ///
    /// # Errors
    /// `Invalid` for a range that is empty, too long or beyond the end; `Media`,
    /// `Store`.
    pub async fn read_range(&self, file: Arc<FileRef>, start: u64, length: u64) -> Result<Vec<u8>> {
        let end = start
            .checked_add(length)
            .ok_or_else(|| HushpostError::invalid("this is beyond the end"))?;
        let media = self.0.clone();
        runtime::run(async move { media.read_range(&file.0, start..end).await }).await
    }

    /// Whether a file is here, so that it opens without a connection.
    ///
    /// # Errors
    /// `Store`.
    pub async fn is_cached(&self, file: Arc<FileRef>) -> Result<bool> {
        let media = self.0.clone();
        runtime::run(async move { media.is_cached(&file.0).await }).await
    }

    /// Bytes that files take on this device; uploads and downloads under way not counted.
    ///
    /// # Errors
    /// `Store`.
    pub async fn cached_bytes(&self) -> Result<u64> {
        let media = self.0.clone();
        runtime::run(async move { media.cached_bytes().await }).await
    }

    /// Removes all files that are kept here; they can be fetched again as long as the relay has them.
    ///
    /// # Errors
    /// `Store`, `Media` if a file cannot be removed.
    pub async fn clear(&self) -> Result<()> {
        let media = self.0.clone();
        runtime::run(async move { media.clear().await }).await
    }
}
