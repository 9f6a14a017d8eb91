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
