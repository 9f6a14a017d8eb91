//! Sender-key records. One record type serves both our own chain, which has the private signing key,
//! and other members' chains, which do not.

use std::collections::VecDeque;

use super::{decode, private_key, public_key, records, secret};
use crate::curve::SigningKeyPair;
use crate::error::{Error, Result};
use crate::ratchet::{ChainKey, MessageSeed, SkippedKey, SkippedKeys};
use crate::sender_key::{
    ChainId, DistributionId, InboundSenderKey, OutboundSenderKey, SenderKeyState,
};

/// The only version there is.
const VERSION: u32 = 3;

/// Imports our own chain. The record does not hold its distribution id; the caller's store does.
///
/// # Errors
/// [`Error::InvalidState`] if it is malformed or has no private signing key.
pub fn outbound_sender_key(
    record: &[u8],
    distribution_id: DistributionId,
) -> Result<OutboundSenderKey> {
    let record: records::SenderKeyRecord = decode(record)?;
    let state = record.states.first().ok_or(Error::InvalidState)?;
    let signing = check(state)?;
    let keys = SigningKeyPair::from_private(private_key(signing.private.as_deref())?);
    if *keys.public_key() != public_key(signing.public.as_deref())? {
        return Err(Error::InvalidState);
    }
    Ok(OutboundSenderKey {
        distribution_id,
        chain_id: ChainId(state.chain_id),
        chain: chain_key(state)?,
        signing: keys,
    })
}

/// Imports another member's chains. The record does not hold its distribution id; the caller's store
/// does.
///
/// # Errors
/// [`Error::InvalidState`] if it is malformed or breaks a bound of ours.
pub fn inbound_sender_key(
    record: &[u8],
    distribution_id: DistributionId,
) -> Result<InboundSenderKey> {
    let record: records::SenderKeyRecord = decode(record)?;
    let states: Result<VecDeque<_>> = record
        .states
        .iter()
        .map(|state| {
            let signing = check(state)?;
            Ok(Box::new(SenderKeyState::new(
                ChainId(state.chain_id),
                public_key(signing.public.as_deref())?,
                chain_key(state)?,
                skipped_keys(state)?,
            )))
        })
        .collect();
    InboundSenderKey::from_states(distribution_id, states?)
}

fn check(state: &records::SenderKeyState) -> Result<&records::KeyPair> {
    if state.version != VERSION {
        return Err(Error::InvalidState);
    }
    state.signing.as_ref().ok_or(Error::InvalidState)
}

fn chain_key(state: &records::SenderKeyState) -> Result<ChainKey> {
    let chain = state.chain_key.as_ref().ok_or(Error::InvalidState)?;
    Ok(ChainKey::new(secret(chain.key.as_deref())?, chain.index))
}

fn skipped_keys(state: &records::SenderKeyState) -> Result<SkippedKeys> {
    let mut in_order: Vec<_> = state.skipped.iter().collect();
    in_order.sort_by_key(|key| key.iteration);
    let mut skipped = SkippedKeys::with_capacity(in_order.len());
    for key in in_order {
        let seed = MessageSeed::new(secret(key.seed.as_deref())?);
        skipped.push(SkippedKey::seed(key.iteration, seed))?;
    }
    Ok(skipped)
}
