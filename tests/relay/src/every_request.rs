//! One request of every kind, aimed at somebody: for tables that try each of them as each kind of stranger.

use bytes::Bytes;
use hushpost_harness::Identity;
use hushpost_wire::client_frame::Request;
use hushpost_wire::limits::{EC_PUBLIC_KEY_LEN, KEM_PUBLIC_KEY_LEN, SIGNATURE_LEN};
use hushpost_wire::{
    Acknowledge, CountPreKeys, CreateUpload, DeleteAccount, FetchPreKeyBundles, GetDeviceList,
    KemPreKey, LookUpName, NameKind, OneTimePreKey, Ping, Publish, PutDeviceList, Receive,
    SendSealed, SetDeliveryToken, SetUserName, SignedPreKey, Subscribe, Unsubscribe, UploadPreKeys,
};

use crate::message;

/// Who may make a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Anybody.
    Nothing,
    /// Who has said who they are, if only that they say nothing.
    Introduction,
    /// A device.
    Device,
}

/// Every request but those that introduce, with its name. `target` is whom those mean that name somebody.
#[must_use]
#[allow(clippy::too_many_lines, reason = "one table")]
pub fn every_request(target: &Identity) -> Vec<(&'static str, Needs, Request)> {
    use Needs::{Device, Introduction, Nothing};
    let account = Bytes::copy_from_slice(target.account().as_bytes());
    vec![
        ("Ping", Nothing, Request::Ping(Ping {})),
        (
            "PutDeviceList",
            Device,
            Request::PutDeviceList(PutDeviceList {
                device_list: Some(target.signed_list()),
            }),
        ),
        (
            "GetDeviceList",
            Introduction,
            Request::GetDeviceList(GetDeviceList {
                account: account.clone(),
                delivery_token: Bytes::new(),
            }),
        ),
        (
            "SetUserName",
            Device,
            Request::SetUserName(SetUserName {
                name: "stolen_name".to_owned(),
            }),
        ),
        (
            "LookUpName",
            Introduction,
            Request::LookUpName(LookUpName {
                kind: NameKind::UserName.into(),
                name: "nobody_here".to_owned(),
            }),
        ),
        (
            "SetDeliveryToken",
            Device,
            Request::SetDeliveryToken(SetDeliveryToken {
                token_hash: vec![0; 32].into(),
            }),
        ),
        (
            "DeleteAccount",
            Device,
            Request::DeleteAccount(DeleteAccount {}),
        ),
        (
            "UploadPreKeys",
            Device,
            Request::UploadPreKeys(pre_keys(1, 2)),
        ),
        (
            "CountPreKeys",
            Device,
            Request::CountPreKeys(CountPreKeys {}),
        ),
        ("FetchPreKeyBundles", Introduction, fetch(target)),
        (
            "Send",
            Introduction,
            Request::Send(message([1; 16], vec![target.recipient(b"x")])),
        ),
        (
            "SendSealed",
            Introduction,
            Request::SendSealed(SendSealed {
                message_id: vec![2; 16].into(),
                envelope: Bytes::from_static(b"no envelope"),
                delivery_tokens: Vec::new(),
            }),
        ),
        (
            "Receive",
            Device,
            Request::Receive(Receive { after_sequence: 0 }),
        ),
        (
            "Acknowledge",
            Device,
            Request::Acknowledge(Acknowledge {
                through_sequence: 1,
            }),
        ),
        (
            "Publish",
            Introduction,
            Request::Publish(Publish {
                topic_key: vec![3; 32].into(),
                value: Bytes::from_static(b"x"),
                ttl_s: 1,
                last_will: None,
            }),
        ),
        (
            "Subscribe",
            Introduction,
            Request::Subscribe(Subscribe {
                topics: vec![vec![4; 32].into()],
            }),
        ),
        (
            "Unsubscribe",
            Introduction,
            Request::Unsubscribe(Unsubscribe {
                topics: vec![vec![4; 32].into()],
            }),
        ),
        (
            "CreateUpload",
            Device,
            Request::CreateUpload(CreateUpload {
                size: 1,
                digest: vec![5; 32].into(),
                ttl_s: 0,
            }),
        ),
    ]
}

/// Asks for the bundles of all devices of an account, without a delivery token.
#[must_use]
pub fn fetch(target: &Identity) -> Request {
    Request::FetchPreKeyBundles(FetchPreKeyBundles {
        account: Bytes::copy_from_slice(target.account().as_bytes()),
        device: 0,
        delivery_token: Bytes::new(),
    })
}

/// A signed pre-key, a last-resort key, and `count` one-time keys of each kind numbered from `first`. Every
/// key is made of its number, so that one that is handed out can be told from the others.
#[must_use]
pub fn pre_keys(first: u32, count: u32) -> UploadPreKeys {
    let numbers = first..first.saturating_add(count);
    UploadPreKeys {
        signed_pre_key: Some(SignedPreKey {
            id: 1,
            public_key: key_bytes(1, EC_PUBLIC_KEY_LEN),
            signature: key_bytes(1, SIGNATURE_LEN),
        }),
        last_resort_kem_pre_key: Some(kem_key(u32::MAX)),
        one_time_pre_keys: numbers
            .clone()
            .map(|id| OneTimePreKey {
                id,
                public_key: key_bytes(id, EC_PUBLIC_KEY_LEN),
            })
            .collect(),
        one_time_kem_pre_keys: numbers.map(kem_key).collect(),
    }
}

fn kem_key(id: u32) -> KemPreKey {
    KemPreKey {
        id,
        public_key: key_bytes(id, KEM_PUBLIC_KEY_LEN),
        signature: key_bytes(id, SIGNATURE_LEN),
    }
}

fn key_bytes(id: u32, length: usize) -> Bytes {
    id.to_be_bytes().into_iter().cycle().take(length).collect()
}
