//! The byte layout of everything a caller persists: one kind byte, one version byte, then fields in
//! a fixed order without tags.
//!
//! Compact and fast, because a session is written after every message. Integers that are usually
//! small are LEB128; keys are bare. Reading trusts nothing: every length is checked against what is
//! left and against the caller's bound before anything is allocated, and bytes left over are an
//! error. A new version of a layout gets a new number; old numbers stay readable.

use zeroize::Zeroizing;

use crate::curve::PublicKey;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// What a piece of stored state is: the first byte of its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    IdentityKeyPair = 1,
    OneTimePreKey = 2,
    SignedPreKey = 3,
    KemPreKey = 4,
    ReplayGuard = 5,
    Session = 6,
    OutboundSenderKey = 7,
    InboundSenderKey = 8,
}

/// Writes one piece of state into a buffer that is wiped on drop.
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// `capacity` should cover the whole encoding: a buffer that grows leaves copies behind.
    pub(crate) fn new(kind: Kind, version: u8, capacity: usize) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        bytes.extend_from_slice(&[kind as u8, version]);
        Self(bytes)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            // Grown by hand: growing in place would free the old buffer unwiped.
            let mut roomier = Vec::with_capacity(needed.saturating_mul(2));
            roomier.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(roomier);
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    pub(crate) fn public_key(&mut self, key: &PublicKey) {
        self.bytes(key.as_montgomery());
    }

    pub(crate) fn varint(&mut self, mut value: u64) {
        let mut buffer = [0u8; 10];
        let mut length = 0usize;
        for slot in &mut buffer {
            length = length.saturating_add(1);
            *slot = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                break;
            }
            *slot |= 0x80;
        }
        self.bytes(buffer.get(..length).unwrap_or_default());
    }

    /// A count; 64-bit, whatever the machine.
    pub(crate) fn count(&mut self, count: usize) {
        self.varint(count as u64);
    }

    /// Presence byte, then the value.
    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Reads what [`Writer`] wrote; every method fails with [`Error::InvalidState`].
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks the kind and hands out the version, which the caller matches on.
    pub(crate) fn new(kind: Kind, bytes: &'a [u8]) -> Result<(Self, u8)> {
        match bytes {
            [first, version, rest @ ..] if *first == kind as u8 => Ok((Self(rest), *version)),
            _ => Err(Error::InvalidState),
        }
    }

    /// For a kind that has had one version only.
    pub(crate) fn of_version(kind: Kind, version: u8, bytes: &'a [u8]) -> Result<Self> {
        let (reader, found) = Self::new(kind, bytes)?;
        if found != version {
            return Err(Error::InvalidState);
        }
        Ok(reader)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Error::InvalidState)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Error::InvalidState)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn secret<const N: usize>(&mut self) -> Result<Secret<N>> {
        self.array().map(Secret::new)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::InvalidState),
        }
    }

    pub(crate) fn public_key(&mut self) -> Result<PublicKey> {
        PublicKey::from_montgomery(self.array()?).map_err(|_| Error::InvalidState)
    }

    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::InvalidState)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| Error::InvalidState)
    }

    /// A count of at most `bound`.
    pub(crate) fn count(&mut self, bound: usize) -> Result<usize> {
        usize::try_from(self.varint()?)
            .ok()
            .filter(|&count| count <= bound)
            .ok_or(Error::InvalidState)
    }

    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.flag()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Refuses bytes left over.
    pub(crate) fn finish(self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::InvalidState)
        }
    }
}
