//! Messages: shown once, in their place.
//!
//! Each sending device counts its messages in a conversation. The next one is shown at once; one that is ahead
//! is stored, acknowledged and held back until the missing ones come, or for the hold-back time. Then it is
//! shown, and the gap before it is reported and asked for. A late message is shown whenever it comes, in its
//! place.

use hushpost_wire::DeviceAddress;
use rusqlite::OptionalExtension as _;

use crate::Result;
use crate::content::{Body, Content, ContentError, ConversationId, Post, Said, Sequence};
use crate::conversation::changes;
use crate::conversation::rows::{self as messages, ConversationRow, NewMessage, state};
use crate::event::{Event, MessageRef};
use crate::group::change::{Change, SignedChange};
use crate::group::receive::Place;
use crate::group::{self, GroupChangeMessage};
use crate::inbox::batch::{Batch, ChainKey, Received};
use crate::inbox::receipts;
use crate::store::columns::{account, message_id, signed, unsigned};

/// Takes a message.
pub(crate) fn receive(batch: &mut Batch<'_, '_>, received: &Received, post: &Post) -> Result<()> {
    let from = received.from;
    let ours = batch.local.account();
    let conversation = if post.conversation == ConversationId::between(ours, from.account) {
        let stamp = post.stamp.effective(received.accepted_ms);
        messages::open_with(batch.tx, ours, from.account, false, stamp)?
    } else {
        match group::receive::place(batch, received, post)? {
            Place::Here(conversation) => conversation,
            Place::NotYet(cause) => return batch.undecryptable(received, cause),
            Place::Never(cause) => {
                batch.quarantine(received, cause, &post.content)?;
                return refuse(batch, from, post);
            }
        }
    };
    let accepted_ms = received.accepted_ms;
    let stamp = messages::place_in_time(batch.tx, conversation.id, from, post, accepted_ms)?;
    let key = ChainKey {
        conversation: conversation.id,
        sender: from,
        chain: post.chain,
    };
    let shown_through = shown_through(batch, key)?;
    let is_next = post.sequence.get() <= shown_through.saturating_add(1);
    let Ok(said) = Said::decode(&post.content) else {
        batch.quarantine(received, "malformed_content", &post.content)?;
        // Its place is taken all the same: nobody is to wait for it.
        return fill(batch, &conversation, key, post.sequence, shown_through);
    };
    let quiet = matches!(said, Said::Quiet(_));
    let message = NewMessage {
        conversation: conversation.id,
        id: MessageRef {
            sender: from.account,
            id: post.message_id,
        },
        device: from.device,
        chain: post.chain,
        sequence: post.sequence,
        stamp,
        content: &post.content,
        state: match (is_next, quiet) {
            (false, _) => state::HELD,
            (true, true) => state::QUIET,
            (true, false) => state::UNREAD,
        },
        quiet,
        expires_after_s: if quiet { 0 } else { post.expires_after_s },
        created_ms: batch.now_ms,
        accepted_ms: Some(received.accepted_ms),
    };
    let change = read_change(post, from);
    if change.is_err() {
        batch.quarantine(received, "malformed_content", &post.content)?;
        return fill(batch, &conversation, key, post.sequence, shown_through);
    }
    let mut inserted = messages::insert(batch.tx, &message)?;
    if inserted.is_none() && group::shared_history::give_way(batch.tx, message.id)? {
        inserted = messages::insert(batch.tx, &message)?;
    }
    let Some(row) = inserted else {
        let Some(row) = messages::row_of(batch.tx, message.id)? else {
            return batch.quarantine(received, "sequence_taken", &post.content);
        };
        // Seen before: the sender may not know, so it is told again. A sender who was set up anew has given it
        // another place.
        fill(batch, &conversation, key, post.sequence, shown_through)?;
        if changes::may_be_confirmed(batch.tx, row)? {
            receipts::owe_delivered(batch, &conversation, key, post.sequence)?;
        }
        return Ok(());
    };
    let mut notice = Notice::Message;
    if let Ok(Some((signed, change))) = &change {
        let shown = group::receive::change(batch, received, &conversation, (signed, change), row)?;
        notice = if shown {
            Notice::Change
        } else {
            Notice::Nothing
        };
        set_notice(batch, row, notice, is_next)?;
    }
    batch.clock.observe(stamp);
    if !quiet {
        receipts::owe_delivered(batch, &conversation, key, post.sequence)?;
    }
    if !is_next {
        batch.effects.held.insert(key);
        return Ok(());
    }
    if notice != Notice::Nothing {
        take_effect(batch, &conversation, key, row, message.id, post.sequence)?;
    }
    fill(batch, &conversation, key, post.sequence, shown_through)
}

/// How a message is shown: a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notice {
    Message = 0,
    /// A change of the group: never unread.
    Change = 1,
    /// A change without effect: not shown at all.
    Nothing = 2,
}

fn set_notice(batch: &Batch<'_, '_>, row: i64, notice: Notice, shown: bool) -> Result<()> {
    batch
        .tx
        .prepare_cached(
            "UPDATE message SET notice = ?2, state = CASE WHEN NOT ?3 THEN state WHEN ?2 = 2 THEN -2 ELSE 2 END
             WHERE id = ?1",
        )?
        .execute((row, notice as u8, shown))?;
    Ok(())
}

type CheckedChange = Option<(SignedChange, Change)>;

/// The change of the group that a post brings, if it brings one: signed by who sends it, of this group.
fn read_change(post: &Post, from: DeviceAddress) -> Result<CheckedChange, ContentError> {
    let Content::GroupChange(GroupChangeMessage(signed)) = Content::decode(&post.content)? else {
        return Ok(None);
    };
    let change = signed.verify()?;
    if change.group != post.conversation || change.author != from.account {
        return Err(ContentError::Malformed("group change"));
    }
    Ok(Some((signed, change)))
}

/// Takes the place of a message that is never to be shown here, and of all before it.
pub(crate) fn pass_over(batch: &Batch<'_, '_>, from: DeviceAddress, body: &Body) -> Result<()> {
    match body {
        Body::Post(post) => {
            let found = messages::of_speaker(batch.tx, post.conversation, from.account)?;
            let Some(conversation) = found else {
                return Ok(());
            };
            let key = ChainKey {
                conversation: conversation.id,
                sender: from,
                chain: post.chain,
            };
            save_shown_through(batch, key, post.sequence.get())
        }
        _ => Ok(()),
    }
}

/// Shows everything that a chain holds back, and reports what is missing before it.
pub(crate) fn release(batch: &mut Batch<'_, '_>, key: ChainKey) -> Result<()> {
    let Some(conversation) = messages::by_row(batch.tx, key.conversation)? else {
        return Ok(());
    };
    let mut through = shown_through(batch, key)?;
    let mut missing = 0u64;
    for held in held_back(batch, key)? {
        let sequence = held.sequence.get();
        let first = through.saturating_add(1);
        if sequence > first {
            let last = sequence.saturating_sub(1);
            missing = missing.saturating_add(sequence.saturating_sub(first));
            report_gap(batch, key, first, last, held.stamp)?;
        }
        unhold(batch, &conversation, key, &held)?;
        through = through.max(sequence);
    }
    save_shown_through(batch, key, through)?;
    if missing > 0 {
        batch.effects.repair = true;
        batch.effects.events.push(Event::GapReported {
            conversation: conversation.conversation_id,
            sender: key.sender.account,
            missing,
        });
    }
    Ok(())
}

/// Chains that hold something back: after a restart.
pub(crate) fn chains_holding(db: &rusqlite::Connection) -> Result<Vec<ChainKey>> {
    use crate::store::columns::{bits, device};
    let mut query = db.prepare(
        "SELECT DISTINCT conversation, sender, device, chain FROM message WHERE state = 0",
    )?;
    let rows = query.query_map([], |row| {
        Ok(ChainKey {
            conversation: row.get(0)?,
            sender: DeviceAddress {
                account: account(row, 1)?,
                device: device(row, 2)?,
            },
            chain: crate::content::ChainId(bits(row, 3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is refused is not missing any more.
fn refuse(batch: &mut Batch<'_, '_>, from: DeviceAddress, post: &Post) -> Result<()> {
    let Some(conversation) = messages::find(batch.tx, post.conversation)? else {
        return Ok(());
    };
    let key = ChainKey {
        conversation: conversation.id,
        sender: from,
        chain: post.chain,
    };
    close_gap(batch, &conversation, key, post.sequence.get())
}

/// A place in a chain is taken: the chain moves on, or a gap closes.
fn fill(
    batch: &mut Batch<'_, '_>,
    conversation: &ConversationRow,
    key: ChainKey,
    sequence: Sequence,
    shown_through: u64,
) -> Result<()> {
    if sequence.get() <= shown_through {
        return close_gap(batch, conversation, key, sequence.get());
    }
    if sequence.get() > shown_through.saturating_add(1) {
        return Ok(());
    }
    let mut through = sequence.get();
    while let Some(held) = next_held(batch, key, through)? {
        unhold(batch, conversation, key, &held)?;
        through = held.sequence.get();
    }
    save_shown_through(batch, key, through)
}

/// A message is shown, with what was said of it before it came; or a change does what it says.
fn take_effect(
    batch: &mut Batch<'_, '_>,
    conversation: &ConversationRow,
    key: ChainKey,
    row: i64,
    message: MessageRef,
    sequence: Sequence,
) -> Result<()> {
    let id = conversation.conversation_id;
    if messages::is_quiet(batch.tx, row)? {
        let events = &mut batch.effects.events;
        let taken = changes::take(batch.tx, conversation, row, message.sender, events)?;
        batch.effects.tidy |= taken.words_removed;
        if taken.target_shown {
            // A change of nothing would otherwise tell, unseen, that this device is on.
            receipts::owe_delivered(batch, conversation, key, sequence)?;
        }
        return Ok(());
    }
    batch.touched.insert((conversation.id, id));
    batch.effects.events.push(Event::MessageAdded {
        conversation: id,
        message,
    });
    let events = &mut batch.effects.events;
    let arrived = changes::arrived(batch.tx, conversation, row, message, events)?;
    batch.effects.tidy |= arrived.words_removed;
    for (sender, chain, sequence) in arrived.changes {
        let key = ChainKey {
            conversation: conversation.id,
            sender,
            chain,
        };
        receipts::owe_delivered(batch, conversation, key, sequence)?;
    }
    Ok(())
}

struct Held {
    row: i64,
    id: MessageRef,
    sequence: Sequence,
    stamp: i64,
}

/// All that a chain holds back. Without the index named, the whole chain would be looked through.
fn held_back(batch: &Batch<'_, '_>, key: ChainKey) -> Result<Vec<Held>> {
    let mut query = batch.tx.prepare_cached(
        "SELECT id, sender, message_id, sequence, stamp FROM message INDEXED BY message_held
         WHERE state = 0 AND conversation = ?1 AND sender = ?2 AND device = ?3 AND chain = ?4
         ORDER BY sequence",
    )?;
    let rows = query.query_map(key.columns(), read_held)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is held back for the place after `through`.
fn next_held(batch: &Batch<'_, '_>, key: ChainKey, through: u64) -> Result<Option<Held>> {
    let (conversation, sender, device, chain) = key.columns();
    let mut query = batch.tx.prepare_cached(
        "SELECT id, sender, message_id, sequence, stamp FROM message INDEXED BY message_held
         WHERE state = 0 AND conversation = ?1 AND sender = ?2 AND device = ?3 AND chain = ?4
             AND sequence = ?5",
    )?;
    let next = signed(through.saturating_add(1));
    let found = query.query_row((conversation, sender, device, chain, next), read_held);
    Ok(found.optional()?)
}

fn read_held(row: &rusqlite::Row<'_>) -> Result<Held, rusqlite::Error> {
    let sequence = unsigned(row, 3)?;
    Ok(Held {
        row: row.get(0)?,
        id: MessageRef {
            sender: account(row, 1)?,
            id: message_id(row, 2)?,
        },
        sequence: crate::store::columns::checked(3, || Sequence::new(sequence))?,
        stamp: row.get(4)?,
    })
}

fn unhold(
    batch: &mut Batch<'_, '_>,
    conversation: &ConversationRow,
    key: ChainKey,
    held: &Held,
) -> Result<()> {
    let takes_effect: bool = batch
        .tx
        .prepare_cached(
            "UPDATE message SET state = CASE WHEN quiet = 1 THEN -2 WHEN notice = 0 THEN 1
                 WHEN notice = 1 THEN 2 ELSE -2 END
             WHERE id = ?1 RETURNING notice <> 2",
        )?
        .query_row([held.row], |row| row.get(0))?;
    if takes_effect {
        take_effect(batch, conversation, key, held.row, held.id, held.sequence)?;
    }
    Ok(())
}

fn shown_through(batch: &Batch<'_, '_>, key: ChainKey) -> Result<u64> {
    let mut query = batch.tx.prepare_cached(
        "SELECT shown_through FROM sender_chain
         WHERE conversation = ?1 AND sender = ?2 AND device = ?3 AND chain = ?4",
    )?;
    let through = query
        .query_row(key.columns(), |row| unsigned(row, 0))
        .optional()?;
    Ok(through.unwrap_or(0))
}

fn save_shown_through(batch: &Batch<'_, '_>, key: ChainKey, through: u64) -> Result<()> {
    let (conversation, sender, device, chain) = key.columns();
    batch
        .tx
        .prepare_cached(
            "INSERT INTO sender_chain (conversation, sender, device, chain, shown_through)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (conversation, sender, device, chain)
             DO UPDATE SET shown_through = max(shown_through, excluded.shown_through)",
        )?
        .execute((conversation, sender, device, chain, signed(through)))?;
    Ok(())
}

fn report_gap(
    batch: &Batch<'_, '_>,
    key: ChainKey,
    first: u64,
    last: u64,
    stamp: i64,
) -> Result<()> {
    let (conversation, sender, device, chain) = key.columns();
    batch.tx.execute(
        "INSERT INTO gap (conversation, sender, device, chain, first, last, stamp)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (
            conversation,
            sender,
            device,
            chain,
            signed(first),
            signed(last),
            stamp,
        ),
    )?;
    Ok(())
}

/// A missing message came: the gap it lay in shrinks, splits or goes.
fn close_gap(
    batch: &mut Batch<'_, '_>,
    conversation: &ConversationRow,
    key: ChainKey,
    sequence: u64,
) -> Result<()> {
    let (row, sender, device, chain) = key.columns();
    let gap: Option<(i64, u64, u64, i64)> = batch
        .tx
        .prepare_cached(
            "SELECT id, first, last, stamp FROM gap WHERE conversation = ?1 AND sender = ?2
                 AND device = ?3 AND chain = ?4 AND ?5 BETWEEN first AND last",
        )?
        .query_row((row, sender, device, chain, signed(sequence)), |row| {
            Ok((
                row.get(0)?,
                unsigned(row, 1)?,
                unsigned(row, 2)?,
                row.get(3)?,
            ))
        })
        .optional()?;
    let Some((gap, first, last, stamp)) = gap else {
        return Ok(());
    };
    batch.tx.execute("DELETE FROM gap WHERE id = ?1", [gap])?;
    if first < sequence {
        report_gap(batch, key, first, sequence.saturating_sub(1), stamp)?;
    }
    if sequence < last {
        report_gap(batch, key, sequence.saturating_add(1), last, stamp)?;
    }
    let more: bool = batch.tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM gap WHERE conversation = ?1 AND sender = ?2)",
        (row, sender),
        |row| row.get(0),
    )?;
    if !more {
        batch.effects.events.push(Event::GapHealed {
            conversation: conversation.conversation_id,
            sender: key.sender.account,
        });
    }
    Ok(())
}

impl ChainKey {
    fn columns(&self) -> (i64, [u8; 16], u8, i64) {
        (
            self.conversation,
            *self.sender.account.as_bytes(),
            self.sender.device.get(),
            self.chain.0.cast_signed(),
        )
    }
}
