//! From a file to a blob.

use std::io::{ErrorKind, Read, Write};

use zeroize::Zeroize as _;

use super::key::Cipher;
use super::{FileKey, Layout, PIECE_LEN, SealedError};

/// Writes the blob of a file. The source must have just the bytes that the layout is for.
pub(crate) fn seal(
    key: &FileKey,
    layout: &Layout,
    source: &mut impl Read,
    sink: &mut impl Write,
) -> Result<(), SealedError> {
    let cipher = Cipher::new(key)?;
    sink.write_all(&cipher.header())?;
    let mut buffer = vec![0; PIECE_LEN];
    for index in 0..layout.chunks() {
        let place = layout.place(index).ok_or(SealedError::Cipher)?;
        let piece = buffer.get_mut(..place.piece).ok_or(SealedError::Cipher)?;
        fill(&place, layout, piece, source)?;
        let tag = cipher.seal(index, place.last, piece)?;
        sink.write_all(piece)?;
        sink.write_all(&tag)?;
    }
    // What is left in it is ciphertext, but for a piece that failed.
    buffer.zeroize();
    if read_some(source, &mut [0])? > 0 {
        return Err(SealedError::SourceChanged);
    }
    Ok(())
}

/// One piece: the length in the first, the file's bytes, then zeros.
fn fill(
    place: &super::layout::Place,
    layout: &Layout,
    piece: &mut [u8],
    source: &mut impl Read,
) -> Result<(), SealedError> {
    let (length, rest) = piece
        .split_at_mut_checked(place.file_at)
        .ok_or(SealedError::Cipher)?;
    if place.file_at > 0 {
        length.copy_from_slice(&layout.file_len().to_be_bytes());
    }
    let held = place.file.end.saturating_sub(place.file.start);
    let held = usize::try_from(held).map_err(|_| SealedError::TooLarge)?;
    let (file, padding) = rest.split_at_mut_checked(held).ok_or(SealedError::Cipher)?;
    source
        .read_exact(file)
        .map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => SealedError::SourceChanged,
            _ => error.into(),
        })?;
    padding.fill(0);
    Ok(())
}

/// Reads what there is, up to the buffer's length; 0 is the end.
pub(super) fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
