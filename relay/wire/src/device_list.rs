//! The signed, versioned list of an account's devices: who may connect, and who messages are for.
//!
//! The relay stores and serves the bytes as the account signed them, and cannot add a device: peers encrypt
//! only to devices on a list that the account key signed, and never accept a lower version.

use ed25519_dalek::{Signer, SigningKey};
use prost::Message;
use thiserror::Error;

use crate::address::{AccountId, DeviceId};
use crate::challenge::verify_strict;
use crate::limits::{EC_PUBLIC_KEY_LEN, MAX_DEVICE_LIST_LEN, MAX_REGISTRATION_ID, SIGNATURE_LEN};
use crate::{DeviceList, SignedDeviceList};

const LABEL: &[u8] = b"hushpost device list v1";

/// Why a device list is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeviceListError {
    /// It does not decode, or is longer than a list may be.
    #[error("the device list does not decode")]
    Malformed,
    /// The signature is not the account key's.
    #[error("the device list is not signed by its account key")]
    BadSignature,
    /// Something in it is out of range: the version is 0, there is no device, numbers do not rise, or a key
    /// has the wrong length.
    #[error("the device list's {0} is out of range")]
    OutOfRange(&'static str),
}

/// A device of a verified list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountDevice {
    /// Its number.
    pub device: DeviceId,
    /// Its Curve25519 identity key with type byte.
    pub identity_key: [u8; EC_PUBLIC_KEY_LEN],
    /// Its Ed25519 authentication key.
    pub authentication_key: [u8; 32],
    /// Its registration id, 1 to 16383.
    pub registration_id: u32,
}

/// A list whose signature and content were checked. There is no other way to get one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDeviceList {
    account: AccountId,
    version: u32,
    created_ms: u64,
    devices: Vec<AccountDevice>,
}

impl VerifiedDeviceList {
    /// Checks a list.
    ///
    /// ```
    /// use ed25519_dalek::SigningKey;
    /// use hushpost_wire::{AccountId, DeviceEntry, DeviceList, VerifiedDeviceList, device_list};
    ///
    /// let account_key = SigningKey::from_bytes(&[1; 32]);
    /// let signed = device_list::sign(&account_key, 1, 1_764_000_000_000, vec![DeviceEntry {
    ///     device: 1,
    ///     identity_key: vec![5; 33].into(),
    ///     authentication_key: vec![6; 32].into(),
    ///     registration_id: 11,
    /// }]);
    /// let list = VerifiedDeviceList::verify(&signed)?;
    /// assert_eq!(list.account(), AccountId::of_key(account_key.verifying_key().as_bytes()));
    /// # Ok::<(), hushpost_wire::DeviceListError>(())
    /// ```
    ///
    /// # Errors
    /// [`DeviceListError`].
    pub fn verify(signed: &SignedDeviceList) -> Result<Self, DeviceListError> {
        if signed.device_list.len() > MAX_DEVICE_LIST_LEN || signed.signature.len() != SIGNATURE_LEN
        {
            return Err(DeviceListError::Malformed);
        }
        let list = DeviceList::decode(signed.device_list.clone())
            .map_err(|_| DeviceListError::Malformed)?;
        let account_key: [u8; 32] = list
            .account_key
            .as_ref()
            .try_into()
            .map_err(|_| DeviceListError::OutOfRange("account key"))?;
        if !verify_strict(
            &account_key,
            &signed_bytes(&signed.device_list),
            &signed.signature,
        ) {
            return Err(DeviceListError::BadSignature);
        }
        if list.version == 0 {
            return Err(DeviceListError::OutOfRange("version"));
        }
        if list.devices.is_empty() {
            return Err(DeviceListError::OutOfRange("number of devices"));
        }
        let mut devices: Vec<AccountDevice> = Vec::with_capacity(list.devices.len());
        for entry in &list.devices {
            let device = DeviceId::new(entry.device)
                .map_err(|_| DeviceListError::OutOfRange("device number"))?;
            if devices.last().is_some_and(|last| last.device >= device) {
                return Err(DeviceListError::OutOfRange("order of devices"));
            }
            if !(1..=MAX_REGISTRATION_ID).contains(&entry.registration_id) {
                return Err(DeviceListError::OutOfRange("registration id"));
            }
            devices.push(AccountDevice {
                device,
                identity_key: entry
                    .identity_key
                    .as_ref()
                    .try_into()
                    .map_err(|_| DeviceListError::OutOfRange("identity key"))?,
                authentication_key: entry
                    .authentication_key
                    .as_ref()
                    .try_into()
                    .map_err(|_| DeviceListError::OutOfRange("authentication key"))?,
                registration_id: entry.registration_id,
            });
        }
        Ok(Self {
            account: AccountId::of_key(&account_key),
            version: list.version,
            created_ms: list.created_ms,
            devices,
        })
    }

    /// The account, by the key that signed.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The version, from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// When it was made, milliseconds since the Unix epoch, by the account's clock.
    #[must_use]
    pub const fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// The devices, by rising number; one at least.
    #[must_use]
    pub fn devices(&self) -> &[AccountDevice] {
        &self.devices
    }

    /// One device.
    #[must_use]
    pub fn device(&self, device: DeviceId) -> Option<&AccountDevice> {
        self.devices.iter().find(|entry| entry.device == device)
    }
}

/// What the account key signs: a label and the encoded list.
#[must_use]
pub fn signed_bytes(device_list: &[u8]) -> Vec<u8> {
    [LABEL, device_list].concat()
}

/// The account's side: makes and signs a list.
#[must_use]
pub fn sign(
    account_key: &SigningKey,
    version: u32,
    created_ms: u64,
    devices: Vec<crate::DeviceEntry>,
) -> SignedDeviceList {
    let device_list = DeviceList {
        account_key: account_key.verifying_key().to_bytes().to_vec().into(),
        version,
        created_ms,
        devices,
    }
    .encode_to_vec();
    let signature = account_key.sign(&signed_bytes(&device_list)).to_bytes();
    SignedDeviceList {
        device_list: device_list.into(),
        signature: signature.to_vec().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceEntry;

    fn entry(device: u32) -> DeviceEntry {
        DeviceEntry {
            device,
            identity_key: vec![5; 33].into(),
            authentication_key: vec![6; 32].into(),
            registration_id: 11,
        }
    }

    fn verify(
        version: u32,
        devices: Vec<DeviceEntry>,
    ) -> Result<VerifiedDeviceList, DeviceListError> {
        let key = SigningKey::from_bytes(&[1; 32]);
        VerifiedDeviceList::verify(&sign(&key, version, 5, devices))
    }

    #[test]
    fn lists_out_of_range_are_refused() {
        assert!(verify(1, vec![entry(1), entry(3)]).is_ok());
        let refused = |version, devices| {
            matches!(
                verify(version, devices),
                Err(DeviceListError::OutOfRange(_))
            )
        };
        assert!(refused(0, vec![entry(1)]));
        assert!(refused(1, vec![]));
        assert!(refused(1, vec![entry(0)]));
        assert!(refused(1, vec![entry(128)]));
        assert!(refused(1, vec![entry(2), entry(1)]));
        assert!(refused(1, vec![entry(1), entry(1)]));
        assert!(refused(
            1,
            vec![DeviceEntry {
                identity_key: vec![5; 32].into(),
                ..entry(1)
            }]
        ));
        assert!(refused(
            1,
            vec![DeviceEntry {
                authentication_key: vec![].into(),
                ..entry(1)
            }]
        ));
        assert!(refused(
            1,
            vec![DeviceEntry {
                registration_id: 0,
                ..entry(1)
            }]
        ));
        assert!(refused(
            1,
            vec![DeviceEntry {
                registration_id: 0x4000,
                ..entry(1)
            }]
        ));
    }

    #[test]
    fn any_change_breaks_the_signature() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let signed = sign(&key, 7, 5, vec![entry(1)]);
        for position in 0..signed.device_list.len() {
            let mut list = signed.device_list.to_vec();
            list[position] ^= 1;
            let changed = SignedDeviceList {
                device_list: list.into(),
                ..signed.clone()
            };
            assert!(VerifiedDeviceList::verify(&changed).is_err(), "{position}");
        }
        let other = SigningKey::from_bytes(&[2; 32]);
        let swapped = SignedDeviceList {
            signature: sign(&other, 7, 5, vec![entry(1)]).signature,
            ..signed
        };
        assert_eq!(
            VerifiedDeviceList::verify(&swapped),
            Err(DeviceListError::BadSignature)
        );
    }

    #[test]
    fn a_long_list_is_refused_before_it_is_decoded() {
        let signed = SignedDeviceList {
            device_list: vec![0; MAX_DEVICE_LIST_LEN + 1].into(),
            signature: vec![0; 64].into(),
        };
        assert_eq!(
            VerifiedDeviceList::verify(&signed),
            Err(DeviceListError::Malformed)
        );
    }
}
