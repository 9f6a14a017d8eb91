//! What can go wrong, and what the caller can do about it.
//!
//! One enum for the whole crate: every operation answers hostile or broken input with one of these
//! values, never with a panic, and leaves the caller's state bit for bit as it was. An error carries
//! no secret and no plaintext, so it may be logged.

use thiserror::Error;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why an operation was refused. No state was changed.
///
/// [`Error::code`] gives a stable name for logs, bindings and tests; the text is for people and may
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The message was decrypted before, or its key has been dropped for age. Acknowledge it and go
    /// on. (A sender that was rolled back to an older state also looks like this until its next
    /// turn: one more reason never to restore a ratchet.)
    #[error("this message was already decrypted")]
    DuplicateMessage,

    /// The message is not what it says it is: wrong MAC, wrong padding, not decodable. One answer
    /// for all these causes, so that it cannot serve as an oracle. Ask the sender for a re-send.
    #[error("the message could not be decoded, authenticated or decrypted")]
    InvalidMessage,

    /// There is no session (or none usable for sending) with this peer: fetch a pre-key bundle and
    /// start one.
    #[error("no usable session with this peer; start one from a pre-key bundle")]
    NoSession,

    /// The session was started more than 30 days ago and never answered: fetch a fresh pre-key
    /// bundle and start another.
    #[error("the session was never answered and is too old to send on; start a new one")]
    StaleSession,

    /// The identity key in the message or bundle is not the one this session (or the caller) is
    /// bound to. Show it to the user before going on.
    #[error("the identity key is not the one expected from this peer")]
    UntrustedIdentity,

    /// A key is malformed, of the wrong type, not canonical, of small order or (for base keys) not
    /// in the prime-order group, or an agreement had no contribution from the peer.
    #[error("a {0} is malformed or unsafe")]
    InvalidKey(KeyRole),

    /// A signature does not verify. The value names what was signed.
    #[error("the signature over the {0} does not verify")]
    InvalidSignature(KeyRole),

    /// The message's version is below 3: its sender runs something ancient.
    #[error("message version {0} is no longer spoken")]
    LegacyVersion(u8),

    /// The message's version is newer than this crate: update the application.
    #[error("message version {0} is not known; update the application")]
    UnrecognizedVersion(u8),

    /// The peer was seen with a stronger version before; the weaker one is refused, because that is
    /// what a downgrade by the relay looks like.
    #[error("the peer spoke a stronger version before; the weaker one is refused")]
    Downgrade,

    /// A pre-key message names a pre-key that the caller did not supply: it was used up or retired.
    /// Ask the sender to start again from a fresh bundle.
    #[error("the pre-key message names a {0} that is not available")]
    NoSuchPreKey(KeyRole),

    /// A pre-key message repeats a base key on a last-resort pre-key: a replay of a first message.
    #[error("this first message was already accepted on a last-resort pre-key")]
    ReplayedBaseKey,

    /// The replay guard is full: rotate the signed and last-resort pre-keys, then
    /// [`forget`](crate::ReplayGuard::forget) the old ones.
    #[error("the replay guard is full; rotate the last-resort pre-key")]
    ReplayGuardFull,

    /// No sender key is known for this chain: ask for the sender key distribution message.
    #[error("no sender key for this chain; ask for its distribution message")]
    NoSenderKey,

    /// The message's counter is further ahead than [`MAX_FORWARD_JUMP`](crate::MAX_FORWARD_JUMP).
    #[error("the message is too far ahead of the last one received")]
    TooFarAhead,

    /// The chain has counted to its end; start a new session or rotate the sender key.
    #[error("the chain is exhausted; start a new session or rotate the sender key")]
    ChainExhausted,

    /// A sender certificate is malformed, expired, revoked or not signed by the trust root.
    #[error("the sender certificate is not valid")]
    CertificateInvalid,

    /// A sealed message comes from this very device: a loop or a reflection.
    #[error("the sealed message was sent by this device itself")]
    SelfSend,

    /// A registration id does not fit the 14 bits that sealed sender v2 has for it, a device id is
    /// outside 1..=127, or a list is empty or longer than its bound.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),

    /// Two safety numbers have different versions, so they cannot be compared.
    #[error("the safety numbers have different versions")]
    FingerprintVersionMismatch,

    /// The caller's random number generator failed or returned constant bytes. Do not retry with
    /// the same generator.
    #[error("the random number generator failed")]
    Randomness,

    /// Stored state is truncated, of another kind, of a future version or breaks a bound.
    #[error("stored state is damaged or of an unknown version")]
    InvalidState,
}

impl Error {
    /// Says which key the error speaks of, where the failing step could not know.
    pub(crate) const fn about(self, role: KeyRole) -> Self {
        match self {
            Self::InvalidKey(_) => Self::InvalidKey(role),
            Self::InvalidSignature(_) => Self::InvalidSignature(role),
            other => other,
        }
    }

    /// A stable name of the cause, in `snake_case`: it does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DuplicateMessage | Self::ReplayedBaseKey => "duplicate_message",
            Self::InvalidMessage => "invalid_message",
            Self::NoSession | Self::StaleSession => "no_session",
            Self::UntrustedIdentity => "untrusted_identity",
            Self::InvalidKey(_) => "invalid_key",
            Self::InvalidSignature(_) => "invalid_signature",
            Self::LegacyVersion(_) | Self::Downgrade => "legacy_version",
            Self::UnrecognizedVersion(_) => "unrecognized_version",
            Self::NoSuchPreKey(_) => "no_such_pre_key",
            Self::ReplayGuardFull => "replay_guard_full",
            Self::NoSenderKey => "no_sender_key",
            Self::TooFarAhead => "too_far_ahead",
            Self::ChainExhausted => "chain_exhausted",
            Self::CertificateInvalid => "certificate_invalid",
            Self::SelfSend => "self_send",
            Self::OutOfRange(_) => "out_of_range",
            Self::FingerprintVersionMismatch => "fingerprint_version_mismatch",
            Self::Randomness => "randomness",
            Self::InvalidState => "invalid_state",
        }
    }
}

/// Which key an [`enum@Error`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum KeyRole {
    /// A device's long-term identity key.
    #[error("identity key")]
    Identity,
    /// The medium-term signed pre-key.
    #[error("signed pre-key")]
    SignedPreKey,
    /// A one-time pre-key.
    #[error("one-time pre-key")]
    OneTimePreKey,
    /// A KEM (post-quantum) pre-key.
    #[error("KEM pre-key")]
    KemPreKey,
    /// A KEM ciphertext.
    #[error("KEM ciphertext")]
    KemCiphertext,
    /// The initiator's ephemeral base key.
    #[error("base key")]
    Base,
    /// A ratchet key.
    #[error("ratchet key")]
    Ratchet,
    /// The ephemeral key of a sealed message.
    #[error("ephemeral key")]
    Ephemeral,
    /// A sender key's signing key, and what it signed.
    #[error("sender key")]
    SenderKey,
    /// A key whose role the caller knows.
    #[error("key")]
    Unspecified,
}
