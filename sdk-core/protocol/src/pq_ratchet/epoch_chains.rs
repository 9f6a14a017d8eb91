//! The symmetric side: each epoch secret opens a pair of chains, one a direction, whose keys become
//! the salts of the message keys.

use std::collections::VecDeque;

use super::Direction;
use crate::encoding::{Reader, Writer};
use crate::error::{Error, Result};
use crate::hkdf::{self, ZERO_SALT};
use crate::ratchet::{MAX_FORWARD_JUMP, MAX_SKIPPED_KEYS, MessageSeed, SkippedKey, SkippedKeys};
use crate::secret::Secret;

/// Two spaces, as deployed.
const LABEL_START: &[u8] = b"Signal PQ Ratchet V1 Chain  Start";
const LABEL_EPOCH: &[u8] = b"Signal PQ Ratchet V1 Chain Add Epoch";
const LABEL_NEXT: &[u8] = b"Signal PQ Ratchet V1 Chain Next";

/// Epochs kept before the one being sent in: messages of the last exchange may still be under way.
const EPOCHS_KEPT: u64 = 1;
/// The one being sent in, one before, and one the peer may be ahead by; one more in between.
const MAX_EPOCHS: usize = 4;

/// All chains that may still be needed.
pub(super) struct EpochChains {
    root: Secret<32>,
    /// Number of the first of `epochs`.
    first: u64,
    epochs: VecDeque<Box<Epoch>>,
}

struct Epoch {
    sending: Chain,
    receiving: Chain,
    skipped: SkippedKeys,
}

struct Chain {
    key: Secret<32>,
    /// How many keys it has given; the last one's index.
    count: u32,
}

/// A receiving chain's look ahead.
pub(super) struct Received {
    epoch: u64,
    found: Found,
    pub(super) key: Secret<32>,
}

enum Found {
    Skipped { position: usize },
    Ahead { chain: Chain, skipped: SkippedKeys },
}

impl EpochChains {
    pub(super) fn start(direction: Direction, initial: &[u8; 32]) -> Self {
        let (root, epoch) = open_epoch(direction, &ZERO_SALT, initial, LABEL_START);
        Self {
            root,
            first: 0,
            epochs: VecDeque::from([epoch]),
        }
    }

    /// Opens the next epoch's chains.
    pub(super) fn add_epoch(&mut self, direction: Direction, secret: &[u8; 32]) {
        let (root, epoch) = open_epoch(direction, &self.root, secret, LABEL_EPOCH);
        self.root = root;
        self.epochs.push_back(epoch);
        while self.epochs.len() > MAX_EPOCHS {
            self.epochs.pop_front();
            self.first = self.first.saturating_add(1);
        }
    }

    /// The next sending key of `epoch` and its index; forgets epochs no longer needed.
    pub(super) fn send(&mut self, epoch: u64) -> Result<(u32, Secret<32>)> {
        let chain = &mut self.epoch_mut(epoch)?.sending;
        let (next, key) = chain.step()?;
        let index = next.count;
        *chain = next;
        let oldest_kept = epoch.saturating_sub(EPOCHS_KEPT);
        while self.first < oldest_kept && self.epochs.len() > 1 {
            self.epochs.pop_front();
            self.first = self.first.saturating_add(1);
        }
        Ok((index, key))
    }

    /// Looks for key `index` of `epoch`. Changes nothing.
    pub(super) fn receive(&self, epoch: u64, index: u32) -> Result<Received> {
        let chains = self.epoch(epoch)?;
        let jump = match index.checked_sub(chains.receiving.count) {
            None | Some(0) => {
                let (position, key) = chains.skipped.find(index).ok_or(Error::DuplicateMessage)?;
                let seed = key.as_seed().ok_or(Error::InvalidState)?;
                return Ok(Received {
                    epoch,
                    found: Found::Skipped { position },
                    key: Secret::new(*seed.as_bytes()),
                });
            }
            Some(jump) if jump > MAX_FORWARD_JUMP => return Err(Error::TooFarAhead),
            Some(jump) => usize::try_from(jump).map_err(|_| Error::TooFarAhead)?,
        };
        let mut skipped = SkippedKeys::with_capacity(jump.saturating_sub(1));
        let (mut chain, mut key) = chains.receiving.step()?;
        for left in (1..jump).rev() {
            if left <= MAX_SKIPPED_KEYS {
                skipped.push(SkippedKey::seed(chain.count, MessageSeed::new(key)))?;
            }
            (chain, key) = chain.step()?;
        }
        Ok(Received {
            epoch,
            found: Found::Ahead { chain, skipped },
            key,
        })
    }

    /// Takes a look ahead for good.
    pub(super) fn commit(&mut self, received: Received) {
        let Ok(chains) = self.epoch_mut(received.epoch) else {
            return;
        };
        match received.found {
            Found::Skipped { position } => chains.skipped.use_up(position),
            Found::Ahead { chain, skipped } => {
                chains.receiving = chain;
                if skipped.len() > 0 {
                    chains.skipped.append(skipped);
                }
            }
        }
    }

    /// How many skipped keys all epochs hold.
    pub(super) fn skipped_len(&self) -> usize {
        self.epochs.iter().map(|epoch| epoch.skipped.len()).sum()
    }

    pub(super) fn drop_skipped(&mut self) {
        for epoch in &mut self.epochs {
            epoch.skipped.clear();
        }
    }

    /// An unknown epoch is one that was forgotten or has not been agreed on.
    fn position(&self, epoch: u64) -> Result<usize> {
        epoch
            .checked_sub(self.first)
            .and_then(|position| usize::try_from(position).ok())
            .ok_or(Error::InvalidMessage)
    }

    fn epoch(&self, epoch: u64) -> Result<&Epoch> {
        let position = self.position(epoch)?;
        self.epochs
            .get(position)
            .map(Box::as_ref)
            .ok_or(Error::InvalidMessage)
    }

    fn epoch_mut(&mut self, epoch: u64) -> Result<&mut Epoch> {
        let position = self.position(epoch)?;
        self.epochs
            .get_mut(position)
            .map(Box::as_mut)
            .ok_or(Error::InvalidMessage)
    }

    pub(super) fn encoded_len_bound(&self) -> usize {
        self.epochs
            .iter()
            .map(|epoch| epoch.skipped.encoded_len_bound().saturating_add(2 * 37))
            .fold(32 + 20, usize::saturating_add)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.bytes(self.root.as_slice());
        writer.varint(self.first);
        writer.count(self.epochs.len());
        for epoch in &self.epochs {
            epoch.sending.write(writer);
            epoch.receiving.write(writer);
            epoch.skipped.write(writer);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let root = reader.secret()?;
        let first = reader.varint()?;
        let count = reader.count(MAX_EPOCHS)?;
        let mut epochs = VecDeque::with_capacity(MAX_EPOCHS);
        for _ in 0..count {
            epochs.push_back(Box::new(Epoch {
                sending: Chain::read(reader)?,
                receiving: Chain::read(reader)?,
                skipped: SkippedKeys::read(reader)?,
            }));
        }
        Ok(Self {
            root,
            first,
            epochs,
        })
    }
}

impl Chain {
    /// The next key; its index is the new chain's count.
    fn step(&self) -> Result<(Self, Secret<32>)> {
        let count = self.count.checked_add(1).ok_or(Error::ChainExhausted)?;
        let mut label = [0; 4 + LABEL_NEXT.len()];
        let (number, text) = label.split_at_mut(4);
        number.copy_from_slice(&count.to_be_bytes());
        text.copy_from_slice(LABEL_NEXT);
        let okm = hkdf::derive_short::<64>(None, &self.key, &label);
        let key = Secret::part_of(okm.as_slice(), 0);
        let message_key = Secret::part_of(okm.as_slice(), 32);
        Ok((Self { key, count }, message_key))
    }

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.key.as_slice());
        writer.varint(self.count.into());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            key: reader.secret()?,
            count: reader.u32()?,
        })
    }
}

fn open_epoch(
    direction: Direction,
    salt: &[u8; 32],
    secret: &[u8; 32],
    label: &[u8],
) -> (Secret<32>, Box<Epoch>) {
    let okm = hkdf::derive::<96>(salt, secret, &[label]);
    let chain = |start| Chain {
        key: Secret::part_of(okm.as_slice(), start),
        count: 0,
    };
    let (initiators, responders) = (chain(32), chain(64));
    let (sending, receiving) = match direction {
        Direction::Initiator => (initiators, responders),
        Direction::Responder => (responders, initiators),
    };
    let epoch = Box::new(Epoch {
        sending,
        receiving,
        skipped: SkippedKeys::default(),
    });
    (Secret::part_of(okm.as_slice(), 0), epoch)
}
