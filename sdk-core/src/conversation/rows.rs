//! Messages and conversations in the database: what the outbox and the inbox change there.

use hushpost_wire::{AccountId, DeviceAddress, DeviceId, MessageId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::Result;
use crate::account::{LocalDevice, contacts};
use crate::clock::Stamp;
use crate::content::{ChainId, Content, ConversationId, Post, Sequence};
use crate::conversation::{changes, media, remove, search};
use crate::event::{Event, MessageRef};
use crate::group;
use crate::message::{Cursor, FailureReason, Message, MessageState};
use crate::store::columns::{account, checked, device, message_id, signed, unsigned};
use crate::store::{StoreError, Transaction};

/// States as numbers: see the schema.
pub(crate) mod state {
    /// A change that was received.
    pub(crate) const QUIET: i8 = -2;
    /// A change that was made here.
    pub(crate) const OWN_QUIET: i8 = -3;
    pub(crate) const HELD: i8 = 0;
    pub(crate) const UNREAD: i8 = 1;
    pub(crate) const SEEN: i8 = 2;
    pub(crate) const QUEUED: i8 = 10;
    pub(crate) const SENT: i8 = 11;
    pub(crate) const DELIVERED: i8 = 12;
    pub(crate) const READ: i8 = 13;
    pub(crate) const FAILED: i8 = 14;
}

/// Who is in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This account and another one.
    Direct(AccountId),
    /// The members that the group's log says.
    Group,
}

/// A conversation, as stored.
pub(crate) struct ConversationRow {
    pub(crate) id: i64,
    pub(crate) conversation_id: ConversationId,
    pub(crate) kind: Kind,
    pub(crate) accepted: bool,
}

/// A message to be stored.
pub(crate) struct NewMessage<'a> {
    pub(crate) conversation: i64,
    pub(crate) id: MessageRef,
    pub(crate) device: DeviceId,
    pub(crate) chain: ChainId,
    pub(crate) sequence: Sequence,
    pub(crate) stamp: Stamp,
    pub(crate) content: &'a [u8],
    pub(crate) state: i8,
    /// Shows nowhere by itself, whatever its state.
    pub(crate) quiet: bool,
    /// 0: it stays.
    pub(crate) expires_after_s: u32,
    pub(crate) created_ms: u64,
    pub(crate) accepted_ms: Option<u64>,
}

/// The 1:1 conversation with somebody.
pub(crate) fn with_peer(db: &Connection, peer: AccountId) -> Result<Option<ConversationRow>> {
    find_by(db, "peer", peer.as_bytes())
}

/// A conversation that somebody may speak in, by its id: the 1:1 conversation with them, or a group they are in.
pub(crate) fn of_speaker(
    db: &Connection,
    id: ConversationId,
    speaker: AccountId,
) -> Result<Option<ConversationRow>> {
    let Some(found) = find(db, id)? else {
        return Ok(None);
    };
    let may_speak = match found.kind {
        Kind::Direct(peer) => peer == speaker,
        Kind::Group => group::rows::is_member(db, found.id, speaker)?,
    };
    Ok(may_speak.then_some(found))
}

/// A conversation by its id.
pub(crate) fn find(db: &Connection, id: ConversationId) -> Result<Option<ConversationRow>> {
    find_by(db, "conversation_id", id.as_bytes())
}

fn find_by(
    db: &Connection,
    column: &str,
    value: impl rusqlite::ToSql,
) -> Result<Option<ConversationRow>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT id, conversation_id, peer, standing FROM conversation WHERE {column} = ?1"
    ))?;
    Ok(query
        .query_row([value], |row| {
            let id: [u8; 16] = row.get(1)?;
            Ok(ConversationRow {
                id: row.get(0)?,
                conversation_id: checked(1, || {
                    ConversationId::from_slice(&id)
                        .ok_or(StoreError::Corrupted("a conversation id"))
                })?,
                kind: match row.get::<_, Option<[u8; 16]>>(2)? {
                    Some(_) => Kind::Direct(account(row, 2)?),
                    None => Kind::Group,
                },
                accepted: row.get::<_, u8>(3)? == 1,
            })
        })
        .optional()?)
}

/// A conversation by its row.
pub(crate) fn by_row(db: &Connection, row: i64) -> Result<Option<ConversationRow>> {
    find_by(db, "id", row)
}

/// Whether a message shows nowhere by itself.
pub(crate) fn is_quiet(db: &Connection, message: i64) -> Result<bool> {
    let mut query = db.prepare_cached("SELECT quiet FROM message WHERE id = ?1")?;
    Ok(query.query_row([message], |row| row.get(0))?)
}

/// The 1:1 conversation with somebody, opened if there is none.
pub(crate) fn open_with(
    tx: &Transaction<'_>,
    local: AccountId,
    peer: AccountId,
    accepted: bool,
    stamp: Stamp,
) -> Result<ConversationRow> {
    contacts::ensure(tx, peer)?;
    let id = ConversationId::between(local, peer);
    tx.prepare_cached(
        "INSERT OR IGNORE INTO conversation (conversation_id, peer, standing, activity)
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((
        id.as_bytes(),
        peer.as_bytes(),
        u8::from(accepted),
        signed(stamp.to_bits()),
    ))?;
    let row = with_peer(tx, peer)?;
    row.ok_or(StoreError::Corrupted("a conversation's id").into())
}

/// Stores a message; `None` if this id or this place in the sender's chain is taken.
pub(crate) fn insert(tx: &Transaction<'_>, message: &NewMessage<'_>) -> Result<Option<i64>> {
    let inserted = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO message (conversation, message_id, sender, device, chain, sequence,
                 stamp, content, state, created_ms, accepted_ms, quiet, expires_after_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute((
            message.conversation,
            message.id.id.as_bytes(),
            message.id.sender.as_bytes(),
            message.device.get(),
            message.chain.0.cast_signed(),
            signed(message.sequence.get()),
            signed(message.stamp.to_bits()),
            message.content,
            message.state,
            signed(message.created_ms),
            message.accepted_ms.map(signed),
            message.quiet,
            message.expires_after_s,
        ))?;
    if inserted == 0 {
        return Ok(None);
    }
    let id = tx.last_insert_rowid();
    if !message.quiet
        && let Ok(content) = Content::decode(message.content)
    {
        if let Some(text) = content.searchable_text() {
            search::add(tx, id, text)?;
        }
        media::index(tx, id, message, &content)?;
        remove::note_quote(tx, id, &content)?;
    }
    Ok(Some(id))
}

/// What a message's stamp counts as: no later than the relay's accept time allows, but after all that its sender
/// had seen and said before, and before what it said later. The relay may be wrong about times, or lie; it
/// does not decide what answers what.
pub(crate) fn place_in_time(
    db: &Connection,
    conversation: i64,
    from: DeviceAddress,
    post: &Post,
    accepted_ms: u64,
) -> Result<Stamp> {
    let mut place = post.stamp.effective(accepted_ms);
    if place == post.stamp {
        return Ok(place);
    }
    let stamp_of = |which: &str, device: DeviceAddress, chain: ChainId, sequence: Sequence| {
        let mut query = db.prepare_cached(&format!(
            "SELECT stamp FROM message WHERE conversation = ?1 AND sender = ?2 AND device = ?3
                 AND chain = ?4 AND {KNOWN} AND sequence {which}
             LIMIT 1"
        ))?;
        let columns = (
            conversation,
            device.account.as_bytes(),
            device.device.get(),
            chain.0.cast_signed(),
            signed(sequence.get()),
        );
        query
            .query_row(columns, |row| Ok(Stamp::from_bits(unsigned(row, 0)?)))
            .optional()
    };
    for head in &post.heads {
        let seen = DeviceAddress {
            account: head.account,
            device: head.device,
        };
        if let Some(stamp) = stamp_of("= ?5", seen, head.chain, head.sequence)? {
            place = place.max(stamp.next());
        }
    }
    if let Some(before) = stamp_of(
        "< ?5 ORDER BY sequence DESC",
        from,
        post.chain,
        post.sequence,
    )? {
        place = place.max(before);
    }
    if let Some(after) = stamp_of("> ?5 ORDER BY sequence", from, post.chain, post.sequence)? {
        place = place.min(after);
    }
    Ok(place.min(post.stamp))
}

/// What was not accepted yet has a stamp that nobody else knows.
const KNOWN: &str = "state NOT IN (10, 14) AND NOT (state = -3 AND accepted_ms IS NULL)";

/// Brings a conversation's entry in the list up to date after messages came, moved or went.
pub(crate) fn refresh(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE conversation SET
             hidden = hidden AND NOT EXISTS
                 (SELECT 1 FROM message WHERE conversation = ?1 AND state > 0),
             unread = (SELECT count(*) FROM message WHERE conversation = ?1 AND state = 1),
             last_message = (SELECT id FROM message WHERE conversation = ?1 AND state > 0
                 ORDER BY stamp DESC, sender DESC, device DESC, sequence DESC LIMIT 1),
             activity = coalesce(
                 (SELECT max(stamp) FROM message WHERE conversation = ?1 AND state > 0), activity)
         WHERE id = ?1",
    )?
    .execute([conversation])?;
    Ok(())
}

/// The columns that [`read`] reads, of `message m JOIN conversation c`.
pub(crate) const COLUMNS: &str =
    "c.conversation_id, m.sender, m.message_id, m.device, m.content, m.state,
     m.failure, m.stamp, m.accepted_ms, m.delivered_ms, m.read_ms, m.sequence, m.id,
     m.shown, m.edited_ms, m.starred_ms IS NOT NULL, m.pinned_ms IS NOT NULL, m.expires_ms, m.changed,
     m.shared_by";

/// A message as it is in its row.
pub(crate) struct Loaded {
    pub(crate) message: Message,
    pub(crate) row: i64,
    /// There are reactions or votes, to be read from elsewhere.
    pub(crate) changed: bool,
}

/// Reads a message.
pub(crate) fn read(row: &Row<'_>) -> Result<Loaded, rusqlite::Error> {
    let conversation: [u8; 16] = row.get(0)?;
    let (sender, device) = (account(row, 1)?, device(row, 3)?);
    let blob = |index| {
        row.get_ref(index)?.as_blob_or_null().map_err(|error| {
            let blob = rusqlite::types::Type::Blob;
            rusqlite::Error::FromSqlConversionFailure(index, blob, Box::new(error))
        })
    };
    let content = match blob(13)? {
        Some(shown) => shown,
        None => blob(4)?.unwrap_or_default(),
    };
    // What was stored was decoded before; a later version may have stored more.
    let (content, forwards) = Content::decode_forwarded(content).unwrap_or((Content::Unknown, 0));
    let stamp = Stamp::from_bits(unsigned(row, 7)?);
    let time = |index| -> Result<Option<u64>, rusqlite::Error> {
        let time: Option<i64> = row.get(index)?;
        Ok(time.and_then(|time| u64::try_from(time).ok()))
    };
    let message = Message {
        conversation: checked(0, || {
            ConversationId::from_slice(&conversation)
                .ok_or(StoreError::Corrupted("a conversation id"))
        })?,
        id: MessageRef {
            sender,
            id: message_id(row, 2)?,
        },
        device,
        content,
        state: match row.get::<_, i8>(5)? {
            state::UNREAD | state::HELD => MessageState::Unread,
            state::QUEUED => MessageState::Queued,
            state::SENT => MessageState::Sent,
            state::DELIVERED => MessageState::Delivered,
            state::READ => MessageState::Read,
            state::FAILED => MessageState::Failed(FailureReason::from_number(
                row.get::<_, Option<u8>>(6)?.unwrap_or_default(),
            )),
            _ => MessageState::Seen,
        },
        sent_ms: stamp.ms(),
        accepted_ms: time(8)?,
        delivered_ms: time(9)?,
        read_ms: time(10)?,
        shared_by: match blob(19)? {
            Some(_) => Some(account(row, 19)?),
            None => None,
        },
        cursor: Cursor {
            stamp,
            sender,
            device,
            sequence: unsigned(row, 11)?,
        },
        forwards,
        edited_ms: time(14)?,
        starred: row.get(15)?,
        pinned: row.get(16)?,
        expires_ms: time(17)?,
        reactions: Vec::new(),
        votes: Vec::new(),
    };
    Ok(Loaded {
        message,
        row: row.get(12)?,
        changed: row.get(18)?,
    })
}

/// Which message, and where: for events. None for what shows nowhere.
fn place(tx: &Transaction<'_>, message: i64) -> Result<Option<(ConversationId, MessageRef, i64)>> {
    let mut query = tx.prepare_cached(
        "SELECT c.conversation_id, m.sender, m.message_id, c.id
         FROM message m JOIN conversation c ON c.id = m.conversation
         WHERE m.id = ?1 AND m.quiet = 0",
    )?;
    Ok(query
        .query_row([message], |row| {
            let conversation: [u8; 16] = row.get(0)?;
            let id = MessageRef {
                sender: account(row, 1)?,
                id: message_id(row, 2)?,
            };
            let conversation = checked(0, || {
                ConversationId::from_slice(&conversation)
                    .ok_or(StoreError::Corrupted("a conversation id"))
            })?;
            Ok((conversation, id, row.get(3)?))
        })
        .optional()?)
}

/// Says that a message changed.
pub(crate) fn changed(tx: &Transaction<'_>, message: i64, events: &mut Vec<Event>) -> Result<()> {
    if let Some((conversation, message, _)) = place(tx, message)? {
        events.push(Event::MessageChanged {
            conversation,
            message,
        });
        events.push(Event::ConversationChanged { conversation });
    }
    Ok(())
}

/// The relay has an own message. A stamp that lay far ahead of the relay's clock counts as the accept time
/// here too, and once nothing with such a stamp waits any more, this device's clock comes back with it.
pub(crate) fn mark_sent(
    tx: &Transaction<'_>,
    local: &LocalDevice,
    (message, post): (i64, &Post),
    accepted_ms: u64,
    events: &mut Vec<Event>,
) -> Result<()> {
    let mut query =
        tx.prepare_cached("SELECT stamp, accepted_ms, conversation FROM message WHERE id = ?1")?;
    let found: Option<(i64, Option<i64>, i64)> = query
        .query_row([message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((stamp, accepted_before, conversation)) = found else {
        return Ok(());
    };
    let stamp = Stamp::from_bits(u64::try_from(stamp).unwrap_or(0));
    // The first accept time counts: whoever has the message has it with that one.
    let accepted_ms = accepted_before
        .and_then(|before| u64::try_from(before).ok())
        .unwrap_or(accepted_ms);
    let effective = match accepted_before {
        Some(_) => stamp,
        None => place_in_time(tx, conversation, local.address(), post, accepted_ms)?,
    };
    tx.prepare_cached(
        "UPDATE message SET state = CASE state WHEN -3 THEN -3 ELSE max(state, 11) END,
             stamp = ?2, accepted_ms = ?3
         WHERE id = ?1 AND (state >= 10 OR state = -3) AND state <> 14",
    )?
    .execute((message, signed(effective.to_bits()), signed(accepted_ms)))?;
    if effective != stamp {
        let far_ahead: bool = tx.query_row(
            "SELECT EXISTS (SELECT 1 FROM message WHERE stamp > ?1
                 AND (state = 10 OR state = -3 AND accepted_ms IS NULL))",
            [signed(effective.to_bits())],
            |row| row.get(0),
        )?;
        if !far_ahead {
            // But not to before what others have said meanwhile: what is said next may be an answer.
            let seen: Option<i64> = tx.query_row(
                &format!("SELECT max(stamp) FROM message WHERE {KNOWN}"),
                [],
                |row| row.get(0),
            )?;
            let mut clock = local.clock;
            let seen = seen.and_then(|seen| u64::try_from(seen).ok());
            clock.last = effective.max(Stamp::from_bits(seen.unwrap_or(0)));
            LocalDevice::save_clock(tx, &clock)?;
        }
        if let Some((_, _, conversation)) = place(tx, message)? {
            refresh(tx, conversation)?;
        }
        changes::moved(tx, message, events)?;
    }
    changed(tx, message, events)
}

/// Gives an own message up.
pub(crate) fn mark_failed(
    tx: &Transaction<'_>,
    message: i64,
    reason: FailureReason,
    events: &mut Vec<Event>,
) -> Result<()> {
    tx.execute(
        "UPDATE message SET state = 14, failure = ?2 WHERE id = ?1 AND state = 10",
        (message, reason.number()),
    )?;
    changed(tx, message, events)
}

/// An own message was delivered or read. States only rise.
pub(crate) fn mark_received(
    tx: &Transaction<'_>,
    message: i64,
    read: bool,
    at_ms: u64,
    events: &mut Vec<Event>,
) -> Result<()> {
    let (new_state, column) = if read {
        (state::READ, "read_ms")
    } else {
        (state::DELIVERED, "delivered_ms")
    };
    let moved = tx
        .prepare_cached(&format!(
            "UPDATE message SET state = ?2, failure = NULL, {column} = ?3
             WHERE id = ?1 AND state >= 10 AND (state < ?2 OR state = 14)"
        ))?
        .execute((message, new_state, signed(at_ms)))?;
    if moved > 0 {
        changed(tx, message, events)?;
    }
    Ok(())
}

/// A message by its sender's id.
pub(crate) fn row_of(db: &Connection, id: MessageRef) -> Result<Option<i64>> {
    let mut query =
        db.prepare_cached("SELECT id FROM message WHERE sender = ?1 AND message_id = ?2")?;
    Ok(query
        .query_row((id.sender.as_bytes(), id.id.as_bytes()), |row| row.get(0))
        .optional()?)
}

/// An own message, as it is sent again.
pub(crate) struct OwnMessage {
    pub(crate) row: i64,
    pub(crate) id: MessageId,
    pub(crate) sequence: Sequence,
    pub(crate) stamp: Stamp,
    pub(crate) content: Vec<u8>,
    pub(crate) expires_after_s: u32,
}

/// Own messages of a chain, in order.
pub(crate) fn own_in_range(
    db: &Connection,
    conversation: i64,
    local: &LocalDevice,
    chain: ChainId,
    first: u64,
    last: u64,
    limit: usize,
) -> Result<Vec<OwnMessage>> {
    let mut query = db.prepare_cached(
        "SELECT id, message_id, sequence, stamp, content, expires_after_s FROM message
         WHERE conversation = ?1 AND sender = ?2 AND device = ?3 AND chain = ?4
             AND sequence BETWEEN ?5 AND ?6 AND length(content) > 0
             AND NOT (state = 14 AND failure = 3)
         ORDER BY sequence LIMIT ?7",
    )?;
    let rows = query.query_map(
        (
            conversation,
            local.account().as_bytes(),
            local.device.get(),
            chain.0.cast_signed(),
            signed(first),
            signed(last),
            limit,
        ),
        |row| {
            let sequence = unsigned(row, 2)?;
            Ok(OwnMessage {
                row: row.get(0)?,
                id: message_id(row, 1)?,
                sequence: checked(2, || Sequence::new(sequence))?,
                stamp: Stamp::from_bits(unsigned(row, 3)?),
                content: row.get(4)?,
                expires_after_s: row.get(5)?,
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The rows of own messages of a chain: for receipts.
pub(crate) fn own_rows_in_range(
    db: &Connection,
    conversation: i64,
    local: &LocalDevice,
    chain: ChainId,
    first: u64,
    last: u64,
) -> Result<Vec<i64>> {
    let mut query = db.prepare_cached(
        "SELECT id FROM message WHERE conversation = ?1 AND sender = ?2 AND device = ?3
             AND chain = ?4 AND sequence BETWEEN ?5 AND ?6 ORDER BY sequence",
    )?;
    let rows = query.query_map(
        (
            conversation,
            local.account().as_bytes(),
            local.device.get(),
            chain.0.cast_signed(),
            signed(first),
            signed(last),
        ),
        |row| row.get(0),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}
