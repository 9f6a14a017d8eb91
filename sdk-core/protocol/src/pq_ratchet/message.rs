//! The ratchet's message: travels in field 5 of a `SignalMessage`. Not protobuf.
//!
//! `01 ‖ varint epoch ‖ varint index ‖ type ‖ [varint chunk index ‖ 32 bytes]`

use super::erasure::{CHUNK_LEN, Chunk};
use crate::error::{Error, Result};

/// The version this crate speaks.
pub(super) const VERSION: u8 = 1;

/// Longest encoding: version, two varints, type, chunk number, chunk.
const MAX_LEN: usize = 1 + 10 + 5 + 1 + 3 + CHUNK_LEN;

/// What a message carries of the KEM exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Nothing to send.
    None,
    /// Of the key's header and its MAC.
    Header(Chunk),
    /// Of the key's vector.
    Key(Chunk),
    /// Of the key's vector; and the first ciphertext part is complete.
    KeyAndAck(Chunk),
    /// The first ciphertext part is complete.
    Ack,
    /// Of the first ciphertext part.
    Ciphertext1(Chunk),
    /// Of the second ciphertext part and its MAC.
    Ciphertext2(Chunk),
}

/// A parsed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PqMessage {
    /// The KEM exchange it belongs to, from 1. Its key is of the chain one epoch before.
    pub(crate) epoch: u64,
    /// The number of its key in that chain, from 1; 0 for none.
    pub(crate) index: u32,
    pub(crate) payload: Payload,
}

impl PqMessage {
    /// Parses; bytes after the end are ignored.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        if take::<1>(&mut rest)? != [VERSION] {
            return Err(Error::InvalidMessage);
        }
        let epoch = take_varint(&mut rest)?;
        if epoch == 0 {
            return Err(Error::InvalidMessage);
        }
        let index = narrow(take_varint(&mut rest)?)?;
        let payload = match take::<1>(&mut rest)? {
            [0] => Payload::None,
            [1] => Payload::Header(take_chunk(&mut rest)?),
            [2] => Payload::Key(take_chunk(&mut rest)?),
            [3] => Payload::KeyAndAck(take_chunk(&mut rest)?),
            [4] => Payload::Ack,
            [5] => Payload::Ciphertext1(take_chunk(&mut rest)?),
            [6] => Payload::Ciphertext2(take_chunk(&mut rest)?),
            _ => return Err(Error::InvalidMessage),
        };
        Ok(Self {
            epoch,
            index,
            payload,
        })
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_LEN);
        bytes.push(VERSION);
        prost::encoding::encode_varint(self.epoch, &mut bytes);
        prost::encoding::encode_varint(self.index.into(), &mut bytes);
        let (kind, chunk) = match self.payload {
            Payload::None => (0, None),
            Payload::Header(chunk) => (1, Some(chunk)),
            Payload::Key(chunk) => (2, Some(chunk)),
            Payload::KeyAndAck(chunk) => (3, Some(chunk)),
            Payload::Ack => (4, None),
            Payload::Ciphertext1(chunk) => (5, Some(chunk)),
            Payload::Ciphertext2(chunk) => (6, Some(chunk)),
        };
        bytes.push(kind);
        if let Some(chunk) = chunk {
            prost::encoding::encode_varint(chunk.index.into(), &mut bytes);
            bytes.extend_from_slice(&chunk.data);
        }
        bytes
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, left) = rest.split_first_chunk().ok_or(Error::InvalidMessage)?;
    *rest = left;
    Ok(*taken)
}

fn take_varint(rest: &mut &[u8]) -> Result<u64> {
    prost::encoding::decode_varint(rest).map_err(|_| Error::InvalidMessage)
}

fn take_chunk(rest: &mut &[u8]) -> Result<Chunk> {
    let index = narrow(take_varint(rest)?)?;
    let data = take(rest)?;
    Ok(Chunk { index, data })
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T> {
    T::try_from(number).map_err(|_| Error::InvalidMessage)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload() -> impl Strategy<Value = Payload> {
        let chunk = (any::<u16>(), any::<[u8; CHUNK_LEN]>());
        (0..7, chunk).prop_map(|(kind, (index, data))| {
            let chunk = Chunk { index, data };
            match kind {
                0 => Payload::None,
                1 => Payload::Header(chunk),
                2 => Payload::Key(chunk),
                3 => Payload::KeyAndAck(chunk),
                4 => Payload::Ack,
                5 => Payload::Ciphertext1(chunk),
                _ => Payload::Ciphertext2(chunk),
            }
        })
    }

    fn message() -> impl Strategy<Value = PqMessage> {
        (1u64.., any::<u32>(), payload()).prop_map(|(epoch, index, payload)| PqMessage {
            epoch,
            index,
            payload,
        })
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(mut bytes: Vec<u8>, valid_start: bool) {
            if let (true, Some(first)) = (valid_start, bytes.first_mut()) {
                *first = VERSION;
            }
            if let Ok(message) = PqMessage::from_bytes(&bytes) {
                prop_assert_eq!(PqMessage::from_bytes(&message.to_bytes()), Ok(message));
            }
        }

        #[test]
        fn what_is_written_is_read_whatever_follows(message in message(), after: Vec<u8>) {
            let mut bytes = message.to_bytes();
            prop_assert!(bytes.len() <= MAX_LEN);
            for length in 0..bytes.len() {
                prop_assert!(PqMessage::from_bytes(&bytes[..length]).is_err());
            }
            bytes.extend(after);
            prop_assert_eq!(PqMessage::from_bytes(&bytes), Ok(message));
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let chunk = [0; CHUNK_LEN];
        let with_chunk = |start: &[u8]| [start, &chunk].concat();
        let most = [0xff, 0xff, 0xff, 0xff];
        assert!(PqMessage::from_bytes(&[1, 1, 0, 0]).is_ok());
        assert!(PqMessage::from_bytes(&[&[1, 1], most.as_slice(), &[0x0f, 4]].concat()).is_ok());
        assert!(PqMessage::from_bytes(&with_chunk(&[1, 1, 0, 1, 0xff, 0xff, 3])).is_ok());
        for refused in [
            vec![0, 1, 0, 0],
            vec![2, 1, 0, 0],
            vec![1, 0, 0, 0],
            with_chunk(&[1, 1, 0, 7]),
            with_chunk(&[1, 1, 0, 0xff]),
            [&[1, 1], most.as_slice(), &[0x1f, 4]].concat(),
            with_chunk(&[1, 1, 0, 1, 0x80, 0x80, 4]),
            [[1].as_slice(), &[0xff; 9], &[2, 0, 0]].concat(),
        ] {
            let result = PqMessage::from_bytes(&refused);
            assert_eq!(result, Err(Error::InvalidMessage), "{refused:?}");
        }
    }
}
