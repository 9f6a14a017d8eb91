//! Doors for the benchmark: the sealing of files by itself, with a fixed key. Nothing for an app.

use std::io::{Read, Write};

use crate::media::sealed::{self, Digested, FileKey, Layout};

fn fixed(len: u64) -> Option<(FileKey, Layout)> {
    Some((FileKey::from_slice(&[1; 32])?, Layout::of_file(len).ok()?))
}

/// Seals a file; says whether it did.
pub fn seal(len: u64, source: &mut impl Read, sink: &mut impl Write) -> bool {
    fixed(len).is_some_and(|(key, layout)| sealed::seal(&key, &layout, source, sink).is_ok())
}

/// Seals a file; the answer is the blob's digest.
pub fn seal_digested(len: u64, source: &mut impl Read, sink: &mut impl Write) -> Option<[u8; 32]> {
    let (key, layout) = fixed(len)?;
    let mut sink = Digested::new(sink);
    sealed::seal(&key, &layout, source, &mut sink).ok()?;
    Some(sink.finish().ok()?.1)
}

/// Opens a blob; says whether it did.
pub fn open(len: u64, source: &mut impl Read, sink: &mut impl Write) -> bool {
    fixed(len).is_some_and(|(key, layout)| sealed::open(&key, &layout, source, sink).is_ok())
}
