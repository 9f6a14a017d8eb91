//! Why a blob request is refused, as HTTP says it: a status, and a small JSON with the wire's error code.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hushpost_wire::ErrorCode;
use thiserror::Error;

use crate::store::StoreError;

/// How much of a blob is stored durably; the next PATCH goes on there.
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Seconds after which a refused transfer may be tried again.
const RETRY_S: u64 = 5;

/// A refused blob request.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BlobError {
    /// Unknown, malformed, expired, not complete, or shown with the wrong token: one answer for all.
    #[error("no such blob")]
    NotFound,
    /// A header is missing or malformed.
    #[error("{0}")]
    Malformed(&'static str),
    /// `Upload-Offset` is not where the upload stands.
    #[error("the upload stands at another offset: go on from Upload-Offset")]
    WrongOffset {
        /// Bytes stored.
        received: u64,
    },
    /// The body ended early or stood still; what arrived is kept.
    #[error("the body was cut off: go on from Upload-Offset")]
    Cut {
        /// Bytes stored.
        received: u64,
    },
    /// Somebody is writing this blob now.
    #[error("another request is writing this blob")]
    InUse,
    /// More bytes than were announced.
    #[error("the body is longer than the announced size")]
    TooLong,
    /// Came in so many small pieces that it costs the relay more than its size.
    #[error("the upload came in too many pieces: delete it and start another")]
    TooManyParts,
    /// The bytes are not those whose digest was announced; they were deleted.
    #[error("the bytes do not have the announced digest; they were deleted")]
    WrongDigest,
    /// The range is malformed, beyond the end, or not one.
    #[error("this range cannot be served")]
    Range {
        /// Bytes of the blob.
        size: u64,
    },
    /// Every transfer that the relay allows at once is taken.
    #[error("too many transfers at once")]
    TooManyTransfers,
    /// There is no room. Works again by itself when there is.
    #[error("the relay's disk is full")]
    Full,
    /// The database or the object store failed.
    #[error("the relay cannot use its store")]
    Unavailable,
    /// The relay is shutting down.
    #[error("the relay is shutting down")]
    Closing,
}

impl BlobError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::WrongOffset { .. } | Self::InUse => StatusCode::CONFLICT,
            Self::Cut { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyParts => StatusCode::TOO_MANY_REQUESTS,
            Self::WrongDigest => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
            Self::TooManyTransfers | Self::Unavailable | Self::Closing => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The wire's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Malformed(_)
            | Self::WrongOffset { .. }
            | Self::Cut { .. }
            | Self::WrongDigest
            | Self::Range { .. } => ErrorCode::BadRequest,
            Self::InUse | Self::TooManyTransfers => ErrorCode::Busy,
            Self::TooLong => ErrorCode::TooLarge,
            Self::TooManyParts => ErrorCode::TooMany,
            Self::Full => ErrorCode::StoreFull,
            Self::Unavailable => ErrorCode::StoreUnavailable,
            Self::Closing => ErrorCode::ShuttingDown,
        }
    }

    /// The one header that some refusals carry.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::WrongOffset { received } | Self::Cut { received } => {
                Some((UPLOAD_OFFSET, (*received).into()))
            }
            Self::Range { size } => HeaderValue::try_from(format!("bytes */{size}"))
                .ok()
                .map(|value| (header::CONTENT_RANGE, value)),
            Self::InUse | Self::TooManyTransfers | Self::Full | Self::Unavailable => {
                Some((header::RETRY_AFTER, RETRY_S.into()))
            }
            _ => None,
        }
    }
}

impl IntoResponse for BlobError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "code": self.code().as_str_name(),
            "message": self.to_string(),
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.header());
        response
    }
}

impl From<StoreError> for BlobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::Failed(cause) => {
                tracing::error!(%cause, "the blob table failed");
                Self::Unavailable
            }
            StoreError::Closed => Self::Closing,
        }
    }
}

impl From<rusqlite::Error> for BlobError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        // The innermost cause: what wraps it names paths, and logs name no blob.
        let mut cause: &(dyn core::error::Error + 'static) = &error;
        let mut full = is_full(cause);
        while let Some(source) = cause.source() {
            cause = source;
            full |= is_full(cause);
        }
        if full {
            return Self::Full;
        }
        tracing::error!(%cause, "the object store failed");
        Self::Unavailable
    }
}

fn is_full(cause: &(dyn core::error::Error + 'static)) -> bool {
    cause.downcast_ref::<std::io::Error>().is_some_and(|cause| {
        matches!(
            cause.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_however_deep_it_lies() {
        let failed = |kind| {
            BlobError::from(object_store::Error::Generic {
                store: "test",
                source: Box::new(object_store::Error::NotFound {
                    path: "secret".into(),
                    source: Box::new(std::io::Error::from(kind)),
                }),
            })
        };
        assert!(matches!(
            failed(std::io::ErrorKind::StorageFull),
            BlobError::Full
        ));
        assert!(matches!(
            failed(std::io::ErrorKind::PermissionDenied),
            BlobError::Unavailable
        ));
    }
}
