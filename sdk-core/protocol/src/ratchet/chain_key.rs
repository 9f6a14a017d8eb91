//! A chain key: one step a message, forward only.

use zeroize::Zeroize;

use super::MessageSeed;
use crate::encoding::{Reader, Writer};
use crate::error::{Error, Result};
use crate::hmac_block::{ByteInput, HmacKey};
use crate::secret::Secret;

static MESSAGE: ByteInput = ByteInput::new(0x01);
static NEXT: ByteInput = ByteInput::new(0x02);

/// The key of a chain and the index of the next message in it. Wiped on drop.
pub(crate) struct ChainKey {
    key: Secret<32>,
    index: u32,
}

impl ChainKey {
    /// Longest stored form.
    pub(crate) const ENCODED_BOUND: usize = 32 + 5;

    pub(crate) const fn new(key: Secret<32>, index: u32) -> Self {
        Self { key, index }
    }

    /// Index of the message that the next step makes a key for.
    pub(crate) const fn index(&self) -> u32 {
        self.index
    }

    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// `KDF_CK` (Double Ratchet §3.1): this message's seed and the next chain key.
    pub(crate) fn step(&self) -> Result<(MessageSeed, Self)> {
        let index = self.next_index()?;
        let (seed, next) = HmacKey::new(&self.key).tag_pair(&MESSAGE, &NEXT);
        Ok((MessageSeed::new(seed), Self::new(next, index)))
    }

    /// The next chain key alone, for a message whose key will not be kept.
    pub(crate) fn pass(&self) -> Result<Self> {
        let index = self.next_index()?;
        let next = HmacKey::new(&self.key).tag_byte(&NEXT);
        Ok(Self::new(next, index))
    }

    fn next_index(&self) -> Result<u32> {
        self.index.checked_add(1).ok_or(Error::ChainExhausted)
    }

    /// A copy to walk ahead on; explicit, so that no secret is copied by accident.
    pub(crate) const fn duplicate(&self) -> Self {
        Self::new(self.key.duplicate(), self.index)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.bytes(self.key.as_slice());
        writer.varint(self.index.into());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self::new(reader.secret()?, reader.u32()?))
    }
}

impl Zeroize for ChainKey {
    fn zeroize(&mut self) {
        self.key.zeroize();
        self.index = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_with_an_error_and_never_wraps() {
        let mut chain = ChainKey::new(Secret::new([7; 32]), u32::MAX - 3);
        for _ in 0..3 {
            chain = chain.step().unwrap().1;
        }
        assert_eq!(chain.index(), u32::MAX);
        assert_eq!(chain.step().err(), Some(Error::ChainExhausted));
        assert_eq!(chain.pass().err(), Some(Error::ChainExhausted));
    }

    #[test]
    fn passing_and_stepping_meet() {
        let chain = ChainKey::new(Secret::new([7; 32]), 0);
        let (_, stepped) = chain.step().unwrap();
        assert_eq!(stepped.key(), chain.pass().unwrap().key());
    }
}
