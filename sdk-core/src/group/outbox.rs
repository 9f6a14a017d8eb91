//! Group messages on their way: one ciphertext, and for each member whether the relay has it and whether they do.
//!
//! Must never: encrypt before everybody who is to read has the key on its way, or for anybody who left.

use std::collections::BTreeMap;

use bytes::Bytes;
use hushpost_wire::{AccountId, DeviceAddress, MessageId, Recipient, RecipientDevice};
use rusqlite::{Connection, OptionalExtension as _};

use crate::account::LocalDevice;
use crate::content::{Body, Introduction, Plaintext, pad};
use crate::conversation::rows as messages;
use crate::conversation::send as conversation;
use crate::envelope;
use crate::event::{Event, MessageRef};
use crate::group::rows::{self, MemberRow};
use crate::group::sender_keys::{self, OwnKey};
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::{account, device, message_id, signed};
use crate::{Error, Result};

/// So many members may lack the key for a message to be encrypted at once. More are left to the delivery, so that a
/// send returns soon.
const KEYS_AT_ONCE: usize = 16;

/// A row that waits.
pub(crate) struct GroupRow {
    pub(crate) id: i64,
    pub(crate) conversation: i64,
    pub(crate) message: i64,
    pub(crate) body: Vec<u8>,
    pub(crate) envelope_id: MessageId,
    pub(crate) ciphertext: Option<Vec<u8>>,
    pub(crate) generation: i64,
    pub(crate) iteration: u32,
}

/// Sends content to a group from this device.
pub(crate) fn send(
    tx: &mut Transaction<'_>,
    local: &LocalDevice,
    row: i64,
    content: &[u8],
    now_ms: u64,
    rng: &Randomness,
    events: &mut Vec<Event>,
) -> Result<MessageRef> {
    let group = messages::by_row(tx, row)?.ok_or(Error::NotFound("group"))?;
    conversation::post(tx, local, &group, content, now_ms, rng, events)
}

/// Puts a post on its way to everybody who is in the group now; encrypted at once unless many lack the key.
pub(crate) fn queue(
    tx: &mut Transaction<'_>,
    local: &LocalDevice,
    conversation: i64,
    message: i64,
    body: &[u8],
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO group_outbox (conversation, message, body, envelope_id, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        conversation,
        message,
        body,
        rng.message_id()?.as_bytes(),
        signed(now_ms),
    ))?;
    let id = tx.last_insert_rowid();
    let recipients = tx
        .prepare_cached(
            "INSERT INTO group_outbox_recipient (outbox, account)
             SELECT ?1, account FROM group_member
             WHERE conversation = ?2 AND left_ms IS NULL AND account <> ?3 AND account NOT IN
                 (SELECT account FROM contact WHERE blocked = 1)",
        )?
        .execute((id, conversation, local.account().as_bytes()))?;
    tx.prepare_cached("UPDATE message SET recipients = ?2 WHERE id = ?1")?
        .execute((message, recipients))?;
    if recipients == 0 {
        // Nobody is there to confirm it.
        tx.execute("DELETE FROM group_outbox WHERE id = ?1", [id])?;
        tx.execute(
            "UPDATE message SET state = max(state, 12) WHERE id = ?1 AND state >= 10",
            [message],
        )?;
        return Ok(());
    }
    let lacking = sender_keys::lacking(tx, conversation, id, now_ms)?;
    if lacking <= KEYS_AT_ONCE
        && let Some(row) = find(tx, id)?
    {
        encrypt(tx, local, &row, now_ms, rng)?;
    }
    Ok(())
}

/// Encrypts a row for everybody it is for. Whoever lacks the key is given it first.
pub(crate) fn encrypt(
    tx: &mut Transaction<'_>,
    local: &LocalDevice,
    row: &GroupRow,
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    let mut key = OwnKey::ready(tx, row.conversation, now_ms, rng)?;
    let lacking = without_key(tx, row, key.generation)?;
    key.give(tx, local, row.conversation, &lacking, now_ms, rng)?;
    let iteration = key.iteration();
    let plaintext = pad(Plaintext::complete(&row.body, Introduction::default()));
    let message = key.encrypt(&plaintext, rng)?;
    key.save(tx, row.conversation)?;
    tx.prepare_cached(
        "UPDATE group_outbox SET ciphertext = ?2, generation = ?3, iteration = ?4 WHERE id = ?1",
    )?
    .execute((
        row.id,
        envelope::seal_group(&message)?,
        key.generation,
        iteration,
    ))?;
    Ok(())
}

/// Whom a row is for, who are still in the group, and who lack the key.
fn without_key(tx: &Transaction<'_>, row: &GroupRow, generation: i64) -> Result<Vec<MemberRow>> {
    let mut query = tx.prepare_cached(
        "SELECT m.account, m.admin, m.since, m.left_ms, m.admin_until_ms
         FROM group_outbox_recipient r JOIN group_member m
             ON m.conversation = ?2 AND m.account = r.account AND m.left_ms IS NULL
         WHERE r.outbox = ?1 AND NOT EXISTS
             (SELECT 1 FROM sender_key_given g WHERE g.conversation = ?2 AND g.account = r.account
                  AND g.generation = ?3 AND g.iteration IS NOT NULL)",
    )?;
    let members = query.query_map((row.id, row.conversation, generation), rows::read_member)?;
    Ok(members.collect::<Result<_, _>>()?)
}

const COLUMNS: &str =
    "id, conversation, message, body, envelope_id, ciphertext, generation, iteration";

fn read(row: &rusqlite::Row<'_>) -> Result<GroupRow, rusqlite::Error> {
    Ok(GroupRow {
        id: row.get(0)?,
        conversation: row.get(1)?,
        message: row.get(2)?,
        body: row.get(3)?,
        envelope_id: message_id(row, 4)?,
        ciphertext: row.get(5)?,
        generation: row.get(6)?,
        iteration: row.get(7)?,
    })
}

/// One row.
pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<GroupRow>> {
    let mut query =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM group_outbox WHERE id = ?1"))?;
    Ok(query.query_row([id], read).optional()?)
}

/// Rows that the relay does not have for everybody yet, oldest first. Steps from row to row: each may wait for a
/// thousand.
pub(crate) fn waiting(db: &Connection, after: i64, limit: usize) -> Result<Vec<GroupRow>> {
    let mut query = db.prepare_cached(&format!(
        "WITH RECURSIVE step (row) AS (
             SELECT min(outbox) FROM group_outbox_recipient WHERE stored = 0 AND outbox > ?1
             UNION ALL
             SELECT (SELECT min(outbox) FROM group_outbox_recipient WHERE stored = 0 AND outbox > row)
             FROM step WHERE row IS NOT NULL
             LIMIT ?2)
         SELECT {COLUMNS} FROM step JOIN group_outbox ON id = row ORDER BY id"
    ))?;
    let rows = query.query_map((after, limit), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How a waiting member can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// With the ciphertext for all.
    Shared,
    /// The key is still on its way to the relay.
    KeyFirst,
    /// They cannot read the ciphertext: devices changed, or the key was replaced since.
    Alone,
}

/// Whom a row still waits for, and how they can be reached.
pub(crate) fn recipients(db: &Connection, row: &GroupRow) -> Result<Vec<(AccountId, Reach)>> {
    let mut query = db.prepare_cached(
        "SELECT r.account, g.iteration,
             EXISTS (SELECT 1 FROM outbox o WHERE o.id = g.outbox AND o.state < 2)
         FROM group_outbox_recipient r LEFT JOIN sender_key_given g
             ON g.conversation = ?2 AND g.account = r.account AND g.generation = ?3
         WHERE r.outbox = ?1 AND r.stored = 0",
    )?;
    let rows = query.query_map((row.id, row.conversation, row.generation), |found| {
        let since: Option<u32> = found.get(1)?;
        let reach = match since {
            Some(since) if since <= row.iteration => {
                if found.get(2)? {
                    Reach::KeyFirst
                } else {
                    Reach::Shared
                }
            }
            _ => Reach::Alone,
        };
        Ok((account(found, 0)?, reach))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The devices of everybody that a row still waits for, and the token to show for them.
pub(crate) fn devices(db: &Connection, row: &GroupRow) -> Result<BTreeMap<AccountId, Recipient>> {
    let mut query = db.prepare_cached(
        "SELECT r.account, c.delivery_token, d.device, d.registration_id
         FROM group_outbox_recipient r JOIN contact c ON c.account = r.account
         JOIN contact_device d ON d.account = r.account
         WHERE r.outbox = ?1 AND r.stored = 0 ORDER BY r.account, d.device",
    )?;
    let found = query.query_map([row.id], |found| {
        let device = RecipientDevice {
            device: device(found, 2)?.into(),
            registration_id: found.get(3)?,
            ciphertext: Bytes::new(),
        };
        Ok((
            account(found, 0)?,
            found.get::<_, Option<Vec<u8>>>(1)?,
            device,
        ))
    })?;
    let mut all = BTreeMap::new();
    for one in found {
        let (account, token, device) = one?;
        let recipient = all.entry(account).or_insert_with(|| Recipient {
            account: account.as_bytes().to_vec().into(),
            delivery_token: token.unwrap_or_default().into(),
            devices: Vec::new(),
        });
        recipient.devices.push(device);
    }
    Ok(all)
}

/// The relay has it for these.
pub(crate) fn set_stored(tx: &Transaction<'_>, row: i64, accounts: &[AccountId]) -> Result<()> {
    let mut update = tx.prepare_cached(
        "UPDATE group_outbox_recipient SET stored = 1 WHERE outbox = ?1 AND account = ?2",
    )?;
    for account in accounts {
        update.execute((row, account.as_bytes()))?;
    }
    Ok(())
}

/// Sends a row to one member over the 1:1 sessions instead.
pub(crate) fn send_alone(
    tx: &Transaction<'_>,
    row: &GroupRow,
    to: AccountId,
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    let alone = NewRow {
        recipient: to,
        message: Some(row.message),
        only_device: None,
        replaces: &[],
        body: &row.body,
    };
    outbox::insert(tx, &alone, now_ms, rng)?;
    forget_recipient(tx, row.id, to)
}

/// Nothing more is to be sent to this member by this row.
pub(crate) fn forget_recipient(tx: &Transaction<'_>, row: i64, who: AccountId) -> Result<()> {
    tx.prepare_cached("DELETE FROM group_outbox_recipient WHERE outbox = ?1 AND account = ?2")?
        .execute((row, who.as_bytes()))?;
    forget_finished(tx, row)
}

fn forget_finished(tx: &Transaction<'_>, row: i64) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM group_outbox WHERE id = ?1 AND NOT EXISTS
             (SELECT 1 FROM group_outbox_recipient WHERE outbox = ?1)",
    )?
    .execute([row])?;
    Ok(())
}

/// A member has a message.
pub(crate) fn delivered(tx: &Transaction<'_>, message: i64, by: AccountId) -> Result<()> {
    let rows: Vec<i64> = {
        let mut query = tx.prepare_cached("SELECT id FROM group_outbox WHERE message = ?1")?;
        let rows = query.query_map([message], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for row in rows {
        forget_recipient(tx, row, by)?;
    }
    Ok(())
}

/// Whether a message was sent to somebody.
pub(crate) fn was_sent_to(db: &Connection, message: i64, who: AccountId) -> Result<bool> {
    let mut query = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM group_receipt WHERE message = ?1 AND account = ?2)
             OR EXISTS (SELECT 1 FROM outbox WHERE message = ?1 AND recipient = ?2)
             OR EXISTS (SELECT 1 FROM group_outbox g JOIN group_outbox_recipient r ON r.outbox = g.id
                 WHERE g.message = ?1 AND r.account = ?2)",
    )?;
    Ok(query.query_row((message, who.as_bytes()), |row| row.get(0))?)
}

/// The row that was sent as this envelope, if it was for this device's account.
pub(crate) fn by_envelope(
    db: &Connection,
    envelope: MessageId,
    to: DeviceAddress,
) -> Result<Option<GroupRow>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM group_outbox WHERE envelope_id = ?1 AND EXISTS
             (SELECT 1 FROM group_outbox_recipient WHERE outbox = id AND account = ?2)"
    ))?;
    let found = query.query_row((envelope.as_bytes(), to.account.as_bytes()), read);
    Ok(found.optional()?)
}

/// What a body says, for the answer of the relay.
pub(crate) fn post_of(row: &GroupRow) -> Result<crate::content::Post> {
    match Plaintext::decode(&row.body).map(|plaintext| plaintext.body) {
        Ok(Body::Post(post)) => Ok(post),
        _ => Err(crate::StoreError::Corrupted("a message in the outbox").into()),
    }
}
