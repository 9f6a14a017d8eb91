//! Settling: from the journal, in the order of commits, to the mailbox table, in the order of devices.
//!
//! Done in slices between commits, so that no sender waits for more than one. A slice takes whole journal
//! rows and is one transaction: the messages that are still unacknowledged, the hashes that recognise
//! repeats, the deletions that acknowledgements ask for, and the journal rows' own deletion. Cut off
//! anywhere, the journal still says everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::table::MailboxTable;
use super::{DeviceKey, Entry, Message, journal, page};
use crate::store::{StoreError, now_ms, to_sql};

/// A row younger than this is left alone while memory allows: most messages are acknowledged by then and
/// need not be written a second time.
const REST: Duration = Duration::from_secs(2);
/// Messages and acknowledgements in one slice, about: a slice is some 10 milliseconds.
const SLICE: usize = 2000;

/// What a slice will have done when it is committed.
#[derive(Default)]
pub(super) struct Slice {
    rows: usize,
    devices: BTreeMap<DeviceKey, u64>,
    /// `(device, last, floor)` as the `queue` table will hold them.
    places: Vec<(DeviceKey, u64, u64)>,
}

impl MailboxTable {
    /// Whether a slice should be settled now.
    pub(crate) fn is_settling_due(&self) -> bool {
        self.rows_size > self.settings.journal_memory
            || self
                .rows
                .front()
                .is_some_and(|row| row.written.elapsed() > REST)
    }

    /// Whether anything is unsettled.
    pub(crate) fn has_journal(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Settles one slice inside a transaction; [`slice_settled`](Self::slice_settled) must follow its
    /// commit.
    pub(crate) fn settle_slice(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut slice = Slice::default();
        let mut sightings = Vec::new();
        let mut acknowledged = BTreeSet::new();
        let mut work = 0usize;
        let mut last_row = None;
        for row in &self.rows {
            if work >= SLICE {
                break;
            }
            slice.rows = slice.rows.saturating_add(1);
            work = work
                .saturating_add(row.devices.len())
                .saturating_add(row.acknowledged.len());
            for (device, sequence) in &row.devices {
                slice.devices.insert(*device, *sequence);
            }
            acknowledged.extend(row.acknowledged.iter().copied());
            sightings.extend_from_slice(&row.sightings);
            last_row = Some(row.id);
        }
        let Some(last_row) = last_row else {
            return Ok(());
        };
        self.turn = self.seen.turn(connection, now_ms())?;
        self.seen.settle(connection, &mut sightings)?;
        let mut payloads = Payloads::default();
        let mut moved: Vec<(DeviceKey, Vec<(u64, Entry)>)> = Vec::new();
        for device in acknowledged {
            slice.devices.entry(device).or_insert(0);
        }
        for (&device, &through) in &slice.devices {
            let Some(slot) = self.slots.get(&device) else {
                continue;
            };
            let (last, floor, settled) = slot.mailbox.place();
            if floor > slot.stored.1 {
                delete_through(connection, device, floor)?;
            }
            // Numbers beyond what is settled stand in later journal rows, and count from here.
            let last = through.max(settled).max(floor).min(last);
            let present = connection
                .prepare_cached(
                    "UPDATE queue SET last = ?2, floor = ?3, settled = ?4 WHERE device = ?1",
                )?
                .execute(params![
                    device.0,
                    to_sql(last),
                    to_sql(floor),
                    to_sql(settled.max(through))
                ])?;
            slice.places.push((device, last, floor));
            // A device that was removed a moment ago: its row is gone, and nothing may be left behind.
            if present != 0 {
                let entries = slot.mailbox.unsettled_through(through);
                payloads.count(&entries);
                moved.push((device, entries));
            }
        }
        for (device, entries) in moved {
            for (sequence, entry) in entries {
                insert(connection, device, sequence, &entry, &mut payloads)?;
            }
        }
        journal::delete_through(connection, last_row)?;
        self.slice = slice;
        Ok(())
    }

    /// The slice is durable: memory lets go of it.
    pub(crate) fn slice_settled(&mut self) {
        let slice = core::mem::take(&mut self.slice);
        if let Some(turn) = self.turn.take() {
            self.seen.turned(turn);
        }
        for row in self.rows.drain(..slice.rows.min(self.rows.len())) {
            self.rows_size = self.rows_size.saturating_sub(row.size);
            for (key, _) in &row.sightings {
                self.seen.forget(key);
            }
        }
        for (device, last, floor) in slice.places {
            if let Some(slot) = self.slots.get_mut(&device) {
                slot.stored = (last, floor);
            }
        }
        for (device, through) in slice.devices {
            if let Some(slot) = self.slots.get(&device) {
                slot.mailbox.settled_through(through);
            }
        }
    }

    /// Figures for the operator.
    pub(crate) fn report(&self) {
        let gauge = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        metrics::gauge!("hushpost_journal_rows").set(gauge(self.rows.len()));
        metrics::gauge!("hushpost_journal_bytes").set(gauge(self.rows_size));
        metrics::gauge!("hushpost_mailboxes_in_memory").set(gauge(self.slots.len()));
    }

    /// Lets go of mailboxes that nobody uses and whose place is stored.
    pub(crate) fn sweep(&mut self) {
        self.slots.retain(|_, slot| {
            let (last, floor, _) = slot.mailbox.place();
            let needed = Arc::strong_count(&slot.mailbox) > 1 || !slot.mailbox.is_idle();
            needed || slot.stored != (last, floor)
        });
    }
}

/// Ciphertexts that several devices wait for: how many do, and where they are stored.
#[derive(Default)]
struct Payloads {
    waiting: HashMap<*const Message, u32>,
    stored: HashMap<*const Message, i64>,
}

impl Payloads {
    fn count(&mut self, entries: &[(u64, Entry)]) {
        for (_, entry) in entries {
            let waiting = self.waiting.entry(Arc::as_ptr(&entry.message)).or_default();
            *waiting = waiting.saturating_add(1);
        }
    }

    /// The stored shared part of a message, if it is worth a row of its own.
    fn store(
        &mut self,
        connection: &Connection,
        message: &Arc<Message>,
    ) -> rusqlite::Result<Option<i64>> {
        let known = Arc::as_ptr(message);
        let waiting = self.waiting.get(&known).copied().unwrap_or(0);
        if message.shared.is_empty() || waiting < 2 {
            return Ok(None);
        }
        if let Some(id) = self.stored.get(&known) {
            return Ok(Some(*id));
        }
        connection
            .prepare_cached("INSERT INTO payload (waiting, body) VALUES (?1, ?2)")?
            .execute(params![waiting, message.shared.as_ref()])?;
        let id = connection.last_insert_rowid();
        self.stored.insert(known, id);
        Ok(Some(id))
    }
}

fn insert(
    connection: &Connection,
    device: DeviceKey,
    sequence: u64,
    entry: &Entry,
    payloads: &mut Payloads,
) -> rusqlite::Result<()> {
    let message = &entry.message;
    let payload = payloads.store(connection, message)?;
    let own = match payload {
        Some(_) => entry.own.clone(),
        None => entry.ciphertext(),
    };
    connection
        .prepare_cached(
            "INSERT INTO mailbox (device, sequence, accepted_ms, header, own, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            device.0,
            to_sql(sequence),
            to_sql(message.accepted_ms),
            page::encode_header(message.id, message.sender),
            own.as_ref(),
            payload
        ])?;
    Ok(())
}

/// Deletes a device's settled messages up to and with a sequence number, and payloads that nobody waits
/// for any more.
fn delete_through(
    connection: &Connection,
    device: DeviceKey,
    through: u64,
) -> rusqlite::Result<()> {
    let released: Vec<i64> = connection
        .prepare_cached(
            "SELECT payload FROM mailbox
              WHERE device = ?1 AND sequence <= ?2 AND payload IS NOT NULL",
        )?
        .query_map(params![device.0, to_sql(through)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for payload in released {
        connection
            .prepare_cached("UPDATE payload SET waiting = waiting - 1 WHERE id = ?1")?
            .execute(params![payload])?;
        connection
            .prepare_cached("DELETE FROM payload WHERE id = ?1 AND waiting <= 0")?
            .execute(params![payload])?;
    }
    connection
        .prepare_cached("DELETE FROM mailbox WHERE device = ?1 AND sequence <= ?2")?
        .execute(params![device.0, to_sql(through)])?;
    Ok(())
}

/// Deletes all settled messages of a device that is being removed.
pub(crate) fn delete_all(connection: &Connection, device: DeviceKey) -> rusqlite::Result<()> {
    delete_through(connection, device, u64::MAX)
}
