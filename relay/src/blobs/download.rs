//! Downloading: GET, whole or by range, streamed from the object store.
//!
//! Who knows the id may download; the relay does not know who that is, and does not ask.

use core::ops::Range;
use core::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::{StreamExt, future, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::key::Name;
use super::{BlobError, Blobs, length_of, range, table};
use crate::store::now_ms;

/// How long a client may take no byte before it loses its place to others.
const IDLE: Duration = Duration::from_secs(30);
/// Chunks read ahead; a local folder's are 8 KiB.
const AHEAD: usize = 16;

/// The transfer ended early; the connection is cut, so that the client sees it.
#[derive(Debug, thiserror::Error)]
#[error("the download broke off")]
struct BrokenOff;

type Chunk = Result<Bytes, BlobError>;

/// `GET /v1/blobs/{id}`
pub(super) async fn get(
    State(blobs): State<Blobs>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, BlobError> {
    let name = Name::asked_for(&uri);
    let size = blobs
        .inner
        .store
        .read(move |connection| table::download(connection, name, now_ms()))
        .await?;
    let asked = range::asked_for(&headers, size)
        .map_err(|range::Unsatisfiable| BlobError::Range { size })?;
    let partial = asked.is_some();
    let range = asked.unwrap_or(0..size);
    let mut response = Response::new(body(&blobs, name, range.clone()).await?);
    let length = range.end.saturating_sub(range.start);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    for (header, value) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::ETAG, range::ETAG),
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
    ] {
        headers.insert(header, HeaderValue::from_static(value));
    }
    if partial {
        let last = range.end.saturating_sub(1);
        let value = format!("bytes {}-{last}/{size}", range.start);
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The bytes of a range, once the first of them is here: an object that cannot be read is an answer, not a
/// broken download.
async fn body(blobs: &Blobs, name: Name, range: Range<u64>) -> Result<Body, BlobError> {
    let permit = super::permit(&blobs.inner.downloads)?;
    let wanted = range.clone();
    let parts = blobs
        .inner
        .store
        .read(move |connection| table::parts(connection, name, &wanted))
        .await?;
    let bytes = blobs.inner.objects.read(name, parts, range);
    let (chunks, mut arriving) = channel::<Chunk>(AHEAD);
    tokio::spawn(async move {
        pump(bytes.boxed(), &chunks).await;
        drop(permit);
    });
    let first = arriving
        .recv()
        .await
        .unwrap_or(Err(BlobError::Unavailable))?;
    Ok(Body::from_stream(
        stream::once(future::ready(Ok(first))).chain(rest(arriving)),
    ))
}

/// Reads ahead as long as the client takes.
async fn pump(
    mut bytes: stream::BoxStream<'static, object_store::Result<Bytes>>,
    chunks: &Sender<Chunk>,
) {
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(unreadable);
        let (length, failed) = (chunk.as_ref().map_or(0, length_of), chunk.is_err());
        if chunks.send_timeout(chunk, IDLE).await.is_err() || failed {
            return;
        }
        metrics::counter!("hushpost_blob_bytes_out_total").increment(length);
    }
}

/// Why an object cannot be read. One that is gone, as after a restored backup, will not come back.
fn unreadable(error: object_store::Error) -> BlobError {
    if let object_store::Error::NotFound { .. } = error {
        tracing::error!("a part of a blob is missing from the object store");
        return BlobError::NotFound;
    }
    error.into()
}

/// What follows the first chunk. If it ends early, the announced length tells the server to cut the line.
fn rest(arriving: Receiver<Chunk>) -> impl stream::Stream<Item = Result<Bytes, BrokenOff>> {
    stream::unfold(arriving, |mut arriving| async move {
        let chunk = arriving.recv().await?;
        Some((chunk.map_err(|_| BrokenOff), arriving))
    })
}
