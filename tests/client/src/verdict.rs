//! What must hold whatever happened, checked by machine.
//!
//! - **Nothing lost, nothing twice, one order**: [`Verdict`] compares what was sent with what each side shows.
//! - **Nothing shown twice**: an [`EventLog`] outlives the process that writes it; no message is added to it
//!   twice over the device's whole life.
//! - **No key used twice**: [`KeyUse`] reads the ratchet key and the counter of every ciphertext that passed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hushpost::{AccountId, MessageId, MessageRef};
use hushpost_protocol::{MessageType, PreKeySignalMessage, SignalMessage};

/// What was sent, and what is shown.
#[derive(Debug, Default)]
pub struct Verdict {
    sent: Vec<(String, Vec<MessageRef>)>,
    shown: Vec<(String, Vec<MessageRef>)>,
}

impl Verdict {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Somebody sent these, in this order.
    #[must_use]
    pub fn sent(mut self, who: &str, messages: impl IntoIterator<Item = MessageRef>) -> Self {
        self.sent
            .push((who.to_owned(), messages.into_iter().collect()));
        self
    }

    /// Somebody is shown these, in this order.
    #[must_use]
    pub fn shown(mut self, who: &str, messages: impl IntoIterator<Item = MessageRef>) -> Self {
        self.shown
            .push((who.to_owned(), messages.into_iter().collect()));
        self
    }

    /// Everything that is wrong, one line each; empty if nothing is.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let all: BTreeSet<MessageRef> = self
            .sent
            .iter()
            .flat_map(|(_, messages)| messages.iter().copied())
            .collect();
        for (who, shown) in &self.shown {
            let mut seen = BTreeSet::new();
            for message in shown {
                if !seen.insert(*message) {
                    faults.push(format!("{who} is shown {} twice", name(*message)));
                }
                if !all.contains(message) {
                    let name = name(*message);
                    faults.push(format!("{who} is shown {name}, which nobody sent"));
                }
            }
            for (sender, sent) in &self.sent {
                for (number, message) in sent.iter().enumerate() {
                    if !seen.contains(message) {
                        faults.push(format!("{who} misses number {number} of {sender}"));
                    }
                }
                let sent_set: BTreeSet<MessageRef> = sent.iter().copied().collect();
                let theirs = shown.iter().filter(|message| sent_set.contains(message));
                let expected = sent.iter().filter(|message| seen.contains(message));
                if !theirs.eq(expected) {
                    faults.push(format!("{who} is shown {sender}'s in another order"));
                }
            }
        }
        for (one, other) in self.shown.iter().zip(self.shown.iter().skip(1)) {
            if one.1 != other.1 {
                faults.push(format!("{} and {} see different histories", one.0, other.0));
            }
        }
        faults
    }

    /// Fails the test if anything is wrong.
    ///
    /// # Panics
    /// With all that is wrong, and `context`.
    pub fn check(&self, context: &str) {
        let faults = self.faults();
        let number = faults.len();
        assert!(
            faults.is_empty(),
            "{context}: {number} faults: {}",
            faults.join("; ")
        );
    }
}

fn name(message: MessageRef) -> String {
    format!("{:032x}", u128::from_be_bytes(*message.id.as_bytes()))
}

/// What a device's app was told, in a file that outlives its process.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: File,
}

impl EventLog {
    /// Opens the log, or makes it.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Notes that a message was added. One write: a process that dies leaves a whole line or none.
    ///
    /// # Errors
    /// The file system's.
    pub fn added(&mut self, message: MessageRef) -> io::Result<()> {
        let line = format!("{} {}\n", message.sender, name(message));
        self.file.write_all(line.as_bytes())
    }

    /// All that was added over the device's life.
    ///
    /// # Errors
    /// The file system's, and a line that is none.
    pub fn read(&self) -> io::Result<Vec<MessageRef>> {
        let content = std::fs::read_to_string(&self.path)?;
        let bad = || io::Error::from(io::ErrorKind::InvalidData);
        let parse = |line: &str| -> io::Result<MessageRef> {
            let (sender, id) = line.split_once(' ').ok_or_else(bad)?;
            let id = u128::from_str_radix(id, 16).map_err(|_| bad())?;
            Ok(MessageRef {
                sender: sender.parse::<AccountId>().map_err(|_| bad())?,
                id: MessageId::from_slice(&id.to_be_bytes()).map_err(|_| bad())?,
            })
        };
        content.lines().map(parse).collect()
    }

    /// Messages that were added more than once.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn twice(&self) -> io::Result<Vec<MessageRef>> {
        let mut seen = BTreeSet::new();
        let added = self.read()?.into_iter();
        Ok(added.filter(|message| !seen.insert(*message)).collect())
    }
}

/// Which message keys were used to encrypt what.
#[derive(Debug, Default)]
pub struct KeyUse {
    used: BTreeMap<(Vec<u8>, u32), Vec<u8>>,
    twice: usize,
    unreadable: usize,
}

impl KeyUse {
    /// Takes note of an envelope. The same bytes again are a repeat, not another use of the key.
    pub fn note(&mut self, envelope: &[u8]) {
        let Some((key, counter, message)) = opened(envelope) else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        match self.used.get(&(key.clone(), counter)) {
            Some(before) if *before != message => self.twice = self.twice.saturating_add(1),
            _ => {
                self.used.insert((key, counter), message);
            }
        }
    }

    /// Takes note of many.
    #[must_use]
    pub fn of<'a>(envelopes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut all = Self::default();
        for envelope in envelopes {
            all.note(envelope);
        }
        all
    }

    /// How many keys were used.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.used.len()
    }

    /// Fails the test if a key encrypted two things, or if an envelope could not be read.
    ///
    /// # Panics
    /// Then.
    pub fn check(&self, context: &str) {
        assert_eq!(self.twice, 0, "{context}: keys that encrypted two messages");
        assert_eq!(self.unreadable, 0, "{context}: envelopes nobody can read");
    }
}

/// Ratchet key, counter and ciphertext. What starts a session repeats its header around every message until
/// it is answered; the key is used for what is inside.
fn opened(envelope: &[u8]) -> Option<(Vec<u8>, u32, Vec<u8>)> {
    let ([_version, kind, length @ ..], rest) = envelope.split_first_chunk::<5>()?;
    let [high, middle, low] = *length;
    let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
    let message = rest.get(..length)?;
    let inner = |message: &SignalMessage| {
        let key = message.ratchet_key().to_bytes().to_vec();
        (key, message.counter(), message.as_bytes().to_vec())
    };
    match MessageType::from_number(*kind).ok()? {
        MessageType::Signal => Some(inner(&SignalMessage::from_bytes(message).ok()?)),
        MessageType::PreKey => {
            let message = PreKeySignalMessage::from_bytes(message).ok()?;
            Some(inner(message.message()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8) -> MessageRef {
        MessageRef {
            sender: AccountId::of_key(&[number % 2; 32]),
            id: MessageId::from_slice(&[number; 16]).unwrap(),
        }
    }

    fn faults(shown: &[u8], other: &[u8]) -> usize {
        Verdict::new()
            .sent("alice", [1, 3, 5].map(message))
            .sent("bob", [2, 4].map(message))
            .shown("alice", shown.iter().copied().map(message))
            .shown("bob", other.iter().copied().map(message))
            .faults()
            .len()
    }

    #[test]
    fn each_fault_is_seen() {
        let good = [1, 2, 3, 4, 5];
        assert_eq!(faults(&good, &good), 0);
        // Lost on one side: missing, and the histories differ.
        assert_eq!(faults(&good, &[1, 2, 3, 4]), 2);
        // Twice on both: twice, and not in the order of sending.
        assert_eq!(faults(&[1, 2, 2, 3, 4, 5], &[1, 2, 2, 3, 4, 5]), 4);
        // The sender's order is broken on both.
        assert_eq!(faults(&[3, 1, 2, 4, 5], &[3, 1, 2, 4, 5]), 2);
        // Only the interleaving differs.
        assert_eq!(faults(&good, &[2, 1, 3, 4, 5]), 1);
        // Made up.
        assert_eq!(faults(&[1, 2, 3, 4, 5, 7], &[1, 2, 3, 4, 5, 7]), 2);
    }

    #[test]
    fn a_log_tells_what_came_twice_across_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        for number in [1, 2] {
            EventLog::open(&path)
                .unwrap()
                .added(message(number))
                .unwrap();
        }
        assert!(EventLog::open(&path).unwrap().twice().unwrap().is_empty());
        EventLog::open(&path).unwrap().added(message(1)).unwrap();
        let log = EventLog::open(&path).unwrap();
        assert_eq!(log.read().unwrap(), [1, 2, 1].map(message));
        assert_eq!(log.twice().unwrap(), [message(1)]);
    }

    #[test]
    fn what_is_no_envelope_is_counted() {
        let keys = KeyUse::of([&[1, 2, 0, 0, 3, 1][..], &[]]);
        assert_eq!((keys.keys(), keys.unreadable), (0, 2));
    }
}
