//! Who is who: service ids, devices and their protocol addresses, and the numbers keys go by.
//!
//! Newtypes, so that a registration id never lands where a pre-key id belongs.

use core::fmt;

use uuid::Uuid;

use crate::error::{Error, Result};

/// The largest device number of an account; 1 is the primary device.
pub const MAX_DEVICE_ID: u8 = 127;

/// The largest registration id that sealed sender v2 can carry: 14 bits.
pub const MAX_SEALED_REGISTRATION_ID: u32 = 0x3fff;

/// Which of an account's two identities a [`ServiceId`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ServiceIdKind {
    /// The account itself.
    Account = 0,
    /// The identity behind a phone number, before the account is known.
    PhoneNumber = 1,
}

/// An account's identifier: a UUID and what it stands for.
///
/// Text form: the hyphenated UUID, with `PNI:` in front for a phone-number identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId {
    kind: ServiceIdKind,
    uuid: Uuid,
}

impl ServiceId {
    /// Length of the fixed-width form: kind byte, UUID.
    pub const FIXED_WIDTH_LEN: usize = 17;

    /// Names an identity.
    #[must_use]
    pub const fn new(kind: ServiceIdKind, uuid: Uuid) -> Self {
        Self { kind, uuid }
    }

    /// Names an account.
    #[must_use]
    pub const fn account(uuid: Uuid) -> Self {
        Self::new(ServiceIdKind::Account, uuid)
    }

    /// Parses the text form.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if it is not a hyphenated UUID with an optional `PNI:` prefix.
    pub fn parse(text: &str) -> Result<Self> {
        let (kind, uuid) = match text.strip_prefix("PNI:") {
            Some(uuid) => (ServiceIdKind::PhoneNumber, uuid),
            None => (ServiceIdKind::Account, text),
        };
        let refused = Error::OutOfRange("service id");
        // The parser below knows other notations of a UUID too; only the hyphenated one is ours.
        if uuid.len() != 36 {
            return Err(refused);
        }
        Uuid::try_parse(uuid)
            .map(|uuid| Self { kind, uuid })
            .map_err(|_| refused)
    }

    /// What the id stands for.
    #[must_use]
    pub const fn kind(&self) -> ServiceIdKind {
        self.kind
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The fixed-width form: kind byte, 16 UUID bytes.
    #[must_use]
    pub fn to_fixed_width(&self) -> [u8; Self::FIXED_WIDTH_LEN] {
        let mut bytes = [self.kind as u8; Self::FIXED_WIDTH_LEN];
        if let Some(uuid) = bytes.last_chunk_mut::<16>() {
            *uuid = *self.uuid.as_bytes();
        }
        bytes
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ServiceIdKind::PhoneNumber {
            f.write_str("PNI:")?;
        }
        self.uuid.hyphenated().fmt(f)
    }
}

/// A device of an account: 1 to [`MAX_DEVICE_ID`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(u8);

impl DeviceId {
    /// The primary device.
    pub const PRIMARY: Self = Self(1);

    /// Checks the range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside 1..=127.
    pub fn new(number: u32) -> Result<Self> {
        u8::try_from(number)
            .ok()
            .filter(|number| (1..=MAX_DEVICE_ID).contains(number))
            .map(Self)
            .ok_or(Error::OutOfRange("device id"))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One device of one account: the other end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProtocolAddress {
    /// The account.
    pub service_id: ServiceId,
    /// Its device.
    pub device_id: DeviceId,
}

impl ProtocolAddress {
    /// Names a device.
    #[must_use]
    pub const fn new(service_id: ServiceId, device_id: DeviceId) -> Self {
        Self {
            service_id,
            device_id,
        }
    }
}

macro_rules! key_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

key_id! {
    /// Number of a one-time pre-key; 0 is as good as any.
    OneTimePreKeyId
}
key_id! {
    /// Number of a signed pre-key.
    SignedPreKeyId
}
key_id! {
    /// Number of a KEM pre-key.
    KemPreKeyId
}
key_id! {
    /// A number a device draws at registration, so that peers notice when it was set up anew.
    RegistrationId
}

/// A moment, in milliseconds since the Unix epoch. The crate has no clock: the caller tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds from `earlier` to here; 0 if it is not earlier.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
