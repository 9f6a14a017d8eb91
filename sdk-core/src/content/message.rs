//! What a message says.

use core::fmt;

use hushpost_wire::{AccountId, MessageId};
use prost::Message as _;

use crate::content::attachment::Attachments;
use crate::content::mention::{self, Mention};
use crate::content::{ContactCard, ContentError, LinkPreview, Location, Poll, generated};
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
    /// A place.
    Location(Location),
    /// How to reach somebody.
    ContactCard(ContactCard),
    /// A question with answers to choose from; the votes are in
    /// [`Message::votes`](crate::Message::votes).
    Poll(Poll),
    /// What is left of a message that was removed for everyone.
    Deleted,
    /// A change of the group that the message is in.
    GroupChange(GroupChangeMessage),
    /// Files, perhaps with a caption.
    Attachments(Attachments),
    /// A kind that this version does not know: show "update needed". It was kept as it came.
    Unknown,
}

/// A text, perhaps in answer to another message.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    body: String,
    reply_to: Option<Reply>,
    mentions: Vec<Mention>,
    link_preview: Option<LinkPreview>,
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
            mentions: Vec::new(),
            link_preview: None,
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

    /// The same text, speaking of people: at most 64, in order, apart from each other, each at whole characters.
    ///
    /// # Errors
    /// [`ContentError::TooLong`], [`ContentError::Malformed`].
    pub fn mentioning(mut self, mentions: Vec<Mention>) -> Result<Self, ContentError> {
        mention::check(&self.body, &mentions)?;
        self.mentions = mentions;
        Ok(self)
    }

    /// The same text with a preview of a link that stands in it.
    ///
    /// # Errors
    /// [`ContentError::Malformed`] if the text does not have the link.
    pub fn with_link_preview(mut self, preview: LinkPreview) -> Result<Self, ContentError> {
        preview.check(&self.body)?;
        self.link_preview = Some(preview);
        Ok(self)
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

    /// Who is spoken of, in order.
    #[must_use]
    pub fn mentions(&self) -> &[Mention] {
        &self.mentions
    }

    /// What a link in it leads to.
    #[must_use]
    pub const fn link_preview(&self) -> Option<&LinkPreview> {
        self.link_preview.as_ref()
    }

    /// The same text in answer to another message, or to none.
    pub(crate) fn answering(mut self, reply_to: Option<Reply>) -> Self {
        self.reply_to = reply_to;
        self
    }

    /// What may be said elsewhere: neither whom it answered nor whom it meant is anybody's business there.
    fn forwarded(mut self) -> Self {
        self.reply_to = None;
        self.mentions = Vec::new();
        self
    }

    pub(super) fn write(&self) -> generated::Text {
        generated::Text {
            body: self.body.clone(),
            reply_to: self.reply_to.as_ref().map(|reply| generated::Reply {
                author: reply.to.sender.as_bytes().to_vec(),
                message_id: reply.to.id.as_bytes().to_vec(),
                excerpt: reply.excerpt.clone(),
            }),
            mentions: mention::write(&self.mentions),
            link_preview: self.link_preview.as_ref().map(LinkPreview::write),
        }
    }

    pub(super) fn read(text: generated::Text) -> Result<Self, ContentError> {
        let reply = text.reply_to.map(Reply::read).transpose()?;
        let read = Self::new(text.body)?
            .answering(reply)
            .mentioning(mention::read(&text.mentions)?)?;
        match text.link_preview {
            Some(preview) => read.with_link_preview(LinkPreview::read(preview)?),
            None => Ok(read),
        }
    }
}

impl Content {
    /// The bytes that travel and are stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.encode_forwarded(0)
    }

    /// The same for what was forwarded so often.
    pub(crate) fn encode_forwarded(&self, forwards: u32) -> Vec<u8> {
        use generated::content::Kind;
        let kind = match self {
            Self::Text(text) => Kind::Text(text.write()),
            Self::Location(place) => Kind::Location(place.write()),
            Self::ContactCard(card) => Kind::ContactCard(card.write()),
            Self::Poll(poll) => Kind::Poll(poll.write()),
            Self::Attachments(files) => Kind::Attachments(files.write()),
            Self::Deleted => Kind::Tombstone(generated::Tombstone {}),
            Self::GroupChange(change) => Kind::GroupChange(change.0.write()),
            Self::Unknown => return Vec::new(),
        };
        generated::Content {
            forwards,
            kind: Some(kind),
        }
        .encode_to_vec()
    }

    /// Reads them. A kind of a later version, or one that shows nowhere by itself, is [`Content::Unknown`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        Self::decode_forwarded(bytes).map(|(content, _)| content)
    }

    /// The same, and how often it was forwarded.
    pub(crate) fn decode_forwarded(bytes: &[u8]) -> Result<(Self, u32), ContentError> {
        let content =
            generated::Content::decode(bytes).map_err(|_| ContentError::Malformed("content"))?;
        let read = content.kind.map_or(Ok(Self::Unknown), Self::read)?;
        Ok((read, content.forwards))
    }

    pub(super) fn read(kind: generated::content::Kind) -> Result<Self, ContentError> {
        use generated::content::Kind;
        Ok(match kind {
            Kind::Text(text) => Self::Text(Text::read(text)?),
            Kind::Location(place) => Self::Location(Location::read(place)?),
            Kind::ContactCard(card) => Self::ContactCard(ContactCard::read(card)?),
            Kind::Poll(poll) => Self::Poll(Poll::read(poll)?),
            Kind::Attachments(files) => Self::Attachments(Attachments::read(files)?),
            Kind::Tombstone(_) => Self::Deleted,
            Kind::GroupChange(change) => {
                Self::GroupChange(GroupChangeMessage(SignedChange::read(change)))
            }
            _ => Self::Unknown,
        })
    }

    /// What may be said elsewhere; `None` for what makes no sense there.
    pub(crate) fn forwarded(self) -> Option<Self> {
        match self {
            Self::Text(text) => Some(Self::Text(text.forwarded())),
            Self::Attachments(files) => {
                let caption = files.caption().cloned().map(Text::forwarded);
                Some(Self::Attachments(files.captioned(caption)))
            }
            Self::Deleted | Self::GroupChange(_) | Self::Unknown => None,
            other => Some(other),
        }
    }

    /// Its text, or its files' caption.
    pub(crate) const fn text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Attachments(files) => files.caption(),
            _ => None,
        }
    }

    /// The same with another text in place of [`text`](Self::text).
    pub(crate) fn with_text(self, text: Text) -> Self {
        match self {
            Self::Text(_) => Self::Text(text),
            Self::Attachments(files) => Self::Attachments(files.captioned(Some(text))),
            other => other,
        }
    }

    /// What is searched in.
    pub(crate) fn searchable_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.body),
            Self::Location(place) => Some(place.name()),
            Self::ContactCard(card) => Some(card.name()),
            Self::Poll(poll) => Some(poll.question()),
            Self::Attachments(files) => files.caption().map(Text::body),
            Self::Deleted | Self::GroupChange(_) | Self::Unknown => None,
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

impl From<Text> for Content {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Location> for Content {
    fn from(place: Location) -> Self {
        Self::Location(place)
    }
}

impl From<ContactCard> for Content {
    fn from(card: ContactCard) -> Self {
        Self::ContactCard(card)
    }
}

impl From<Poll> for Content {
    fn from(poll: Poll) -> Self {
        Self::Poll(poll)
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
            Self::Location(_) => "Content::Location(…)",
            Self::ContactCard(_) => "Content::ContactCard(…)",
            Self::Poll(_) => "Content::Poll(…)",
            Self::Deleted => "Content::Deleted",
            Self::GroupChange(_) => "Content::GroupChange(…)",
            Self::Attachments(_) => "Content::Attachments(…)",
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

    #[test]
    fn every_kind_survives_the_journey() {
        let url = "https://example.org";
        let mention = |range| Mention {
            account: AccountId::of_key(&[3; 32]),
            range,
        };
        let text = Text::new(format!("@日本 and @x see {url}")).unwrap();
        let backwards = core::ops::Range { start: 5, end: 2 };
        for wrong in [0..2, 3..3, 20..99, backwards] {
            assert!(text.clone().mentioning(vec![mention(wrong)]).is_err());
        }
        let twice = vec![mention(0..7), mention(1..4)];
        assert!(text.clone().mentioning(twice).is_err());
        let text = text
            .mentioning(vec![mention(0..7), mention(12..14)])
            .unwrap()
            .with_link_preview(LinkPreview::new(url).unwrap())
            .unwrap();
        let all = [
            Content::from(text),
            Content::from(Location::new(1.0, 2.0).unwrap()),
            Content::from(ContactCard::new("Carol").unwrap()),
            Content::from(Poll::new("?", ["a", "b"]).unwrap()),
            Content::Deleted,
        ];
        for content in all {
            let bytes = content.encode_forwarded(3);
            assert_eq!(Content::decode_forwarded(&bytes), Ok((content, 3)));
        }
    }

    #[test]
    fn what_is_forwarded_names_nobody() {
        let reply = Reply {
            to: MessageRef {
                sender: AccountId::of_key(&[1; 32]),
                id: MessageId::from_slice(&[2; 16]).unwrap(),
            },
            excerpt: "the secret".to_owned(),
        };
        let text = Text::new("yes").unwrap().in_reply_to(reply);
        let forwarded = Content::Text(text).forwarded();
        assert!(forwarded == Some(Content::Text(Text::new("yes").unwrap())));
        assert!(Content::Deleted.forwarded().is_none());
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Content::decode(&bytes);
        }
    }
}
