//! Drawing bytes from the caller's generator, and noticing when it is broken.
//!
//! This crate owns no source of randomness. A generator that reports an error, or that returns the
//! same byte over and over (how an unseeded or failed one usually looks), ends the operation with
//! [`Error::Randomness`] before any key is made of it.

use rand_core::TryCryptoRng;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// Draws `N` bytes, at least 32 of which make an accidental constant run impossible in practice.
pub(crate) fn draw<const N: usize>(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Secret<N>> {
    const { assert!(N >= 32, "too short to tell a broken generator from chance") };
    let mut bytes = Secret::zeroed();
    rng.try_fill_bytes(bytes.as_mut_slice())
        .map_err(|_| Error::Randomness)?;
    let mut differences = 0u8;
    for pair in bytes.windows(2) {
        if let [a, b] = pair {
            differences |= a ^ b;
        }
    }
    if differences == 0 {
        return Err(Error::Randomness);
    }
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod broken {
    //! Generators that fail in the ways real ones have failed.
    use rand_core::{TryCryptoRng, TryRng};

    /// Reports an error on every call.
    pub(crate) struct Failing;

    /// Returns one byte for ever.
    pub(crate) struct Constant(pub(crate) u8);

    impl TryRng for Failing {
        type Error = std::io::Error;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(std::io::Error::other("no entropy"))
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(std::io::Error::other("no entropy"))
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Err(std::io::Error::other("no entropy"))
        }
    }
    impl TryCryptoRng for Failing {}

    impl TryRng for Constant {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::from_ne_bytes([self.0; 4]))
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::from_ne_bytes([self.0; 8]))
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.fill(self.0);
            Ok(())
        }
    }
    impl TryCryptoRng for Constant {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_or_constant_generator_makes_no_bytes() {
        assert_eq!(
            draw::<32>(&mut broken::Failing).err(),
            Some(Error::Randomness)
        );
        for byte in [0, 1, 0xff] {
            let mut rng = broken::Constant(byte);
            assert_eq!(draw::<64>(&mut rng).err(), Some(Error::Randomness));
        }
    }
}
