//! `save` and `load`: a party as opaque bytes, made of the crate's own state encodings.
//!
//! The envelope is JSON; what it holds is exactly what an application would store.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hushpost_protocol::{
    DeviceId, DistributionId, IdentityKeyPair, InboundSenderKey, KemPreKey, OneTimePreKey,
    OutboundSenderKey, PqPolicy, PublicKey, RegistrationId, ReplayGuard, Session, SignedPreKey,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::answer::{Failure, Outcome, base64};
use crate::party::{Address, Party};

#[derive(Serialize, Deserialize)]
struct Snapshot {
    name: String,
    device: u32,
    registration_id: u32,
    pq_policy: u8,
    next_id: u32,
    identity: String,
    one_time: Vec<(u32, String)>,
    signed: Vec<(u32, String)>,
    kem: Vec<(u32, String)>,
    replay_guard: String,
    sessions: Vec<(String, u32, String)>,
    identities: Vec<(String, u32, String)>,
    outbound: Vec<(String, String)>,
    inbound: Vec<(String, u32, String, String)>,
}

impl Party {
    /// The whole party.
    pub fn save(&self) -> Outcome<Vec<u8>> {
        let snapshot = Snapshot {
            name: self.name.clone(),
            device: self.device.get().into(),
            registration_id: self.registration_id.0,
            pq_policy: self.pq_policy as u8,
            next_id: self.next_id,
            identity: base64(&self.identity.encode()),
            one_time: encode_by_id(&self.one_time, |key| base64(&key.encode())),
            signed: encode_by_id(&self.signed, |key| base64(&key.encode())),
            kem: encode_by_id(&self.kem, |key| base64(&key.encode())),
            replay_guard: base64(&self.replay_guard.encode()),
            sessions: encode_by_address(&self.sessions, |session| base64(&session.encode())),
            identities: encode_by_address(&self.identities, |key| base64(&key.to_bytes())),
            outbound: self
                .outbound
                .iter()
                .map(|(id, key)| (id.to_string(), base64(&key.encode())))
                .collect(),
            inbound: self
                .inbound
                .iter()
                .map(|(((name, device), id), key)| {
                    let device = device.get().into();
                    (name.clone(), device, id.to_string(), base64(&key.encode()))
                })
                .collect(),
        };
        serde_json::to_vec(&snapshot).map_err(|_| unreadable())
    }

    /// The party that was saved, or nothing.
    pub fn load(bytes: &[u8]) -> Outcome<Self> {
        let saved: Snapshot = serde_json::from_slice(bytes).map_err(|_| unreadable())?;
        let mut outbound = BTreeMap::new();
        for (id, key) in &saved.outbound {
            let key = OutboundSenderKey::decode(&decode(key)?)?;
            outbound.insert(distribution_id(id)?, key);
        }
        let mut inbound = BTreeMap::new();
        for (name, device, id, key) in &saved.inbound {
            let address = (name.clone(), DeviceId::new(*device)?);
            let key = InboundSenderKey::decode(&decode(key)?)?;
            inbound.insert((address, distribution_id(id)?), key);
        }
        Ok(Self {
            name: saved.name,
            device: DeviceId::new(saved.device)?,
            registration_id: RegistrationId(saved.registration_id),
            pq_policy: match saved.pq_policy {
                0 => PqPolicy::Off,
                1 => PqPolicy::Allowed,
                2 => PqPolicy::Required,
                _ => return Err(unreadable()),
            },
            next_id: saved.next_id,
            identity: IdentityKeyPair::decode(&decode(&saved.identity)?)?,
            one_time: decode_by_id(&saved.one_time, OneTimePreKey::decode)?,
            signed: decode_by_id(&saved.signed, SignedPreKey::decode)?,
            kem: decode_by_id(&saved.kem, KemPreKey::decode)?,
            replay_guard: ReplayGuard::decode(&decode(&saved.replay_guard)?)?,
            sessions: decode_by_address(&saved.sessions, Session::decode)?,
            identities: decode_by_address(&saved.identities, PublicKey::from_bytes)?,
            outbound,
            inbound,
        })
    }
}

fn encode_by_id<T>(map: &BTreeMap<u32, T>, encode: impl Fn(&T) -> String) -> Vec<(u32, String)> {
    map.iter().map(|(&id, key)| (id, encode(key))).collect()
}

fn encode_by_address<T>(
    map: &BTreeMap<Address, T>,
    encode: impl Fn(&T) -> String,
) -> Vec<(String, u32, String)> {
    map.iter()
        .map(|((name, device), value)| (name.clone(), device.get().into(), encode(value)))
        .collect()
}

fn decode_by_id<T>(
    saved: &[(u32, String)],
    read: impl Fn(&[u8]) -> hushpost_protocol::Result<T>,
) -> Outcome<BTreeMap<u32, T>> {
    saved
        .iter()
        .map(|(id, key)| Ok((*id, read(&decode(key)?)?)))
        .collect()
}

fn decode_by_address<T>(
    saved: &[(String, u32, String)],
    read: impl Fn(&[u8]) -> hushpost_protocol::Result<T>,
) -> Outcome<BTreeMap<Address, T>> {
    saved
        .iter()
        .map(|(name, device, value)| {
            let address = (name.clone(), DeviceId::new(*device)?);
            Ok((address, read(&decode(value)?)?))
        })
        .collect()
}

fn distribution_id(text: &str) -> Outcome<DistributionId> {
    Uuid::try_parse(text)
        .map(DistributionId)
        .map_err(|_| unreadable())
}

fn decode(text: &str) -> Outcome<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| unreadable())
}

fn unreadable() -> Failure {
    Failure::bad_request("not a saved party")
}
