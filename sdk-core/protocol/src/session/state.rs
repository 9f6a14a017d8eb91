//! One state of a session: a handshake that took place and the ratchet that grew out of it.

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;

use super::MAX_UNACKNOWLEDGED_AGE_MS;
use super::addresses::Addresses;
use crate::address::{OneTimePreKeyId, RegistrationId, SignedPreKeyId, Timestamp};
use crate::curve::PublicKey;
use crate::error::{Error, Result};
use crate::message::{
    CiphertextMessage, Direction, KemPart, PreKeyParts, PreKeySignalMessage, ProtocolVersion,
    SignalMessage,
};
use crate::pq_ratchet::{PqRatchet, PqStep};
use crate::ratchet::{Beside, DoubleRatchet};
use crate::secret::Secret;

/// A state is named by its version and the initiator's base key.
pub(crate) struct SessionState {
    pub(crate) version: ProtocolVersion,
    pub(crate) local_identity: PublicKey,
    pub(crate) remote_identity: PublicKey,
    pub(crate) local_registration_id: RegistrationId,
    pub(crate) remote_registration_id: RegistrationId,
    pub(crate) base_key: PublicKey,
    /// What every message carries until the peer's first answer.
    pub(crate) pending: Option<PendingPreKey>,
    pub(crate) ratchet: DoubleRatchet,
    /// The ratchet that runs beside it, where the session has one.
    pub(crate) pq: Option<PqRatchet>,
}

/// How hard a state is to break; only the better is ever put in front of the other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Strength {
    version: ProtocolVersion,
    pq_ratchet: bool,
}

/// What a message does to the ratchet that runs beside.
#[expect(
    clippy::large_enum_variant,
    reason = "on the stack for the length of a call"
)]
enum PqChange {
    None,
    Step(PqStep),
    /// The peer answered without it.
    SwitchOff,
}

/// The initiator's half of an unanswered handshake.
pub(crate) struct PendingPreKey {
    pub(crate) one_time_pre_key_id: Option<OneTimePreKeyId>,
    pub(crate) signed_pre_key_id: SignedPreKeyId,
    pub(crate) kem: Option<KemPart>,
    pub(crate) created: Timestamp,
}

impl SessionState {
    /// Whether the state may be sent on: answered, or started within 30 days.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.pending
            .as_ref()
            .is_none_or(|pending| now.millis_since(pending.created) <= MAX_UNACKNOWLEDGED_AGE_MS)
    }

    /// How many skipped messages' keys it holds.
    pub(crate) fn skipped_len(&self) -> usize {
        let pq = self.pq.as_ref().map_or(0, PqRatchet::skipped_len);
        self.ratchet.skipped_len().saturating_add(pq)
    }

    /// Gives them up.
    pub(crate) fn drop_skipped(&mut self) {
        self.ratchet.drop_skipped();
        if let Some(pq) = &mut self.pq {
            pq.drop_skipped();
        }
    }

    pub(crate) fn strength(&self) -> Strength {
        Strength {
            version: self.version,
            pq_ratchet: self.pq.as_ref().is_some_and(PqRatchet::is_decided),
        }
    }

    pub(crate) fn encrypt(
        &mut self,
        plaintext: &[u8],
        addresses: Option<&Addresses>,
    ) -> Result<CiphertextMessage> {
        let direction = Direction {
            sender: &self.local_identity,
            receiver: &self.remote_identity,
        };
        let addresses = addresses.filter(|_| self.pending.is_some());
        let pq = self.pq.as_mut();
        let message = self.ratchet.seal(plaintext, self.version, direction, || {
            let mut beside = Beside {
                addresses: addresses.map(|addresses| addresses.outgoing().to_vec()),
                ..Beside::default()
            };
            if let Some(pq) = pq {
                let (field, salt) = pq.send()?;
                beside.field = Some(field);
                beside.salt = salt;
            }
            Ok(beside)
        })?;
        Ok(match &self.pending {
            None => CiphertextMessage::Signal(message),
            Some(pending) => {
                let parts = PreKeyParts {
                    version: self.version,
                    registration_id: self.local_registration_id,
                    one_time_pre_key_id: pending.one_time_pre_key_id,
                    signed_pre_key_id: pending.signed_pre_key_id,
                    kem: pending.kem.as_ref(),
                    base_key: &self.base_key,
                    identity_key: &self.local_identity,
                };
                CiphertextMessage::PreKey(PreKeySignalMessage::wrap(&parts, message))
            }
        })
    }

    /// Decrypts and moves on, or fails and stays.
    pub(crate) fn decrypt(
        &mut self,
        message: &SignalMessage,
        addresses: Option<&Addresses>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Vec<u8>> {
        if message.version() != self.version {
            return Err(Error::InvalidMessage);
        }
        if let (Some(received), Some(addresses)) = (message.addresses(), addresses)
            && !bool::from(addresses.incoming().as_slice().ct_eq(received))
        {
            return Err(Error::InvalidMessage);
        }
        let direction = Direction {
            sender: &self.remote_identity,
            receiver: &self.local_identity,
        };
        let pq = self.pq.as_ref();
        let mut change = PqChange::None;
        let plaintext = self.ratchet.decrypt(message, direction, rng, |rng| {
            let salt;
            (change, salt) = receive_pq(pq, message.pq_ratchet(), rng)?;
            Ok(salt)
        })?;
        match (change, &mut self.pq) {
            (PqChange::Step(step), Some(pq)) => pq.commit(step),
            (PqChange::SwitchOff, pq) => *pq = None,
            _ => {}
        }
        self.pending = None;
        Ok(plaintext)
    }
}

/// What a message's field 5, or its absence, means to the ratchet that runs beside.
fn receive_pq<R: TryCryptoRng + ?Sized>(
    pq: Option<&PqRatchet>,
    field: Option<&[u8]>,
    rng: &mut R,
) -> Result<(PqChange, Option<Secret<32>>)> {
    match (pq, field) {
        (None, _) => Ok((PqChange::None, None)),
        (Some(pq), Some(field)) => {
            // The Double Ratchet has found no repeat, and nothing is authenticated yet: an index
            // that was used here may be another state's message, which that state must still read.
            let (step, salt) = pq.receive(field, rng).map_err(|error| match error {
                Error::DuplicateMessage => Error::InvalidMessage,
                other => other,
            })?;
            Ok((PqChange::Step(step), salt))
        }
        // Once in use, it is not left out again.
        (Some(pq), None) if pq.is_decided() => Err(Error::InvalidMessage),
        (Some(_), None) => Ok((PqChange::SwitchOff, None)),
    }
}
