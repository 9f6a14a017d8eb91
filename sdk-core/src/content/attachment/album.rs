//! The files of one message, with a caption.

use prost::Message as _;

use super::Attachment;
use crate::content::{ContentError, Text, generated};

/// Files of one message.
pub const MAX_ATTACHMENTS: usize = 32;
/// Bytes of all of it: a message has room for 60 KiB, some of which its frame takes.
const MAX_LEN: usize = 56 * 1024;

/// The files of a message: 1 to 32, perhaps with a caption.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachments {
    items: Vec<Attachment>,
    caption: Option<Text>,
}

impl Attachments {
    /// Puts files together. Thumbnails for which a message has no room are left out, the largest first; the blurhash
    /// stays.
    ///
    /// # Errors
    /// [`ContentError::Empty`] without a file, [`ContentError::TooLong`] with more than 32.
    pub fn new(items: Vec<Attachment>, caption: Option<Text>) -> Result<Self, ContentError> {
        check_count(items.len())?;
        let mut attachments = Self { items, caption };
        while attachments.write().encoded_len() > MAX_LEN {
            let largest = attachments
                .items
                .iter_mut()
                .filter(|item| item.thumbnail().is_some())
                .max_by_key(|item| item.thumbnail().map_or(0, <[u8]>::len));
            match largest {
                Some(item) => item.drop_thumbnail(),
                None => return Err(ContentError::TooLong("message")),
            }
        }
        Ok(attachments)
    }

    /// The files, in order.
    #[must_use]
    pub fn items(&self) -> &[Attachment] {
        &self.items
    }

    /// What is said with them.
    #[must_use]
    pub const fn caption(&self) -> Option<&Text> {
        self.caption.as_ref()
    }

    /// The same files with another caption.
    pub(crate) fn captioned(mut self, caption: Option<Text>) -> Self {
        self.caption = caption;
        self
    }

    pub(crate) fn write(&self) -> generated::Attachments {
        generated::Attachments {
            items: self.items.iter().map(Attachment::write).collect(),
            caption: self.caption.as_ref().map(Text::write),
        }
    }

    pub(crate) fn read(attachments: generated::Attachments) -> Result<Self, ContentError> {
        check_count(attachments.items.len())?;
        Ok(Self {
            items: attachments
                .items
                .into_iter()
                .map(Attachment::read)
                .collect::<Result<_, _>>()?,
            caption: attachments.caption.map(Text::read).transpose()?,
        })
    }
}

fn check_count(count: usize) -> Result<(), ContentError> {
    match count {
        0 => Err(ContentError::Empty),
        1..=MAX_ATTACHMENTS => Ok(()),
        _ => Err(ContentError::TooLong("list of attachments")),
    }
}

/// Says how many, and nothing that a user chose.
impl core::fmt::Debug for Attachments {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Attachments({})", self.items.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::full;
    use super::*;
    use crate::content::Content;

    #[test]
    fn a_message_has_one_to_thirty_two_files() {
        let items = |count| vec![full("x"); count];
        assert_eq!(Attachments::new(items(0), None), Err(ContentError::Empty));
        assert!(Attachments::new(items(32), None).is_ok());
        assert!(Attachments::new(items(33), None).is_err());
        let mut wire = Attachments::new(items(32), None).unwrap().write();
        wire.items.push(full("x").write());
        assert!(Attachments::read(wire).is_err());
        assert!(Attachments::read(generated::Attachments::default()).is_err());
    }

    #[test]
    fn the_caption_is_what_is_searched_and_shown() {
        let caption = Text::new("by the\nsea").unwrap();
        let album = Attachments::new(vec![full("secret.jpg")], Some(caption)).unwrap();
        let content = Content::Attachments(album);
        assert_eq!(content.searchable_text(), Some("by the\nsea"));
        assert_eq!(content.preview(), "by the sea");
        assert!(!format!("{content:?}").contains("sea"));
        assert_eq!(Content::decode(&content.encode()), Ok(content));
        let silent = Content::Attachments(Attachments::new(vec![full("x")], None).unwrap());
        assert_eq!((silent.searchable_text(), &*silent.preview()), (None, ""));
    }

    #[test]
    fn thumbnails_give_way_where_there_is_no_room() {
        let jpeg = crate::media::picture::tests::noisy_jpeg(15 * 1024);
        let mut item = full("x");
        item.thumbnail = Some(jpeg);
        let caption = Text::new("x".repeat(crate::MAX_TEXT_LEN)).unwrap();
        let album = Attachments::new(vec![item; 32], Some(caption)).unwrap();
        assert!(album.write().encoded_len() <= MAX_LEN);
        assert!(album.items().iter().all(|item| item.blurhash().is_some()));
        assert!(album.items().iter().any(|item| item.thumbnail().is_none()));
    }
}
