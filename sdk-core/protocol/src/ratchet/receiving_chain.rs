//! One of the peer's sending chains, seen from here, with the keys of the messages it skipped.

use zeroize::Zeroize;

use super::{ChainKey, MAX_FORWARD_JUMP, MAX_SKIPPED_KEYS, MessageSeed, SkippedKey, SkippedKeys};
use crate::curve::PublicKey;
use crate::encoding::{Reader, Writer};
use crate::error::{Error, Result};

/// A chain named by the ratchet key it came with.
pub(crate) struct ReceivingChain {
    ratchet_key: PublicKey,
    chain: ChainKey,
    skipped: SkippedKeys,
}

/// A look ahead in a chain; the chain itself has not moved.
pub(crate) struct Advance {
    /// The seed of the message looked for.
    pub(crate) seed: MessageSeed,
    /// The chain after it.
    pub(crate) next: ChainKey,
    /// The keys of the messages before it.
    pub(crate) skipped: SkippedKeys,
}

impl ReceivingChain {
    pub(crate) fn new(ratchet_key: PublicKey, chain: ChainKey) -> Self {
        Self::with_skipped(ratchet_key, chain, SkippedKeys::default())
    }

    pub(crate) fn with_skipped(
        ratchet_key: PublicKey,
        chain: ChainKey,
        skipped: SkippedKeys,
    ) -> Self {
        Self {
            ratchet_key,
            chain,
            skipped,
        }
    }

    pub(crate) const fn ratchet_key(&self) -> &PublicKey {
        &self.ratchet_key
    }

    pub(crate) const fn next_index(&self) -> u32 {
        self.chain.index()
    }

    pub(crate) const fn skipped(&self) -> &SkippedKeys {
        &self.skipped
    }

    /// Computes what message `counter`, which is not behind the chain, needs.
    pub(crate) fn advance_to(&self, counter: u32) -> Result<Advance> {
        advance(&self.chain, counter)
    }

    pub(crate) fn commit_advance(&mut self, next: ChainKey, skipped: SkippedKeys) {
        self.chain = next;
        if skipped.len() > 0 {
            self.skipped.append(skipped);
        }
    }

    pub(crate) fn use_skipped(&mut self, position: usize) {
        self.skipped.use_up(position);
    }

    pub(crate) fn drop_skipped(&mut self) {
        self.skipped.clear();
    }

    pub(crate) fn encoded_len_bound(&self) -> usize {
        self.skipped
            .encoded_len_bound()
            .saturating_add(32 + ChainKey::ENCODED_BOUND)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.public_key(&self.ratchet_key);
        self.chain.write(writer);
        self.skipped.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            ratchet_key: reader.public_key()?,
            chain: ChainKey::read(reader)?,
            skipped: SkippedKeys::read(reader)?,
        })
    }
}

impl Zeroize for ReceivingChain {
    fn zeroize(&mut self) {
        self.chain.zeroize();
        self.skipped.zeroize();
    }
}

/// Walks from `chain` to message `counter`: at most [`MAX_FORWARD_JUMP`] steps, of which the last
/// [`MAX_SKIPPED_KEYS`] leave a key behind. Shared by sessions and sender keys.
pub(crate) fn advance(chain: &ChainKey, counter: u32) -> Result<Advance> {
    let jump = counter.saturating_sub(chain.index());
    if jump > MAX_FORWARD_JUMP {
        return Err(Error::TooFarAhead);
    }
    let jump = usize::try_from(jump).map_err(|_| Error::TooFarAhead)?;
    let mut skipped = SkippedKeys::with_capacity(jump);
    let mut walked = chain.duplicate();
    for _ in MAX_SKIPPED_KEYS..jump {
        walked = walked.pass()?;
    }
    while walked.index() < counter {
        let index = walked.index();
        let (seed, next) = walked.step()?;
        skipped.push(SkippedKey::seed(index, seed))?;
        walked = next;
    }
    let (seed, next) = walked.step()?;
    Ok(Advance {
        seed,
        next,
        skipped,
    })
}
