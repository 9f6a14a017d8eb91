//! How pictures are sent.

/// How pictures are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PictureMode {
    /// Made anew, at most 2048 pixels across or down: what chats want.
    Standard,
    /// Made anew in full size.
    Full,
    /// The file as it is, with all that the camera wrote into it, such as the place.
    AsItIs,
}

impl From<PictureMode> for hushpost::PictureMode {
    fn from(mode: PictureMode) -> Self {
        match mode {
            PictureMode::Standard => Self::Standard,
            PictureMode::Full => Self::Full,
            PictureMode::AsItIs => Self::AsItIs,
        }
    }
}
