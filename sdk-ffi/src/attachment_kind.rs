//! What sort of file.

/// What sort of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
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

impl From<hushpost::AttachmentKind> for AttachmentKind {
    fn from(kind: hushpost::AttachmentKind) -> Self {
        match kind {
            hushpost::AttachmentKind::Image => Self::Image,
            hushpost::AttachmentKind::Video => Self::Video,
            hushpost::AttachmentKind::Audio => Self::Audio,
            hushpost::AttachmentKind::Voice => Self::Voice,
            _ => Self::Document,
        }
    }
}

impl From<AttachmentKind> for hushpost::AttachmentKind {
    fn from(kind: AttachmentKind) -> Self {
        match kind {
            AttachmentKind::Image => Self::Image,
            AttachmentKind::Video => Self::Video,
            AttachmentKind::Audio => Self::Audio,
            AttachmentKind::Voice => Self::Voice,
            AttachmentKind::Document => Self::Document,
        }
    }
}
