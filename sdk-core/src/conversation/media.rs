//! The files of a conversation, listed without reading its messages: an index that is filled when a message is
//! stored. Triggers of the schema move and delete its rows with the message's.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::Connection;

use crate::clock::Stamp;
use crate::content::{Attachment, AttachmentKind, Content, ConversationId};
use crate::conversation::history::from_text;
use crate::conversation::rows::{COLUMNS, NewMessage, read};
use crate::event::MessageRef;
use crate::media::{blob_name, upload_sent};
use crate::message::Cursor;
use crate::store::Transaction;
use crate::store::columns::signed;
use crate::{Error, Result};

/// Part of a conversation's files, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaPage {
    /// The files.
    pub items: Vec<MediaItem>,
    /// Whether there are older ones.
    pub more: bool,
}

/// A file and the message that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaItem {
    /// The message.
    pub message: MessageRef,
    /// When it was sent, as [`Message::sent_ms`](crate::Message::sent_ms).
    pub sent_ms: u64,
    /// The file.
    pub attachment: Attachment,
    /// Its place, for the next page.
    pub cursor: MediaCursor,
}

/// A place among a conversation's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaCursor {
    message: Cursor,
    position: u32,
}

/// Notes the files of a message that was just stored.
pub(crate) fn index(
    tx: &Transaction<'_>,
    row: i64,
    message: &NewMessage<'_>,
    content: &Content,
) -> Result<()> {
    let Content::Attachments(attachments) = content else {
        return Ok(());
    };
    let mut insert = tx.prepare_cached(
        "INSERT INTO media (message, position, conversation, stamp, kind, blob)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, item) in (0_u32..).zip(attachments.items()) {
        insert.execute((
            row,
            position,
            message.conversation,
            signed(message.stamp.to_bits()),
            item.kind().number(),
            blob_name(item.blob),
        ))?;
        upload_sent(tx, item.blob)?;
    }
    Ok(())
}

/// Files before a place, or the newest.
pub(crate) fn before(
    db: &Connection,
    conversation: ConversationId,
    before: Option<MediaCursor>,
    kinds: &[AttachmentKind],
    limit: usize,
) -> Result<MediaPage> {
    // A bit for each kind.
    let wanted = kinds
        .iter()
        .fold(0_i64, |bits, kind| bits | 1 << kind.number());
    let wanted = if wanted == 0 { i64::MAX } else { wanted };
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, x.position FROM media x
             JOIN message m ON m.id = x.message JOIN conversation c ON c.id = m.conversation
         WHERE x.conversation = (SELECT id FROM conversation WHERE conversation_id = ?1)
             AND m.state > 0 AND (?2 >> x.kind) & 1 AND x.stamp <= ?3
             AND (x.stamp, m.sender, m.device, m.sequence, -x.position) < (?3, ?4, ?5, ?6, ?7)
         ORDER BY x.stamp DESC, m.sender DESC, m.device DESC, m.sequence DESC, x.position
         LIMIT ?8"
    ))?;
    let end = MediaCursor::end();
    let from = before.as_ref().unwrap_or(&end);
    let rows = query.query_map(
        (
            conversation.as_bytes(),
            wanted,
            signed(from.message.stamp.to_bits()),
            from.message.sender.as_bytes(),
            from.message.device.get(),
            signed(from.message.sequence),
            i64::from(from.position).saturating_neg(),
            limit.saturating_add(1),
        ),
        |row| Ok((read(row)?, row.get::<_, u32>("position")?)),
    )?;
    let mut items = Vec::new();
    for row in rows {
        let (loaded, position) = row?;
        let message = loaded.message;
        let Content::Attachments(attachments) = message.content else {
            continue;
        };
        let at = usize::try_from(position).unwrap_or(usize::MAX);
        if let Some(attachment) = attachments.items().get(at) {
            items.push(MediaItem {
                message: message.id,
                sent_ms: message.sent_ms,
                attachment: attachment.clone(),
                cursor: MediaCursor {
                    message: message.cursor,
                    position,
                },
            });
        }
    }
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(MediaPage { items, more })
}

impl MediaCursor {
    /// After everything.
    fn end() -> Self {
        Self {
            message: Cursor {
                stamp: Stamp::from_bits(i64::MAX.cast_unsigned()),
                sender: hushpost_wire::AccountId::of_key(&[0; 32]),
                device: hushpost_wire::DeviceId::PRIMARY,
                sequence: 0,
            },
            position: 0,
        }
    }
}

/// Opaque: 50 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`, for an app that keeps a place as a text.
impl fmt::Display for MediaCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.message.to_bytes()[..], &self.position.to_be_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Reads what `Display` writes; [`Error::InvalidInput`] for anything else.
impl FromStr for MediaCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let bytes = from_text::<37>(text)?;
            let (message, position) = bytes.split_first_chunk::<33>()?;
            Some(Self {
                message: Cursor::from_bytes(message)?,
                position: u32::from_be_bytes(*position.first_chunk::<4>()?),
            })
        };
        read().ok_or(Error::InvalidInput("not a place among files"))
    }
}

#[cfg(test)]
mod tests {
    use hushpost_wire::{AccountId, DeviceId};
    use proptest::prelude::*;

    use super::*;

    fn place(position: u32) -> MediaCursor {
        MediaCursor {
            message: Cursor {
                stamp: Stamp::at(1_700_000_000_000),
                sender: AccountId::of_key(&[1; 32]),
                device: DeviceId::PRIMARY,
                sequence: 7,
            },
            position,
        }
    }

    #[test]
    fn a_text_that_is_no_place_among_files_is_refused() {
        let text = place(3).to_string();
        assert_eq!(text.len(), 50);
        for bad in [
            String::new(),
            text.split_at(49).0.to_owned(),
            format!("{text}A"),
            place(3).message.to_string(),
            // The same bytes, with bits set that mean nothing.
            format!("{}x", text.split_at(49).0),
            "A".repeat(50),
        ] {
            let refused = bad.parse::<MediaCursor>();
            assert!(matches!(refused, Err(Error::InvalidInput(_))), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_place_among_files_is_read_back(position in any::<u32>()) {
            let place = place(position);
            prop_assert_eq!(place.to_string().parse::<MediaCursor>().unwrap(), place);
        }
    }
}
