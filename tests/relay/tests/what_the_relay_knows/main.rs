//! The page `relay/what-the-relay-knows.md`, claim by claim, on the real process.
//!
//! - `keeps`: what is on the disk (K)
//! - `memory`: what it knows while it runs (M)
//! - `keeps_not`: what is nowhere (N)
//! - `log`: that the log and the metrics name nobody
//! - `page`: that the page says no more and no less than what is tested

#![allow(
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod keeps;
mod keeps_not;
mod log;
mod memory;
mod page;

use bytes::Bytes;
use hushpost_harness::{Client, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::client_frame::Request;
use hushpost_wire::{KemPreKey, LastWill, OneTimePreKey, Publish, SignedPreKey, UploadPreKeys};

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

/// Ciphertext that no other bytes are like.
const CANARY: &[u8] = b"canary: the ciphertext of a message";

fn relay() -> Result<RelayProcess> {
    Ok(RelayOptions::default().config(LIMITERS_OFF).start()?)
}

async fn anonymous(relay: &RelayProcess) -> Result<Client> {
    let (mut client, _) = Client::connect(relay.address()).await?;
    client.anonymous().await?;
    Ok(client)
}

fn id_of(identity: &Identity) -> Bytes {
    identity.account().as_bytes().to_vec().into()
}

fn pre_keys(count: u32) -> UploadPreKeys {
    UploadPreKeys {
        signed_pre_key: Some(SignedPreKey {
            id: 900,
            public_key: vec![0xa1; 33].into(),
            signature: vec![0xa2; 64].into(),
        }),
        last_resort_kem_pre_key: Some(KemPreKey {
            id: 901,
            public_key: vec![0xa3; 1569].into(),
            signature: vec![0xa4; 64].into(),
        }),
        one_time_pre_keys: (1..=count)
            .map(|id| OneTimePreKey {
                id,
                public_key: vec![0xa5; 33].into(),
            })
            .collect(),
        one_time_kem_pre_keys: Vec::new(),
    }
}

/// Publishes `value`, leaving `will`; both live as long.
fn publish(topic_key: [u8; 32], value: &[u8], will: &[u8], ttl_s: u32) -> Request {
    Request::Publish(Publish {
        topic_key: topic_key.to_vec().into(),
        value: value.to_vec().into(),
        ttl_s,
        last_will: Some(LastWill {
            value: will.to_vec().into(),
            ttl_s,
        }),
    })
}
