//! The erasure code: a stream of n blocks becomes endless chunks, of which any n rebuild it.
//!
//! Words at the same place of all blocks are the values of a polynomial of degree below n at 0..n;
//! chunk i holds its values at i. So the first n chunks are the blocks themselves, and losing some
//! costs only waiting for as many later ones.

use std::sync::OnceLock;

use super::field::{ORDER, log, power};
use crate::encoding::{Reader, Writer};
use crate::error::{Error, Result};

/// Length of a chunk.
pub(super) const CHUNK_LEN: usize = 32;
const WORDS: usize = CHUNK_LEN / 2;

pub(super) type Block = [u8; CHUNK_LEN];

/// A numbered chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) index: u16,
    pub(crate) data: Block,
}

/// The sending side of a stream.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Encoder {
    blocks: Vec<Block>,
    next: u16,
}

impl Encoder {
    /// `data` must be whole blocks.
    pub(super) fn new(data: &[u8]) -> Self {
        let (blocks, rest) = data.as_chunks();
        debug_assert!(rest.is_empty(), "streams are whole blocks");
        Self {
            blocks: blocks.to_vec(),
            next: 0,
        }
    }

    /// The stream itself.
    pub(super) fn data(&self) -> Vec<u8> {
        self.blocks.concat()
    }

    pub(super) fn next_chunk(&mut self) -> Chunk {
        let index = self.next;
        // After 65,536 chunks the numbers start again; the receiver has long had enough.
        self.next = index.wrapping_add(1);
        let data = match self.blocks.get(usize::from(index)) {
            Some(block) => *block,
            None => first_points(self.blocks.len()).value_at(index, &self.blocks),
        };
        Chunk { index, data }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.varint(self.next.into());
        writer.bytes(&self.data());
    }

    pub(super) fn read(reader: &mut Reader<'_>, length: usize) -> Result<Self> {
        let next = u16::try_from(reader.varint()?).map_err(|_| Error::InvalidState)?;
        let mut encoder = Self::new(reader.bytes(length)?);
        encoder.next = next;
        Ok(encoder)
    }
}

/// The receiving side of a stream: keeps chunks until it has enough.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Decoder {
    chunks: Vec<Chunk>,
}

impl Decoder {
    /// How many more chunks a stream of `length` bytes needs.
    fn missing(&self, length: usize) -> usize {
        (length / CHUNK_LEN).saturating_sub(self.chunks.len())
    }

    fn has(&self, index: u16) -> bool {
        self.chunks.iter().any(|chunk| chunk.index == index)
    }

    /// The stream of `length` bytes, if `chunk` is the last one needed. Changes nothing.
    pub(super) fn complete_with(&self, chunk: &Chunk, length: usize) -> Option<Vec<u8>> {
        if self.missing(length) > 1 || self.has(chunk.index) {
            return None;
        }
        let chunks = || self.chunks.iter().chain([chunk]);
        let blocks: Vec<Block> = chunks().map(|chunk| chunk.data).collect();
        let points = Points::new(chunks().map(|chunk| chunk.index).collect());
        let wanted = u16::try_from(length / CHUNK_LEN).ok()?;
        let stream = (0..wanted).map(|index| {
            let known = chunks().find(|chunk| chunk.index == index);
            known.map_or_else(|| points.value_at(index, &blocks), |chunk| chunk.data)
        });
        Some(stream.collect::<Vec<Block>>().concat())
    }

    /// Keeps a chunk that [`complete_with`](Self::complete_with) found not to be the last.
    pub(super) fn add(&mut self, chunk: Chunk) {
        if !self.has(chunk.index) {
            self.chunks.push(chunk);
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.count(self.chunks.len());
        for chunk in &self.chunks {
            writer.varint(chunk.index.into());
            writer.bytes(&chunk.data);
        }
    }

    /// Reads the decoder of a stream of `length` bytes, which still lacks at least one chunk.
    pub(super) fn read(reader: &mut Reader<'_>, length: usize) -> Result<Self> {
        let mut decoder = Self::default();
        for _ in 0..reader.count((length / CHUNK_LEN).saturating_sub(1))? {
            let index = u16::try_from(reader.varint()?).map_err(|_| Error::InvalidState)?;
            if decoder.has(index) {
                return Err(Error::InvalidState);
            }
            let data = reader.array()?;
            decoder.chunks.push(Chunk { index, data });
        }
        Ok(decoder)
    }
}

/// The longest stream, in blocks: an encapsulation vector.
const MAX_BLOCKS: usize = 36;

/// The points 0..n, prepared once for each length there is.
fn first_points(n: usize) -> &'static Points {
    static PREPARED: [OnceLock<Points>; MAX_BLOCKS + 1] = [const { OnceLock::new() }; _];
    static NONE: Points = Points {
        at: Vec::new(),
        weights: Vec::new(),
    };
    PREPARED.get(n).map_or(&NONE, |points| {
        points.get_or_init(|| Points::new((0..=u16::MAX).take(n).collect()))
    })
}

/// Where some polynomials' values are known, ready for Lagrange's formula.
struct Points {
    at: Vec<u16>,
    /// For each point the logarithm of 1 / ∏ (point − other).
    weights: Vec<usize>,
}

impl Points {
    fn new(at: Vec<u16>) -> Self {
        let weights = at
            .iter()
            .map(|&point| {
                let others = at.iter().filter(|&&other| other != point);
                let product: usize = others.map(|other| log(point ^ other)).sum();
                negated(product % ORDER)
            })
            .collect();
        Self { at, weights }
    }

    /// The values at `x`, which is none of the points, of the polynomials through `blocks`.
    ///
    /// A point's factor is common to all words of its block, so the inner loop is two look-ups a
    /// word.
    fn value_at(&self, x: u16, blocks: &[Block]) -> Block {
        let all: usize = self.at.iter().map(|&point| log(x ^ point)).sum();
        let mut words = [0u16; WORDS];
        for ((&point, weight), block) in self.at.iter().zip(&self.weights).zip(blocks) {
            let others = all.saturating_sub(log(x ^ point));
            let factor = others.saturating_add(*weight) % ORDER;
            for (word, bytes) in words.iter_mut().zip(block.as_chunks::<2>().0) {
                let value = u16::from_be_bytes(*bytes);
                if value != 0 {
                    *word ^= power(log(value).saturating_add(factor));
                }
            }
        }
        let mut block = [0; CHUNK_LEN];
        for (bytes, word) in block.as_chunks_mut::<2>().0.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        block
    }
}

/// The logarithm of an inverse.
const fn negated(log: usize) -> usize {
    ORDER.saturating_sub(log) % ORDER
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    proptest! {
        #[test]
        fn any_n_chunks_rebuild_the_stream(
            data in proptest::collection::vec(any::<u8>(), 96..=96),
            kept in subsequence((0usize..12).collect::<Vec<_>>(), 3).prop_shuffle(),
        ) {
            let mut encoder = Encoder::new(&data);
            let chunks: Vec<Chunk> = (0..12).map(|_| encoder.next_chunk()).collect();
            let mut decoder = Decoder::default();
            let mut rebuilt = None;
            for index in kept {
                prop_assert!(rebuilt.is_none());
                rebuilt = decoder.complete_with(&chunks[index], data.len());
                decoder.add(chunks[index]);
                prop_assert!(rebuilt.is_some() || decoder.complete_with(&chunks[index], 96).is_none());
            }
            prop_assert_eq!(rebuilt, Some(data));
        }
    }

    #[test]
    fn the_first_chunks_are_the_stream_itself() {
        let data: Vec<u8> = (0..160).collect();
        let mut encoder = Encoder::new(&data);
        for block in data.chunks(CHUNK_LEN) {
            assert_eq!(encoder.next_chunk().data, block);
        }
    }
}
