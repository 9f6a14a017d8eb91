//! The Double Ratchet (Signal, "The Double Ratchet Algorithm", §3), as deployed.
//!
//! ```text
//!            DH ratchet                      symmetric ratchet
//!   root key ── DH(ours, theirs) ──▶ chain key ──▶ chain key ──▶ …
//!      │                                 │             │
//!      ▼                                 ▼             ▼
//!   root key …                      message seed  message seed ──▶ cipher key, MAC key, IV
//! ```
//!
//! Opening a message is split in two: `open` computes everything on the side and touches nothing;
//! only when MAC and decryption have succeeded does `commit` put the result in place. So a message
//! that fails leaves the state bit for bit as it was, and nothing is ever cloned to make that so.
//!
//! Callers see sessions, not ratchets: of this room only the bounds are public.

mod chain_key;
mod message_keys;
mod receiving_chain;
mod root_key;
mod skipped_keys;

pub(crate) use chain_key::ChainKey;
pub(crate) use message_keys::{MessageKeys, MessageSeed};
pub(crate) use receiving_chain::{ReceivingChain, advance};
pub(crate) use root_key::RootKey;
pub(crate) use skipped_keys::{SkippedKey, SkippedKeys};

use rand_core::TryCryptoRng;
use zeroize::Zeroize;

use crate::cipher;
use crate::curve::x25519::Peer;
use crate::curve::{KeyPair, PrivateKey, PublicKey};
use crate::encoding::{Reader, Writer};
use crate::error::{Error, KeyRole, Result};
use crate::message::{Direction, ProtocolVersion, SignalMessage, SignalMessageParts};
use crate::secret::Secret;

/// How far ahead of the next expected message a counter may be, in a session and in a sender-key
/// chain. Bounds the work that an unauthenticated counter can cause: about 3 ms.
pub const MAX_FORWARD_JUMP: u32 = 25_000;

/// How many skipped messages' keys one chain keeps; the oldest are dropped first. 80 KB at most.
pub const MAX_SKIPPED_KEYS: usize = 2_000;

/// How many receiving chains a session keeps for late messages; the oldest is dropped first.
pub const MAX_RECEIVING_CHAINS: usize = 5;

/// Our side of the conversation: the ratchet key we show, and the chain we send on.
pub(crate) struct SendingChain {
    pub(crate) ratchet: KeyPair,
    pub(crate) chain: ChainKey,
}

/// The state of one session's ratchets.
pub(crate) struct DoubleRatchet {
    root: RootKey,
    sending: SendingChain,
    /// Index of the last message of the sending chain before this one, as the protocol reports it.
    previous_counter: u32,
    /// Oldest first, at most [`MAX_RECEIVING_CHAINS`].
    receiving: Vec<ReceivingChain>,
}

/// What the ratchet that runs beside this one puts into a message.
#[derive(Default)]
pub(crate) struct Beside {
    /// Salts the message's keys.
    pub(crate) salt: Option<Secret<32>>,
    /// Field 5.
    pub(crate) field: Option<Vec<u8>>,
    /// Field 6: who sends to whom, in a session's first messages.
    pub(crate) addresses: Option<Vec<u8>>,
}

/// What a verified message does to the state.
enum Step {
    /// A skipped key was used up.
    UseSkipped { chain: usize, position: usize },
    /// A known chain moved on.
    Advance {
        chain: usize,
        next: ChainKey,
        skipped: SkippedKeys,
    },
    /// The peer showed a new ratchet key.
    Turn {
        root: RootKey,
        receiving: ReceivingChain,
        sending: SendingChain,
    },
}

impl DoubleRatchet {
    /// The initiator's state after the handshake: has both chains (X3DH §3.3, Double Ratchet §3.3).
    ///
    /// `chain` receives under the responder's signed pre-key; `ratchet` and the agreement of it with
    /// that key start the sending chain.
    pub(crate) fn initiator(
        root: &RootKey,
        chain: ChainKey,
        signed_pre_key: &PublicKey,
        ratchet: KeyPair,
        shared: &[u8; 32],
    ) -> Self {
        let (root, sending) = root.turn(shared);
        Self {
            root,
            sending: SendingChain {
                ratchet,
                chain: sending,
            },
            previous_counter: 0,
            receiving: vec![ReceivingChain::new(*signed_pre_key, chain)],
        }
    }

    /// The responder's state after the handshake: sends under its signed pre-key until the first
    /// message makes it turn.
    pub(crate) fn responder(root: RootKey, chain: ChainKey, signed_pre_key: KeyPair) -> Self {
        Self {
            root,
            sending: SendingChain {
                ratchet: signed_pre_key,
                chain,
            },
            previous_counter: 0,
            receiving: Vec::new(),
        }
    }

    /// Rebuilds a state that was stored by this crate or imported.
    pub(crate) fn from_parts(
        root: RootKey,
        sending: SendingChain,
        previous_counter: u32,
        receiving: Vec<ReceivingChain>,
    ) -> Result<Self> {
        if receiving.len() > MAX_RECEIVING_CHAINS {
            return Err(Error::InvalidState);
        }
        Ok(Self {
            root,
            sending,
            previous_counter,
            receiving,
        })
    }

    /// The ratchet key we show to the peer.
    pub(crate) fn ratchet_key(&self) -> &PublicKey {
        &self.sending.ratchet.public
    }

    /// Encrypts the next message of the sending chain. `beside` is asked, once nothing else can fail,
    /// for what the ratchet that runs beside this one puts in.
    pub(crate) fn seal(
        &mut self,
        plaintext: &[u8],
        version: ProtocolVersion,
        direction: Direction<'_>,
        beside: impl FnOnce() -> Result<Beside>,
    ) -> Result<SignalMessage> {
        let (seed, next) = self.sending.chain.step()?;
        let beside = beside()?;
        let keys = seed.expand(beside.salt.as_deref());
        let parts = SignalMessageParts {
            version,
            ratchet_key: &self.sending.ratchet.public,
            counter: self.sending.chain.index(),
            previous_counter: self.previous_counter,
            ciphertext: cipher::encrypt(&keys.cipher, &keys.iv, plaintext),
            pq_ratchet: beside.field,
            addresses: beside.addresses,
        };
        let message = SignalMessage::seal(parts, &keys.mac, direction);
        self.sending.chain = next;
        Ok(message)
    }

    /// Authenticates and decrypts a message, and moves on if that succeeds. `salt` is asked, once the
    /// message is known to be no repeat, for what the ratchet that runs beside this one makes of it.
    pub(crate) fn decrypt<R: TryCryptoRng + ?Sized>(
        &mut self,
        message: &SignalMessage,
        direction: Direction<'_>,
        rng: &mut R,
        salt: impl FnOnce(&mut R) -> Result<Option<Secret<32>>>,
    ) -> Result<Vec<u8>> {
        let (plaintext, step) = self.open(message, direction, rng, salt)?;
        self.commit(step);
        Ok(plaintext)
    }

    fn open<R: TryCryptoRng + ?Sized>(
        &self,
        message: &SignalMessage,
        direction: Direction<'_>,
        rng: &mut R,
        salt: impl FnOnce(&mut R) -> Result<Option<Secret<32>>>,
    ) -> Result<(Vec<u8>, Step)> {
        let known = self
            .receiving
            .iter()
            .enumerate()
            .find(|(_, chain)| chain.ratchet_key() == message.ratchet_key());
        let Some((index, chain)) = known else {
            return self.open_turning(message, direction, rng, salt);
        };
        if message.counter() < chain.next_index() {
            let (position, key) = chain
                .skipped()
                .find(message.counter())
                .ok_or(Error::DuplicateMessage)?;
            let keys = key.expand(salt(rng)?.as_deref());
            let plaintext = decrypt_with(&keys, message, direction)?;
            let step = Step::UseSkipped {
                chain: index,
                position,
            };
            return Ok((plaintext, step));
        }
        let advance = chain.advance_to(message.counter())?;
        let keys = advance.seed.expand(salt(rng)?.as_deref());
        let plaintext = decrypt_with(&keys, message, direction)?;
        let step = Step::Advance {
            chain: index,
            next: advance.next,
            skipped: advance.skipped,
        };
        Ok((plaintext, step))
    }

    /// Opens a message under a ratchet key not seen before: one DH step to read it and, once it has
    /// proved genuine, one to answer it.
    fn open_turning<R: TryCryptoRng + ?Sized>(
        &self,
        message: &SignalMessage,
        direction: Direction<'_>,
        rng: &mut R,
        salt: impl FnOnce(&mut R) -> Result<Option<Secret<32>>>,
    ) -> Result<(Vec<u8>, Step)> {
        let blame = |error: Error| error.about(KeyRole::Ratchet);
        let theirs = Peer::new(message.ratchet_key());
        let shared = theirs.agree(&self.sending.ratchet.private).map_err(blame)?;
        let (root, chain) = self.root.turn(&shared);
        let mut receiving = ReceivingChain::new(*message.ratchet_key(), chain);
        let advance = receiving.advance_to(message.counter())?;
        let keys = advance.seed.expand(salt(rng)?.as_deref());
        let plaintext = decrypt_with(&keys, message, direction)?;
        receiving.commit_advance(advance.next, advance.skipped);

        let (ratchet, shared) = theirs
            .agree_with_new(PrivateKey::generate(rng)?)
            .map_err(blame)?;
        if ratchet.public == self.sending.ratchet.public {
            // A generator that repeats itself would undo the healing this step is for.
            return Err(Error::Randomness);
        }
        let (root, chain) = root.turn(&shared);
        let sending = SendingChain { ratchet, chain };
        let step = Step::Turn {
            root,
            receiving,
            sending,
        };
        Ok((plaintext, step))
    }

    fn commit(&mut self, step: Step) {
        match step {
            Step::UseSkipped { chain, position } => {
                if let Some(chain) = self.receiving.get_mut(chain) {
                    chain.use_skipped(position);
                }
            }
            Step::Advance {
                chain,
                next,
                skipped,
            } => {
                if let Some(chain) = self.receiving.get_mut(chain) {
                    chain.commit_advance(next, skipped);
                }
            }
            Step::Turn {
                root,
                receiving,
                sending,
            } => {
                self.root = root;
                self.previous_counter = self.sending.chain.index().saturating_sub(1);
                self.sending = sending;
                if self.receiving.len() >= MAX_RECEIVING_CHAINS {
                    self.receiving.rotate_left(1);
                    // Wiped in place first: popping moves the chain out and would leave its bytes.
                    if let Some(oldest) = self.receiving.last_mut() {
                        oldest.zeroize();
                    }
                    self.receiving.pop();
                }
                self.receiving.push(receiving);
            }
        }
    }

    /// How many skipped keys all chains hold.
    pub(crate) fn skipped_len(&self) -> usize {
        self.receiving
            .iter()
            .map(|chain| chain.skipped().len())
            .sum()
    }

    /// Gives up the keys of skipped messages, to bound what archived sessions keep.
    pub(crate) fn drop_skipped(&mut self) {
        for chain in &mut self.receiving {
            chain.drop_skipped();
        }
    }

    /// Appends the stored form.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.bytes(self.root.as_bytes());
        writer.bytes(self.sending.ratchet.private.as_bytes());
        writer.public_key(&self.sending.ratchet.public);
        self.sending.chain.write(writer);
        writer.varint(self.previous_counter.into());
        writer.count(self.receiving.len());
        for chain in &self.receiving {
            chain.write(writer);
        }
    }

    /// Length of the stored form, at most: for the buffer.
    pub(crate) fn encoded_len_bound(&self) -> usize {
        let fixed = 32 + 64 + ChainKey::ENCODED_BOUND + 5 + 10;
        self.receiving
            .iter()
            .map(ReceivingChain::encoded_len_bound)
            .fold(fixed, usize::saturating_add)
    }

    /// Reads [`DoubleRatchet::write`]'s form.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let root = RootKey::new(reader.secret()?);
        let ratchet = KeyPair {
            private: PrivateKey::from_bytes(reader.array()?),
            public: reader.public_key()?,
        };
        let chain = ChainKey::read(reader)?;
        let previous_counter = reader.u32()?;
        let count = reader.count(MAX_RECEIVING_CHAINS)?;
        let mut receiving = Vec::with_capacity(MAX_RECEIVING_CHAINS);
        for _ in 0..count {
            receiving.push(ReceivingChain::read(reader)?);
        }
        Self::from_parts(
            root,
            SendingChain { ratchet, chain },
            previous_counter,
            receiving,
        )
    }
}

/// MAC first, then decryption; one error for both.
fn decrypt_with(
    keys: &MessageKeys,
    message: &SignalMessage,
    direction: Direction<'_>,
) -> Result<Vec<u8>> {
    message.verify_mac(&keys.mac, direction)?;
    cipher::decrypt(&keys.cipher, &keys.iv, message.ciphertext())
}
