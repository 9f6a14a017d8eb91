//! What a message says.

use core::fmt;

use crate::{Attachment, ContactCard, GroupNotice, HushpostError, Location, Poll, Result, Text};

/// What a message says.
#[derive(Clone, uniffi::Enum)]
#[uniffi::export(Debug)]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: Text,
    },
    /// Files that were uploaded, 1 to 32, perhaps with a caption.
    Attachments {
        /// The files.
        files: Vec<Attachment>,
        /// What is said of them.
        caption: Option<Text>,
    },
    /// A place.
    Location {
        /// The place.
        place: Location,
    },
    /// How to reach somebody.
    ContactCard {
        /// The card.
        card: ContactCard,
    },
    /// A question with answers to choose from.
    Poll {
        /// The question.
        poll: Poll,
    },
    /// What is left of a message that was removed for everyone. Cannot be sent.
    Deleted,
    /// A change of the group that the message is in. Cannot be sent.
    GroupChange {
        /// What was changed.
        notice: GroupNotice,
    },
    /// A kind that this version does not know: show "update needed". Cannot be sent.
    Unknown,
}

/// Says of which kind, and nothing that a user wrote.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text { .. } => "Text(…)",
            Self::Attachments { .. } => "Attachments(…)",
            Self::Location { .. } => "Location(…)",
            Self::ContactCard { .. } => "ContactCard(…)",
            Self::Poll { .. } => "Poll(…)",
            Self::Deleted => "Deleted",
            Self::GroupChange { .. } => "GroupChange(…)",
            Self::Unknown => "Unknown",
        })
    }
}

impl From<&hushpost::Content> for Content {
    fn from(content: &hushpost::Content) -> Self {
        match content {
            hushpost::Content::Text(text) => Self::Text { text: text.into() },
            hushpost::Content::Attachments(album) => Self::Attachments {
                files: album.items().iter().map(Into::into).collect(),
                caption: album.caption().map(Into::into),
            },
            hushpost::Content::Location(place) => Self::Location {
                place: place.into(),
            },
            hushpost::Content::ContactCard(card) => Self::ContactCard { card: card.into() },
            hushpost::Content::Poll(poll) => Self::Poll { poll: poll.into() },
            hushpost::Content::Deleted => Self::Deleted,
            hushpost::Content::GroupChange(change) => Self::GroupChange {
                notice: change.notice().into(),
            },
            _ => Self::Unknown,
        }
    }
}

impl TryFrom<Content> for hushpost::Content {
    type Error = HushpostError;

    fn try_from(content: Content) -> Result<Self> {
        Ok(match content {
            Content::Text { text } => Self::Text(text.try_into()?),
            Content::Attachments { files, caption } => {
                let files = files.into_iter().map(Into::into).collect();
                let caption = caption.map(TryInto::try_into).transpose()?;
                Self::Attachments(hushpost::Attachments::new(files, caption)?)
            }
            Content::Location { place } => Self::Location(place.try_into()?),
            Content::ContactCard { card } => Self::ContactCard(card.try_into()?),
            Content::Poll { poll } => Self::Poll(poll.try_into()?),
            Content::Deleted | Content::GroupChange { .. } | Content::Unknown => {
                return Err(HushpostError::invalid("this cannot be sent"));
            }
        })
    }
}
