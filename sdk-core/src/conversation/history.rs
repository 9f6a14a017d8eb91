//! Paging through a conversation's history, both ways.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hushpost_wire::{AccountId, DeviceId};
use rusqlite::{Connection, OptionalExtension as _, Params};

use crate::clock::Stamp;
use crate::content::ConversationId;
use crate::conversation::changes;
use crate::conversation::rows::{COLUMNS, read};
use crate::event::MessageRef;
use crate::message::{Cursor, Message};
use crate::store::columns::signed;
use crate::{Error, Result};

/// Most messages in one page.
pub const MAX_PAGE: usize = 500;

/// Part of a history, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction that was asked for.
    pub more: bool,
}

/// Messages before a place, or the newest.
pub(crate) fn before(
    db: &Connection,
    conversation: ConversationId,
    before: Option<Cursor>,
    limit: usize,
) -> Result<Page> {
    let mut page = page(db, conversation, before, limit, ("<", "DESC"))?;
    page.messages.reverse();
    Ok(page)
}

/// Messages after a place, or the oldest.
pub(crate) fn after(
    db: &Connection,
    conversation: ConversationId,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page> {
    page(db, conversation, after, limit, (">", "ASC"))
}

/// One message, if it is shown here.
pub(crate) fn one(db: &Connection, message: MessageRef) -> Result<Option<Message>> {
    let key = (message.sender.as_bytes(), message.id.as_bytes());
    one_where(db, "m.sender = ?1 AND m.message_id = ?2", key)
}

/// A message by its row, if it is one to be shown.
pub(crate) fn by_row(db: &Connection, row: i64) -> Result<Option<Message>> {
    one_where(db, "m.id = ?1", [row])
}

fn one_where(db: &Connection, condition: &str, key: impl Params) -> Result<Option<Message>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM message m JOIN conversation c ON c.id = m.conversation
         WHERE {condition} AND m.state > 0"
    ))?;
    let found = query.query_row(key, read).optional()?;
    let found = changes::complete(db, found.into_iter().collect())?;
    Ok(found.into_iter().next())
}

fn page(
    db: &Connection,
    conversation: ConversationId,
    from: Option<Cursor>,
    limit: usize,
    (comparison, order): (&str, &str),
) -> Result<Page> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM message m JOIN conversation c ON c.id = m.conversation
         WHERE m.conversation = (SELECT id FROM conversation WHERE conversation_id = ?1)
             AND m.state > 0
             AND (m.stamp, m.sender, m.device, m.sequence) {comparison} (?2, ?3, ?4, ?5)
         ORDER BY m.stamp {order}, m.sender {order}, m.device {order}, m.sequence {order}
         LIMIT ?6"
    ))?;
    let edge = if order == "ASC" { i64::MIN } else { i64::MAX };
    let (stamp, sender, device, sequence) = match from {
        Some(from) => (
            signed(from.stamp.to_bits()),
            Some(from.sender).map(|sender: AccountId| *sender.as_bytes()),
            from.device.get(),
            signed(from.sequence),
        ),
        None => (edge, Some([0; 16]), DeviceId::PRIMARY.get(), 0),
    };
    let rows = query.query_map(
        (
            conversation.as_bytes(),
            stamp,
            sender,
            device,
            sequence,
            limit.saturating_add(1),
        ),
        read,
    )?;
    let mut messages = rows.collect::<Result<Vec<_>, _>>()?;
    let more = messages.len() > limit;
    messages.truncate(limit);
    let messages = changes::complete(db, messages)?;
    Ok(Page { messages, more })
}

impl Cursor {
    /// The bytes, for an app that keeps a place.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 33] {
        let mut bytes = [0; 33];
        let parts = self
            .stamp
            .to_bits()
            .to_be_bytes()
            .into_iter()
            .chain(*self.sender.as_bytes())
            .chain([self.device.get()])
            .chain(self.sequence.to_be_bytes());
        for (slot, byte) in bytes.iter_mut().zip(parts) {
            *slot = byte;
        }
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form; `None` if it is not that.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 33]) -> Option<Self> {
        let (stamp, rest) = bytes.split_first_chunk::<8>()?;
        let (sender, rest) = rest.split_first_chunk::<16>()?;
        let ([device], rest) = rest.split_first_chunk::<1>()?;
        Some(Self {
            stamp: Stamp::checked(u64::from_be_bytes(*stamp))?,
            sender: AccountId::from_slice(sender).ok()?,
            device: DeviceId::new((*device).into()).ok()?,
            sequence: u64::from_be_bytes(*rest.first_chunk::<8>()?),
        })
    }
}

/// Opaque: 44 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`, for an app that keeps a place as a text.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

/// Reads what `Display` writes; [`Error::InvalidInput`] for anything else.
impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        from_text(text)
            .and_then(|bytes| Self::from_bytes(&bytes))
            .ok_or(Error::InvalidInput("not a place in a history"))
    }
}

/// The bytes of a base64url text that is exactly as long as they need.
pub(crate) fn from_text<const N: usize>(text: &str) -> Option<[u8; N]> {
    // A bound on what is decoded at all.
    if text.len() > N.saturating_mul(2) {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_is_no_place_is_refused() {
        let cursor = Cursor {
            stamp: Stamp::at(1_700_000_000_000),
            sender: AccountId::of_key(&[1; 32]),
            device: DeviceId::PRIMARY,
            sequence: u64::MAX,
        };
        let text = cursor.to_string();
        assert_eq!(text.len(), 44);
        assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
        // The store takes every place, whatever number stands in it.
        let db = Connection::open_in_memory().unwrap();
        let kept = db.query_row("SELECT ?1", [signed(cursor.sequence)], |row| row.get(0));
        assert_eq!(kept, Ok(i64::MAX));
        let with = |change: fn(&mut [u8; 33])| {
            let mut bytes = cursor.to_bytes();
            change(&mut bytes);
            URL_SAFE_NO_PAD.encode(bytes)
        };
        for bad in [
            String::new(),
            text.split_at(43).0.to_owned(),
            format!("{text}A"),
            format!("{text}="),
            text.replacen('A', "+", 1),
            "é".repeat(22),
            "A".repeat(100_000),
            // A stamp above 2^63, another kind of UUID, devices 0 and 128.
            with(|bytes| bytes[0] = 0x80),
            with(|bytes| bytes[14] = 0x40),
            with(|bytes| bytes[24] = 0),
            with(|bytes| bytes[24] = 128),
        ] {
            let refused = bad.parse::<Cursor>();
            assert!(matches!(refused, Err(Error::InvalidInput(_))), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_place_is_read_back(
            stamp in 0..1u64 << 63, key in any::<[u8; 32]>(), device in 1..=127u32, sequence in any::<u64>(),
        ) {
            let cursor = Cursor {
                stamp: Stamp::from_bits(stamp),
                sender: AccountId::of_key(&key),
                device: DeviceId::new(device).unwrap(),
                sequence,
            };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[A-Za-z0-9_-]{40,48}|.{0,60}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
