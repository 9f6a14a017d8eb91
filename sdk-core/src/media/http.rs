//! Blobs over HTTP/1.1, on a byte stream of the same [`Transport`](crate::Transport) that messages use: the same
//! proxies, the same trust, nothing of a second network stack.
//!
//! One connection for one transfer. What the relay answers is bounded; what stands still is given up.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::client::Core;
use crate::content::BlobId;

/// Until there is a connection, and until a request without a body is answered.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer's head.
const MAX_HEAD: usize = 64 * 1024;
/// The longest wait that a relay may ask for.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// Where an upload goes on.
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Whether it is complete.
pub(super) const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// The body of a request.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// A transfer did not go on. Whether another try makes sense is the caller's to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection: not there, broken, or nothing moved.
    Broken,
    /// The relay answered with something else than expected.
    Status(StatusCode, Option<Duration>),
}

/// A connection to the relay's blobs.
pub(super) struct Http {
    requests: SendRequest<Outgoing>,
    host: HeaderValue,
    _driver: AbortOnDropHandle<()>,
}

impl Http {
    pub(super) async fn connect(core: &Core) -> Result<Self, Failure> {
        let connecting = async {
            let stream = core.transport.connect(&core.relay).await.ok()?;
            let (requests, connection) = http1::Builder::new()
                .max_buf_size(MAX_HEAD)
                .handshake(TokioIo::new(stream))
                .await
                .ok()?;
            let driver = tokio::spawn(async move {
                // How it ended shows in the requests.
                let _ended = connection.await;
            });
            Some((requests, AbortOnDropHandle::new(driver)))
        };
        let connected = timeout(PATIENCE, connecting).await.ok().flatten();
        let (requests, driver) = connected.ok_or(Failure::Broken)?;
        let url = core.relay.to_string();
        let host = url.rsplit("//").next().unwrap_or_default();
        Ok(Self {
            requests,
            host: HeaderValue::from_str(host).map_err(|_| Failure::Broken)?,
            _driver: driver,
        })
    }

    /// A request about a blob, to be completed with headers and a body.
    pub(super) fn about(&self, method: Method, blob: BlobId) -> Request<Outgoing> {
        let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *request.method_mut() = method;
        // The alphabet is that of paths.
        let path = format!("/v1/blobs/{}", URL_SAFE_NO_PAD.encode(blob.0));
        if let Ok(uri) = path.parse() {
            *request.uri_mut() = uri;
        }
        request
            .headers_mut()
            .insert(header::HOST, self.host.clone());
        request
    }

    /// Sends a request that has no body, and waits for the answer's head.
    pub(super) async fn ask(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Failure> {
        timeout(PATIENCE, self.send(request))
            .await
            .map_err(|_| Failure::Broken)?
    }

    /// Sends a request; how long it may take is the caller's to know.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Failure> {
        let ready = self.requests.ready().await;
        ready.map_err(|_| Failure::Broken)?;
        let response = self.requests.send_request(request).await;
        response.map_err(|_| Failure::Broken)
    }
}

/// Shows who may upload.
pub(super) fn authorise(request: &mut Request<Outgoing>, token: &[u8; 32]) {
    let value = format!("Bearer {}", URL_SAFE_NO_PAD.encode(token));
    if let Ok(mut value) = HeaderValue::from_str(&value) {
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
}

/// Asks for bytes of the blob.
pub(super) fn ask_for(request: &mut Request<Outgoing>, range: &core::ops::Range<u64>) {
    let last = range.end.saturating_sub(1);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes={}-{last}", range.start)) {
        request.headers_mut().insert(header::RANGE, value);
    }
}

/// Whether an answer holds just these bytes of a blob of this size.
pub(super) fn holds(
    response: &Response<Incoming>,
    range: &core::ops::Range<u64>,
    blob_size: u64,
) -> bool {
    let length = range.end.saturating_sub(range.start);
    let fits = response.body().size_hint().exact() == Some(length);
    match response.status() {
        StatusCode::OK => fits && range.start == 0 && range.end == blob_size,
        StatusCode::PARTIAL_CONTENT => {
            let last = range.end.saturating_sub(1);
            let expected = format!("bytes {}-{last}/{blob_size}", range.start);
            let given = response.headers().get(header::CONTENT_RANGE);
            fits && given.is_some_and(|given| given.as_bytes() == expected.as_bytes())
        }
        _ => false,
    }
}

/// A number that an answer has in a header.
pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// An answer that was not expected.
pub(super) fn refused(response: &Response<Incoming>) -> Failure {
    let seconds = number(response.headers(), &header::RETRY_AFTER);
    let wait = seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_WAIT));
    Failure::Status(response.status(), wait)
}

/// Returns when nothing has moved for so long. `moved` counts bytes.
pub(super) async fn stalled(moved: &Arc<std::sync::atomic::AtomicU64>, patience: Duration) {
    let mut before = u64::MAX;
    loop {
        let now = moved.load(std::sync::atomic::Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
        tokio::time::sleep(patience).await;
    }
}
