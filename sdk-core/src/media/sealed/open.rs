//! From a blob to the file, whole or in part. Every byte that comes out was verified.

use std::io::{ErrorKind, Read, Write};

use zeroize::Zeroize as _;

use super::key::Cipher;
use super::seal::read_some;
use super::{FileKey, HEADER_LEN, LENGTH_LEN, Layout, PIECE_LEN, SealedError, TAG_LEN};

/// Opens chunks, in any order, of the blob whose header it has seen.
pub(crate) struct Opener {
    cipher: Cipher,
    layout: Layout,
}

impl Opener {
    /// Checks that the blob with this header was sealed with this key.
    pub(crate) fn new(
        key: &FileKey,
        layout: Layout,
        header: &[u8; HEADER_LEN],
    ) -> Result<Self, SealedError> {
        let cipher = Cipher::new(key)?;
        cipher.check_header(header)?;
        Ok(Self { cipher, layout })
    }

    /// Decrypts a chunk in place; the answer is what it holds of the file. After an error what is in `chunk` is to be
    /// thrown away.
    pub(crate) fn open_chunk<'a>(
        &self,
        index: u64,
        chunk: &'a mut [u8],
    ) -> Result<&'a [u8], SealedError> {
        let place = self.layout.place(index).ok_or(SealedError::Extended)?;
        let piece = self.cipher.open(index, place.last, chunk)?;
        if piece.len() != place.piece {
            return Err(SealedError::Chunk);
        }
        let (length, rest) = piece
            .split_at_checked(place.file_at)
            .ok_or(SealedError::Chunk)?;
        if place.file_at == LENGTH_LEN && length != self.layout.file_len().to_be_bytes() {
            return Err(SealedError::Length);
        }
        let held = place.file.end.saturating_sub(place.file.start);
        let (file, padding) = usize::try_from(held)
            .ok()
            .and_then(|held| rest.split_at_checked(held))
            .ok_or(SealedError::Chunk)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(SealedError::Padding);
        }
        Ok(file)
    }
}

/// Writes the file of a blob. The sink is given verified bytes alone, but whether they are all of the file is known
/// at the end: what an error leaves there is the file's beginning.
pub(crate) fn open(
    key: &FileKey,
    layout: &Layout,
    source: &mut impl Read,
    sink: &mut impl Write,
) -> Result<(), SealedError> {
    let mut header = [0; HEADER_LEN];
    exactly(source, &mut header)?;
    let opener = Opener::new(key, *layout, &header)?;
    let mut buffer = vec![0; PIECE_LEN.saturating_add(TAG_LEN)];
    let done: Result<(), SealedError> = (0..layout.chunks()).try_for_each(|index| {
        let place = layout.place(index).ok_or(SealedError::Extended)?;
        let chunk = buffer
            .get_mut(..place.piece.saturating_add(TAG_LEN))
            .ok_or(SealedError::Extended)?;
        exactly(source, chunk)?;
        sink.write_all(opener.open_chunk(index, chunk)?)?;
        Ok(())
    });
    buffer.zeroize();
    done?;
    if read_some(source, &mut [0])? > 0 {
        return Err(SealedError::Extended);
    }
    Ok(())
}

fn exactly(source: &mut impl Read, buffer: &mut [u8]) -> Result<(), SealedError> {
    source
        .read_exact(buffer)
        .map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => SealedError::Truncated,
            _ => error.into(),
        })
}
