//! Files that travel beside messages: encrypted here, stored at the relay as blobs that mean nothing to it, fetched
//! on demand.
//!
//! ```text
//!   file ─▶ prepare (picture anew, thumbnail) ─▶ sealed, in the media folder ─▶ upload ─▶ relay ─▶ Attachment
//!   Attachment ─▶ download ─▶ sealed, in the media folder: size and digest checked ─▶ save, read_range ─▶ file
//! ```
//!
//! Beside the database, in the folder `-media`, lie ciphertexts alone: `.up` of an upload that is not finished,
//! `.part` of a download that is not, `.blob` of what is kept. Whatever breaks off goes on where it was, after a new
//! start of the process too; an upload sends the same bytes again, never others under the same key.
//!
//! - [`sealed`]: the format; [`picture`], [`waveform`]: what is shown; [`prepare`]: from a file to a sealed one
//! - [`upload`], [`download`], [`range`], over [`http`]; [`job`]: progress, the end, cancelling
//! - [`preview`]: of a link, made by who sends it
//! - [`cache`]: what is kept, and when it goes; [`lock`]: one process at a time
//!
//! Must never: write a plaintext that the app did not ask for, give out a byte that did not verify, hold a whole file
//! in memory (pictures excepted, which are bounded), or print a name, a key or an id.

pub(crate) mod cache;
mod download;
mod error;
mod http;
mod job;
mod lock;
pub(crate) mod picture;
mod prepare;
mod preview;
mod range;
pub(crate) mod sealed;
mod upload;
mod waveform;

pub use download::Download;
pub use error::MediaError;
pub use job::{Progress, Stage};
pub use picture::PictureMode;
pub use prepare::{Source, UploadOptions};
pub(crate) use preview::make as link_preview;
pub use range::MAX_RANGE_LEN;
pub(crate) use upload::rows::sent as upload_sent;
pub use upload::{Unfinished, Upload, UploadId};
pub use waveform::Waveform;

use core::fmt;
use core::ops::Range;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::client::Core;
use crate::config::Config;
use crate::content::{Attachment, BlobId};
use crate::store::StoreError;
use crate::{Error, Result};

/// Files made ready at once.
const PREPARING: usize = 2;

/// What this device calls a blob: not its id, which opens it at the relay.
pub(crate) type BlobName = [u8; 32];

/// The name of a blob.
pub(crate) fn blob_name(id: BlobId) -> BlobName {
    Sha256::digest(id.0).into()
}

/// What the handles of this room share.
pub(crate) struct Room {
    folder: PathBuf,
    pub(crate) max_file_bytes: u64,
    cache_bytes: u64,
    cache_age: Duration,
    stop: CancellationToken,
    /// One download of a blob at a time.
    busy: Mutex<BTreeMap<BlobName, Arc<tokio::sync::Mutex<()>>>>,
    /// Whether what an earlier process left behind was looked for.
    swept: tokio::sync::OnceCell<()>,
    /// Files made ready at once: a picture may take 100 MiB for a moment.
    preparing: tokio::sync::Semaphore,
}

impl Room {
    pub(crate) fn new(config: &Config) -> Self {
        let mut folder = config.database.clone().into_os_string();
        folder.push("-media");
        Self {
            folder: folder.into(),
            max_file_bytes: config.media.max_file_bytes,
            cache_bytes: config.media.cache_bytes,
            cache_age: config.media.cache_age,
            stop: CancellationToken::new(),
            busy: Mutex::default(),
            swept: tokio::sync::OnceCell::new(),
            preparing: tokio::sync::Semaphore::new(PREPARING),
        }
    }

    /// Ends what runs; all of it can be resumed.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    fn path(&self, name: &[u8], ending: &str) -> PathBuf {
        use fmt::Write as _;
        let mut file = String::new();
        for byte in name {
            // Writing to a string does not fail.
            let _infallible = write!(file, "{byte:02x}");
        }
        file.push_str(ending);
        self.folder.join(file)
    }

    fn blob_path(&self, name: &BlobName) -> PathBuf {
        self.path(name, ".blob")
    }

    /// Waits until no other task of this process fetches the blob.
    async fn claim(&self, name: BlobName) -> OwnedMutexGuard<()> {
        let lock = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            busy.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(busy.entry(name).or_default())
        };
        lock.lock_owned().await
    }
}

/// Runs what blocks beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MediaError> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| StoreError::Interrupted)??)
}

/// The files of a client. Cheap to clone; made by [`Client::media`](crate::Client::media).
///
/// ```no_run
/// use hushpost::{Client, Content, Conversation, Message, UploadOptions};
///
/// # async fn example(client: Client, conversation: Conversation, received: Message) -> hushpost::Result<()> {
/// let upload = client.media().upload("holiday.jpg", UploadOptions::new());
/// let picture = upload.finished().await?;
/// conversation.send_attachments(vec![picture], None).await?;
///
/// if let Content::Attachments(attachments) = &received.content {
///     for file in attachments.items() {
///         // The name was chosen by a stranger: let the user choose the folder.
///         client.media().save(file, file.file_name()).await?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Media(Arc<Core>);

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Media")
    }
}

impl Media {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Encrypts a file and brings it to the relay, in the background: the handle shows how far it is. From the moment
    /// it is encrypted it is in [`unfinished`](Self::unfinished) until a message has it, whatever happens to this process.
    /// Needs a connection, and waits for one. Must be called on a Tokio runtime.
    pub fn upload(&self, source: impl Into<Source>, options: UploadOptions) -> Upload {
        upload::start(&self.0, source.into(), options)
    }

    /// Uploads that were begun and are part of no message yet, the oldest first; those that run now among them. What
    /// nobody goes on with is forgotten after a week.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn unfinished(&self) -> Result<Vec<Unfinished>> {
        self.0.store.read(upload::rows::all).await
    }

    /// Goes on with an upload of an earlier process, or one that failed; of one that is at the relay it gives the
    /// attachment. Must be called on a Tokio runtime.
    #[must_use]
    pub fn resume(&self, upload: UploadId) -> Upload {
        upload::resume(&self.0, upload)
    }

    /// Gives an upload up, whether it runs or not.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, [`Error::Store`].
    pub async fn forget(&self, upload: UploadId) -> Result<()> {
        upload::forget(&self.0, upload).await
    }

    /// Fetches a file's ciphertext, checks it and keeps it, in the background. What is here already is not fetched
    /// again. Must be called on a Tokio runtime.
    #[must_use]
    pub fn download(&self, attachment: &Attachment) -> Download {
        download::start(&self.0, attachment)
    }

    /// Fetches a file, unless it is here, and writes it, decrypted, to a path that must not lie in the media folder. The
    /// path has either the whole file or what it had before.
    ///
    /// # Errors
    /// [`Error::Media`], [`Error::Store`].
    pub async fn save(&self, attachment: &Attachment, path: impl AsRef<Path>) -> Result<()> {
        self.download(attachment).finished().await?;
        range::save(&self.0, attachment, path.as_ref().to_owned()).await
    }

    /// Bytes of the file, decrypted and verified: from what is here, else fetched just for this, as a player does that
    /// begins before everything is there. At most [`MAX_RANGE_LEN`] at once.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a range that is empty, too long or beyond the end; [`Error::Media`],
    /// [`Error::Store`].
    pub async fn read_range(&self, attachment: &Attachment, range: Range<u64>) -> Result<Vec<u8>> {
        range::read(&self.0, attachment, range).await
    }

    /// Whether a file is here, so that it opens without a connection.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn is_cached(&self, attachment: &Attachment) -> Result<bool> {
        cache::has(&self.0, blob_name(attachment.blob)).await
    }

    /// Bytes that files take on this device; uploads and downloads under way not counted.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn cached_bytes(&self) -> Result<u64> {
        self.0.store.read(cache::bytes).await
    }

    /// Removes all files that are kept here; they can be fetched again as long as the relay has them.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Media`] if a file cannot be removed.
    pub async fn clear(&self) -> Result<()> {
        cache::clear(&self.0).await
    }
}

/// The description must fit what this client takes, and itself.
fn check(core: &Core, attachment: &Attachment) -> Result<sealed::Layout> {
    let limit = core.media.max_file_bytes;
    if attachment.size() > limit {
        return Err(MediaError::TooLarge { limit }.into());
    }
    let layout = sealed::Layout::of_file(attachment.size()).map_err(MediaError::from)?;
    if layout.blob_len() != attachment.transfer_size() {
        return Err(MediaError::Damaged("its sizes do not fit together").into());
    }
    Ok(layout)
}

/// No more than is needed of what the file system says.
fn file_error(error: std::io::Error) -> Error {
    MediaError::File(error).into()
}
