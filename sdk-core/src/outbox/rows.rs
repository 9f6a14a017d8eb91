//! The outbox in the database.

use hushpost_wire::{AccountId, DeviceId, MessageId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::Error;
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::{account, device, message_id, signed};

/// How long a receipt or request is kept for a re-send after the relay stored it.
const CONTROL_KEPT_MS: u64 = 24 * 3600 * 1000;
/// How long a message is kept for a re-send after the relay stored it: the relay keeps it 30 days.
const MESSAGE_KEPT_MS: u64 = 30 * 24 * 3600 * 1000;

/// How far a row is, once it is past 0, to be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Progress {
    Encrypted = 1,
    /// The relay has it; their device has not said so yet.
    Stored = 2,
}

/// A row that waits.
pub(crate) struct OutboxRow {
    pub(crate) id: i64,
    pub(crate) recipient: AccountId,
    /// `message.id`; none for what shows nowhere.
    pub(crate) message: Option<i64>,
    pub(crate) only_device: Option<DeviceId>,
    /// Envelope ids, 16 bytes each, that this answers.
    pub(crate) replaces: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) envelope_id: MessageId,
    pub(crate) encrypted: bool,
}

/// A ciphertext for one device.
pub(crate) struct DeviceCiphertext {
    pub(crate) device: DeviceId,
    pub(crate) registration_id: u32,
    pub(crate) ciphertext: Vec<u8>,
}

/// What a new row says, and to whom.
pub(crate) struct NewRow<'a> {
    pub(crate) recipient: AccountId,
    pub(crate) message: Option<i64>,
    pub(crate) only_device: Option<DeviceId>,
    pub(crate) replaces: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// Adds a row that is yet to be encrypted.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    row: &NewRow<'_>,
    now_ms: u64,
    rng: &Randomness,
) -> Result<i64, Error> {
    insert_as(tx, row, rng.message_id()?, now_ms)
}

/// Adds a row under an envelope id that others have too, for other recipients: they may travel together.
pub(crate) fn insert_as(
    tx: &Transaction<'_>,
    row: &NewRow<'_>,
    envelope_id: MessageId,
    now_ms: u64,
) -> Result<i64, Error> {
    tx.prepare_cached(
        "INSERT INTO outbox (recipient, message, only_device, replaces, body, envelope_id, state, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
    )?
    .execute((
        row.recipient.as_bytes(),
        row.message,
        row.only_device.map(DeviceId::get),
        row.replaces,
        row.body,
        envelope_id.as_bytes(),
        signed(now_ms),
    ))?;
    Ok(tx.last_insert_rowid())
}

/// Whether a row that says the same waits to be encrypted.
pub(crate) fn waits(db: &Connection, row: &NewRow<'_>) -> Result<bool, Error> {
    let mut query = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE recipient = ?1 AND state = 0
             AND only_device IS ?2 AND body = ?3)",
    )?;
    let device = row.only_device.map(DeviceId::get);
    Ok(
        query.query_row((row.recipient.as_bytes(), device, row.body), |row| {
            row.get(0)
        })?,
    )
}

const COLUMNS: &str = "id, recipient, message, only_device, replaces, body, envelope_id, state";

fn read(row: &Row<'_>) -> Result<OutboxRow, rusqlite::Error> {
    let only_device: Option<u32> = row.get(3)?;
    Ok(OutboxRow {
        id: row.get(0)?,
        recipient: account(row, 1)?,
        message: row.get(2)?,
        only_device: only_device.map(|_| device(row, 3)).transpose()?,
        replaces: row.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default(),
        body: row.get(5)?,
        envelope_id: message_id(row, 6)?,
        encrypted: row.get::<_, u8>(7)? == Progress::Encrypted as u8,
    })
}

/// One row.
pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<OutboxRow>, Error> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1"))?;
    Ok(query.query_row([id], read).optional()?)
}

/// Rows that wait, oldest first, without those of the recipients left out.
pub(crate) fn waiting(db: &Connection, after: i64, limit: usize) -> Result<Vec<OutboxRow>, Error> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE state < 2 AND id > ?1 ORDER BY id LIMIT ?2"
    ))?;
    let rows = query.query_map((after, limit), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A row's ciphertexts.
pub(crate) fn ciphertexts(db: &Connection, id: i64) -> Result<Vec<DeviceCiphertext>, Error> {
    let mut query = db.prepare_cached(
        "SELECT device, registration_id, ciphertext FROM outbox_device WHERE outbox = ?1
         ORDER BY device",
    )?;
    let rows = query.query_map([id], |row| {
        Ok(DeviceCiphertext {
            device: device(row, 0)?,
            registration_id: row.get(1)?,
            ciphertext: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores a row's ciphertexts.
pub(crate) fn set_encrypted(
    tx: &Transaction<'_>,
    id: i64,
    ciphertexts: &[DeviceCiphertext],
) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM outbox_device WHERE outbox = ?1")?
        .execute([id])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO outbox_device (outbox, device, registration_id, ciphertext)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for one in ciphertexts {
        insert.execute((id, one.device.get(), one.registration_id, &one.ciphertext))?;
    }
    set_progress(tx, id, Progress::Encrypted)
}

/// Moves a row on.
pub(crate) fn set_progress(tx: &Transaction<'_>, id: i64, progress: Progress) -> Result<(), Error> {
    tx.prepare_cached("UPDATE outbox SET state = ?2 WHERE id = ?1")?
        .execute((id, progress as u8))?;
    Ok(())
}

/// Another try of this row went wrong; says how many did.
pub(crate) fn count_attempt(tx: &Transaction<'_>, id: i64) -> Result<u32, Error> {
    Ok(tx
        .prepare_cached(
            "UPDATE outbox SET attempts = attempts + 1 WHERE id = ?1 RETURNING attempts",
        )?
        .query_row([id], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

/// Takes a row away.
pub(crate) fn delete(tx: &Transaction<'_>, id: i64) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// The row is encrypted again, as a new envelope: the relay would take another ciphertext under the old id for
/// a repeat.
pub(crate) fn encrypt_again(tx: &Transaction<'_>, id: i64, rng: &Randomness) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM outbox_device WHERE outbox = ?1")?
        .execute([id])?;
    tx.prepare_cached("UPDATE outbox SET state = 0, envelope_id = ?2 WHERE id = ?1")?
        .execute((id, rng.message_id()?.as_bytes()))?;
    Ok(())
}

/// The row travels alone from now on: the relay did not take it with others. It stored nothing, so the same bytes may
/// have another id.
pub(crate) fn send_by_itself(tx: &Transaction<'_>, id: i64, rng: &Randomness) -> Result<(), Error> {
    tx.prepare_cached("UPDATE outbox SET envelope_id = ?2 WHERE id = ?1")?
        .execute((id, rng.message_id()?.as_bytes()))?;
    Ok(())
}

/// A recipient's devices changed: what those had not confirmed is encrypted again. (The envelope ids are
/// renewed by SQLite's own generator: they need to be different, and nothing depends on who draws them.)
pub(crate) fn devices_changed(
    tx: &Transaction<'_>,
    recipient: AccountId,
    removed: &[DeviceId],
    renewed: &[DeviceId],
) -> Result<(), Error> {
    for device in removed {
        tx.execute(
            "DELETE FROM outbox_device WHERE device = ?2
                 AND outbox IN (SELECT id FROM outbox WHERE recipient = ?1)",
            (recipient.as_bytes(), device.get()),
        )?;
        tx.execute(
            "DELETE FROM outbox WHERE recipient = ?1 AND only_device = ?2",
            (recipient.as_bytes(), device.get()),
        )?;
    }
    if !removed.is_empty() {
        tx.execute(
            "UPDATE outbox SET state = 0, envelope_id = randomblob(16)
             WHERE recipient = ?1 AND state = 1 AND NOT EXISTS
                 (SELECT 1 FROM outbox_device WHERE outbox = outbox.id)",
            [recipient.as_bytes()],
        )?;
        // Stored for devices that are all gone: nobody is left to confirm it.
        tx.execute(
            "DELETE FROM outbox WHERE recipient = ?1 AND state = 2 AND NOT EXISTS
                 (SELECT 1 FROM outbox_device WHERE outbox = outbox.id)",
            [recipient.as_bytes()],
        )?;
    }
    for device in renewed {
        tx.execute(
            "UPDATE outbox SET state = 0, envelope_id = randomblob(16)
             WHERE recipient = ?1 AND (state < 2 OR EXISTS
                 (SELECT 1 FROM outbox_device WHERE outbox = outbox.id AND device = ?2))",
            (recipient.as_bytes(), device.get()),
        )?;
    }
    tx.execute(
        "DELETE FROM outbox_device WHERE outbox IN
             (SELECT id FROM outbox WHERE recipient = ?1 AND state = 0)",
        [recipient.as_bytes()],
    )?;
    Ok(())
}

/// The relay lost its store: everything it had is sent once more, the same bytes under the same id.
pub(crate) fn send_again(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute("UPDATE outbox SET state = 1 WHERE state = 2", [])?;
    tx.execute("UPDATE group_outbox_recipient SET stored = 0", [])?;
    tx.execute(
        "UPDATE outbox SET state = 0 WHERE state = 1 AND NOT EXISTS
         (SELECT 1 FROM outbox_device WHERE outbox = outbox.id)",
        [],
    )?;
    Ok(())
}

/// One device has confirmed a message. Says whether that was the first.
pub(crate) fn delivered(
    tx: &Transaction<'_>,
    message: i64,
    recipient: AccountId,
    device: DeviceId,
) -> Result<(), Error> {
    tx.prepare_cached(
        "DELETE FROM outbox_device WHERE device = ?3 AND outbox IN
             (SELECT id FROM outbox WHERE message = ?1 AND recipient = ?2)",
    )?
    .execute((message, recipient.as_bytes(), device.get()))?;
    // A row that was not encrypted yet for this device alone has nothing left to do either.
    tx.prepare_cached(
        "DELETE FROM outbox WHERE message = ?1 AND recipient = ?2
             AND (state > 0 OR only_device = ?3)
             AND NOT EXISTS (SELECT 1 FROM outbox_device WHERE outbox = outbox.id)",
    )?
    .execute((message, recipient.as_bytes(), device.get()))?;
    Ok(())
}

/// Forgets what nobody will ask for any more: receipts and requests that the relay has had for a day, and
/// messages it has had for as long as it keeps any. (A stranger who accepts nothing confirms nothing.)
pub(crate) fn forget_old(tx: &Transaction<'_>, now_ms: u64) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM outbox WHERE message IS NULL AND state = 2 AND created_ms < ?1",
        [signed(now_ms.saturating_sub(CONTROL_KEPT_MS))],
    )?;
    tx.execute(
        "DELETE FROM outbox WHERE state = 2 AND created_ms < ?1",
        [signed(now_ms.saturating_sub(MESSAGE_KEPT_MS))],
    )?;
    tx.execute(
        "DELETE FROM group_outbox WHERE created_ms < ?1 AND NOT EXISTS
             (SELECT 1 FROM group_outbox_recipient WHERE outbox = id AND stored = 0)",
        [signed(now_ms.saturating_sub(MESSAGE_KEPT_MS))],
    )?;
    Ok(())
}

/// The row that was sent as this envelope.
pub(crate) fn by_envelope(
    db: &Connection,
    recipient: AccountId,
    envelope_id: MessageId,
) -> Result<Option<i64>, Error> {
    let mut query =
        db.prepare_cached("SELECT id FROM outbox WHERE envelope_id = ?1 AND recipient = ?2")?;
    Ok(query
        .query_row((envelope_id.as_bytes(), recipient.as_bytes()), |row| {
            row.get(0)
        })
        .optional()?)
}

/// A row that was sent in place of an envelope.
pub(crate) struct Replacing {
    pub(crate) id: i64,
    /// The relay does not have it yet.
    pub(crate) on_its_way: bool,
}

/// The newest row that was sent in place of this envelope.
pub(crate) fn replacing(
    db: &Connection,
    recipient: AccountId,
    envelope_id: MessageId,
) -> Result<Option<Replacing>, Error> {
    let mut query = db.prepare_cached(
        "SELECT id, state < 2 FROM outbox WHERE recipient = ?2 AND instr(replaces, ?1) > 0
         ORDER BY id DESC LIMIT 1",
    )?;
    Ok(query
        .query_row((envelope_id.as_bytes(), recipient.as_bytes()), |row| {
            Ok(Replacing {
                id: row.get(0)?,
                on_its_way: row.get(1)?,
            })
        })
        .optional()?)
}

/// A row that already carries this message to this account.
pub(crate) fn of_message(
    db: &Connection,
    message: i64,
    recipient: AccountId,
) -> Result<Option<OutboxRow>, Error> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE message = ?1 AND recipient = ?2 ORDER BY id LIMIT 1"
    ))?;
    Ok(query
        .query_row((message, recipient.as_bytes()), read)
        .optional()?)
}
