//! Blobs: being built; every upload is refused until then.
use std::path::PathBuf;
use std::time::Duration;
pub struct Blobs;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct BlobsError;
pub struct BlobSettings {
    pub folder: PathBuf,
    pub max_bytes: u64,
    pub ttl: Duration,
    pub quota_bytes: u64,
    pub upload_timeout: Duration,
}
impl Blobs {
    pub fn open(_: crate::store::Store, _: BlobSettings) -> Result<Self, BlobsError> {
        Ok(Self)
    }
    pub fn router(&self) -> axum::Router {
        axum::Router::new()
    }
    pub async fn sweep(&self) {}
    pub async fn create_upload(
        &self,
        _: i64,
        _: hushpost_wire::CreateUpload,
    ) -> Result<hushpost_wire::UploadCreated, crate::refusal::Refusal> {
        Err(crate::refusal::Refusal::new(
            hushpost_wire::ErrorCode::Unsupported,
            "x",
        ))
    }
}
