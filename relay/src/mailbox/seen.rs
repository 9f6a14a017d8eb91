//! Recognising repeats: hashes of (sender, message id, device), for 30 days at least.
//!
//! Two tables, a newer and an older generation of 30 days each: forgetting is emptying a table. What the
//! journal still holds is in memory.

use std::collections::HashMap;

use hushpost_wire::{DeviceAddress, MessageId};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::DeviceKey;
use crate::store::{from_sql, to_sql};

/// How long one generation is the newer one, milliseconds.
const GENERATION_MS: u64 = 30 * 24 * 3600 * 1000;

/// A hash of (sender, message id, device). 128 bits: a chance collision would lose a message.
pub(super) type SeenKey = [u8; 16];

/// A key, and when its message was accepted, milliseconds since the Unix epoch.
pub(super) type Sighting = (SeenKey, u64);

pub(super) struct Seen {
    recent: HashMap<SeenKey, u64>,
    newer: Generation,
    since_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    A,
    B,
}

impl Generation {
    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    const fn insert(self) -> &'static str {
        match self {
            Self::A => "INSERT OR IGNORE INTO seen_a (key, accepted_ms) VALUES (?1, ?2)",
            Self::B => "INSERT OR IGNORE INTO seen_b (key, accepted_ms) VALUES (?1, ?2)",
        }
    }
}

/// The key of a message for a device.
pub(super) fn key(sender: Option<DeviceAddress>, id: MessageId, device: DeviceKey) -> SeenKey {
    let mut hash = Sha256::new();
    hash.update(id.as_bytes());
    hash.update(device.0.to_be_bytes());
    if let Some(sender) = sender {
        hash.update(sender.account.as_bytes());
        hash.update([sender.device.get()]);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut key = [0; 16];
    for (slot, byte) in key.iter_mut().zip(hash) {
        *slot = byte;
    }
    key
}

impl Seen {
    pub(super) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let state = |key| {
            connection
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                    row.get::<_, i64>(0)
                })
                .or_else(|error| match error {
                    rusqlite::Error::QueryReturnedNoRows => Ok(0),
                    error => Err(error),
                })
        };
        Ok(Self {
            recent: HashMap::new(),
            newer: if state("seen_newer")? == 0 {
                Generation::A
            } else {
                Generation::B
            },
            since_ms: from_sql(state("seen_since")?),
        })
    }

    /// When the message was accepted, if it was; 0 if that is not known any more.
    pub(super) fn accepted(
        &self,
        connection: &Connection,
        key: &SeenKey,
    ) -> rusqlite::Result<Option<u64>> {
        if let Some(accepted_ms) = self.recent.get(key) {
            return Ok(Some(*accepted_ms));
        }
        let found: Option<i64> = connection
            .prepare_cached(
                "SELECT coalesce((SELECT accepted_ms FROM seen_a WHERE key = ?1),
                                 (SELECT accepted_ms FROM seen_b WHERE key = ?1))",
            )?
            .query_row(params![key], |row| row.get(0))?;
        Ok(found.map(from_sql))
    }

    pub(super) fn remember(&mut self, (key, accepted_ms): Sighting) {
        self.recent.insert(key, accepted_ms);
    }

    pub(super) fn forget(&mut self, key: &SeenKey) {
        self.recent.remove(key);
    }

    /// Writes keys to the newer generation, sorted, so that neighbours share a page.
    pub(super) fn settle(
        &self,
        connection: &Connection,
        sightings: &mut [Sighting],
    ) -> rusqlite::Result<()> {
        sightings.sort_unstable();
        let mut insert = connection.prepare_cached(self.newer.insert())?;
        for (key, accepted_ms) in sightings.iter() {
            insert.execute(params![key, to_sql(*accepted_ms)])?;
        }
        Ok(())
    }

    /// Starts a new generation if the newer one is old enough, emptying the older one. To be confirmed by
    /// [`turned`](Self::turned) when the transaction is committed.
    pub(super) fn turn(
        &self,
        connection: &Connection,
        now_ms: u64,
    ) -> rusqlite::Result<Option<Turn>> {
        let write = |key, value: i64| {
            connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
                params![key, value],
            )
        };
        let newer = if self.since_ms == 0 {
            self.newer
        } else if now_ms.saturating_sub(self.since_ms) < GENERATION_MS {
            return Ok(None);
        } else {
            let older = self.newer.other();
            connection.execute_batch(match older {
                Generation::A => "DELETE FROM seen_a",
                Generation::B => "DELETE FROM seen_b",
            })?;
            older
        };
        write("seen_newer", i64::from(newer == Generation::B))?;
        write("seen_since", to_sql(now_ms))?;
        Ok(Some(Turn(newer, now_ms)))
    }

    /// The turn is durable.
    pub(super) fn turned(&mut self, turn: Turn) {
        self.newer = turn.0;
        self.since_ms = turn.1;
    }
}

/// A new generation and its beginning.
#[derive(Clone, Copy)]
pub(super) struct Turn(Generation, u64);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_is_remembered_for_a_whole_generation_and_forgotten_after_two() {
        let connection = crate::store::schema::in_memory();
        let mut seen = Seen::open(&connection).unwrap();
        let turn = |seen: &mut Seen, now| {
            let turn = seen.turn(&connection, now).unwrap().unwrap();
            seen.turned(turn);
        };
        let start = 1_764_000_000_000;
        turn(&mut seen, start);
        assert!(seen.turn(&connection, start + 1).unwrap().is_none());
        seen.settle(&connection, &mut [([1; 16], 17)]).unwrap();
        assert_eq!(seen.accepted(&connection, &[1; 16]).unwrap(), Some(17));

        turn(&mut seen, start + GENERATION_MS);
        seen.settle(&connection, &mut [([2; 16], 18)]).unwrap();
        // As after a restart.
        let mut seen = Seen::open(&connection).unwrap();
        assert_eq!(seen.accepted(&connection, &[1; 16]).unwrap(), Some(17));

        turn(&mut seen, start + 2 * GENERATION_MS);
        assert_eq!(seen.accepted(&connection, &[1; 16]).unwrap(), None);
        assert_eq!(seen.accepted(&connection, &[2; 16]).unwrap(), Some(18));
    }

    #[test]
    fn sender_id_and_device_each_make_another_key() {
        let id = |byte| MessageId::from_slice(&[byte; 16]).unwrap();
        let sender = |byte, device| {
            Some(DeviceAddress {
                account: hushpost_wire::AccountId::of_key(&[byte; 32]),
                device: hushpost_wire::DeviceId::new(device).unwrap(),
            })
        };
        let keys = [
            key(None, id(1), DeviceKey(1)),
            key(None, id(2), DeviceKey(1)),
            key(None, id(1), DeviceKey(2)),
            key(sender(1, 1), id(1), DeviceKey(1)),
            key(sender(2, 1), id(1), DeviceKey(1)),
            key(sender(1, 2), id(1), DeviceKey(1)),
        ];
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
    }
}
