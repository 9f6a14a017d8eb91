//! Who is who: account ids, device numbers, message ids.

use core::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid, Variant, Version};

/// Hashed in front of the account key, so that an id is never mistaken for another kind of hash.
const ACCOUNT_ID_LABEL: &[u8] = b"hushpost account id v1";

/// A field does not name an account, device or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a valid {0}")]
pub struct InvalidAddress(&'static str);

/// An account's id. *Self-certifying*: a version-8 UUID made from the account key, so that whoever has the
/// id can check the key, and nobody can give an id another key.
///
/// ```
/// use hushpost_wire::AccountId;
///
/// let id = AccountId::of_key(&[7; 32]);
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert_ne!(id, AccountId::of_key(&[8; 32]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Uuid);

impl AccountId {
    /// The id of the account with this Ed25519 account key.
    #[must_use]
    pub fn of_key(account_key: &[u8; 32]) -> Self {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(ACCOUNT_ID_LABEL)
            .chain_update(account_key)
            .finalize()
            .into();
        let mut id = [0; 16];
        for (slot, byte) in id.iter_mut().zip(hash) {
            *slot = byte;
        }
        Self(Builder::from_custom_bytes(id).into_uuid())
    }

    /// Reads an id.
    ///
    /// # Errors
    /// [`InvalidAddress`] unless it is 16 bytes of a version-8 UUID.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidAddress> {
        Uuid::from_slice(bytes)
            .ok()
            .and_then(Self::checked)
            .ok_or(InvalidAddress("account id"))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        self.0
    }

    fn checked(uuid: Uuid) -> Option<Self> {
        let made_from_a_key =
            uuid.get_version() == Some(Version::Custom) && uuid.get_variant() == Variant::RFC4122;
        made_from_a_key.then_some(Self(uuid))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl core::str::FromStr for AccountId {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        Uuid::try_parse(text)
            .ok()
            .and_then(Self::checked)
            .ok_or(InvalidAddress("account id"))
    }
}

/// A device of an account: 1 to 127; 1 is the primary device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(u8);

impl DeviceId {
    /// The primary device.
    pub const PRIMARY: Self = Self(1);

    /// Checks the range.
    ///
    /// # Errors
    /// [`InvalidAddress`] outside 1..=127.
    pub fn new(number: u32) -> Result<Self, InvalidAddress> {
        u8::try_from(number)
            .ok()
            .filter(|number| (1..=127).contains(number))
            .map(Self)
            .ok_or(InvalidAddress("device number"))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl From<DeviceId> for u32 {
    fn from(device: DeviceId) -> Self {
        device.0.into()
    }
}

/// One device of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceAddress {
    /// The account.
    pub account: AccountId,
    /// Its device.
    pub device: DeviceId,
}

/// A message's id, made by its sender at random: a time in it would tell the relay more than it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Reads an id.
    ///
    /// # Errors
    /// [`InvalidAddress`] unless it is 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidAddress> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| InvalidAddress("message id"))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// As a UUID: 36 characters with hyphens, in lower case.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

/// Reads what `Display` writes, and nothing else.
///
/// ```
/// use hushpost_wire::MessageId;
///
/// let id = MessageId::from_slice(&[7; 16])?;
/// assert_eq!(id.to_string(), "07070707-0707-0707-0707-070707070707");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// # Ok::<_, hushpost_wire::InvalidAddress>(())
/// ```
impl core::str::FromStr for MessageId {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        // There are other ways to write a UUID: none of them, so that a text and an id stand for each other.
        let hyphenated = text.len() == Hyphenated::LENGTH;
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        Uuid::try_parse(text)
            .ok()
            .filter(|_| hyphenated && !upper)
            .map(|uuid| Self(uuid.into_bytes()))
            .ok_or(InvalidAddress("message id"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_account_id_is_a_version_8_uuid_fixed_by_its_key() {
        let id = AccountId::of_key(&[0; 32]);
        assert_eq!(id.uuid().get_version_num(), 8);
        assert_eq!(AccountId::from_slice(id.as_bytes()), Ok(id));
        // Frozen: an id once shown as a QR code must mean the same key for ever.
        assert_eq!(id.to_string(), "a327abf5-22e4-8022-a060-7880b8515c86");
    }

    #[test]
    fn ids_of_another_kind_are_refused() {
        let random = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000);
        assert!(AccountId::from_slice(random.as_bytes()).is_err());
        assert!(AccountId::from_slice(&[0; 15]).is_err());
        assert!(AccountId::from_slice(&[]).is_err());
        assert!(MessageId::from_slice(&[0; 17]).is_err());
        for number in [0, 128, 256 + 1, u32::MAX] {
            assert!(DeviceId::new(number).is_err(), "{number}");
        }
        assert_eq!(DeviceId::new(127).map(DeviceId::get), Ok(127));
    }

    #[test]
    fn a_text_that_is_not_exactly_a_message_id_is_refused() {
        let text = MessageId([0xab; 16]).to_string();
        assert_eq!(text.parse(), Ok(MessageId([0xab; 16])));
        for bad in [
            String::new(),
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            format!(" {text}"),
            format!("{text}\n"),
            text.replacen('a', "g", 1),
            text.replacen("ab", "é", 1),
            "-".repeat(36),
            "é".repeat(18),
        ] {
            assert!(bad.parse::<MessageId>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "no".parse::<MessageId>().unwrap_err().to_string(),
            "not a valid message id"
        );
    }

    proptest! {
        #[test]
        fn every_message_id_is_read_back(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(MessageId(bytes).to_string().parse(), Ok(MessageId(bytes)));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9a-fA-F-]{30,40}|.{0,50}") {
            if let Ok(id) = text.parse::<MessageId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
