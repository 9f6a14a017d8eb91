//! Paging through a conversation's history, both ways.

use hushpost_wire::{AccountId, DeviceId};
use rusqlite::{Connection, OptionalExtension as _, Params};

use crate::Result;
use crate::clock::Stamp;
use crate::content::ConversationId;
use crate::conversation::changes;
use crate::conversation::rows::{COLUMNS, read};
use crate::event::MessageRef;
use crate::message::{Cursor, Message};
use crate::store::columns::signed;

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
