//! Where everything stands in the blob of a file of a known length. Nothing is read for it, and no length that a
//! stranger announces can make it overflow.

use core::ops::Range;

use super::{HEADER_LEN, LENGTH_LEN, MAX_FILE_LEN, PIECE_LEN, SealedError, TAG_LEN};
use crate::content::size_class;

/// The places in a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    file: u64,
    padded: u64,
}

/// One chunk's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// In the blob: ciphertext and tag.
    pub(crate) blob: Range<u64>,
    /// Bytes of the piece, without the tag.
    pub(crate) piece: usize,
    /// Whether it is the last.
    pub(crate) last: bool,
    /// The bytes of the file that it holds; may be empty.
    pub(crate) file: Range<u64>,
    /// Where those begin in the piece.
    pub(crate) file_at: usize,
}

impl Layout {
    /// For a file of so many bytes.
    pub(crate) fn of_file(file: u64) -> Result<Self, SealedError> {
        if file > MAX_FILE_LEN {
            return Err(SealedError::TooLarge);
        }
        let inside = file.saturating_add(wide(LENGTH_LEN));
        let inside = usize::try_from(inside).map_err(|_| SealedError::TooLarge)?;
        Ok(Self {
            file,
            padded: wide(size_class(inside)),
        })
    }

    /// Bytes of the file.
    pub(crate) const fn file_len(&self) -> u64 {
        self.file
    }

    /// How many chunks there are; at least one.
    pub(crate) const fn chunks(&self) -> u64 {
        self.padded.div_ceil(PIECE_LEN as u64)
    }

    /// Bytes of the whole blob.
    pub(crate) const fn blob_len(&self) -> u64 {
        let tags = self.chunks().saturating_mul(TAG_LEN as u64);
        self.padded
            .saturating_add(tags)
            .saturating_add(HEADER_LEN as u64)
    }

    /// A chunk's place; `None` beyond the last.
    pub(crate) fn place(&self, index: u64) -> Option<Place> {
        let start = index.checked_mul(wide(PIECE_LEN))?;
        let left = self.padded.checked_sub(start).filter(|left| *left > 0)?;
        let piece = left.min(wide(PIECE_LEN));
        let end = start.saturating_add(piece);
        let blob = start
            .saturating_add(index.saturating_mul(wide(TAG_LEN)))
            .saturating_add(wide(HEADER_LEN));
        let length = wide(LENGTH_LEN);
        let file =
            start.saturating_sub(length).min(self.file)..end.saturating_sub(length).min(self.file);
        Some(Place {
            blob: blob..blob.saturating_add(piece).saturating_add(wide(TAG_LEN)),
            piece: usize::try_from(piece).ok()?,
            last: end == self.padded,
            file,
            file_at: if start == 0 { LENGTH_LEN } else { 0 },
        })
    }

    /// The chunks that hold these bytes of the file: the first and the last of them.
    pub(crate) fn chunks_of(&self, range: &Range<u64>) -> Option<(u64, u64)> {
        if range.start >= range.end || range.end > self.file {
            return None;
        }
        let chunk_of = |byte: u64| {
            byte.saturating_add(wide(LENGTH_LEN))
                .checked_div(wide(PIECE_LEN))
        };
        Some((
            chunk_of(range.start)?,
            chunk_of(range.end.saturating_sub(1))?,
        ))
    }
}

/// No platform has lengths above 64 bits.
fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
