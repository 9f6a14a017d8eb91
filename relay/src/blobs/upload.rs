//! Uploading: HEAD says how far it got, PATCH goes on from there, DELETE gives it up.
//!
//! Bytes go to the object store as they come. What is durable there is then recorded; never the other way
//! round. A PATCH runs as a task of its own, so that a connection that breaks does not take with it what
//! had arrived.

use core::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::error::UPLOAD_OFFSET;
use super::key::Name;
use super::objects::OpenPart;
use super::table::{self, Upload};
use super::{BlobError, Blobs, length_of};
use crate::store::now_ms;

/// How large the blob was announced to be.
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// `?1` when every byte was stored and checked.
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
/// How long a body may stand still.
const IDLE: Duration = Duration::from_secs(30);

/// `HEAD /v1/blobs/{id}`
pub(super) async fn head(
    State(blobs): State<Blobs>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, BlobError> {
    let upload = blobs.upload_of(&uri, &headers).await?;
    let mut response = progress(StatusCode::OK, upload.received, upload.complete);
    response
        .headers_mut()
        .insert(UPLOAD_LENGTH, upload.size.into());
    Ok(response)
}

/// `PATCH /v1/blobs/{id}`
pub(super) async fn patch(
    State(blobs): State<Blobs>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, BlobError> {
    // Before anything else is looked at, and before the blob is claimed: who lacks the token learns
    // nothing, and stops nobody.
    blobs.upload_of(&uri, &headers).await?;
    let permit = super::permit(&blobs.inner.uploads)?;
    let name = Name::asked_for(&uri);
    let claim = blobs.inner.claims.take(name).ok_or(BlobError::InUse)?;
    // Again, now that it stands still.
    let upload = blobs.upload_of(&uri, &headers).await?;
    let received = upload.received;
    if offset(&headers)? != received {
        return Err(BlobError::WrongOffset { received });
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > upload.size.saturating_sub(received)) {
        return Err(BlobError::TooLong);
    }
    let body_taker = Receiver {
        blobs,
        name,
        upload,
        open: None,
    };
    let task = tokio::spawn(async move {
        let answer = body_taker.receive(body).await;
        drop((claim, permit));
        answer
    });
    task.await.unwrap_or(Err(BlobError::Unavailable))
}

/// `DELETE /v1/blobs/{id}`
pub(super) async fn delete(
    State(blobs): State<Blobs>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<StatusCode, BlobError> {
    blobs.upload_of(&uri, &headers).await?;
    let name = Name::asked_for(&uri);
    let claim = blobs.inner.claims.take(name).ok_or(BlobError::InUse)?;
    // A task of its own, too: a connection that breaks must not leave the half of a blob.
    let task = tokio::spawn(async move {
        blobs.remove(name).await?;
        drop(claim);
        Ok(StatusCode::NO_CONTENT)
    });
    task.await.unwrap_or(Err(BlobError::Unavailable))
}

fn offset(headers: &HeaderMap) -> Result<u64, BlobError> {
    headers
        .get(UPLOAD_OFFSET)
        .and_then(|value| value.to_str().ok())
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(BlobError::Malformed("Upload-Offset must be a number"))
}

fn progress(status: StatusCode, received: u64, complete: bool) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, received.into());
    headers.insert(
        UPLOAD_COMPLETE,
        HeaderValue::from_static(if complete { "?1" } else { "?0" }),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Takes the body of one PATCH.
struct Receiver {
    blobs: Blobs,
    name: Name,
    upload: Upload,
    open: Option<OpenPart>,
}

impl Receiver {
    async fn receive(mut self, mut body: Body) -> Result<Response, BlobError> {
        loop {
            match tokio::time::timeout(IDLE, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    // Trailers say nothing here.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    if let Err(error) = self.take(data).await {
                        if let Some(part) = self.open.take() {
                            part.abort().await;
                        }
                        return Err(error);
                    }
                }
                Ok(None) => break,
                Ok(Some(Err(_))) | Err(_) => {
                    self.close().await?;
                    return Err(BlobError::Cut {
                        received: self.upload.received,
                    });
                }
            }
        }
        self.close().await?;
        // Also when this body was empty: a relay that stopped before it had checked is asked again so.
        if self.upload.received == self.upload.size && !self.upload.complete {
            self.check().await?;
        }
        Ok(progress(
            StatusCode::NO_CONTENT,
            self.upload.received,
            self.upload.complete,
        ))
    }

    /// Writes what came, in parts.
    async fn take(&mut self, mut data: Bytes) -> Result<(), BlobError> {
        let open = self.open.as_ref().map_or(0, |open| open.part().length);
        let stands = self.upload.received.saturating_add(open);
        if length_of(&data) > self.upload.size.saturating_sub(stands) {
            return Err(BlobError::TooLong);
        }
        while !data.is_empty() {
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert(begin(&self.blobs, self.name, &self.upload).await?),
            };
            open.fill(&mut data).await?;
            if open.is_full() {
                self.close().await?;
            }
        }
        Ok(())
    }

    /// Makes the open part durable, then records it.
    async fn close(&mut self) -> Result<(), BlobError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let part = open.finish().await?;
        let name = self.name;
        let recorded = self
            .blobs
            .inner
            .store
            .write(move |connection| table::add_part(connection, name, part, now_ms()))
            .await;
        if let Err(error) = recorded {
            // Left behind by a failing store it would be swept in a day; now is better.
            let _swept_later = self.blobs.inner.objects.delete_part(name, part.start).await;
            return Err(error);
        }
        self.upload.received = self.upload.received.saturating_add(part.length);
        metrics::counter!("hushpost_blob_bytes_in_total").increment(part.length);
        Ok(())
    }

    /// Reads everything back, checks the digest and opens the blob for download, or deletes it.
    async fn check(&mut self) -> Result<(), BlobError> {
        let (name, size) = (self.name, self.upload.size);
        let inner = &self.blobs.inner;
        let parts = inner
            .store
            .read(move |connection| table::parts(connection, name, &(0..size)))
            .await?;
        let bytes = inner.objects.read(name, parts, 0..size);
        let digest = bytes
            .try_fold(Sha256::new(), |digest, chunk| async move {
                Ok(digest.chain_update(chunk))
            })
            .await?;
        if digest.finalize().as_slice() != self.upload.digest {
            self.blobs.remove(name).await?;
            return Err(BlobError::WrongDigest);
        }
        inner
            .store
            .write(move |connection| table::complete(connection, name, now_ms()))
            .await?;
        self.upload.complete = true;
        metrics::counter!("hushpost_blob_uploads_total").increment(1);
        Ok(())
    }
}

/// Begins the next part, if the disk and the upload may have another.
async fn begin(blobs: &Blobs, name: Name, upload: &Upload) -> Result<OpenPart, BlobError> {
    let inner = &blobs.inner;
    if inner.store.health().is_low() {
        return Err(BlobError::Full);
    }
    let size = upload.size;
    inner
        .store
        .read(move |connection| table::check_parts(connection, name, size))
        .await?;
    Ok(inner.objects.begin(name, upload.received).await?)
}
