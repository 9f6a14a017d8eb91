//! What is said of a file that is sent.

use core::fmt;
use std::time::Duration;

use hushpost::Waveform;

use crate::PictureMode;

/// What is said of a file that is sent. Nothing has to be: name and kind are found out, and pictures are made anew,
/// without what their camera wrote into them.
#[derive(Clone, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct UploadOptions {
    /// How pictures are sent; made anew unless set.
    #[uniffi(default = None)]
    pub pictures: Option<PictureMode>,
    /// Another name than the file's own; it is cleaned, and cut to 255 bytes.
    #[uniffi(default = None)]
    pub file_name: Option<String>,
    /// The MIME type, for what does not show it in its first bytes.
    #[uniffi(default = None)]
    pub mime: Option<String>,
    /// Sends it as a document, byte for byte: a picture then keeps all that its camera wrote into it.
    #[uniffi(default = false)]
    pub as_document: bool,
    /// Makes it a voice note: mono samples, at any rate, of which its bars are made. Give `duration` too.
    #[uniffi(default = None)]
    pub voice_samples: Option<Vec<i16>>,
    /// How long it plays.
    #[uniffi(default = None)]
    pub duration: Option<Duration>,
    /// Pixels across, of a video; with `height`.
    #[uniffi(default = None)]
    pub width: Option<u32>,
    /// Pixels down, of a video; with `width`.
    #[uniffi(default = None)]
    pub height: Option<u32>,
    /// A frame of a video, to be made a thumbnail of: JPEG, PNG or WebP.
    #[uniffi(default = None)]
    pub thumbnail_of: Option<Vec<u8>>,
}

/// No names.
impl fmt::Debug for UploadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadOptions")
    }
}

impl From<UploadOptions> for hushpost::UploadOptions {
    fn from(options: UploadOptions) -> Self {
        let mut made = Self::new();
        if let Some(mode) = options.pictures {
            made = made.pictures(mode.into());
        }
        if let Some(name) = options.file_name {
            made = made.file_name(name);
        }
        if let Some(mime) = options.mime {
            made = made.mime(mime);
        }
        if options.as_document {
            made = made.as_document();
        }
        let ms = options
            .duration
            .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        if let Some(samples) = options.voice_samples {
            made = made.voice(ms.unwrap_or_default(), &Waveform::from_samples(&samples));
        } else if let Some(ms) = ms {
            made = made.duration_ms(ms);
        }
        if let (Some(width), Some(height)) = (options.width, options.height) {
            made = made.dimensions(width, height);
        }
        if let Some(frame) = options.thumbnail_of {
            made = made.thumbnail_of(frame);
        }
        made
    }
}
