//! Blobs: ciphertext too large for a message, uploaded and downloaded over HTTP.
//!
//! A device asks for room over its WebSocket (`CreateUpload`) and gets a random id and an upload token. The
//! rest is HTTP, on the same port, without an identity: who knows the id can download, who knows the token
//! can upload and delete. The relay keeps hashes of both.
//!
//! ```text
//!   HEAD   /v1/blobs/{id}   token                   how far the upload got
//!   PATCH  /v1/blobs/{id}   token, Upload-Offset    the bytes from there on
//!   DELETE /v1/blobs/{id}   token                   deletes the upload, or the finished blob
//!   GET    /v1/blobs/{id}                           the blob, or one Range of it
//! ```
//!
//! `{id}` is the id, and the token goes as `Authorization: Bearer`, each as 43 characters of unpadded
//! base64url. HEAD answers `Upload-Offset`, `Upload-Length` and `Upload-Complete` (`?1` or `?0`). PATCH
//! answers 204 with the new offset; 409 with the right `Upload-Offset` if another was given; 409 without one
//! if another request writes this blob; 413 if the body is too long, of which nothing is kept that was not
//! durable already; 422 if all bytes are there and do not have the announced digest. **They are then
//! deleted, and the upload with them**: the announced digest or the source was wrong, so another try needs
//! another announcement. An upload that has all bytes and is not complete (the relay stopped before it had
//! checked them) is checked by a PATCH without a body. What arrived before a connection broke is kept. Every
//! other error is a small JSON `{"code", "message"}` with the wire's error codes.
//!
//! Unknown, malformed, expired, unfinished, wrong token: one and the same 404.
//!
//! Stored as objects of at most 8 MiB, synced to the disk before they are recorded (`objects`); a crash
//! leaves at most objects without a row, which [`Blobs::sweep`] deletes after a day. A deletion is not
//! synced: what a power cut brings back is such an object. Must never hold a blob in memory: a transfer takes
//! about 1 MiB.

mod claims;
mod download;
mod error;
mod key;
mod objects;
mod range;
mod sweep;
mod table;
mod upload;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::routing::MethodRouter;
use bytes::Bytes;
use hushpost_wire::{CreateUpload, ErrorCode, UploadCreated};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

pub use error::BlobError;
pub use sweep::Swept;

use crate::refusal::Refusal;
use crate::store::{Store, now_ms};
use claims::Claims;
use key::{Name, TokenHash};
use objects::Objects;
use table::{NewBlob, Upload};

/// What blobs need to know.
#[derive(Debug, Clone)]
pub struct BlobSettings {
    /// The folder of their bytes; made if it is not there.
    pub folder: PathBuf,
    /// Bytes of one blob at most.
    pub max_bytes: u64,
    /// How long a blob is kept at most, from its announcement.
    pub ttl: Duration,
    /// Bytes of one account's blobs at most, unfinished ones included. Each counts for at least 4096.
    pub quota_bytes: u64,
    /// How long an upload may take.
    pub upload_timeout: Duration,
    /// Uploads at once, and downloads at once, of all clients together.
    pub transfers: usize,
}

/// The blobs of a relay. Clones share them.
#[derive(Debug, Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    objects: Objects,
    settings: BlobSettings,
    claims: Claims,
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    next_folder: AtomicU8,
}

impl Inner {
    /// Where the next sweep looks for orphans.
    fn next_folder(&self) -> u8 {
        // 256 is a multiple of the step, so the rounds meet every folder.
        self.next_folder
            .fetch_add(sweep::folders(), Ordering::Relaxed)
    }
}

impl Blobs {
    /// Blobs whose rows are in `store` and whose bytes are in the settings' folder.
    ///
    /// # Errors
    /// The system's, if the folder cannot be made or used.
    pub fn open(store: Store, settings: BlobSettings) -> std::io::Result<Self> {
        let objects = Objects::local(&settings.folder)?;
        let transfers = settings.transfers.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                objects,
                settings,
                claims: Claims::default(),
                uploads: Arc::new(Semaphore::new(transfers)),
                downloads: Arc::new(Semaphore::new(transfers)),
                next_folder: AtomicU8::new(0),
            }),
        })
    }

    /// Gives an account room for a blob. How often it may ask is the caller's business.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] for a wrong digest or no bytes, [`ErrorCode::TooLarge`],
    /// [`ErrorCode::QuotaExceeded`], or the store's.
    pub async fn create_upload(
        &self,
        account_row: i64,
        request: CreateUpload,
    ) -> Result<UploadCreated, Refusal> {
        let settings = &self.inner.settings;
        let digest: [u8; 32] = request.digest.as_ref().try_into().map_err(|_| {
            Refusal::new(
                ErrorCode::BadRequest,
                "digest must be the 32 bytes of a SHA-256",
            )
        })?;
        if request.size == 0 {
            return Err(Refusal::new(
                ErrorCode::BadRequest,
                "a blob has at least one byte",
            ));
        }
        if request.size > settings.max_bytes {
            return Err(Refusal::new(
                ErrorCode::TooLarge,
                format!("a blob may have {} bytes", settings.max_bytes),
            ));
        }
        if self.inner.store.health().is_low() {
            return Err(crate::store::StoreError::Full.into());
        }
        let no_randomness =
            |_| Refusal::new(ErrorCode::StoreUnavailable, "the relay has no randomness");
        let id = key::random().map_err(no_randomness)?;
        let token = key::random().map_err(no_randomness)?;
        let now = now_ms();
        let ttl = match request.ttl_s {
            0 => settings.ttl,
            seconds => settings.ttl.min(Duration::from_secs(seconds)),
        };
        let expires_ms = after(now, ttl);
        let blob = NewBlob {
            name: Name::of(&id),
            token: TokenHash::of(&token),
            account: account_row,
            size: request.size,
            digest,
            upload_until_ms: after(now, settings.upload_timeout).min(expires_ms),
            expires_ms,
        };
        let upload_expires_ms = blob.upload_until_ms;
        let quota = settings.quota_bytes;
        self.inner
            .store
            .write(move |connection| table::add(connection, &blob, quota))
            .await?;
        Ok(UploadCreated {
            blob_id: Bytes::copy_from_slice(id.as_slice()),
            upload_token: Bytes::copy_from_slice(token.as_slice()),
            upload_expires_ms,
            expires_ms,
        })
    }

    /// The HTTP part, for the root of the server.
    pub fn router(&self) -> Router {
        let methods = || {
            MethodRouter::new()
                .head(upload::head)
                .patch(upload::patch)
                .delete(upload::delete)
                .get(download::get)
        };
        // Whatever follows the prefix comes here, so that every wrong id meets the same answer.
        Router::new()
            .route(key::PREFIX, methods())
            .route(&format!("{}{{*rest}}", key::PREFIX), methods())
            .with_state(self.clone())
    }

    /// The upload that a request names and shows the token of.
    async fn upload_of(&self, uri: &Uri, headers: &HeaderMap) -> Result<Upload, BlobError> {
        let (name, token) = (Name::asked_for(uri), TokenHash::shown_by(headers));
        self.inner
            .store
            .read(move |connection| table::upload(connection, name, token, now_ms()))
            .await
    }

    /// Deletes a blob that the caller has claimed.
    async fn remove(&self, name: Name) -> Result<(), BlobError> {
        self.inner.objects.delete(name).await?;
        self.inner
            .store
            .write(move |connection| table::remove(connection, &[name]))
            .await
    }
}

/// A place among the transfers that go on at once.
fn permit(transfers: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, BlobError> {
    Arc::clone(transfers)
        .try_acquire_owned()
        .map_err(|error| match error {
            TryAcquireError::NoPermits => BlobError::TooManyTransfers,
            TryAcquireError::Closed => BlobError::Closing,
        })
}

fn after(now_ms: u64, time: Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn length_of(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
