//! Part of a history.

use crate::Message;

/// Part of a history, oldest first.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction that was asked for.
    pub more: bool,
}

impl From<hushpost::Page> for Page {
    fn from(page: hushpost::Page) -> Self {
        Self {
            messages: page.messages.into_iter().map(Into::into).collect(),
            more: page.more,
        }
    }
}
