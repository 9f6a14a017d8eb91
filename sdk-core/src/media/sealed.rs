//! The sealed file: how a file of any size is encrypted, so that nothing of it is believed before it is verified.
//!
//! Where it stands: between a file on the device and the blob at the relay. It knows bytes and one key; no names,
//! no network, no database. Everything here blocks: callers run it on a thread for blocking work.
//!
//! Must never: use a [`FileKey`] for two files, give out a byte that did not verify, or hold more of a file than one
//! chunk.
//!
//! # Every byte
//!
//! ```text
//!   blob      = header ‖ chunk 0 ‖ chunk 1 ‖ … ‖ last chunk
//!   header    = version (1 byte: 1) ‖ key commitment (32 bytes)
//!   chunk     = AES-256-GCM(chunk key, nonce, no associated data, piece) = ciphertext ‖ tag (16 bytes)
//!   nonce     = 3 zero bytes ‖ chunk index (8 bytes, big-endian, from 0) ‖ 1 if it is the last chunk, else 0
//!   pieces    = padded, cut into pieces of 256 KiB; the last one may be shorter, and is never empty
//!   padded    = length of the file (8 bytes, big-endian) ‖ file ‖ zeros, up to a size class
//! ```
//!
//! Keys, all by HKDF-SHA256 with the salt `hushpost sealed file 1` over the 32-byte file key:
//!
//! ```text
//!   chunk key       = info "chunks",     32 bytes
//!   key commitment  = info "commitment", 32 bytes
//! ```
//!
//! The size class is [`size_class`] of the file's length and the 8 bytes: 512, 1024, 2048 or
//! 4096 bytes, then Padmé's, which waste 12 % at most. The length of a blob follows from its class alone, so the
//! relay learns the class and nothing finer.
//!
//! # Why so
//!
//! - **The commitment** is compared before anything is decrypted. GCM binds a ciphertext to no key: whoever knows
//!   two keys can make one blob that opens to two files. The commitment is a hash of the key, so one blob has one.
//! - **Index and last flag** (STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015) make each chunk fit in
//!   one place of one length of file: what was cut, extended, swapped, repeated or dropped does not verify.
//! - **The length** stands inside, verified, and must be the one that the message announced; the padding must be
//!   zeros. There is one right blob for a file and a key.
//! - **A new key for each file**, so that the nonces may count from 0.
//! - **256 KiB**: measured, larger pieces gain nothing and smaller ones lose to the calls between; and a range of a
//!   video costs at most that much more than was asked for.

mod digest;
mod key;
mod layout;
mod open;
mod seal;
#[cfg(test)]
mod tests;

pub(crate) use digest::Digested;
pub(crate) use key::FileKey;
pub(crate) use layout::{Layout, Place};
pub(crate) use open::{Opener, open};
pub(crate) use seal::seal;

use std::io;

use thiserror::Error;

#[allow(unused_imports, reason = "for the page above")]
use crate::content::size_class;

/// Bytes before the first chunk.
pub(crate) const HEADER_LEN: usize = 33;
/// Bytes of a piece; all but the last are this long.
pub(crate) const PIECE_LEN: usize = 256 * 1024;
/// Bytes that encryption adds to a piece.
pub(crate) const TAG_LEN: usize = 16;
/// Bytes of the length that stands before the file.
const LENGTH_LEN: usize = 8;
/// Bytes of the largest file: 2 GiB.
pub(crate) const MAX_FILE_LEN: u64 = 2 * 1024 * 1024 * 1024;
/// The first byte of a blob.
const VERSION: u8 = 1;

/// A file was not sealed, or a blob does not open.
#[derive(Debug, Error)]
pub(crate) enum SealedError {
    #[error("it is larger than 2 GiB")]
    TooLarge,
    #[error("it changed while it was read")]
    SourceChanged,
    #[error("it was sealed in another version's way")]
    Version,
    #[error("it was sealed with another key")]
    Commitment,
    #[error("a chunk does not verify")]
    Chunk,
    #[error("the length inside is not the one announced")]
    Length,
    #[error("the padding is not zeros")]
    Padding,
    #[error("it is shorter than announced")]
    Truncated,
    #[error("it is longer than announced")]
    Extended,
    #[error("the cipher could not be set up")]
    Cipher,
    #[error(transparent)]
    Io(#[from] io::Error),
}
