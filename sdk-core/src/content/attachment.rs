//! Files that travel beside a message: where the ciphertext lies, what opens it, and what is shown until it is
//! there.
//!
//! Where it stands: between the media room, which makes and fetches the blobs, and the message that carries the
//! description. What a peer wrote is bounded and cleaned here, with the same rules as what the app gives: a name is
//! no path, a thumbnail is small when it is decoded too.
//!
//! Must never: print a key, a name or an id, or trust a length before it was compared with a limit.

mod album;
mod clean;

pub use album::{Attachments, MAX_ATTACHMENTS};

use core::fmt;

use zeroize::Zeroize as _;

use crate::content::{ContentError, generated};
use crate::media::picture;
use crate::media::sealed::{FileKey, MAX_FILE_LEN};

/// Bytes of a file's name, UTF-8.
pub const MAX_FILE_NAME_LEN: usize = 255;
/// Bytes of a thumbnail, a JPEG.
pub const MAX_THUMBNAIL_LEN: usize = 16 * 1024;
/// Characters of a blurhash.
pub const MAX_BLURHASH_LEN: usize = 100;
/// Bars of a waveform.
pub const MAX_WAVEFORM_BARS: usize = 64;
/// Bytes of a MIME type.
const MAX_MIME_LEN: usize = 127;
/// Pixels across or down; what is beyond is no picture.
const MAX_PIXELS: u32 = 1 << 20;
/// A thousand hours.
const MAX_DURATION_MS: u64 = 3_600_000_000;

/// A blob's id at the relay: who knows it can download the ciphertext.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlobId(pub(crate) [u8; 32]);

/// What a file is: how to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AttachmentKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// Music, or another recording.
    Audio,
    /// A voice note.
    Voice,
    /// Anything else.
    Document,
}

/// What opens a blob, and what it must be.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) key: FileKey,
    /// SHA-256 of the blob.
    pub(crate) digest: [u8; 32],
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Bytes of the blob.
    pub(crate) blob_size: u64,
}

/// What is shown of a file before it is there, as given: it is cleaned when it becomes part of an [`Attachment`].
#[derive(Clone, Default)]
pub(crate) struct Shown {
    pub(crate) file_name: String,
    pub(crate) mime: String,
    pub(crate) kind: Option<AttachmentKind>,
    pub(crate) dimensions: Option<(u32, u32)>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) thumbnail: Option<Vec<u8>>,
    pub(crate) blurhash: Option<String>,
    pub(crate) waveform: Vec<u8>,
}

/// A file at the relay. Made by an upload, or received in a message; given to `download`, `save` and `read_range`.
///
/// It holds the file's key: whoever has it can read the file. Its `Debug` output tells the kind alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    pub(crate) blob: BlobId,
    pub(crate) sealed: Sealed,
    file_name: String,
    mime: String,
    kind: AttachmentKind,
    dimensions: Option<(u32, u32)>,
    duration_ms: Option<u64>,
    thumbnail: Option<Vec<u8>>,
    blurhash: Option<String>,
    waveform: Vec<u8>,
}

impl AttachmentKind {
    /// As in the database; the same as on the wire.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Image => 1,
            Self::Video => 2,
            Self::Audio => 3,
            Self::Voice => 4,
            Self::Document => 5,
        }
    }

    const fn wire(self) -> generated::attachment::Kind {
        use generated::attachment::Kind;
        match self {
            Self::Image => Kind::Image,
            Self::Video => Kind::Video,
            Self::Audio => Kind::Audio,
            Self::Voice => Kind::Voice,
            Self::Document => Kind::Document,
        }
    }

    const fn from_wire(kind: generated::attachment::Kind) -> Self {
        use generated::attachment::Kind;
        match kind {
            Kind::Image => Self::Image,
            Kind::Video => Self::Video,
            Kind::Audio => Self::Audio,
            Kind::Voice => Self::Voice,
            Kind::Document | Kind::Unspecified => Self::Document,
        }
    }

    /// What a MIME type says.
    pub(crate) fn of_mime(mime: &str) -> Self {
        match mime.split_once('/') {
            Some(("image", _)) => Self::Image,
            Some(("video", _)) => Self::Video,
            Some(("audio", _)) => Self::Audio,
            _ => Self::Document,
        }
    }
}

impl Attachment {
    /// From what is known; everything shown is cleaned.
    pub(crate) fn new(blob: BlobId, sealed: Sealed, shown: Shown) -> Self {
        let mime = clean::mime(&shown.mime);
        let in_bounds = |side: u32| (1..=MAX_PIXELS).contains(&side);
        let mut waveform = shown.waveform;
        waveform.truncate(MAX_WAVEFORM_BARS);
        Self {
            blob,
            sealed,
            file_name: clean::file_name(&shown.file_name),
            kind: shown.kind.unwrap_or_else(|| AttachmentKind::of_mime(&mime)),
            mime,
            dimensions: shown
                .dimensions
                .filter(|(width, height)| in_bounds(*width) && in_bounds(*height)),
            duration_ms: shown
                .duration_ms
                .filter(|duration| (1..=MAX_DURATION_MS).contains(duration)),
            // Whoever shows it decodes it: its header must not promise more than a thumbnail.
            thumbnail: shown
                .thumbnail
                .filter(|jpeg| jpeg.len() <= MAX_THUMBNAIL_LEN && picture::is_small_jpeg(jpeg)),
            blurhash: shown.blurhash.filter(|hash| clean::is_blurhash(hash)),
            waveform,
        }
    }

    /// The same file under another id.
    pub(crate) fn at(mut self, blob: BlobId) -> Self {
        self.blob = blob;
        self
    }

    /// The name, cleaned: no path, no control or direction characters, no name that a system reserves; at most 255
    /// bytes and never empty. Still chosen by a stranger: show it, and let the user choose where to save.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The MIME type as its sender found it, lower case; `application/octet-stream` if it is unknown. A hint, never a
    /// reason to run anything.
    #[must_use]
    pub fn mime(&self) -> &str {
        &self.mime
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> AttachmentKind {
        self.kind
    }

    /// Bytes of the file, at most 2 GiB.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.sealed.size
    }

    /// Bytes that travel: of the ciphertext, padded.
    #[must_use]
    pub const fn transfer_size(&self) -> u64 {
        self.sealed.blob_size
    }

    /// Pixels across and down, of pictures and videos.
    #[must_use]
    pub const fn dimensions(&self) -> Option<(u32, u32)> {
        self.dimensions
    }

    /// How long it plays, in milliseconds.
    #[must_use]
    pub const fn duration_ms(&self) -> Option<u64> {
        self.duration_ms
    }

    /// A small JPEG: at most 16 KiB, and 1024 pixels across or down.
    #[must_use]
    pub fn thumbnail(&self) -> Option<&[u8]> {
        self.thumbnail.as_deref()
    }

    /// A blur to show at once: see <https://blurha.sh>. At most 100 characters.
    #[must_use]
    pub fn blurhash(&self) -> Option<&str> {
        self.blurhash.as_deref()
    }

    /// Loudness over time, one bar a byte; empty if there is none. At most 64.
    #[must_use]
    pub fn waveform(&self) -> &[u8] {
        &self.waveform
    }

    /// Leaves the thumbnail out, where there is no room for it.
    fn drop_thumbnail(&mut self) {
        self.thumbnail = None;
    }

    pub(crate) fn write(&self) -> generated::Attachment {
        let (width, height) = self.dimensions.unwrap_or_default();
        generated::Attachment {
            blob_id: self.blob.0.to_vec(),
            key: self.sealed.key.as_bytes().to_vec(),
            digest: self.sealed.digest.to_vec(),
            size: self.sealed.size,
            blob_size: self.sealed.blob_size,
            file_name: self.file_name.clone(),
            mime: self.mime.clone(),
            kind: self.kind.wire().into(),
            width,
            height,
            duration_ms: self.duration_ms.unwrap_or_default(),
            thumbnail: self.thumbnail.clone().unwrap_or_default(),
            blurhash: self.blurhash.clone().unwrap_or_default(),
            waveform: self.waveform.clone(),
        }
    }

    pub(crate) fn read(mut attachment: generated::Attachment) -> Result<Self, ContentError> {
        let malformed = ContentError::Malformed("attachment");
        for (len, max, what) in [
            (attachment.file_name.len(), MAX_FILE_NAME_LEN, "file name"),
            (attachment.mime.len(), MAX_MIME_LEN, "MIME type"),
            (attachment.thumbnail.len(), MAX_THUMBNAIL_LEN, "thumbnail"),
            (attachment.blurhash.len(), MAX_BLURHASH_LEN, "blurhash"),
            (attachment.waveform.len(), MAX_WAVEFORM_BARS, "waveform"),
        ] {
            if len > max {
                return Err(ContentError::TooLong(what));
            }
        }
        if attachment.size > MAX_FILE_LEN {
            return Err(ContentError::TooLong("attachment"));
        }
        let key = FileKey::from_slice(&attachment.key);
        attachment.key.zeroize();
        let kind = attachment.kind();
        Ok(Self::new(
            BlobId(attachment.blob_id.try_into().map_err(|_| malformed)?),
            Sealed {
                key: key.ok_or(malformed)?,
                digest: attachment.digest.try_into().map_err(|_| malformed)?,
                size: attachment.size,
                blob_size: attachment.blob_size,
            },
            Shown {
                file_name: attachment.file_name,
                mime: attachment.mime,
                kind: Some(AttachmentKind::from_wire(kind)),
                dimensions: Some((attachment.width, attachment.height)),
                duration_ms: Some(attachment.duration_ms),
                thumbnail: Some(attachment.thumbnail),
                blurhash: Some(attachment.blurhash),
                waveform: attachment.waveform,
            },
        ))
    }
}

/// Reads an [`Attachment`] that was stored by itself.
pub(crate) fn decode_attachment(bytes: &[u8]) -> Result<Attachment, ContentError> {
    use prost::Message as _;
    let attachment = generated::Attachment::decode(bytes);
    Attachment::read(attachment.map_err(|_| ContentError::Malformed("attachment"))?)
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment({:?}, {} bytes)", self.kind, self.sealed.size)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// One with everything in it.
    pub(crate) fn full(name: &str) -> Attachment {
        let sealed = Sealed {
            key: FileKey::from_slice(&[0xab; 32]).unwrap(),
            digest: [2; 32],
            size: 1000,
            blob_size: 1073,
        };
        let shown = Shown {
            file_name: name.to_owned(),
            mime: "image/jpeg".to_owned(),
            kind: None,
            dimensions: Some((640, 480)),
            duration_ms: Some(1500),
            thumbnail: None,
            blurhash: Some("LEHV6nWB2yk8pyo0adR*.7kCMdnj".to_owned()),
            waveform: vec![1, 2, 3],
        };
        Attachment::new(BlobId([9; 32]), sealed, shown)
    }

    #[test]
    fn what_is_written_is_read() {
        let attachment = full("holiday.jpg");
        assert_eq!(attachment.kind(), AttachmentKind::Image);
        assert_eq!(Attachment::read(attachment.write()), Ok(attachment));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!("{:?}", full("holiday.jpg"));
        assert_eq!(printed, "Attachment(Image, 1000 bytes)");
    }

    #[test]
    fn everything_is_bounded() {
        let refused = |change: fn(&mut generated::Attachment)| {
            let mut attachment = full("x").write();
            change(&mut attachment);
            Attachment::read(attachment).err()
        };
        let malformed = Some(ContentError::Malformed("attachment"));
        assert_eq!(refused(|a| a.blob_id.truncate(31)), malformed);
        assert_eq!(refused(|a| a.key.push(0)), malformed);
        assert_eq!(refused(|a| a.digest.clear()), malformed);
        let too_long = |what| Some(ContentError::TooLong(what));
        assert_eq!(refused(|a| a.size = u64::MAX), too_long("attachment"));
        assert_eq!(refused(|a| a.size = (2 << 30) + 1), too_long("attachment"));
        assert_eq!(
            refused(|a| a.file_name = "x".repeat(256)),
            too_long("file name")
        );
        assert_eq!(
            refused(|a| a.file_name = "x".repeat(65_536)),
            too_long("file name")
        );
        assert_eq!(refused(|a| a.mime = "x".repeat(128)), too_long("MIME type"));
        assert_eq!(
            refused(|a| a.thumbnail = vec![0; 16_385]),
            too_long("thumbnail")
        );
        assert_eq!(
            refused(|a| a.blurhash = "0".repeat(101)),
            too_long("blurhash")
        );
        assert_eq!(refused(|a| a.waveform = vec![0; 65]), too_long("waveform"));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let mut wire = full("x").write();
        wire.width = 0;
        wire.duration_ms = u64::MAX;
        wire.blurhash = "<script>".to_owned();
        wire.thumbnail = b"GIF89a".to_vec();
        wire.mime = "text/html; charset=x".to_owned();
        wire.kind = 77;
        let attachment = Attachment::read(wire).unwrap();
        assert_eq!(attachment.dimensions(), None);
        assert_eq!(attachment.duration_ms(), None);
        assert_eq!(attachment.blurhash(), None);
        assert_eq!(attachment.thumbnail(), None);
        assert_eq!(attachment.mime(), "application/octet-stream");
        assert_eq!(attachment.kind(), AttachmentKind::Document);
    }

    proptest! {
        #[test]
        fn what_was_read_once_is_read_the_same_again(
            file_name in ".{0,60}", mime in ".{0,30}", blurhash in ".{0,40}", kind in any::<i32>(),
            (width, height, duration_ms) in any::<(u32, u32, u64)>(),
        ) {
            let wire = generated::Attachment {
                file_name, mime, blurhash, kind, width, height, duration_ms, ..full("x").write()
            };
            if let Ok(attachment) = Attachment::read(wire) {
                prop_assert_eq!(Attachment::read(attachment.write()), Ok(attachment));
            }
        }
    }
}
