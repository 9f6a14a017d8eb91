//! Sealed sender: the relay learns who receives, not who sends.
//!
//! ```text
//!   sealed message ─▶ content: message type, sender certificate, hint, group id
//!                       └─▶ inner message (1:1, sender key or plaintext)
//! ```
//!
//! Version 1 ([`seal`]) is for one recipient; version 2 ([`seal_multi_recipient`]) seals one body for
//! many, whose keys the relay splits apart with `hushpost_wire::sent_message`, which needs no secret. Both prove
//! the sender's identity to the recipient, but only a valid certificate ties that identity to an
//! account and a device: call [`UnidentifiedSenderMessageContent::verify_sender`] before using the
//! content.
//!
//! ```
//! use std::num::NonZeroUsize;
//!
//! use getrandom::SysRng;
//! use hushpost_protocol::sealed_sender::{self, *};
//! use hushpost_protocol::*;
//! use hushpost_wire::sent_message::SentMessage;
//! use uuid::Uuid;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rng = &mut SysRng;
//! let now = Timestamp(1_764_000_000_000);
//! let (alice, bob) = (IdentityKeyPair::generate(rng)?, IdentityKeyPair::generate(rng)?);
//! let at = |number| {
//!     let service_id = ServiceId::account(Uuid::from_u128(number));
//!     ProtocolAddress::new(service_id, DeviceId::PRIMARY)
//! };
//!
//! // The operator: a trust root, built into every client, and a server that certifies senders.
//! let root = SigningKeyPair::generate(rng)?;
//! let server_key = SigningKeyPair::generate(rng)?;
//! let server = ServerCertificate::issue(1, server_key.public_key(), &root, rng)?;
//! let fields = SenderCertificateFields {
//!     sender: at(1),
//!     phone_number: None,
//!     identity_key: *alice.public_key(),
//!     expires: Timestamp(now.0 + 86_400_000),
//! };
//! let certificate = SenderCertificate::issue(fields, &server, &server_key, rng)?;
//!
//! // Alice seals a message that is encrypted already.
//! let content = UnidentifiedSenderMessageContent::new(
//!     MessageType::SenderKey,
//!     certificate,
//!     b"a serialized message".to_vec(),
//!     ContentHint::Resendable,
//!     None,
//! );
//! let recipient = Recipient {
//!     service_id: at(2).service_id,
//!     identity_key: *bob.public_key(),
//!     devices: vec![RecipientDevice {
//!         device_id: DeviceId::PRIMARY,
//!         registration_id: RegistrationId(22),
//!     }],
//! };
//! let one_thread = NonZeroUsize::MIN;
//! let upload =
//!     sealed_sender::seal_multi_recipient(&content, &alice, &[recipient], &[], one_thread, rng)?;
//!
//! // The relay splits, without a key.
//! let sent = SentMessage::parse(&upload)?;
//! let for_bob = sent.received_form(&sent.recipients()[0]).unwrap();
//!
//! // Bob learns who wrote, and believes it for the certificate's sake.
//! let opened = sealed_sender::open(&for_bob, &bob)?;
//! assert_eq!(opened.verify_sender(root.public_key(), &[], now, &at(2))?, at(1));
//! assert_eq!(opened.contents(), b"a serialized message");
//! # Ok(())
//! # }
//! ```

mod certificate;
mod content;
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
