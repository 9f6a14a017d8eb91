//! A fixed number of secret bytes, wiped on drop.
//!
//! Wipes the whole array at once; the generic way wipes byte by byte, which on the hot path took
//! longer than the hashing.

use core::ops::{Deref, DerefMut};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes. No `Debug`, no `Clone`.
pub(crate) struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    pub(crate) const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn zeroed() -> Self {
        Self([0; N])
    }

    /// Takes the `N` bytes of `source` from `start` on: both are fixed where this is written.
    pub(crate) fn part_of(source: &[u8], start: usize) -> Self {
        let mut part = Self::zeroed();
        let source = source.get(start..).unwrap_or_default();
        debug_assert!(source.len() >= N, "the part lies within the source");
        if let Some(bytes) = source.first_chunk() {
            part.0 = *bytes;
        }
        part
    }

    /// A copy for a second owner; explicit, so that no secret is copied by accident.
    pub(crate) const fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

impl<const N: usize> Deref for Secret<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> DerefMut for Secret<N> {
    fn deref_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}
