//! An upload that is part of no message yet.

use core::fmt;
use std::time::SystemTime;

use crate::ids::UploadId;
use crate::times::time;

/// What is known of an upload that is part of no message yet.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct UnfinishedUpload {
    /// For resuming and forgetting it.
    pub id: UploadId,
    /// The file's name, as it will be shown.
    pub file_name: String,
    /// Bytes of the file.
    pub size: u64,
    /// Whether the relay has it: resuming gives the attachment at once.
    pub uploaded: bool,
    /// When it was begun.
    pub created: SystemTime,
}

/// No names.
impl fmt::Debug for UnfinishedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnfinishedUpload({:?}, {} bytes)", self.id, self.size)
    }
}

impl From<hushpost::Unfinished> for UnfinishedUpload {
    fn from(upload: hushpost::Unfinished) -> Self {
        Self {
            id: upload.id.into(),
            file_name: upload.file_name,
            size: upload.size,
            uploaded: upload.uploaded,
            created: time(upload.created_ms),
        }
    }
}
