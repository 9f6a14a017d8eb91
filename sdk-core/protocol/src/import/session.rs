//! Session records: the current state, the archived ones, their chains and skipped keys.

use std::collections::VecDeque;

use super::{decode, key_pair, public_key, records, secret};
use crate::address::{KemPreKeyId, OneTimePreKeyId, RegistrationId, SignedPreKeyId, Timestamp};
use crate::error::{Error, Result};
use crate::kem::KemCiphertext;
use crate::message::{KemPart, ProtocolVersion};
use crate::pq_ratchet::PqPolicy;
use crate::ratchet::{
    ChainKey, DoubleRatchet, MessageKeys, MessageSeed, ReceivingChain, RootKey, SendingChain,
    SkippedKey, SkippedKeys,
};
use crate::session::{PendingPreKey, Session, SessionState};

const MILLIS_PER_SECOND: u64 = 1000;

/// Imports a session record.
///
/// # Errors
/// [`Error::InvalidState`] if it is malformed, breaks a bound of ours, or has its post-quantum ratchet
/// switched on.
pub fn session(record: &[u8]) -> Result<Session> {
    let record: records::SessionRecord = decode(record)?;
    let current = record.current.as_ref().map(state).transpose()?;
    let archived: Result<VecDeque<_>> = record
        .archived
        .iter()
        .map(|archived| {
            let mut state = state(archived)?;
            state.pending = None;
            Ok(Box::new(state))
        })
        .collect();
    Session::from_states(PqPolicy::Off, None, current.map(Box::new), archived?)
}

fn state(record: &records::Session) -> Result<SessionState> {
    let invalid = Error::InvalidState;
    if record
        .pq_ratchet
        .as_ref()
        .is_some_and(|state| !state.is_empty())
    {
        return Err(invalid);
    }
    let version = u8::try_from(record.version).map_err(|_| invalid)?;
    let sending = record.sending.as_ref().ok_or(invalid)?;
    let receiving: Result<Vec<_>> = record.receiving.iter().map(receiving_chain).collect();
    Ok(SessionState {
        version: ProtocolVersion::from_number(version).ok_or(invalid)?,
        local_identity: public_key(record.local_identity.as_deref())?,
        remote_identity: public_key(record.remote_identity.as_deref())?,
        local_registration_id: RegistrationId(record.local_registration_id),
        remote_registration_id: RegistrationId(record.remote_registration_id),
        base_key: public_key(record.base_key.as_deref())?,
        pending: pending(record)?,
        ratchet: DoubleRatchet::from_parts(
            RootKey::new(secret(record.root_key.as_deref())?),
            SendingChain {
                ratchet: key_pair(
                    sending.ratchet_public.as_deref(),
                    sending.ratchet_private.as_deref(),
                )?,
                chain: chain_key(sending.key.as_ref())?,
            },
            record.previous_counter,
            receiving?,
        )?,
        pq: None,
    })
}

fn pending(record: &records::Session) -> Result<Option<PendingPreKey>> {
    let Some(pending) = &record.pending else {
        return Ok(None);
    };
    let invalid = Error::InvalidState;
    // The base key is the state's name; a record that says otherwise is damaged.
    if pending.base_key != record.base_key {
        return Err(invalid);
    }
    let kem = match &record.pending_kem {
        None => None,
        Some(kem) => Some(KemPart {
            id: KemPreKeyId(kem.id),
            ciphertext: KemCiphertext::from_bytes(kem.ciphertext.as_deref().ok_or(invalid)?)
                .map_err(|_| invalid)?,
        }),
    };
    Ok(Some(PendingPreKey {
        one_time_pre_key_id: pending.one_time_id.map(OneTimePreKeyId),
        signed_pre_key_id: SignedPreKeyId(u32::try_from(pending.signed_id).map_err(|_| invalid)?),
        kem,
        created: Timestamp(pending.created_seconds.saturating_mul(MILLIS_PER_SECOND)),
    }))
}

fn receiving_chain(record: &records::Chain) -> Result<ReceivingChain> {
    let mut in_order: Vec<_> = record.skipped.iter().collect();
    in_order.sort_by_key(|key| key.index);
    let mut skipped = SkippedKeys::with_capacity(in_order.len());
    for key in in_order {
        skipped.push(skipped_key(key)?)?;
    }
    Ok(ReceivingChain::with_skipped(
        public_key(record.ratchet_public.as_deref())?,
        chain_key(record.key.as_ref())?,
        skipped,
    ))
}

fn chain_key(record: Option<&records::ChainKey>) -> Result<ChainKey> {
    let record = record.ok_or(Error::InvalidState)?;
    Ok(ChainKey::new(secret(record.key.as_deref())?, record.index))
}

/// Older records hold derived keys, newer ones the seed.
fn skipped_key(record: &records::MessageKey) -> Result<SkippedKey> {
    if let Some(seed) = record.seed.as_deref().filter(|seed| !seed.is_empty()) {
        let seed = MessageSeed::new(secret(Some(seed))?);
        return Ok(SkippedKey::seed(record.index, seed));
    }
    let keys = MessageKeys {
        cipher: secret(record.cipher_key.as_deref())?,
        mac: secret(record.mac_key.as_deref())?,
        iv: secret(record.iv.as_deref())?,
    };
    Ok(SkippedKey::derived(record.index, keys))
}
