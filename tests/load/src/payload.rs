//! What is sent: 256 bytes that say when they were due, who sent them and which of that sender's they are.
//! The rest is random, as a ciphertext is.

use std::sync::LazyLock;
use std::time::Instant;

use rand::RngExt as _;

use crate::error::LoadError;

/// Bytes of every message.
pub const PAYLOAD_LEN: usize = 256;

/// A payload.
pub type Payload = [u8; PAYLOAD_LEN];

/// Nanoseconds since the program began.
pub fn now() -> u64 {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGINNING.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What a payload says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When it was due, see [`now`].
    pub due: u64,
    /// The sender.
    pub sender: u32,
    /// Which of the sender's to this recipient, from 0.
    pub number: u32,
}

impl Stamp {
    /// Writes it over the beginning of a payload.
    pub fn write(self, payload: &mut Payload) {
        let fields = self
            .due
            .to_be_bytes()
            .into_iter()
            .chain(self.sender.to_be_bytes())
            .chain(self.number.to_be_bytes());
        for (slot, byte) in payload.iter_mut().zip(fields) {
            *slot = byte;
        }
    }

    /// Reads it from a payload.
    pub fn read(payload: &[u8]) -> Result<Self, LoadError> {
        let wrong = || LoadError::Unexpected("a message that was not sent in this run");
        if payload.len() != PAYLOAD_LEN {
            return Err(wrong());
        }
        let (due, rest) = payload.split_first_chunk().ok_or_else(wrong)?;
        let (sender, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (number, _) = rest.split_first_chunk().ok_or_else(wrong)?;
        Ok(Self {
            due: u64::from_be_bytes(*due),
            sender: u32::from_be_bytes(*sender),
            number: u32::from_be_bytes(*number),
        })
    }
}

/// Random bytes.
pub fn random() -> Payload {
    let mut payload = [0; PAYLOAD_LEN];
    rand::rng().fill(&mut payload);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives() {
        let stamp = Stamp {
            due: u64::MAX - 1,
            sender: 7,
            number: 1 << 31,
        };
        let mut payload = random();
        stamp.write(&mut payload);
        assert_eq!(Stamp::read(&payload).unwrap(), stamp);
        assert!(Stamp::read(&payload[1..]).is_err());
    }
}
