//! Another member's chains in a distribution, as far as it has introduced them to us.

use core::fmt;
use std::collections::VecDeque;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::{
    ChainId, DistributionId, GroupMessageKeys, SenderKeyDistributionMessage, SenderKeyMessage,
};
use crate::cipher;
use crate::curve::PublicKey;
use crate::curve::xeddsa::VerifyingPoint;
use crate::encoding::{Kind, Reader, Writer};
use crate::error::{Error, KeyRole, Result};
use crate::ratchet::{self, ChainKey, SkippedKeys};
use crate::secret::Secret;

/// How many chains of one sender are kept, newest first: messages on a chain just replaced may still
/// be under way.
pub const MAX_SENDER_KEY_STATES: usize = 5;

const ENCODING_VERSION: u8 = 1;

/// What we hold of one sender device in one distribution. Keep one for each pair, and accept a
/// distribution message for it only over that device's own session.
pub struct InboundSenderKey {
    distribution_id: DistributionId,
    /// Newest first; boxed, so that reordering leaves no copies of keys behind.
    states: VecDeque<Box<SenderKeyState>>,
}

/// One chain.
pub(crate) struct SenderKeyState {
    chain_id: ChainId,
    signing_key: PublicKey,
    /// Unpacked at the first verification, which it makes a fifth faster for the rest.
    verifying_point: OnceLock<Option<VerifyingPoint>>,
    chain: ChainKey,
    skipped: SkippedKeys,
}

impl InboundSenderKey {
    /// Knows no chain yet.
    #[must_use]
    pub const fn new(distribution_id: DistributionId) -> Self {
        Self {
            distribution_id,
            states: VecDeque::new(),
        }
    }

    /// Takes a distribution message in. A chain that is already known under the same signing key
    /// keeps its point, so a repeat can neither rewind it nor skip ahead.
    ///
    /// # Errors
    /// [`Error::NoSenderKey`] if the message belongs to another distribution.
    pub fn process(&mut self, message: &SenderKeyDistributionMessage) -> Result<()> {
        if message.distribution_id != self.distribution_id {
            return Err(Error::NoSenderKey);
        }
        let known = self
            .states
            .iter()
            .position(|state| state.chain_id == message.chain_id)
            .and_then(|index| self.states.remove(index));
        let state = match known {
            Some(state) if state.signing_key == message.signing_key => state,
            // Another signing key under the same id is another chain, which takes the place.
            _ => Box::new(SenderKeyState::new(
                message.chain_id,
                message.signing_key,
                ChainKey::new(Secret::new(message.chain_key), message.iteration),
                SkippedKeys::default(),
            )),
        };
        self.states
            .truncate(MAX_SENDER_KEY_STATES.saturating_sub(1));
        self.states.push_front(state);
        Ok(())
    }

    /// Verifies and decrypts a message of this sender.
    ///
    /// # Errors
    /// [`Error::NoSenderKey`] for another distribution or an unknown chain,
    /// [`Error::InvalidSignature`] if the sender did not sign it, [`Error::DuplicateMessage`] for a
    /// repeat, [`Error::TooFarAhead`], [`Error::InvalidMessage`].
    pub fn decrypt(&mut self, message: &SenderKeyMessage) -> Result<Vec<u8>> {
        if message.distribution_id() != self.distribution_id {
            return Err(Error::NoSenderKey);
        }
        self.states
            .iter_mut()
            .find(|state| state.chain_id == message.chain_id())
            .ok_or(Error::NoSenderKey)?
            .decrypt(message)
    }

    /// The distribution the chains belong to.
    #[must_use]
    pub const fn distribution_id(&self) -> DistributionId {
        self.distribution_id
    }

    /// How many chains are known.
    #[must_use]
    pub fn chain_count(&self) -> usize {
        self.states.len()
    }

    /// Rebuilds from states, newest first.
    pub(crate) fn from_states(
        distribution_id: DistributionId,
        states: VecDeque<Box<SenderKeyState>>,
    ) -> Result<Self> {
        if states.len() > MAX_SENDER_KEY_STATES {
            return Err(Error::InvalidState);
        }
        Ok(Self {
            distribution_id,
            states,
        })
    }

    /// The stored form: about 80 bytes a chain and 34 to 38 a skipped message, in a buffer that is
    /// wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let capacity = self
            .states
            .iter()
            .map(|state| state.skipped.encoded_len_bound().saturating_add(80))
            .fold(32, usize::saturating_add);
        let mut writer = Writer::new(Kind::InboundSenderKey, ENCODING_VERSION, capacity);
        writer.bytes(self.distribution_id.0.as_bytes());
        writer.count(self.states.len());
        for state in &self.states {
            writer.varint(state.chain_id.0.into());
            writer.public_key(&state.signing_key);
            state.chain.write(&mut writer);
            state.skipped.write(&mut writer);
        }
        writer.finish()
    }

    /// Reads [`InboundSenderKey::encode`]'s form.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::of_version(Kind::InboundSenderKey, ENCODING_VERSION, bytes)?;
        let distribution_id = DistributionId(uuid::Uuid::from_bytes(reader.array()?));
        let count = reader.count(MAX_SENDER_KEY_STATES)?;
        let mut states = VecDeque::with_capacity(MAX_SENDER_KEY_STATES);
        for _ in 0..count {
            states.push_back(Box::new(SenderKeyState::new(
                ChainId(reader.u32()?),
                reader.public_key()?,
                ChainKey::read(&mut reader)?,
                SkippedKeys::read(&mut reader)?,
            )));
        }
        reader.finish()?;
        Self::from_states(distribution_id, states)
    }
}

impl SenderKeyState {
    pub(crate) const fn new(
        chain_id: ChainId,
        signing_key: PublicKey,
        chain: ChainKey,
        skipped: SkippedKeys,
    ) -> Self {
        Self {
            chain_id,
            signing_key,
            verifying_point: OnceLock::new(),
            chain,
            skipped,
        }
    }

    /// Signature first, then the chain on the side, then decryption; only then does the state move.
    fn decrypt(&mut self, message: &SenderKeyMessage) -> Result<Vec<u8>> {
        let (content, signature) = message.signed_parts()?;
        let genuine = self
            .verifying_point
            .get_or_init(|| VerifyingPoint::new(&self.signing_key))
            .as_ref()
            .is_some_and(|point| point.verify(&[content], signature));
        if !genuine {
            return Err(Error::InvalidSignature(KeyRole::SenderKey));
        }
        if message.iteration() < self.chain.index() {
            let (position, key) = self
                .skipped
                .find(message.iteration())
                .ok_or(Error::DuplicateMessage)?;
            let seed = key.as_seed().ok_or(Error::InvalidState)?;
            let keys = GroupMessageKeys::expand(seed);
            let plaintext = cipher::decrypt(&keys.cipher, &keys.iv, message.ciphertext())?;
            self.skipped.use_up(position);
            return Ok(plaintext);
        }
        let advance = ratchet::advance(&self.chain, message.iteration())?;
        let keys = GroupMessageKeys::expand(&advance.seed);
        let plaintext = cipher::decrypt(&keys.cipher, &keys.iv, message.ciphertext())?;
        self.chain = advance.next;
        self.skipped.append(advance.skipped);
        Ok(plaintext)
    }
}

impl fmt::Debug for InboundSenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundSenderKey")
            .field("distribution_id", &self.distribution_id)
            .field("chains", &self.states.len())
            .finish_non_exhaustive()
    }
}
