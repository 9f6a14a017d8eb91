//! All mailboxes, as the writer sees them: what a commit is about to change (*staged*), and what it
//! changed (*published*).
//!
//! Staging gives out sequence numbers and recognises repeats, but nobody else sees any of it until
//! `publish`; `discard` takes all of it back. Owned by the writer thread, so nothing here is locked but the
//! mailboxes themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hushpost_wire::CloseReason;
use rusqlite::{Connection, OptionalExtension, params};

use super::journal::{self, AcknowledgementRecord, EntryRecord, MessageRecord, Row};
use super::seen::{self, Seen, SeenKey, Sighting, Turn};
use super::{
    Acknowledgement, DeviceKey, Entry, Mailbox, Message, Outcome, Refusal, Submission, page,
};
use crate::store::{StoreError, StoreSettings, from_sql, now_ms};

/// A mailbox and where its staged end is.
pub(super) struct Slot {
    pub(super) mailbox: Arc<Mailbox>,
    /// The next sequence number to give out.
    next: u64,
    /// Everything up to here is acknowledged, staged acknowledgements included.
    floor: u64,
    /// Last number and floor that the `queue` table holds.
    pub(super) stored: (u64, u64),
}

impl Slot {
    /// Back to what is durable.
    fn reset(&mut self) {
        let (last, floor, _) = self.mailbox.place();
        self.next = last.saturating_add(1);
        self.floor = floor;
    }
}

struct StagedSubmission {
    message: Arc<Message>,
    entries: Vec<(Arc<Mailbox>, u64, Bytes)>,
    keys: Vec<SeenKey>,
    outcome: Outcome,
    answer: Box<dyn FnOnce(Result<Outcome, StoreError>) + Send>,
}

/// What memory knows of one journal row until it is settled.
pub(super) struct JournalRow {
    pub(super) id: i64,
    pub(super) size: usize,
    pub(super) written: Instant,
    /// The highest sequence number that the row holds for each device.
    pub(super) devices: Vec<(DeviceKey, u64)>,
    /// Devices that acknowledged something in it.
    pub(super) acknowledged: Vec<DeviceKey>,
    pub(super) sightings: Vec<Sighting>,
}

impl JournalRow {
    fn new(id: i64, size: usize) -> Self {
        Self {
            id,
            size,
            written: Instant::now(),
            devices: Vec::new(),
            acknowledged: Vec::new(),
            sightings: Vec::new(),
        }
    }
}

/// All mailboxes that are in memory, the journal's state, and the staged part.
pub struct MailboxTable {
    pub(super) slots: HashMap<DeviceKey, Slot>,
    pub(super) rows: VecDeque<JournalRow>,
    pub(super) rows_size: usize,
    pub(super) seen: Seen,
    pub(super) settings: StoreSettings,
    next_row: i64,
    submissions: Vec<StagedSubmission>,
    acknowledgements: Vec<(Acknowledgement, Option<Arc<Mailbox>>)>,
    staged_row: Option<JournalRow>,
    /// What the slice that is being settled will have changed when it is committed.
    pub(super) slice: super::settle::Slice,
    pub(super) turn: Option<Turn>,
}

impl MailboxTable {
    /// Reads the journal back.
    pub(crate) fn recover(
        connection: &Connection,
        settings: StoreSettings,
    ) -> rusqlite::Result<Self> {
        let mut table = Self {
            slots: HashMap::new(),
            rows: VecDeque::new(),
            rows_size: 0,
            seen: Seen::open(connection)?,
            settings,
            next_row: 1,
            submissions: Vec::new(),
            acknowledgements: Vec::new(),
            staged_row: None,
            slice: super::settle::Slice::default(),
            turn: None,
        };
        journal::read(connection, |id, row, size| {
            table.recover_row(connection, id, row, size)
        })?;
        Ok(table)
    }

    fn recover_row(
        &mut self,
        connection: &Connection,
        id: i64,
        row: Row,
        size: usize,
    ) -> rusqlite::Result<()> {
        self.next_row = id.saturating_add(1);
        let mut known = JournalRow::new(id, size);
        for record in row.messages {
            let (message_id, sender) =
                page::decode_header(&record.header).ok_or_else(journal::damaged)?;
            let message = Arc::new(Message {
                id: message_id,
                sender,
                accepted_ms: record.accepted_ms,
                // A copy of its own, so that a small message does not keep a whole row in memory.
                shared: Bytes::copy_from_slice(&record.shared),
            });
            for entry in record.entries {
                let device = DeviceKey(entry.device);
                let key = seen::key(sender, message_id, device);
                known.sightings.push((key, record.accepted_ms));
                let Some(slot) = self.slot(connection, device)? else {
                    continue;
                };
                // Below: settled by a slice that was committed with the row's end still to come.
                if entry.sequence == slot.next {
                    slot.mailbox.append(Entry {
                        message: Arc::clone(&message),
                        own: Bytes::copy_from_slice(&entry.own),
                    });
                    slot.next = slot.next.saturating_add(1);
                    known.devices.push((device, entry.sequence));
                }
            }
        }
        for record in row.acknowledgements {
            let device = DeviceKey(record.device);
            if let Some(slot) = self.slot(connection, device)? {
                slot.mailbox.raise_floor(record.through);
                slot.floor = slot.mailbox.floor();
                known.acknowledged.push(device);
            }
        }
        for sighting in &known.sightings {
            self.seen.remember(*sighting);
        }
        self.rows_size = self.rows_size.saturating_add(size);
        self.rows.push_back(known);
        Ok(())
    }

    /// A device's slot, read from the database if it is not in memory; `None` if there is no such device.
    fn slot(
        &mut self,
        connection: &Connection,
        device: DeviceKey,
    ) -> rusqlite::Result<Option<&mut Slot>> {
        use std::collections::hash_map::Entry as Place;
        match self.slots.entry(device) {
            Place::Occupied(slot) => Ok(Some(slot.into_mut())),
            Place::Vacant(place) => {
                let stored = connection
                    .prepare_cached("SELECT last, floor, settled FROM queue WHERE device = ?1")?
                    .query_row(params![device.0], |row| {
                        Ok((
                            from_sql(row.get(0)?),
                            from_sql(row.get(1)?),
                            from_sql(row.get(2)?),
                        ))
                    })
                    .optional()?;
                Ok(stored.map(|(last, floor, settled)| {
                    place.insert(Slot {
                        mailbox: Arc::new(Mailbox::new(device, last, floor, settled)),
                        next: last.saturating_add(1),
                        floor,
                        stored: (last, floor),
                    })
                }))
            }
        }
    }

    /// Brings a mailbox into memory.
    pub(crate) fn open(
        &mut self,
        connection: &Connection,
        device: DeviceKey,
    ) -> Result<Option<Arc<Mailbox>>, StoreError> {
        let slot = self.slot(connection, device)?;
        Ok(slot.map(|slot| Arc::clone(&slot.mailbox)))
    }

    /// Stages a message.
    pub(crate) fn submit(
        &mut self,
        connection: &Connection,
        submission: Submission,
    ) -> Result<(), StoreError> {
        let known = self.earlier_tries(connection, &submission);
        let (known, mut result) = match known {
            Ok(known) => (known, Ok(())),
            Err(error) => (Vec::new(), Err(error.into())),
        };
        // One message is accepted once, whenever whichever device gets it: clients order by this time.
        let mut earlier = known.iter().filter_map(|(_, accepted_ms)| *accepted_ms);
        let message = Arc::new(Message {
            id: submission.id,
            sender: submission.sender,
            accepted_ms: earlier.find(|at| *at > 0).unwrap_or_else(now_ms),
            shared: submission.shared,
        });
        let mut staged = StagedSubmission {
            entries: Vec::with_capacity(submission.recipients.len()),
            keys: Vec::with_capacity(submission.recipients.len()),
            outcome: Outcome {
                accepted_ms: message.accepted_ms,
                stored: 0,
                refused: Vec::new(),
            },
            message,
            answer: submission.answer,
        };
        for (place, (recipient, known)) in submission.recipients.into_iter().zip(known).enumerate()
        {
            match self.stage_entry(connection, &mut staged, recipient, known) {
                Ok(None) => staged.outcome.stored = staged.outcome.stored.saturating_add(1),
                Ok(Some(refusal)) => staged.outcome.refused.push((place, refusal)),
                Err(error) => {
                    result = Err(error.into());
                    break;
                }
            }
        }
        // Staged even if it failed, so that `discard` answers it and takes its numbers back.
        self.submissions.push(staged);
        result
    }

    /// For each recipient: when an earlier try was accepted.
    fn earlier_tries(
        &self,
        connection: &Connection,
        submission: &Submission,
    ) -> rusqlite::Result<Vec<(SeenKey, Option<u64>)>> {
        let recipients = submission.recipients.iter();
        recipients
            .map(|recipient| {
                let key = seen::key(submission.sender, submission.id, recipient.device);
                Ok((key, self.seen.accepted(connection, &key)?))
            })
            .collect()
    }

    fn stage_entry(
        &mut self,
        connection: &Connection,
        staged: &mut StagedSubmission,
        recipient: super::Recipient,
        (key, earlier): (SeenKey, Option<u64>),
    ) -> rusqlite::Result<Option<Refusal>> {
        if earlier.is_some() {
            return Ok(None);
        }
        let device = recipient.device;
        let most = if recipient.stranger {
            self.settings.stranger_messages
        } else {
            self.settings.queue_messages
        };
        let Some(slot) = self.slot(connection, device)? else {
            return Ok(Some(Refusal::Gone));
        };
        let waiting = slot.next.saturating_sub(1).saturating_sub(slot.floor);
        if waiting >= most {
            return Ok(Some(Refusal::Full));
        }
        let sequence = slot.next;
        slot.next = slot.next.saturating_add(1);
        staged
            .entries
            .push((Arc::clone(&slot.mailbox), sequence, recipient.own));
        staged.keys.push(key);
        self.seen.remember((key, staged.message.accepted_ms));
        Ok(None)
    }

    /// Stages an acknowledgement. One that says nothing new is answered with the others.
    pub(crate) fn acknowledge(
        &mut self,
        connection: &Connection,
        acknowledgement: Acknowledgement,
    ) -> Result<(), StoreError> {
        let slot = match self.slot(connection, acknowledgement.device) {
            Ok(slot) => slot,
            Err(error) => {
                let error = StoreError::from(error);
                acknowledgement.refuse(error.clone());
                return Err(error);
            }
        };
        let raised = slot.and_then(|slot| {
            let last = slot.next.saturating_sub(1);
            let through = acknowledgement.through.min(last);
            let raises = through > slot.floor;
            slot.floor = slot.floor.max(through);
            raises.then(|| Arc::clone(&slot.mailbox))
        });
        self.acknowledgements.push((acknowledgement, raised));
        Ok(())
    }

    /// Writes what is staged as one journal row, inside the transaction.
    pub(crate) fn write_journal(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut row = Row::default();
        let mut known = JournalRow::new(self.next_row, 0);
        for staged in self
            .submissions
            .iter()
            .filter(|staged| !staged.entries.is_empty())
        {
            let message = &staged.message;
            row.messages.push(MessageRecord {
                header: page::encode_header(message.id, message.sender).into(),
                accepted_ms: message.accepted_ms,
                shared: message.shared.clone(),
                entries: staged
                    .entries
                    .iter()
                    .map(|(mailbox, sequence, own)| EntryRecord {
                        device: mailbox.device().0,
                        sequence: *sequence,
                        own: own.clone(),
                    })
                    .collect(),
            });
            known.devices.extend(
                staged
                    .entries
                    .iter()
                    .map(|(mailbox, sequence, _)| (mailbox.device(), *sequence)),
            );
            let keys = staged.keys.iter();
            known
                .sightings
                .extend(keys.map(|key| (*key, message.accepted_ms)));
        }
        for (acknowledgement, raised) in &self.acknowledgements {
            if raised.is_some() {
                row.acknowledgements.push(AcknowledgementRecord {
                    device: acknowledgement.device.0,
                    through: acknowledgement.through,
                });
                known.acknowledged.push(acknowledgement.device);
            }
        }
        if !row.is_empty() {
            known.size = row.write(connection, known.id)?;
            self.staged_row = Some(known);
        }
        Ok(())
    }

    /// The commit is durable: shows what was staged, and answers.
    pub(crate) fn publish(&mut self) {
        if let Some(row) = self.staged_row.take() {
            self.next_row = row.id.saturating_add(1);
            self.rows_size = self.rows_size.saturating_add(row.size);
            self.rows.push_back(row);
        }
        for staged in self.submissions.drain(..) {
            for (mailbox, _, own) in staged.entries {
                mailbox.append(Entry {
                    message: Arc::clone(&staged.message),
                    own,
                });
            }
            (staged.answer)(Ok(staged.outcome));
        }
        for (acknowledgement, raised) in self.acknowledgements.drain(..) {
            if let Some(mailbox) = raised {
                mailbox.raise_floor(acknowledgement.through);
            }
            (acknowledgement.answer)(Ok(()));
        }
    }

    /// The commit failed: takes everything staged back, and answers.
    pub(crate) fn discard(&mut self, error: &StoreError) {
        self.staged_row = None;
        for staged in self.submissions.drain(..) {
            for (mailbox, _, _) in &staged.entries {
                if let Some(slot) = self.slots.get_mut(&mailbox.device()) {
                    slot.reset();
                }
            }
            for key in &staged.keys {
                self.seen.forget(key);
            }
            (staged.answer)(Err(error.clone()));
        }
        for (acknowledgement, _) in self.acknowledgements.drain(..) {
            if let Some(slot) = self.slots.get_mut(&acknowledgement.device) {
                slot.reset();
            }
            acknowledgement.refuse(error.clone());
        }
    }

    /// Devices were removed from the database: tells their connections why, and forgets them.
    pub(crate) fn forget(&mut self, devices: &[DeviceKey], why: CloseReason) {
        for device in devices {
            if let Some(slot) = self.slots.remove(device) {
                slot.mailbox.end(why);
            }
        }
    }
}
