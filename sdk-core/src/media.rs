//! Files that travel beside messages.

mod error;
pub(crate) mod picture;
pub(crate) mod sealed;
mod waveform;

pub use error::MediaError;
pub use picture::PictureMode;
pub use waveform::Waveform;
