//! From what the app gives to a sealed file in the media folder, with its description. Blocks.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::job::{Meter, Stage};
use super::picture::{self, MAX_ENCODED, PictureMode};
use super::sealed::{Digested, FileKey, Layout, seal};
use super::{MediaError, Waveform};
use crate::content::{Attachment, AttachmentKind, BlobId, Sealed, Shown};

/// Bytes at a file's beginning that tell its type.
const SNIFFED: u64 = 8 * 1024;

/// What is to be sent. Made from a path or from bytes.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A file on this device. It must not change until it is encrypted; afterwards it may go.
    Path(PathBuf),
    /// Bytes in memory.
    Bytes(Vec<u8>),
}

impl From<&str> for Source {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl core::fmt::Debug for Source {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Path(_) => "Source::Path(…)",
            Self::Bytes(_) => "Source::Bytes(…)",
        })
    }
}

/// How a file is sent and shown. What is not said is found out: the type from the first bytes, a picture's size,
/// thumbnail and blur from the picture.
///
/// ```
/// use hushpost::{PictureMode, UploadOptions, Waveform};
///
/// let picture = UploadOptions::new().pictures(PictureMode::Full);
/// let note = UploadOptions::new().voice(2_500, &Waveform::from_samples(&[0, 100, -200]));
/// let report = UploadOptions::new().file_name("report.pdf").as_document();
/// ```
#[derive(Clone, Default)]
pub struct UploadOptions {
    pictures: PictureMode,
    shown: Shown,
}

impl core::fmt::Debug for UploadOptions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("UploadOptions")
            .field("pictures", &self.pictures)
            .finish_non_exhaustive()
    }
}

impl UploadOptions {
    /// Everything is found out.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How pictures are sent: made anew unless said otherwise.
    #[must_use]
    pub const fn pictures(mut self, mode: PictureMode) -> Self {
        self.pictures = mode;
        self
    }

    /// Another name than the file's own; it is cleaned, and cut to 255 bytes.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.shown.file_name = name.into();
        self
    }

    /// The MIME type, for what does not show it in its first bytes.
    #[must_use]
    pub fn mime(mut self, mime: impl Into<String>) -> Self {
        self.shown.mime = mime.into();
        self
    }

    /// Sends it as a document, byte for byte: a picture then keeps all that its camera wrote into it.
    #[must_use]
    pub const fn as_document(mut self) -> Self {
        self.shown.kind = Some(AttachmentKind::Document);
        self
    }

    /// A voice note: how long it plays, in milliseconds, and its bars.
    #[must_use]
    pub fn voice(mut self, duration_ms: u64, waveform: &Waveform) -> Self {
        self.shown.kind = Some(AttachmentKind::Voice);
        self.shown.duration_ms = Some(duration_ms);
        self.shown.waveform = waveform.bars().to_vec();
        self
    }

    /// How long it plays, in milliseconds.
    #[must_use]
    pub const fn duration_ms(mut self, duration_ms: u64) -> Self {
        self.shown.duration_ms = Some(duration_ms);
        self
    }

    /// Pixels across and down, of a video.
    #[must_use]
    pub const fn dimensions(mut self, width: u32, height: u32) -> Self {
        self.shown.dimensions = Some((width, height));
        self
    }

    /// A thumbnail, of a video: any JPEG, PNG or WebP of at most 16 million pixels, such as a frame; it is made small.
    #[must_use]
    pub fn thumbnail_of(mut self, frame: Vec<u8>) -> Self {
        self.shown.thumbnail = Some(frame);
        self
    }
}

/// Seals the source into a new file; the answer describes it, but for the blob's id. The file is on the disk then.
pub(super) fn prepare(
    source: Source,
    options: UploadOptions,
    key: FileKey,
    (to, max_file_bytes): (&Path, u64),
    meter: &Meter,
    cancel: &CancellationToken,
) -> Result<Attachment, MediaError> {
    let (mut file, bytes);
    let (len, mut shown, reader): (u64, Shown, &mut dyn Read) = match source {
        Source::Path(path) => {
            // Looked at before it is opened: opening a pipe waits for whoever writes into it, for ever.
            if !fs::metadata(&path)?.is_file() {
                return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
            }
            file = File::open(&path)?;
            let metadata = file.metadata()?;
            let shown = named(options.shown, &path);
            if let Some(encoded) = picture_in(&mut file, metadata.len(), &shown)? {
                let (made, shown) = anew(encoded, options.pictures, shown)?;
                bytes = made;
                (length(&bytes), shown, &mut &*bytes)
            } else {
                let shown = typed(&mut file, shown)?;
                (metadata.len(), shown, &mut file)
            }
        }
        Source::Bytes(given) => {
            let is_picture = wants_picture(&options.shown) && picture::is_known(&given);
            let (made, shown) = if is_picture {
                anew(given, options.pictures, options.shown)?
            } else {
                let shown = typed(&mut io::Cursor::new(&given), options.shown)?;
                (given, shown)
            };
            bytes = made;
            (length(&bytes), shown, &mut &*bytes)
        }
    };
    if len > max_file_bytes {
        return Err(MediaError::TooLarge {
            limit: max_file_bytes,
        });
    }
    if shown.kind != Some(AttachmentKind::Image) {
        shown = with_frame(shown);
    }
    let layout = Layout::of_file(len)?;
    meter.stage(Stage::Preparing, 0, len);
    let mut watched = Watched {
        reader,
        meter,
        cancel,
    };
    let mut out = Digested::new(File::create_new(to)?);
    seal(&key, &layout, &mut watched, &mut out)?;
    let (out, digest) = out.finish()?;
    out.sync_all()?;
    let sealed = Sealed {
        key,
        digest,
        size: len,
        blob_size: layout.blob_len(),
    };
    Ok(Attachment::new(BlobId([0; 32]), sealed, shown))
}

/// Counts what is read, and stops when it is cancelled.
struct Watched<'a> {
    reader: &'a mut dyn Read,
    meter: &'a Meter,
    cancel: &'a CancellationToken,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let read = self.reader.read(buffer)?;
        self.meter.advance(read);
        Ok(read)
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn named(mut shown: Shown, path: &Path) -> Shown {
    if shown.file_name.is_empty()
        && let Some(name) = path.file_name()
    {
        shown.file_name = name.to_string_lossy().into_owned();
    }
    shown
}

fn wants_picture(shown: &Shown) -> bool {
    matches!(shown.kind, None | Some(AttachmentKind::Image))
}

fn first_bytes(source: &mut (impl Read + io::Seek)) -> Result<Vec<u8>, MediaError> {
    let mut first = Vec::new();
    source.by_ref().take(SNIFFED).read_to_end(&mut first)?;
    source.rewind()?;
    Ok(first)
}

/// The whole of a file that is a picture.
fn picture_in(file: &mut File, len: u64, shown: &Shown) -> Result<Option<Vec<u8>>, MediaError> {
    if !wants_picture(shown) || !picture::is_known(&first_bytes(file)?) {
        return Ok(None);
    }
    if len > MAX_ENCODED {
        return Err(MediaError::Picture("is larger than 64 MiB"));
    }
    let mut encoded = Vec::new();
    // No more, should it grow meanwhile.
    file.take(MAX_ENCODED).read_to_end(&mut encoded)?;
    Ok(Some(encoded))
}

fn anew(
    encoded: Vec<u8>,
    mode: PictureMode,
    mut shown: Shown,
) -> Result<(Vec<u8>, Shown), MediaError> {
    let picture = picture::prepare(encoded, mode)?;
    if let Some(extension) = extension(picture.mime) {
        // What was made anew may be of another kind than it was.
        let stem = shown.file_name.rsplit_once('.');
        let stem = stem.map_or(&*shown.file_name, |(stem, _)| stem);
        if !stem.is_empty() && !shown.file_name.to_lowercase().ends_with(extension) {
            shown.file_name = format!("{stem}{extension}");
        }
    }
    picture.mime.clone_into(&mut shown.mime);
    shown.kind = Some(AttachmentKind::Image);
    shown.dimensions = Some(picture.dimensions);
    shown.thumbnail = picture.thumbnail;
    shown.blurhash = picture.blurhash;
    Ok((picture.bytes, shown))
}

fn extension(mime: &str) -> Option<&'static str> {
    match mime {
        "image/jpeg" => Some(".jpg"),
        "image/png" => Some(".png"),
        _ => None,
    }
}

/// The type that the first bytes show; else the one that the app said.
fn typed(source: &mut (impl Read + io::Seek), mut shown: Shown) -> Result<Shown, MediaError> {
    if let Some(found) = infer::get(&first_bytes(source)?) {
        found.mime_type().clone_into(&mut shown.mime);
    }
    Ok(shown)
}

/// Makes a thumbnail and a blur of the frame that the app gave.
fn with_frame(mut shown: Shown) -> Shown {
    if let Some(frame) = shown.thumbnail.take()
        && let Ok(picture) = picture::prepare(frame, PictureMode::AsItIs)
    {
        shown.thumbnail = picture.thumbnail;
        shown.blurhash = picture.blurhash;
    }
    shown
}

/// Removes a file; that there is none is as good.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
