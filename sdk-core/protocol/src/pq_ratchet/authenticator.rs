//! Ties each KEM exchange to the ones before it: a MAC key that every epoch secret goes into.

use subtle::ConstantTimeEq;

use crate::encoding::{Reader, Writer};
use crate::error::Result;
use crate::hkdf::{self, ZERO_SALT};
use crate::mac;
use crate::secret::Secret;

const LABEL_UPDATE: &[u8] = b"Signal_PQCKA_V1_MLKEM768:Authenticator Update";
const LABEL_HEADER: &[u8] = b"Signal_PQCKA_V1_MLKEM768:ekheader";
const LABEL_CIPHERTEXT: &[u8] = b"Signal_PQCKA_V1_MLKEM768:ciphertext";

pub(super) const MAC_LEN: usize = 32;

pub(super) struct Authenticator {
    root: Secret<32>,
    mac: Secret<32>,
}

impl Authenticator {
    pub(super) fn new(initial: &[u8; 32]) -> Self {
        let start = Self {
            root: Secret::zeroed(),
            mac: Secret::zeroed(),
        };
        start.updated(1, initial)
    }

    /// The authenticator after `epoch` has yielded `secret`.
    pub(super) fn updated(&self, epoch: u64, secret: &[u8; 32]) -> Self {
        let mut input = Secret::<64>::zeroed();
        let (root, new) = input.split_at_mut(32);
        root.copy_from_slice(self.root.as_slice());
        new.copy_from_slice(secret);
        let okm = hkdf::derive::<64>(
            &ZERO_SALT,
            input.as_slice(),
            &[LABEL_UPDATE, &epoch.to_be_bytes()],
        );
        Self {
            root: Secret::part_of(okm.as_slice(), 0),
            mac: Secret::part_of(okm.as_slice(), 32),
        }
    }

    pub(super) fn header_mac(&self, epoch: u64, header: &[u8]) -> [u8; MAC_LEN] {
        let parts = [LABEL_HEADER, &epoch.to_be_bytes(), header];
        mac::tag(&self.mac, &parts)
    }

    pub(super) fn ciphertext_mac(&self, epoch: u64, ct1: &[u8], ct2: &[u8]) -> [u8; MAC_LEN] {
        let parts = [LABEL_CIPHERTEXT, &epoch.to_be_bytes(), ct1, ct2];
        mac::tag(&self.mac, &parts)
    }

    pub(super) fn duplicate(&self) -> Self {
        Self {
            root: self.root.duplicate(),
            mac: self.mac.duplicate(),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.bytes(self.root.as_slice());
        writer.bytes(self.mac.as_slice());
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            root: reader.secret()?,
            mac: reader.secret()?,
        })
    }
}

/// Constant-time comparison of a received MAC.
pub(super) fn matches(expected: &[u8; MAC_LEN], received: &[u8]) -> bool {
    expected.as_slice().ct_eq(received).into()
}
