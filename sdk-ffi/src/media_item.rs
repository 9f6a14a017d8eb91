//! The files of a conversation.

use std::time::SystemTime;

use crate::ids::MediaCursor;
use crate::times::time;
use crate::{Attachment, MessageRef};

/// Part of a conversation's files, the newest first.
#[derive(Debug, Clone, uniffi::Record)]
pub struct MediaPage {
    /// The files.
    pub items: Vec<MediaItem>,
    /// Whether there are older ones.
    pub more: bool,
}

/// A file and the message that it came with.
#[derive(Debug, Clone, uniffi::Record)]
pub struct MediaItem {
    /// The message.
    pub message: MessageRef,
    /// When it was sent.
    pub sent: SystemTime,
    /// The file.
    pub attachment: Attachment,
    /// Its place, for the next page.
    pub cursor: MediaCursor,
}

impl From<hushpost::MediaPage> for MediaPage {
    fn from(page: hushpost::MediaPage) -> Self {
        let items = page.items.into_iter().map(|item| MediaItem {
            message: item.message.into(),
            sent: time(item.sent_ms),
            attachment: (&item.attachment).into(),
            cursor: item.cursor.into(),
        });
        Self {
            items: items.collect(),
            more: page.more,
        }
    }
}
