//! What a message says.

use core::fmt;

use hushpost_wire::{AccountId, MessageId};
use prost::Message as _;

use crate::content::{ContentError, generated};
use crate::event::MessageRef;
use crate::group::GroupChangeMessage;
use crate::group::change::SignedChange;

/// Bytes of a text, UTF-8.
pub const MAX_TEXT_LEN: usize = 32 * 1024;
/// Bytes of a quoted text's beginning, UTF-8.
pub const MAX_EXCERPT_LEN: usize = 512;
/// Characters of a line in the conversation list.
const PREVIEW_CHARS: usize = 120;

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text(Text),
    /// A change of the group that the message is in.
    GroupChange(GroupChangeMessage),
    /// A kind that this version does not know: show "update needed". It was kept as it came.
    Unknown,
}

/// A text, perhaps in answer to another message.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    body: String,
    reply_to: Option<Reply>,
}

/// What a message answers, with the beginning of it for who does not have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Which message.
    pub to: MessageRef,
    /// Its beginning; may be empty.
    pub excerpt: String,
}

impl Text {
    /// A text of 1 to 32,768 bytes that is not only white space.
    ///
    /// # Errors
    /// [`ContentError::Empty`], [`ContentError::TooLong`].
    pub fn new(body: impl Into<String>) -> Result<Self, ContentError> {
        let body = body.into();
        if body.len() > MAX_TEXT_LEN {
            return Err(ContentError::TooLong("text"));
        }
        if body.trim().is_empty() {
            return Err(ContentError::Empty);
        }
        Ok(Self {
            body,
            reply_to: None,
        })
    }

    /// The same text in answer to a message. A quote over 512 bytes is cut.
    #[must_use]
    pub fn in_reply_to(mut self, mut reply: Reply) -> Self {
        while reply.excerpt.len() > MAX_EXCERPT_LEN {
            reply.excerpt.pop();
        }
        self.reply_to = Some(reply);
        self
    }

    /// The text.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// What it answers.
    #[must_use]
    pub const fn reply_to(&self) -> Option<&Reply> {
        self.reply_to.as_ref()
    }
}

impl Content {
    /// The bytes that travel and are stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let kind = match self {
            Self::Text(text) => generated::content::Kind::Text(generated::Text {
                body: text.body.clone(),
                reply_to: text.reply_to.as_ref().map(|reply| generated::Reply {
                    author: reply.to.sender.as_bytes().to_vec(),
                    message_id: reply.to.id.as_bytes().to_vec(),
                    excerpt: reply.excerpt.clone(),
                }),
            }),
            Self::GroupChange(change) => generated::content::Kind::GroupChange(change.0.write()),
            Self::Unknown => return Vec::new(),
        };
        generated::Content { kind: Some(kind) }.encode_to_vec()
    }

    /// Reads them. A kind of a later version is [`Content::Unknown`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let content =
            generated::Content::decode(bytes).map_err(|_| ContentError::Malformed("content"))?;
        match content.kind {
            None => Ok(Self::Unknown),
            Some(generated::content::Kind::GroupChange(change)) => Ok(Self::GroupChange(
                GroupChangeMessage(SignedChange::read(change)),
            )),
            Some(generated::content::Kind::Text(text)) => {
                let reply = text.reply_to.map(Reply::read).transpose()?;
                let text = Text::new(text.body)?;
                Ok(Self::Text(match reply {
                    Some(reply) => text.in_reply_to(reply),
                    None => text,
                }))
            }
        }
    }

    /// What is searched in.
    pub(crate) fn searchable_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.body),
            Self::GroupChange(_) | Self::Unknown => None,
        }
    }

    /// One line for a conversation list, or for a quote; empty for kinds without text.
    #[must_use]
    pub fn preview(&self) -> String {
        let words = self
            .searchable_text()
            .unwrap_or_default()
            .split_whitespace();
        let mut line = String::new();
        for word in words {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            if line.len() > 4 * PREVIEW_CHARS {
                break;
            }
        }
        line.chars().take(PREVIEW_CHARS).collect()
    }
}

impl Reply {
    fn read(reply: generated::Reply) -> Result<Self, ContentError> {
        let malformed = ContentError::Malformed("reply");
        if reply.excerpt.len() > MAX_EXCERPT_LEN {
            return Err(ContentError::TooLong("excerpt"));
        }
        Ok(Self {
            to: MessageRef {
                sender: AccountId::from_slice(&reply.author).map_err(|_| malformed)?,
                id: MessageId::from_slice(&reply.message_id).map_err(|_| malformed)?,
            },
            excerpt: reply.excerpt,
        })
    }
}

/// Says of which kind, and nothing that a user wrote.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Content::Text(…)",
            Self::GroupChange(_) => "Content::GroupChange(…)",
            Self::Unknown => "Content::Unknown",
        })
    }
}

/// Says how long it is, and nothing that a user wrote.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.body.len())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply(to {:?})", self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_bounded_and_never_printed() {
        assert_eq!(Text::new(" \n\u{a0}").err(), Some(ContentError::Empty));
        assert!(Text::new("x".repeat(MAX_TEXT_LEN)).is_ok());
        assert!(Text::new("x".repeat(MAX_TEXT_LEN + 1)).is_err());
        let content = Content::Text(Text::new("the secret").unwrap());
        assert!(!format!("{content:?}").contains("secret"));
        assert_eq!(Content::decode(&content.encode()), Ok(content));
    }

    #[test]
    fn an_unknown_kind_is_no_error() {
        // Field 99, two bytes.
        assert_eq!(
            Content::decode(&[0x9a, 0x06, 2, 1, 2]),
            Ok(Content::Unknown)
        );
        assert!(Content::decode(&[0xff]).is_err());
        // Text that is no UTF-8.
        assert!(Content::decode(&[0x0a, 3, 0x0a, 1, 0xff]).is_err());
    }

    #[test]
    fn previews_are_one_bounded_line() {
        let preview = |text: &str| Content::Text(Text::new(text).unwrap()).preview();
        assert_eq!(preview(" a\n\nb\tc "), "a b c");
        assert_eq!(preview(&"日".repeat(5000)).chars().count(), PREVIEW_CHARS);
        assert_eq!(Content::Unknown.preview(), "");
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Content::decode(&bytes);
        }
    }
}
