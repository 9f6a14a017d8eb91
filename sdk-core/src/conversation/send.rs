//! What a send writes: history row, moved ratchets and ciphertexts, all in the caller's transaction.
//!
//! Must never: leave a row in the history without one in an outbox, or the other way round.

use rusqlite::OptionalExtension as _;

use crate::account::sessions::Sessions;
use crate::account::{LocalDevice, contacts};
use crate::content::{Body, ChainId, ConversationId, Head, Post, Sequence};
use crate::conversation::rows::{self as messages, ConversationRow, Kind, NewMessage, state};
use crate::event::{Event, MessageRef};
use crate::group;
use crate::inbox::receipts;
use crate::outbox::encrypt::encrypt;
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::{account, bits, checked, device, unsigned};
use crate::{Error, Result};

/// Other devices' chains that a message speaks of.
const MAX_HEADS: usize = 64;

/// History row, moved ratchets and ciphertexts, all in the caller's transaction.
pub(crate) fn send(
    tx: &mut Transaction<'_>,
    id: ConversationId,
    content: &[u8],
    now_ms: u64,
    rng: &Randomness,
    events: &mut Vec<Event>,
) -> Result<MessageRef> {
    let local = LocalDevice::load(tx)?;
    let conversation = messages::find(tx, id)?.ok_or(Error::NotFound("conversation"))?;
    check_may_send(tx, &conversation)?;
    events.extend(accept(tx, &conversation)?);
    post(tx, &local, &conversation, content, now_ms, rng, events)
}

/// The same without asking whether the user may.
pub(crate) fn post(
    tx: &mut Transaction<'_>,
    local: &LocalDevice,
    conversation: &ConversationRow,
    content: &[u8],
    now_ms: u64,
    rng: &Randomness,
    events: &mut Vec<Event>,
) -> Result<MessageRef> {
    let id = conversation.conversation_id;
    let mut clock = local.clock;
    let stamp = clock.tick(now_ms);
    LocalDevice::save_clock(tx, &clock)?;
    let sequence: u64 = tx
        .prepare_cached(
            "UPDATE conversation SET next_sequence = next_sequence + 1 WHERE id = ?1
             RETURNING next_sequence - 1",
        )?
        .query_row([conversation.id], |row| unsigned(row, 0))?;
    let sequence = Sequence::new(sequence)?;
    let message = MessageRef {
        sender: local.account(),
        id: rng.message_id()?,
    };
    let row = messages::insert(
        tx,
        &NewMessage {
            conversation: conversation.id,
            id: message,
            device: local.device,
            chain: local.chain,
            sequence,
            stamp,
            content,
            state: state::QUEUED,
            created_ms: now_ms,
            accepted_ms: None,
        },
    )?
    .ok_or(crate::StoreError::Corrupted(
        "a sequence number was used before",
    ))?;
    let post = Post {
        conversation: id,
        message_id: message.id,
        stamp,
        chain: local.chain,
        sequence,
        heads: heads(tx, conversation.id)?,
        group_heads: group::rows::heads(tx, conversation.id)?,
        content: content.to_vec(),
    };
    deliver(tx, local, conversation, row, post, now_ms, rng)?;
    messages::refresh(tx, conversation.id)?;
    events.push(Event::MessageAdded {
        conversation: id,
        message,
    });
    events.push(Event::ConversationChanged { conversation: id });
    Ok(message)
}

/// Puts a post on its way, encrypted at once for everyone there is a session with.
fn deliver(
    tx: &mut Transaction<'_>,
    local: &LocalDevice,
    conversation: &ConversationRow,
    message: i64,
    post: Post,
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    let body = Body::Post(post).encode()?;
    let Kind::Direct(recipient) = conversation.kind else {
        return group::outbox::queue(tx, local, conversation.id, message, &body, now_ms, rng);
    };
    let row = NewRow {
        recipient,
        message: Some(message),
        only_device: None,
        replaces: &[],
        body: &body,
    };
    let outbox_row = outbox::insert(tx, &row, now_ms, rng)?;
    if let Some(outbox_row) = outbox::find(tx, outbox_row)? {
        let mut sessions = Sessions::new(local.address());
        // Without sessions the outbox fetches bundles and encrypts, once connected.
        encrypt(tx, local, &mut sessions, &outbox_row, now_ms)?;
        sessions.save(tx)?;
    }
    Ok(())
}

/// Whether the user may write here.
pub(crate) fn check_may_send(tx: &Transaction<'_>, conversation: &ConversationRow) -> Result<()> {
    let Kind::Direct(peer) = conversation.kind else {
        return group::check_may_send(tx, conversation.id);
    };
    match contacts::find(tx, peer)? {
        Some(contact) if contact.blocked => Err(Error::Blocked),
        Some(contact) if contact.waits_for_verification() => Err(Error::VerificationNeeded),
        _ => Ok(()),
    }
}

/// The newest that was seen of every other device in a conversation.
fn heads(tx: &Transaction<'_>, conversation: i64) -> Result<Vec<Head>> {
    let mut query = tx.prepare_cached(
        "SELECT sender, device, chain, shown_through FROM sender_chain
         WHERE conversation = ?1 AND shown_through > 0 ORDER BY shown_through DESC LIMIT ?2",
    )?;
    let rows = query.query_map((conversation, MAX_HEADS), |row| {
        let through = unsigned(row, 3)?;
        Ok(Head {
            account: account(row, 0)?,
            device: device(row, 1)?,
            chain: ChainId(bits(row, 2)?),
            sequence: checked(3, || Sequence::new(through))?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts a failed message on its way again.
pub(crate) fn again(
    tx: &mut Transaction<'_>,
    conversation: &ConversationRow,
    message: MessageRef,
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    let row = failed_row(tx, conversation, message)?;
    let local = LocalDevice::load(tx)?;
    let found: Option<(i64, u64)> = tx
        .query_row(
            "SELECT chain, sequence FROM message WHERE id = ?1",
            [row],
            |row| Ok((row.get(0)?, unsigned(row, 1)?)),
        )
        .optional()?;
    let (chain, sequence) = found.ok_or(Error::NotFound("message"))?;
    let chain = ChainId(chain.cast_unsigned());
    tx.execute(
        "UPDATE message SET state = 10, failure = NULL WHERE id = ?1",
        [row],
    )?;
    let own = messages::own_in_range(tx, conversation.id, &local, chain, sequence, sequence, 1)?;
    for own in own {
        let post = Post {
            conversation: conversation.conversation_id,
            message_id: own.id,
            stamp: own.stamp,
            chain,
            sequence: own.sequence,
            heads: Vec::new(),
            group_heads: Vec::new(),
            content: own.content,
        };
        deliver(tx, &local, conversation, own.row, post, now_ms, rng)?;
    }
    Ok(())
}

/// From now on the others learn what arrived here.
pub(crate) fn accept(tx: &Transaction<'_>, conversation: &ConversationRow) -> Result<Vec<Event>> {
    if conversation.accepted {
        return Ok(Vec::new());
    }
    tx.execute(
        "UPDATE conversation SET standing = 1 WHERE id = ?1",
        [conversation.id],
    )?;
    receipts::owe_all_delivered(tx, conversation.id)?;
    Ok(vec![Event::ConversationChanged {
        conversation: conversation.conversation_id,
    }])
}

fn failed_row(
    tx: &Transaction<'_>,
    conversation: &ConversationRow,
    message: MessageRef,
) -> Result<i64> {
    let found: Option<i64> = tx
        .query_row(
            "SELECT id FROM message WHERE sender = ?1 AND message_id = ?2 AND conversation = ?3
                 AND state = 14",
            (
                message.sender.as_bytes(),
                message.id.as_bytes(),
                conversation.id,
            ),
            |row| row.get(0),
        )
        .optional()?;
    found.ok_or(Error::NotFound("failed message"))
}
