//! Keys of messages that have not arrived yet: bounded, ordered by index, wiped when they go.
//!
//! A sorted vector: appending is linear in the skip, looking up is a binary search, and every way out
//! (used, dropped for age, buffer grown) wipes the bytes it leaves behind.

use zeroize::Zeroize;

use super::{MAX_SKIPPED_KEYS, MessageKeys, MessageSeed};
use crate::encoding::{Reader, Writer};
use crate::error::{Error, Result};

/// The key of one message that was skipped.
pub(crate) struct SkippedKey {
    index: u32,
    key: Key,
}

enum Key {
    Seed(MessageSeed),
    /// Keys already derived: only in records imported from old versions of the official library.
    Derived(Box<MessageKeys>),
}

impl SkippedKey {
    pub(crate) const fn seed(index: u32, seed: MessageSeed) -> Self {
        Self {
            index,
            key: Key::Seed(seed),
        }
    }

    pub(crate) fn derived(index: u32, keys: MessageKeys) -> Self {
        Self {
            index,
            key: Key::Derived(Box::new(keys)),
        }
    }

    /// The message's keys.
    pub(crate) fn expand(&self, salt: Option<&[u8; 32]>) -> MessageKeys {
        match &self.key {
            Key::Seed(seed) => seed.expand(salt),
            Key::Derived(keys) => keys.duplicate(),
        }
    }

    /// The seed, where there is one: sender keys have nothing else.
    pub(crate) fn as_seed(&self) -> Option<&MessageSeed> {
        match &self.key {
            Key::Seed(seed) => Some(seed),
            Key::Derived(_) => None,
        }
    }
}

impl Zeroize for SkippedKey {
    fn zeroize(&mut self) {
        match &mut self.key {
            Key::Seed(seed) => seed.zeroize(),
            Key::Derived(keys) => keys.zeroize(),
        }
    }
}

/// At most [`MAX_SKIPPED_KEYS`] of them, ascending by index.
#[derive(Default)]
pub(crate) struct SkippedKeys(Vec<SkippedKey>);

impl SkippedKeys {
    /// Longest stored form of one key.
    const ENCODED_BOUND: usize = 5 + 1 + 80;

    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count.min(MAX_SKIPPED_KEYS)))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key of message `index` and its position.
    pub(crate) fn find(&self, index: u32) -> Option<(usize, &SkippedKey)> {
        let position = self.0.binary_search_by_key(&index, |key| key.index).ok()?;
        self.0.get(position).map(|key| (position, key))
    }

    /// Adds the key of a message later than all others here.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not later, or there is no room: callers that advance a chain
    /// keep both by construction, so only damaged stored state gets here.
    pub(crate) fn push(&mut self, key: SkippedKey) -> Result<()> {
        let later = self.0.last().is_none_or(|last| last.index < key.index);
        if !later || self.0.len() >= MAX_SKIPPED_KEYS {
            return Err(Error::InvalidState);
        }
        self.grow(1);
        self.0.push(key);
        Ok(())
    }

    /// Adds later keys, dropping the oldest beyond the bound.
    pub(crate) fn append(&mut self, mut later: Self) {
        let excess = self
            .len()
            .saturating_add(later.len())
            .saturating_sub(MAX_SKIPPED_KEYS);
        self.remove(0, excess.min(self.len()));
        if self.0.is_empty() {
            *self = later;
        } else {
            self.grow(later.len());
            self.0.append(&mut later.0);
        }
    }

    /// Removes the key at `position`, whose message has been read.
    pub(crate) fn use_up(&mut self, position: usize) {
        self.remove(position, 1);
    }

    fn remove(&mut self, position: usize, count: usize) {
        let Some(tail) = self.0.get_mut(position..) else {
            return;
        };
        let count = count.min(tail.len());
        tail.rotate_left(count);
        let kept = self.0.len().saturating_sub(count);
        for key in self.0.iter_mut().skip(kept) {
            key.zeroize();
        }
        self.0.truncate(kept);
    }

    /// Makes room without leaving a copy in the old buffer.
    fn grow(&mut self, additional: usize) {
        let needed = self.0.len().saturating_add(additional);
        if needed <= self.0.capacity() {
            return;
        }
        let capacity = needed
            .max(self.0.len().saturating_mul(2))
            .min(MAX_SKIPPED_KEYS)
            .max(needed);
        let mut roomier = Vec::with_capacity(capacity);
        roomier.extend(self.0.iter_mut().map(SkippedKey::take));
        self.0 = roomier;
    }

    pub(crate) fn clear(&mut self) {
        self.remove(0, self.0.len());
    }

    pub(crate) fn encoded_len_bound(&self) -> usize {
        self.0
            .len()
            .saturating_mul(Self::ENCODED_BOUND)
            .saturating_add(10)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for key in &self.0 {
            writer.varint(key.index.into());
            match &key.key {
                Key::Seed(seed) => {
                    writer.byte(0);
                    writer.bytes(seed.as_bytes());
                }
                Key::Derived(keys) => {
                    writer.byte(1);
                    writer.bytes(keys.cipher.as_slice());
                    writer.bytes(keys.mac.as_slice());
                    writer.bytes(keys.iv.as_slice());
                }
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.count(MAX_SKIPPED_KEYS)?;
        let mut keys = Self::with_capacity(count);
        for _ in 0..count {
            let index = reader.u32()?;
            let key = match reader.byte()? {
                0 => SkippedKey::seed(index, MessageSeed::new(reader.secret()?)),
                1 => SkippedKey::derived(
                    index,
                    MessageKeys {
                        cipher: reader.secret()?,
                        mac: reader.secret()?,
                        iv: reader.secret()?,
                    },
                ),
                _ => return Err(Error::InvalidState),
            };
            keys.push(key)?;
        }
        Ok(keys)
    }
}

impl SkippedKey {
    /// Moves the key out and wipes where it was.
    fn take(&mut self) -> Self {
        let key = match &mut self.key {
            Key::Seed(seed) => Key::Seed(seed.duplicate()),
            Key::Derived(keys) => Key::Derived(Box::new(keys.duplicate())),
        };
        self.zeroize();
        Self {
            index: self.index,
            key,
        }
    }
}

impl Zeroize for SkippedKeys {
    fn zeroize(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn keys(indices: impl IntoIterator<Item = u32>) -> SkippedKeys {
        let mut keys = SkippedKeys::default();
        for index in indices {
            let seed = MessageSeed::new(Secret::new([u8::try_from(index % 251).unwrap(); 32]));
            keys.push(SkippedKey::seed(index, seed)).unwrap();
        }
        keys
    }

    #[test]
    fn the_oldest_keys_go_first() {
        let mut held = keys(0..1_500);
        held.append(keys(1_600..2_500));
        assert_eq!(held.len(), MAX_SKIPPED_KEYS);
        assert!(held.find(399).is_none());
        assert!(held.find(400).is_some());
        assert!(held.find(2_499).is_some());
    }

    #[test]
    fn a_used_key_is_gone_and_its_neighbours_stay() {
        let mut held = keys([3, 5, 9]);
        let (position, _) = held.find(5).unwrap();
        held.use_up(position);
        assert!(held.find(5).is_none());
        for index in [3, 9] {
            let (_, key) = held.find(index).unwrap();
            let seed = key.as_seed().unwrap().as_bytes();
            assert_eq!(*seed, [u8::try_from(index).unwrap(); 32]);
        }
    }

    #[test]
    fn order_and_bound_are_enforced() {
        let mut held = keys([7]);
        for index in [6, 7] {
            let late = SkippedKey::seed(index, MessageSeed::new(Secret::zeroed()));
            assert_eq!(held.push(late), Err(Error::InvalidState));
        }
        let mut full = keys(0..2_000);
        let next = SkippedKey::seed(2_000, MessageSeed::new(Secret::zeroed()));
        assert_eq!(full.push(next), Err(Error::InvalidState));
    }
}
