//! The keys of one account and its devices, and the frames that prove them.
//!
//! Curve25519 identity keys are random bytes here: the relay never computes with them.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hushpost_wire::limits::{
    DELIVERY_TOKEN_LEN, EC_PUBLIC_KEY_LEN, MAX_DEVICES, MAX_REGISTRATION_ID,
};
use hushpost_wire::{
    AccountId, Authenticate, DeviceAddress, DeviceEntry, DeviceId, PROTOCOL_VERSION, Recipient,
    RecipientDevice, Register, SignedDeviceList, Welcome, challenge, device_list,
};
use sha2::{Digest as _, Sha256};

use crate::HarnessError;

/// When the lists of tests were made, milliseconds since the Unix epoch. Fixed: nothing depends on it.
const CREATED_MS: u64 = 1_764_000_000_000;

/// First byte of an encoded Curve25519 public key.
const EC_KEY_TYPE: u8 = 5;

/// An account: its key, its devices, the token it gives to contacts.
///
/// Fields are open: a test that forges a list changes them.
#[derive(Clone)]
pub struct Identity {
    /// The account key. Its hash is the account id.
    pub account_key: SigningKey,
    /// The devices, by rising number, from 1.
    pub devices: Vec<DeviceKeys>,
    /// Version of the list that [`signed_list`](Self::signed_list) makes.
    pub list_version: u32,
    /// What contacts show.
    pub delivery_token: [u8; DELIVERY_TOKEN_LEN],
}

/// One device's keys.
#[derive(Clone)]
pub struct DeviceKeys {
    /// Its number.
    pub device: DeviceId,
    /// Proves the device to the relay.
    pub authentication_key: SigningKey,
    /// Looks like a Curve25519 public key with type byte.
    pub identity_key: [u8; EC_PUBLIC_KEY_LEN],
    /// 1 to 16383.
    pub registration_id: u32,
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Identity({} devices)", self.devices.len())
    }
}

impl core::fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DeviceKeys({})", self.device.get())
    }
}

impl Identity {
    /// A new account with one device.
    ///
    /// # Errors
    /// [`HarnessError::Random`].
    pub fn new() -> Result<Self, HarnessError> {
        Self::with_devices(1)
    }

    /// A new account with devices 1 to `count`, more than a relay allows too.
    ///
    /// # Errors
    /// [`HarnessError::Address`] if `count` is above 127, [`HarnessError::Random`].
    pub fn with_devices(count: u32) -> Result<Self, HarnessError> {
        let mut identity = Self {
            account_key: random_key()?,
            devices: Vec::with_capacity(MAX_DEVICES),
            list_version: 1,
            delivery_token: random()?,
        };
        for number in 1..=count {
            identity
                .devices
                .push(DeviceKeys::new(DeviceId::new(number)?)?);
        }
        Ok(identity)
    }

    /// The account's id.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId::of_key(self.account_key.verifying_key().as_bytes())
    }

    /// The keys of device `number`.
    ///
    /// # Errors
    /// [`HarnessError::Unexpected`] if it has no such device.
    pub fn device(&self, number: u32) -> Result<&DeviceKeys, HarnessError> {
        self.devices
            .iter()
            .find(|keys| u32::from(keys.device) == number)
            .ok_or(HarnessError::Unexpected("a device of this account"))
    }

    /// Adds a device after the last one; the list's version rises.
    ///
    /// # Errors
    /// [`HarnessError::Address`] past number 127, [`HarnessError::Random`].
    pub fn add_device(&mut self) -> Result<(), HarnessError> {
        let last = self.devices.last().map_or(0, |keys| keys.device.into());
        self.devices
            .push(DeviceKeys::new(DeviceId::new(u32::saturating_add(
                last, 1,
            ))?)?);
        self.list_version = self.list_version.saturating_add(1);
        Ok(())
    }

    /// Removes device `number`; the list's version rises.
    pub fn remove_device(&mut self, number: u32) {
        self.devices.retain(|keys| u32::from(keys.device) != number);
        self.list_version = self.list_version.saturating_add(1);
    }

    /// The device list as it is now, signed by the account key.
    #[must_use]
    pub fn signed_list(&self) -> SignedDeviceList {
        let entries = self.devices.iter().map(DeviceKeys::entry).collect();
        device_list::sign(&self.account_key, self.list_version, CREATED_MS, entries)
    }

    /// What device `number` says to prove itself on the connection that began with `welcome`, to a relay
    /// of the name given there.
    ///
    /// # Errors
    /// [`HarnessError::Unexpected`] if it has no such device or the nonce has the wrong length.
    pub fn authenticate(
        &self,
        welcome: &Welcome,
        number: u32,
    ) -> Result<Authenticate, HarnessError> {
        let keys = self.device(number)?;
        let nonce = welcome
            .nonce
            .as_ref()
            .try_into()
            .map_err(|_| HarnessError::Unexpected("a nonce of 32 bytes"))?;
        let address = DeviceAddress {
            account: self.account(),
            device: keys.device,
        };
        let signature = challenge::sign(
            &welcome.relay_name,
            nonce,
            address,
            &keys.authentication_key,
        );
        Ok(Authenticate {
            version: PROTOCOL_VERSION,
            account: address.account.as_bytes().to_vec().into(),
            device: number,
            signature: signature.to_vec().into(),
        })
    }

    /// What the first device says to create the account.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate).
    pub fn register(&self, welcome: &Welcome) -> Result<Register, HarnessError> {
        Ok(Register {
            device: Some(self.authenticate(welcome, 1)?),
            device_list: Some(self.signed_list()),
            invite_code: String::new(),
            token: String::new(),
        })
    }

    /// This account as a recipient, all devices with the same `ciphertext`; an empty one where the message
    /// has a shared one. No delivery token is shown.
    #[must_use]
    pub fn recipient(&self, ciphertext: &[u8]) -> Recipient {
        Recipient {
            account: self.account().as_bytes().to_vec().into(),
            delivery_token: Bytes::new(),
            devices: self
                .devices
                .iter()
                .map(|keys| RecipientDevice {
                    device: keys.device.into(),
                    registration_id: keys.registration_id,
                    ciphertext: ciphertext.to_vec().into(),
                })
                .collect(),
        }
    }

    /// The same, with the delivery token.
    #[must_use]
    pub fn recipient_with_token(&self, ciphertext: &[u8]) -> Recipient {
        Recipient {
            delivery_token: self.delivery_token.to_vec().into(),
            ..self.recipient(ciphertext)
        }
    }

    /// What the relay keeps of the delivery token: its SHA-256.
    #[must_use]
    pub fn delivery_token_hash(&self) -> [u8; 32] {
        Sha256::digest(self.delivery_token).into()
    }
}

impl DeviceKeys {
    /// New keys.
    ///
    /// # Errors
    /// [`HarnessError::Random`].
    pub fn new(device: DeviceId) -> Result<Self, HarnessError> {
        let mut identity_key: [u8; EC_PUBLIC_KEY_LEN] = random()?;
        if let Some(key_type) = identity_key.first_mut() {
            *key_type = EC_KEY_TYPE;
        }
        // 14 random bits, and never 0.
        let registration_id = (u32::from_be_bytes(random()?) & MAX_REGISTRATION_ID).max(1);
        Ok(Self {
            device,
            authentication_key: random_key()?,
            identity_key,
            registration_id,
        })
    }

    /// The device's entry in a list.
    #[must_use]
    pub fn entry(&self) -> DeviceEntry {
        DeviceEntry {
            device: self.device.into(),
            identity_key: self.identity_key.to_vec().into(),
            authentication_key: self
                .authentication_key
                .verifying_key()
                .to_bytes()
                .to_vec()
                .into(),
            registration_id: self.registration_id,
        }
    }
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], HarnessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| HarnessError::Random)?;
    Ok(bytes)
}

fn random_key() -> Result<SigningKey, HarnessError> {
    Ok(SigningKey::from_bytes(&random()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hushpost_wire::VerifiedDeviceList;

    #[test]
    fn lists_verify_and_follow_changes() {
        let mut identity = Identity::with_devices(3).unwrap();
        let list = VerifiedDeviceList::verify(&identity.signed_list()).unwrap();
        assert_eq!((list.version(), list.devices().len()), (1, 3));
        assert_eq!(list.account(), identity.account());

        identity.remove_device(2);
        identity.add_device().unwrap();
        let list = VerifiedDeviceList::verify(&identity.signed_list()).unwrap();
        let numbers: Vec<u8> = list
            .devices()
            .iter()
            .map(|entry| entry.device.get())
            .collect();
        assert_eq!((list.version(), numbers), (3, vec![1, 3, 4]));
    }

    #[test]
    fn proofs_hold_on_their_connection_only() {
        let identity = Identity::new().unwrap();
        let welcome = |nonce: u8| Welcome {
            relay_name: "relay.test".into(),
            nonce: vec![nonce; 32].into(),
            ..Welcome::default()
        };
        let proof = identity.authenticate(&welcome(1), 1).unwrap();
        let keys = identity.device(1).unwrap();
        let verify = |nonce: [u8; 32]| {
            challenge::verify(
                "relay.test",
                &nonce,
                DeviceAddress {
                    account: identity.account(),
                    device: keys.device,
                },
                keys.authentication_key.verifying_key().as_bytes(),
                &proof.signature,
            )
        };
        assert!(verify([1; 32]) && !verify([2; 32]));
        assert!(identity.authenticate(&welcome(1), 2).is_err());
    }
}
