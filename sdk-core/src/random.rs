//! Randomness: the system's, unless a simulation asks for its own.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hushpost_wire::MessageId;
use rand_core::{TryCryptoRng, TryRng};

use crate::Error;
use crate::store::StoreError;

/// Where keys and ids come from.
#[derive(Clone, Default)]
pub struct Randomness(Option<Source>);

type Source = Arc<Mutex<dyn FnMut(&mut [u8]) + Send>>;

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

impl Randomness {
    /// For simulations that must be the same on every run. Never in an app: whoever knows the seed knows
    /// every key.
    #[must_use]
    pub fn for_simulation(fill: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        Self(Some(Arc::new(Mutex::new(fill))))
    }

    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.clone()
            .try_fill_bytes(&mut bytes)
            .map_err(|_| StoreError::Randomness)?;
        Ok(bytes)
    }

    /// For waits: how much of one is taken. Not for keys: a failing source gives the longest wait.
    pub(crate) fn jitter(&self) -> Jitter {
        Jitter(self.clone())
    }

    pub(crate) fn message_id(&self) -> Result<MessageId, Error> {
        // Version 4, so that it reads as what it is.
        let id = uuid::Builder::from_random_bytes(self.array()?).into_uuid();
        MessageId::from_slice(id.as_bytes()).map_err(|_| StoreError::Randomness.into())
    }
}

impl TryRng for Randomness {
    type Error = NoRandomness;

    fn try_next_u32(&mut self) -> Result<u32, NoRandomness> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, NoRandomness> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        match &self.0 {
            None => getrandom::fill(bytes).map_err(|_| NoRandomness),
            Some(source) => {
                (source.lock().unwrap_or_else(PoisonError::into_inner))(bytes);
                Ok(())
            }
        }
    }
}

impl TryCryptoRng for Randomness {}

/// A source that never fails, for what need not be secret.
pub(crate) struct Jitter(Randomness);

impl TryRng for Jitter {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.try_next_u32().unwrap_or(u32::MAX))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.try_next_u64().unwrap_or(u64::MAX))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        if self.0.try_fill_bytes(bytes).is_err() {
            bytes.fill(u8::MAX);
        }
        Ok(())
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness")
    }
}
