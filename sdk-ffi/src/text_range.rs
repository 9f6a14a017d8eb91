//! A part of a text.

use core::ops::Range;

/// A part of a text, in bytes of its UTF-8: from `start` up to, not with, `end`. The bindings turn it into what their
/// language counts in.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TextRange {
    /// The first byte.
    pub start: u32,
    /// The first byte after it.
    pub end: u32,
}

impl From<Range<usize>> for TextRange {
    fn from(range: Range<usize>) -> Self {
        let short = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self {
            start: short(range.start),
            end: short(range.end),
        }
    }
}

impl From<TextRange> for Range<usize> {
    fn from(range: TextRange) -> Self {
        let long = |place| usize::try_from(place).unwrap_or(usize::MAX);
        long(range.start)..long(range.end)
    }
}
