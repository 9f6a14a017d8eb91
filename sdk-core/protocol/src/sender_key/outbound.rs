//! Our own chain in a distribution: encrypts, signs, and introduces itself.

use core::fmt;

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use super::{
    ChainId, DistributionId, GroupMessageKeys, SenderKeyDistributionMessage, SenderKeyMessage,
};
use crate::cipher;
use crate::curve::{PrivateKey, SigningKeyPair};
use crate::encoding::{Kind, Reader, Writer};
use crate::error::{Error, Result};
use crate::random;
use crate::ratchet::ChainKey;

const ENCODING_VERSION: u8 = 1;
const ENCODED_BOUND: usize = 2 + 16 + 5 + ChainKey::ENCODED_BOUND + 3 * 32;

/// Chain ids have 31 bits, for readers that take them for signed.
const CHAIN_ID_MASK: u32 = 0x7fff_ffff;

/// A sender's chain. Store it, before the message leaves, whenever it has encrypted.
pub struct OutboundSenderKey {
    pub(crate) distribution_id: DistributionId,
    pub(crate) chain_id: ChainId,
    pub(crate) chain: ChainKey,
    pub(crate) signing: SigningKeyPair,
}

impl OutboundSenderKey {
    /// Starts a chain.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails.
    pub fn generate(
        distribution_id: DistributionId,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self> {
        let chain_key = random::draw::<32>(rng)?;
        let id_source = random::draw::<32>(rng)?;
        if *chain_key == *id_source {
            // A generator that repeats itself would publish the chain key's bytes as the chain id.
            return Err(Error::Randomness);
        }
        let id = id_source
            .first_chunk::<4>()
            .copied()
            .map_or(0, u32::from_le_bytes);
        Ok(Self {
            distribution_id,
            chain_id: ChainId(id & CHAIN_ID_MASK),
            chain: ChainKey::new(chain_key, 0),
            signing: SigningKeyPair::generate(rng)?,
        })
    }

    /// Replaces the chain and its signing key: due whenever a member or a device leaves, and after
    /// so many messages or days as the application decides. Send the new
    /// [`distribution_message`](Self::distribution_message) to the remaining members first.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails; the old chain then stays.
    pub fn rotate(&mut self, rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<()> {
        let fresh = Self::generate(self.distribution_id, rng)?;
        if fresh.signing.public_key() == self.signing.public_key() {
            return Err(Error::Randomness);
        }
        *self = fresh;
        Ok(())
    }

    /// What a member needs to read from the next message on.
    #[must_use]
    pub fn distribution_message(&self) -> SenderKeyDistributionMessage {
        SenderKeyDistributionMessage {
            distribution_id: self.distribution_id,
            chain_id: self.chain_id,
            iteration: self.chain.index(),
            chain_key: *self.chain.key(),
            signing_key: *self.signing.public_key(),
        }
    }

    /// Encrypts and signs one message for everyone who has the distribution message.
    ///
    /// # Errors
    /// [`Error::Randomness`] if `rng` fails, [`Error::ChainExhausted`] after 2³² messages.
    pub fn encrypt(
        &mut self,
        plaintext: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SenderKeyMessage> {
        let (seed, next) = self.chain.step()?;
        let keys = GroupMessageKeys::expand(&seed);
        let message = SenderKeyMessage::seal(
            self.distribution_id,
            self.chain_id,
            self.chain.index(),
            cipher::encrypt(&keys.cipher, &keys.iv, plaintext),
            |content| self.signing.sign(&[content], rng),
        )?;
        self.chain = next;
        Ok(message)
    }

    /// The distribution the chain belongs to.
    #[must_use]
    pub const fn distribution_id(&self) -> DistributionId {
        self.distribution_id
    }

    /// The chain's id.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// How many messages it has encrypted.
    #[must_use]
    pub const fn iteration(&self) -> u32 {
        self.chain.index()
    }

    /// The stored form, at most 156 bytes, in a buffer that is wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::new(Kind::OutboundSenderKey, ENCODING_VERSION, ENCODED_BOUND);
        writer.bytes(self.distribution_id.0.as_bytes());
        writer.varint(self.chain_id.0.into());
        self.chain.write(&mut writer);
        writer.bytes(self.signing.private_key().as_bytes());
        writer.public_key(self.signing.public_key());
        writer.bytes(self.signing.edwards_bytes());
        writer.finish()
    }

    /// Reads [`OutboundSenderKey::encode`]'s form.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::of_version(Kind::OutboundSenderKey, ENCODING_VERSION, bytes)?;
        let key = Self {
            distribution_id: DistributionId(uuid::Uuid::from_bytes(reader.array()?)),
            chain_id: ChainId(reader.u32()?),
            chain: ChainKey::read(&mut reader)?,
            signing: SigningKeyPair::from_stored_parts(
                PrivateKey::from_bytes(reader.array()?),
                reader.public_key()?,
                reader.array()?,
            ),
        };
        reader.finish()?;
        Ok(key)
    }
}

impl fmt::Debug for OutboundSenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundSenderKey")
            .field("distribution_id", &self.distribution_id)
            .field("chain_id", &self.chain_id)
            .field("iteration", &self.iteration())
            .finish_non_exhaustive()
    }
}
