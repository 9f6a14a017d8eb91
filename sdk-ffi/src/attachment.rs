//! A file of a message.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{AttachmentKind, FileRef};

/// A file that was uploaded, as its sender described it: what is said here is not to be believed before the file was
/// fetched, and a name is only a name.
#[derive(Clone, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Attachment {
    /// The file itself, for `Media`.
    pub file: Arc<FileRef>,
    /// What sort of file.
    pub kind: AttachmentKind,
    /// Its name, without folders; at most 255 bytes. Chosen by a stranger: let the user choose the folder.
    pub file_name: String,
    /// Its MIME type.
    pub mime: String,
    /// Bytes of the file.
    pub size: u64,
    /// Pixels across, of a picture or video.
    pub width: Option<u32>,
    /// Pixels down, of a picture or video.
    pub height: Option<u32>,
    /// How long it plays.
    pub duration: Option<Duration>,
    /// A small JPEG, PNG or WebP, at most 16 KiB.
    pub thumbnail: Option<Vec<u8>>,
    /// A `BlurHash`, to be shown before the thumbnail is decoded.
    pub blurhash: Option<String>,
    /// Of a voice note: up to 64 bars, 0 to 255.
    pub waveform: Vec<u8>,
}

/// Says nothing of the file but its size.
impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment({:?}, {} bytes)", self.kind, self.size)
    }
}

impl From<&hushpost::Attachment> for Attachment {
    fn from(file: &hushpost::Attachment) -> Self {
        let dimensions = file.dimensions();
        Self {
            kind: file.kind().into(),
            file_name: file.file_name().to_owned(),
            mime: file.mime().to_owned(),
            size: file.size(),
            width: dimensions.map(|(width, _)| width),
            height: dimensions.map(|(_, height)| height),
            duration: file.duration_ms().map(Duration::from_millis),
            thumbnail: file.thumbnail().map(<[u8]>::to_vec),
            blurhash: file.blurhash().map(str::to_owned),
            waveform: file.waveform().to_vec(),
            file: Arc::new(FileRef(file.clone())),
        }
    }
}

/// What the languages were given goes back as it came: the record's fields are for showing.
impl From<Attachment> for hushpost::Attachment {
    fn from(attachment: Attachment) -> Self {
        attachment.file.0.clone()
    }
}
