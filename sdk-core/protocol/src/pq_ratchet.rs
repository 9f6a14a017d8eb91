//! The post-quantum ratchet (SPQR) that runs beside the Double Ratchet: together, the Triple Ratchet.
//!
//! Each message carries a piece of an ML-KEM-768 exchange; when enough pieces have crossed, both sides
//! have a fresh post-quantum secret, an *epoch*, and the sides swap roles. The secrets feed chains
//! whose keys salt the Double Ratchet's message keys, so a message stays closed unless both ratchets
//! are broken.
//!
//! ```text
//!   one epoch                                       (32-byte pieces, any n of which do)
//!   owner        ── header 3 ──▶ ── key 36 ──────────▶ ── ack ──▶
//!   encapsulator             ◀── ciphertext 30 ──▶      ◀── rest 5 ──    ▶ both: epoch secret
//!                                                                          │
//!   chains   root ─ HKDF ─▶ root' + one chain a direction ─▶ salt, salt, …  ◀┘
//! ```
//!
//! A session that requires the ratchet has it from its first message on. One that allows it offers
//! it, and decides by the peer's first answer; from then on there is no way back.
//!
//! As in the [Double Ratchet](crate::ratchet), receiving is computed on the side and committed only
//! when the message has proved genuine.

mod authenticator;
mod braid;
mod encoding;
mod epoch_chains;
mod erasure;
mod field;
#[cfg(test)]
mod healing;
mod incremental_kem;
#[cfg(test)]
mod known_answers;
mod message;

use rand_core::TryCryptoRng;

use crate::error::Result;
use crate::secret::Secret;
use braid::Braid;
use epoch_chains::EpochChains;
use message::PqMessage;

/// Whether a session runs the post-quantum ratchet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PqPolicy {
    /// From the first message on; a peer without it is refused. What our own clients use among
    /// themselves, and what official versions from 0.92 on require.
    Required = 2,
    /// Offered, and used if the peer answers in kind: for official versions 0.74 to 0.91.
    Allowed = 1,
    /// Not offered, and ignored when offered: for version 3 sessions and official versions up to
    /// 0.73.
    Off = 0,
}

impl PqPolicy {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Off),
            1 => Some(Self::Allowed),
            2 => Some(Self::Required),
            _ => None,
        }
    }
}

/// Who started the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Initiator,
    Responder,
}

/// The state of one session's post-quantum ratchet.
pub(crate) struct PqRatchet {
    direction: Direction,
    keys: Keys,
    braid: Braid,
}

/// Where salts come from.
enum Keys {
    /// The peer has not shown yet that it has the ratchet; no salts until then.
    Undecided {
        initial: Secret<32>,
    },
    Chains(EpochChains),
}

/// What a genuine message does to the ratchet.
pub(crate) struct PqStep {
    braid: braid::Step,
    epoch_secret: Option<Secret<32>>,
    /// The chains, where this message started them.
    started: Option<EpochChains>,
    received: Option<epoch_chains::Received>,
}

impl PqRatchet {
    /// Starts with the secret of the handshake.
    pub(crate) fn new(
        direction: Direction,
        required: bool,
        initial: Secret<32>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self> {
        let braid = match direction {
            Direction::Initiator => Braid::initiator(&initial, rng)?,
            Direction::Responder => Braid::responder(&initial),
        };
        let keys = if required {
            Keys::Chains(EpochChains::start(direction, &initial))
        } else {
            Keys::Undecided { initial }
        };
        Ok(Self {
            direction,
            keys,
            braid,
        })
    }

    /// Whether the ratchet is in use for good.
    pub(crate) const fn is_decided(&self) -> bool {
        matches!(self.keys, Keys::Chains(_))
    }

    /// The epoch being agreed on, from 1.
    pub(crate) const fn epoch(&self) -> u64 {
        self.braid.epoch
    }

    /// The next message's field and the salt of its keys. Fails before it changes anything.
    pub(crate) fn send(&mut self) -> Result<(Vec<u8>, Option<Secret<32>>)> {
        let epoch = self.braid.epoch;
        let (index, salt) = match &mut self.keys {
            Keys::Undecided { .. } => (0, None),
            Keys::Chains(chains) => {
                let (index, salt) = chains.send(epoch.saturating_sub(1))?;
                (index, Some(salt))
            }
        };
        let (payload, secret) = self.braid.send()?;
        if let (Some(secret), Keys::Chains(chains)) = (secret, &mut self.keys) {
            chains.add_epoch(self.direction, &secret);
        }
        let message = PqMessage {
            epoch,
            index,
            payload,
        };
        Ok((message.to_bytes(), salt))
    }

    /// What a received field does, and the salt it names. Changes nothing.
    pub(crate) fn receive(
        &self,
        field: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(PqStep, Option<Secret<32>>)> {
        let message = PqMessage::from_bytes(field)?;
        let (step, epoch_secret) = self.braid.receive(&message, rng)?;
        let mut started = None;
        let chains = match &self.keys {
            Keys::Chains(chains) => chains,
            Keys::Undecided { initial } => {
                started.insert(EpochChains::start(self.direction, initial))
            }
        };
        let received = match (message.epoch, message.index) {
            // The peer was still undecided when it wrote.
            (1, 0) => None,
            (epoch, index) => Some(chains.receive(epoch.saturating_sub(1), index)?),
        };
        let salt = received.as_ref().map(|received| received.key.duplicate());
        let step = PqStep {
            braid: step,
            epoch_secret,
            started,
            received,
        };
        Ok((step, salt))
    }

    /// Takes a step for good.
    pub(crate) fn commit(&mut self, step: PqStep) {
        if let Some(started) = step.started {
            self.keys = Keys::Chains(started);
        }
        self.braid.commit(step.braid);
        if let Keys::Chains(chains) = &mut self.keys {
            if let Some(received) = step.received {
                chains.commit(received);
            }
            if let Some(secret) = step.epoch_secret {
                chains.add_epoch(self.direction, &secret);
            }
        }
    }

    /// How many skipped keys it holds.
    pub(crate) fn skipped_len(&self) -> usize {
        match &self.keys {
            Keys::Undecided { .. } => 0,
            Keys::Chains(chains) => chains.skipped_len(),
        }
    }

    pub(crate) fn drop_skipped(&mut self) {
        if let Keys::Chains(chains) = &mut self.keys {
            chains.drop_skipped();
        }
    }
}
