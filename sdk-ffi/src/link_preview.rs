//! What a link leads to.

use core::fmt;

use crate::{HushpostError, Result};

/// What a link in a text leads to, as its sender's device saw it.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct LinkPreview {
    /// The link; it has to stand in the text. At most 2048 bytes.
    pub url: String,
    /// The page's title; may be empty. At most 1024 bytes.
    #[uniffi(default = "")]
    pub title: String,
    /// The page's description; may be empty. At most 2048 bytes.
    #[uniffi(default = "")]
    pub description: String,
    /// A small picture: JPEG, PNG or WebP, at most 16 KiB.
    #[uniffi(default = None)]
    pub image: Option<Vec<u8>>,
}

impl fmt::Debug for LinkPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkPreview(…)")
    }
}

impl From<&hushpost::LinkPreview> for LinkPreview {
    fn from(preview: &hushpost::LinkPreview) -> Self {
        let image = preview.image();
        Self {
            url: preview.url().to_owned(),
            title: preview.title().to_owned(),
            description: preview.description().to_owned(),
            image: (!image.is_empty()).then(|| image.to_vec()),
        }
    }
}

impl TryFrom<LinkPreview> for hushpost::LinkPreview {
    type Error = HushpostError;

    fn try_from(preview: LinkPreview) -> Result<Self> {
        let made = Self::new(preview.url)?.titled(preview.title, preview.description)?;
        Ok(match preview.image {
            Some(image) => made.pictured(image)?,
            None => made,
        })
    }
}
