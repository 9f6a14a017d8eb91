//! What a link in a text leads to, as the text's sender saw it: the reader's device asks nobody.

use core::fmt;

use crate::content::{ContentError, generated};

/// Bytes of a link.
pub const MAX_LINK_LEN: usize = 2048;
/// Bytes of a preview's title, UTF-8.
pub const MAX_LINK_TITLE_LEN: usize = 1024;
/// Bytes of a preview's description, UTF-8.
pub const MAX_LINK_DESCRIPTION_LEN: usize = 2048;
/// Bytes of a preview's picture.
pub const MAX_LINK_IMAGE_LEN: usize = 16 * 1024;

/// What a link leads to.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkPreview {
    url: String,
    title: String,
    description: String,
    image: Vec<u8>,
}

impl LinkPreview {
    /// A preview of an `http` or `https` link of at most 2048 bytes that stands in the text word for word.
    ///
    /// # Errors
    /// [`ContentError::TooLong`], [`ContentError::Malformed`].
    pub fn new(url: impl Into<String>) -> Result<Self, ContentError> {
        let url = url.into();
        if url.len() > MAX_LINK_LEN {
            return Err(ContentError::TooLong("link"));
        }
        let read = url::Url::parse(&url).map_err(|_| ContentError::Malformed("link"))?;
        if !matches!(read.scheme(), "http" | "https") || url.contains(char::is_whitespace) {
            return Err(ContentError::Malformed("link"));
        }
        Ok(Self {
            url,
            title: String::new(),
            description: String::new(),
            image: Vec::new(),
        })
    }

    /// The same with a title of at most 1024 bytes and a description of at most 2048; either may be empty.
    ///
    /// # Errors
    /// [`ContentError::TooLong`].
    pub fn titled(
        mut self,
        title: impl Into<String>,
        description: impl Into<String>,
    ) -> Result<Self, ContentError> {
        (self.title, self.description) = (title.into(), description.into());
        if self.title.len() > MAX_LINK_TITLE_LEN {
            return Err(ContentError::TooLong("title"));
        }
        if self.description.len() > MAX_LINK_DESCRIPTION_LEN {
            return Err(ContentError::TooLong("description"));
        }
        Ok(self)
    }

    /// The same with a small picture, JPEG or PNG, of at most 16 KiB.
    ///
    /// # Errors
    /// [`ContentError::TooLong`].
    pub fn pictured(mut self, image: Vec<u8>) -> Result<Self, ContentError> {
        if image.len() > MAX_LINK_IMAGE_LEN {
            return Err(ContentError::TooLong("picture"));
        }
        self.image = image;
        Ok(self)
    }

    /// The link, as it stands in the text.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The page's title; may be empty.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the page is about; may be empty.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// A small picture, as its sender made it: decode it with care. May be empty.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// Whether it belongs to a text: a preview of what is not there would pass one site off as another.
    pub(super) fn check(&self, body: &str) -> Result<(), ContentError> {
        if body.contains(&self.url) {
            Ok(())
        } else {
            Err(ContentError::Malformed("link"))
        }
    }

    pub(super) fn write(&self) -> generated::LinkPreview {
        generated::LinkPreview {
            url: self.url.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            image: self.image.clone(),
        }
    }

    pub(super) fn read(preview: generated::LinkPreview) -> Result<Self, ContentError> {
        Self::new(preview.url)?
            .titled(preview.title, preview.description)?
            .pictured(preview.image)
    }
}

/// Says nothing of where it leads.
impl fmt::Debug for LinkPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkPreview(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_bounded_and_of_what_is_there() {
        let preview = LinkPreview::new("https://example.org/a?b#c")
            .unwrap()
            .titled("Example", "Words")
            .unwrap()
            .pictured(vec![1; MAX_LINK_IMAGE_LEN])
            .unwrap();
        assert_eq!(LinkPreview::read(preview.write()), Ok(preview.clone()));
        assert!(preview.check("see https://example.org/a?b#c").is_ok());
        assert!(preview.check("see https://example.com").is_err());
        assert!(!format!("{preview:?}").contains("example"));
        for bad in [
            "",
            "example.org",
            "javascript:alert(1)",
            "file:///etc",
            "https://a b",
        ] {
            assert!(LinkPreview::new(bad).is_err(), "{bad}");
        }
        assert!(preview.pictured(vec![1; MAX_LINK_IMAGE_LEN + 1]).is_err());
    }
}
