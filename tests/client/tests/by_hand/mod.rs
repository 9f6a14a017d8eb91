//! Accounts and devices that a test plays by hand, with keys that it holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::net::SocketAddr;

use hushpost_client_tests::TestError;
use hushpost_harness::{Client, DeviceKeys, Identity};
use hushpost_protocol::{
    IdentityKeyPair, KemKind, KemPreKey, KemPreKeyBundle, KemPreKeyId, KemPublicKey, LocalParty,
    OneTimePreKeyBundle, OneTimePreKeyId, PqPolicy, PreKeyBundle, ProtocolAddress, PublicKey,
    RegistrationId, ServiceId, Session, SignedPreKey, SignedPreKeyBundle, SignedPreKeyId,
    Timestamp,
};
use hushpost_wire::client_frame::Request;
use hushpost_wire::{
    AccountId, Delivery, DeviceId, PreKeyBundles, PutDeviceList, Sender, SignedDeviceList,
    UploadPreKeys, VerifiedDeviceList,
};
use rand::rngs::SysRng;

/// What device lists and keys say about when they were made. Nothing depends on it.
const NOW: Timestamp = Timestamp(1_764_000_000_000);
/// The size class of first messages.
const FIRST_MESSAGE_LEN: usize = 4096;

/// An account at the relay whose devices have published keys.
pub struct ByHand {
    identity: Identity,
    relay: SocketAddr,
    connection: Client,
}

impl ByHand {
    pub async fn register(relay: SocketAddr, devices: u32) -> Result<Self, TestError> {
        let mut identity = Identity::with_devices(devices)?;
        let keys: Vec<_> = identity.devices.iter_mut().map(real_key).collect();
        let (mut connection, welcome) = Client::connect(relay).await?;
        connection.register(&welcome, &identity).await?;
        let mut by_hand = Self {
            identity,
            relay,
            connection,
        };
        by_hand
            .connection
            .request(upload(keys.first().unwrap()))
            .await?;
        for (number, key) in (2..).zip(keys.iter().skip(1)) {
            by_hand.publish(number, key).await?;
        }
        Ok(by_hand)
    }

    pub fn account(&self) -> AccountId {
        self.identity.account()
    }

    pub fn list(&self) -> SignedDeviceList {
        self.identity.signed_list()
    }

    /// Another list of the same version, signed as well, with a device more.
    pub fn list_with_ghost(&self) -> SignedDeviceList {
        let mut other = self.identity.clone();
        let mut ghost = DeviceKeys::new(DeviceId::new(3).unwrap()).unwrap();
        real_key(&mut ghost);
        other.devices.push(ghost);
        other.signed_list()
    }

    pub async fn remove_device(&mut self, number: u32) -> Result<(), TestError> {
        self.identity.remove_device(number);
        self.put_list().await
    }

    /// Adds one after the last.
    pub async fn add_device(&mut self) -> Result<(), TestError> {
        self.identity.add_device()?;
        let device = self.identity.devices.last_mut().unwrap();
        let (number, key) = (u32::from(device.device), real_key(device));
        self.put_list().await?;
        self.publish(number, &key).await
    }

    async fn put_list(&mut self) -> Result<(), TestError> {
        let list = Some(self.list());
        let put = Request::PutDeviceList(PutDeviceList { device_list: list });
        self.connection.request(put).await?;
        Ok(())
    }

    /// Over a connection of its own.
    async fn publish(&self, number: u32, key: &IdentityKeyPair) -> Result<(), TestError> {
        let (mut connection, welcome) = Client::connect(self.relay).await?;
        connection
            .authenticate(&welcome, &self.identity, number)
            .await?;
        connection.request(upload(key)).await?;
        Ok(())
    }
}

fn upload(key: &IdentityKeyPair) -> Request {
    let signed = SignedPreKey::generate(SignedPreKeyId(1), key, NOW, &mut SysRng).unwrap();
    let kem = KemPreKey::generate(
        KemPreKeyId(2),
        KemKind::MlKem1024,
        true,
        key,
        NOW,
        &mut SysRng,
    )
    .unwrap();
    Request::UploadPreKeys(UploadPreKeys {
        signed_pre_key: Some(hushpost_wire::SignedPreKey {
            id: signed.id.0,
            public_key: signed.keys.public_key().to_bytes().to_vec().into(),
            signature: signed.signature.to_vec().into(),
        }),
        last_resort_kem_pre_key: Some(hushpost_wire::KemPreKey {
            id: kem.id.0,
            public_key: kem.keys.public.to_bytes().into(),
            signature: kem.signature.to_vec().into(),
        }),
        ..UploadPreKeys::default()
    })
}

/// Gives a device an identity key that somebody has.
fn real_key(device: &mut DeviceKeys) -> IdentityKeyPair {
    let key = IdentityKeyPair::generate(&mut SysRng).unwrap();
    device.identity_key = key.public_key().to_bytes();
    key
}

/// A device that says it is an account's.
pub struct Ghost {
    account: AccountId,
    device: u32,
    key: IdentityKeyPair,
}

impl Ghost {
    pub fn new(account: AccountId, device: u32) -> Self {
        Self {
            account,
            device,
            key: IdentityKeyPair::generate(&mut SysRng).unwrap(),
        }
    }

    /// A first message that decrypts at the device whose bundle this is.
    pub fn says(&self, to: AccountId, bundles: &PreKeyBundles) -> Delivery {
        let address = |account: AccountId, device: u32| {
            let device = hushpost_protocol::DeviceId::new(device).unwrap();
            ProtocolAddress::new(ServiceId::account(account.uuid()), device)
        };
        let local = LocalParty {
            identity: &self.key,
            registration_id: RegistrationId(7),
        };
        let mut session = Session::new(PqPolicy::Required)
            .between(address(self.account, self.device), address(to, 1));
        session
            .initiate(local, &bundle(bundles), NOW, &mut SysRng)
            .unwrap();
        let message = session.encrypt(b"from a ghost", NOW).unwrap();
        let length = u32::try_from(message.as_bytes().len()).unwrap();
        let mut envelope = vec![1, message.message_type() as u8];
        envelope.extend_from_slice(&length.to_be_bytes()[1..]);
        envelope.extend_from_slice(message.as_bytes());
        assert!(envelope.len() <= FIRST_MESSAGE_LEN, "{}", envelope.len());
        let class = [512, 1024, 2048, FIRST_MESSAGE_LEN]
            .into_iter()
            .find(|class| envelope.len() <= *class);
        envelope.resize(class.unwrap(), 0);
        Delivery {
            sequence: 0,
            message_id: rand::random::<[u8; 16]>().to_vec().into(),
            sender: Some(Sender {
                account: self.account.as_bytes().to_vec().into(),
                device: self.device,
            }),
            accepted_ms: NOW.0,
            ciphertext: envelope.into(),
        }
    }
}

/// The first bundle, with its one-time keys.
fn bundle(bundles: &PreKeyBundles) -> PreKeyBundle {
    let list = bundles.device_list.as_ref().unwrap();
    let entry = VerifiedDeviceList::verify(list).unwrap().devices()[0];
    let bundle = &bundles.bundles[0];
    let signed = bundle.signed_pre_key.as_ref().unwrap();
    let kem = bundle.kem_pre_key.as_ref().unwrap();
    PreKeyBundle {
        registration_id: RegistrationId(entry.registration_id),
        device_id: hushpost_protocol::DeviceId::PRIMARY,
        identity_key: PublicKey::from_bytes(&entry.identity_key).unwrap(),
        signed_pre_key: SignedPreKeyBundle {
            id: SignedPreKeyId(signed.id),
            key: PublicKey::from_bytes(&signed.public_key).unwrap(),
            signature: signed.signature.to_vec(),
        },
        one_time_pre_key: bundle
            .one_time_pre_key
            .as_ref()
            .map(|key| OneTimePreKeyBundle {
                id: OneTimePreKeyId(key.id),
                key: PublicKey::from_bytes(&key.public_key).unwrap(),
            }),
        kem_pre_key: Some(KemPreKeyBundle {
            id: KemPreKeyId(kem.id),
            key: KemPublicKey::from_bytes(&kem.public_key).unwrap(),
            signature: kem.signature.to_vec(),
        }),
    }
}
