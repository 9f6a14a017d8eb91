//! What is inside a ciphertext: what one device says to another. The relay sees none of it.
//!
//! ```text
//!   Content ─in─▶ Post (place in a conversation) ─in─▶ Plaintext ─pad─▶ encrypted ─▶ envelope
//!   Receipt · Typing · ResendRequest · Gone · SenderKey · GroupLog … ─┘
//! ```
//!
//! Whatever comes out of a decryption is outside input: authentic, and perhaps hostile. Everything is bounded
//! here, so that the rest of the crate never meets a sequence of 0, a list without end or an empty text. A kind
//! of [`Content`] that this version does not know is kept as it came.
//!
//! Must never: print what a user wrote, or change the meaning of a field number.

mod attachment;
pub(crate) mod change;
mod contact_card;
pub(crate) mod control;
mod emoji;
pub(crate) mod group;
mod ids;
mod link_preview;
mod location;
mod mention;
mod message;
mod padding;
mod plaintext;
mod poll;
mod post;

pub(crate) mod generated {
    #![allow(
        clippy::all,
        clippy::pedantic,
        missing_debug_implementations,
        unused_qualifications
    )]
    include!(concat!(env!("OUT_DIR"), "/hushpost.content.v1.rs"));
}

pub use attachment::{
    Attachment, AttachmentKind, Attachments, MAX_ATTACHMENTS, MAX_BLURHASH_LEN, MAX_FILE_NAME_LEN,
    MAX_THUMBNAIL_LEN, MAX_WAVEFORM_BARS,
};
pub(crate) use attachment::{BlobId, Sealed, Shown, decode_attachment};
pub use change::MAX_TIMER_S;
pub(crate) use change::{Change, Said};
pub use contact_card::{ContactCard, MAX_CARD_ENTRIES, MAX_CARD_NAME_LEN};
pub use control::{Activity, ReceiptKind};
pub(crate) use control::{Gone, Receipt, ResendRequest, SequenceRange, Typing};
pub use emoji::{Emoji, MAX_EMOJI_LEN};
pub(crate) use group::{
    GroupLog, GroupLogRequest, JoinRequest, SenderKey, SharedHistory, SharedPost,
};
pub use ids::ConversationId;
pub(crate) use ids::{ChainId, Sequence};
pub use link_preview::{
    LinkPreview, MAX_LINK_DESCRIPTION_LEN, MAX_LINK_IMAGE_LEN, MAX_LINK_LEN, MAX_LINK_TITLE_LEN,
};
pub use location::{Location, MAX_ADDRESS_LEN, MAX_PLACE_NAME_LEN};
pub use mention::{MAX_MENTIONS, Mention};
pub use message::{Content, MAX_EXCERPT_LEN, MAX_TEXT_LEN, Reply, Text};
pub(crate) use padding::{pad, size_class, unpad};
pub(crate) use plaintext::{Body, Introduction, Plaintext};
pub use poll::{MAX_OPTION_LEN, MAX_OPTIONS, MAX_QUESTION_LEN, Poll};
pub(crate) use post::{Head, Post};

use thiserror::Error;

/// Bytes of a plaintext, before padding: a message of 64 KiB with room for what encryption adds.
pub(crate) const MAX_PLAINTEXT_LEN: usize = 60 * 1024;

/// What is to be said, or was said, is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContentError {
    /// It does not decode, or a field is out of its range.
    #[error("the {0} is malformed")]
    Malformed(&'static str),
    /// A text of nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// More than fits.
    #[error("the {0} is too long")]
    TooLong(&'static str),
}
