//! One state of a session: a handshake that took place and the ratchet that grew out of it.

use rand_core::TryCryptoRng;

use super::MAX_UNACKNOWLEDGED_AGE_MS;
use crate::address::{OneTimePreKeyId, RegistrationId, SignedPreKeyId, Timestamp};
use crate::curve::PublicKey;
use crate::error::{Error, Result};
use crate::message::{
    CiphertextMessage, Direction, KemPart, PreKeyParts, PreKeySignalMessage, ProtocolVersion,
    SignalMessage,
};
use crate::ratchet::DoubleRatchet;

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

    pub(crate) fn encrypt(&mut self, plaintext: &[u8]) -> Result<CiphertextMessage> {
        let direction = Direction {
            sender: &self.local_identity,
            receiver: &self.remote_identity,
        };
        let message = self.ratchet.seal(plaintext, self.version, direction)?;
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
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Vec<u8>> {
        if message.version() != self.version {
            return Err(Error::InvalidMessage);
        }
        let direction = Direction {
            sender: &self.remote_identity,
            receiver: &self.local_identity,
        };
        let plaintext = self.ratchet.decrypt(message, direction, rng)?;
        self.pending = None;
        Ok(plaintext)
    }
}
