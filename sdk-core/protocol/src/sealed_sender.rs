//! Sealed sender: the relay learns who receives, not who sends.
//!
//! ```text
//!   sealed message ─▶ content: message type, sender certificate, hint, group id
//!                       └─▶ inner message (1:1, sender key or plaintext)
//! ```
//!
//! [`v1`] seals for one recipient; [`v2`] seals one body for many recipients, whose keys the relay
//! splits apart with [`sent_message`], which needs no secret. Both prove the sender's identity to the
//! recipient, but only a valid certificate ties that identity to an account and a device: call
//! [`UnidentifiedSenderMessageContent::verify_sender`] before using the content.

mod certificate;
mod content;
pub mod sent_message;
mod v1;
mod v2;

pub use certificate::{SenderCertificate, SenderCertificateFields, ServerCertificate};
pub use content::{ContentHint, UnidentifiedSenderMessageContent};
pub use v2::{Recipient, RecipientDevice};

use core::num::NonZeroUsize;

use rand_core::TryCryptoRng;

use crate::address::ServiceId;
use crate::curve::PublicKey;
use crate::error::{Error, Result};
use crate::identity::IdentityKeyPair;

/// Seals `content` for one recipient (version 1). `sender` must be the identity in its certificate.
///
/// Adds about 100 bytes to the content.
///
/// # Errors
/// [`Error::CertificateInvalid`] if the certificate is for another identity, [`Error::Randomness`] if
/// `rng` fails.
pub fn seal(
    content: &UnidentifiedSenderMessageContent,
    sender: &IdentityKeyPair,
    recipient: &PublicKey,
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Vec<u8>> {
    require_own_certificate(content, sender)?;
    v1::seal(content.as_bytes(), sender, recipient, rng)
}

/// Seals `content` once for many recipients (version 2): the form to send to the relay.
///
/// Each recipient costs 67 bytes and two agreements, which are spread over `threads` threads;
/// `excluded` accounts are named with no key, so that the relay can tell an exclusion from a stale
/// list. `sender` must be the identity in the certificate.
///
/// # Errors
/// [`Error::OutOfRange`] if there is no recipient, one has no device, or a registration id does not
/// fit 14 bits; [`Error::CertificateInvalid`], [`Error::InvalidKey`], [`Error::Randomness`].
pub fn seal_multi_recipient(
    content: &UnidentifiedSenderMessageContent,
    sender: &IdentityKeyPair,
    recipients: &[Recipient],
    excluded: &[ServiceId],
    threads: NonZeroUsize,
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Vec<u8>> {
    require_own_certificate(content, sender)?;
    v2::seal(
        content.as_bytes(),
        sender,
        recipients,
        excluded,
        threads,
        rng,
    )
}

/// Opens a sealed message of either version, in the form the relay delivers.
///
/// Proves that the owner of the certificate's identity key sealed it for us; whether the
/// certificate is any good is for
/// [`verify_sender`](UnidentifiedSenderMessageContent::verify_sender) to say.
///
/// # Errors
/// [`Error::InvalidMessage`] if it does not open or was not sealed by the certificate's identity,
/// [`Error::UnrecognizedVersion`], [`Error::InvalidKey`] for the ephemeral key.
pub fn open(bytes: &[u8], recipient: &IdentityKeyPair) -> Result<UnidentifiedSenderMessageContent> {
    let (&version, rest) = bytes.split_first().ok_or(Error::InvalidMessage)?;
    match version >> 4 {
        0 | v1::VERSION => v1::open(rest, recipient),
        v2::VERSION => v2::open(rest, recipient),
        unknown => Err(Error::UnrecognizedVersion(unknown)),
    }
}

fn require_own_certificate(
    content: &UnidentifiedSenderMessageContent,
    sender: &IdentityKeyPair,
) -> Result<()> {
    if content.sender_certificate().identity_key() == sender.public_key() {
        Ok(())
    } else {
        Err(Error::CertificateInvalid)
    }
}
