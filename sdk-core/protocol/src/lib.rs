//! The Signal Protocol and nothing else: pure Rust, permissively licensed, byte-compatible with the
//! official library.
//!
//! No I/O, no threads of its own, no clock, no global randomness, no storage traits. The caller owns
//! every piece of state, hands it in with a random number generator and the time, and stores it
//! afterwards. Nothing here panics on what a peer, a relay or a file supplied, and an operation that
//! fails leaves the state it was given bit for bit as it was.
//!
//! # The protocol in one sitting
//!
//! **Who.** A device has an *identity key*, an X25519 pair that also signs ([`IdentityKeyPair`]). It
//! publishes *pre-keys* ([`pre_key`]), so that others can write to it while it is offline: a *signed*
//! one, a stock of *one-time* ones, and a post-quantum *KEM* one.
//!
//! **Starting.** Alice fetches Bob's [`PreKeyBundle`], checks the signatures, makes a fresh *base
//! key*, and mixes three or four Diffie–Hellman agreements and a KEM secret into a first root key.
//! With a KEM key this is PQXDH, without it X3DH. Her first messages carry what Bob needs to do the
//! same ([`PreKeySignalMessage`]) until he answers.
//!
//! **Going on.** From there the *Double Ratchet* gives every message a key of its own:
//!
//! ```text
//!            Alice                                            Bob
//!   root 0 ──┬── DH(A₁, B₀) ─────────────── same ──────────────┬── root 0
//!            │                                                 │
//!   root 1   └─▶ chain ─▶ chain ─▶ chain ─▶      … received …  └─▶ chain ─▶ chain ─▶ chain
//!            │     │        │        │                                │        │        │
//!            │    key 0    key 1    key 2   ══ 3 messages ══▶        key 0    key 1    key 2
//!            │                              (each shows A₁)
//!            ├── DH(A₁, B₁) ◀══════ Bob's answer shows B₁ ══════ DH(A₁, B₁)
//!   root 2   └─▶ chain ─▶ …                                       chain ─▶ …
//! ```
//!
//! *Down the chain* is one-way: who steals a key cannot read what came before (forward secrecy).
//! *From root to root* needs a fresh agreement: who copies the whole state is locked out after one
//! round trip (healing). Messages that are lost or late cost nothing: their keys are kept, within
//! bounds, until they arrive.
//!
//! **Against quantum computers.** The KEM protects the start. Beside the Double Ratchet runs a second,
//! post-quantum one ([`pq_ratchet`]): small pieces of an ML-KEM exchange travel with the messages, and
//! its secrets salt every message key, so a session heals against that thief too. Together they are
//! the *Triple Ratchet*; a session's [`PqPolicy`] says whether it is required.
//!
//! ```text
//!   one epoch, in 32-byte pieces that ride on ordinary messages; any n of a stream rebuild it
//!
//!   key owner                                          encapsulator
//!   makes an ML-KEM key  ── header, 3 pieces ──▶       starts a secret with the header alone
//!                        ◀── ciphertext 1, 30 ──
//!                        ── key, 36 ─────────────▶
//!                        ── “have ciphertext 1” ─▶     finishes with the whole key
//!   opens both parts     ◀── ciphertext 2, 5 ────
//!              │                                            │
//!              └──────────── epoch secret ──────────────────┘
//!                                 ▼
//!     a new chain for each direction; its keys salt the message keys; then the roles swap
//! ```
//!
//! **Groups.** Each member has a *sender key*: a chain like the one above and a signing key, handed to
//! the others over 1:1 sessions. One encryption serves the whole group; it does not heal by itself,
//! so it is replaced when anyone leaves ([`sender_key`]).
//!
//! **Unseen senders.** *Sealed sender* hides from the relay who sends ([`sealed_sender`]).
//!
//! **Trust.** Two people compare *safety numbers* to know that their identity keys are each other's
//! ([`SafetyNumber`]).
//!
//! # Alice and Bob
//!
//! ```
//! use getrandom::SysRng; // any cryptographic generator of the `rand_core` traits
//! use hushpost_protocol::*;
//!
//! # fn main() -> Result<()> {
//! let rng = &mut SysRng;
//! let now = Timestamp(1_764_000_000_000);
//!
//! // Each device, once: an identity. Bob also publishes pre-keys.
//! let (alice_id, bob_id) = (IdentityKeyPair::generate(rng)?, IdentityKeyPair::generate(rng)?);
//! let alice = LocalParty { identity: &alice_id, registration_id: RegistrationId(11) };
//! let bob = LocalParty { identity: &bob_id, registration_id: RegistrationId(22) };
//! let signed = SignedPreKey::generate(SignedPreKeyId(1), &bob_id, now, rng)?;
//! let one_time = OneTimePreKey::generate(OneTimePreKeyId(1), rng)?;
//! let kem = KemPreKey::generate(KemPreKeyId(1), KemKind::MlKem1024, true, &bob_id, now, rng)?;
//! let device = DeviceId::PRIMARY;
//! let bundle = PreKeyBundle::new(bob, device, &signed, Some(&one_time), Some(&kem));
//!
//! // Alice starts a session and writes; Bob is offline all the while.
//! let mut alice_to_bob = Session::new(PqPolicy::Required);
//! alice_to_bob.initiate(alice, &bundle, now, rng)?;
//! let first = alice_to_bob.encrypt(b"Hello, Bob", now)?;
//! assert_eq!(first.message_type(), MessageType::PreKey);
//! let on_the_wire: Vec<u8> = first.into_bytes();
//!
//! // Bob looks up the pre-keys that the message names and opens it.
//! let message = PreKeySignalMessage::from_bytes(&on_the_wire)?;
//! assert_eq!(message.identity_key(), alice_id.public_key()); // his to decide
//! let mut replay_guard = ReplayGuard::new();
//! let mut bob_to_alice = Session::new(PqPolicy::Required);
//! let received = bob_to_alice.decrypt_pre_key(
//!     bob,
//!     &message,
//!     PreKeySecrets {
//!         signed_pre_key: Some(&signed),
//!         one_time_pre_key: Some(&one_time),
//!         kem_pre_key: Some(&kem),
//!         replay_guard: &mut replay_guard,
//!     },
//!     rng,
//! )?;
//! assert_eq!(received.plaintext, b"Hello, Bob");
//! assert!(received.consumed.is_some()); // store the session, delete the one-time key: one transaction
//!
//! // Bob stores the session, and answers after a restart.
//! let stored = bob_to_alice.encode();
//! let mut bob_to_alice = Session::decode(&stored)?;
//! let answer = bob_to_alice.encrypt(b"Hello, Alice", now)?.into_bytes();
//! let answer = SignalMessage::from_bytes(&answer)?;
//! assert_eq!(alice_to_bob.decrypt(&answer, rng)?.plaintext, b"Hello, Alice");
//! # Ok(())
//! # }
//! ```
//!
//! # A group
//!
//! ```
//! use getrandom::SysRng;
//! use hushpost_protocol::*;
//!
//! # fn main() -> Result<()> {
//! let rng = &mut SysRng;
//! let group = DistributionId(uuid::Uuid::from_u128(7)); // random, in earnest
//! let mut alice = OutboundSenderKey::generate(group, rng)?;
//!
//! // Sent to each member over its 1:1 session, never in the clear.
//! let introduction = alice.distribution_message().to_bytes();
//! let mut bob = InboundSenderKey::new(group);
//! bob.process(&SenderKeyDistributionMessage::from_bytes(&introduction)?)?;
//!
//! // Encrypted once, whatever the group's size.
//! let post = alice.encrypt(b"Hello, all", rng)?.into_bytes();
//! assert_eq!(bob.decrypt(&SenderKeyMessage::from_bytes(&post)?)?, b"Hello, all");
//!
//! // Someone left: the next message is on a new chain.
//! alice.rotate(rng)?;
//! let post = alice.encrypt(b"Only with the new key", rng)?;
//! assert_eq!(bob.decrypt(&post), Err(Error::NoSenderKey));
//! # Ok(())
//! # }
//! ```
//!
//! # What a stolen secret exposes
//!
//! | stolen | the thief can | until |
//! | --- | --- | --- |
//! | a message key | read that one message | – |
//! | a sending or receiving chain key | read the rest of that chain | the next turn of the conversation |
//! | a whole [`Session`] | read on, and write as that device in that conversation | one round trip both sides make unobserved; for a thief with a quantum computer, the end of the next whole epoch (about 90 messages) |
//! | a skipped message's key | read that message, if it has kept the ciphertext | it arrives, or 2,000 later ones push it out |
//! | a one-time pre-key's secret | nothing by itself | it is used |
//! | the signed and KEM pre-keys' secrets | nothing by themselves; with the identity key, read recorded first messages that used no one-time key, and impersonate anyone *to* this device | they are rotated (weekly) |
//! | the identity key | impersonate this device to new contacts and sign pre-keys; read nothing of sessions that exist | the user replaces it, and contacts see that |
//! | an [`OutboundSenderKey`] | read and forge that sender's later messages to that group | [`rotate`](OutboundSenderKey::rotate) |
//! | an [`InboundSenderKey`] | read that sender's later messages; not forge | the sender rotates |
//! | everything ever recorded on the wire, with a quantum computer to it | read all sessions started by X3DH; nothing of those started by PQXDH. Without the post-quantum ratchet, a PQXDH session whose state is also stolen once does not heal against that thief | a new session is started |
//!
//! # Rules for callers
//!
//! - **Persist before you speak.** Store the encoded state and what the call produced in one
//!   transaction, before the ciphertext leaves or the message is acknowledged.
//! - **Never restore a ratchet from a backup.** It would use keys twice. A restored device starts
//!   anew: new sessions, new sender keys, new pre-keys.
//! - **Look at identity keys.** [`Received::identity_key`] is who wrote; a bundle or a first message
//!   with another key than the one known is for the user to accept.
//! - **Delete what was consumed** in the transaction that stores the session.
//! - **Pass a real generator.** One that fails, is stuck, or repeats itself within a call is noticed
//!   ([`Error::Randomness`]); one that repeats itself from call to call cannot be, and would seal two
//!   messages under one key.
//!
//! # Features
//!
//! - `aws-lc-rs`: X25519 from aws-lc-rs (C and assembly) in place of curve25519-dalek's, about twice
//!   as fast; the same answers and refusals.
//!
//! The byte layouts are on the [wire-format page](wire_format).
#![forbid(unsafe_code)]

mod cipher;
mod encoding;
mod handshake;
mod hkdf;
mod hmac_block;
mod mac;
mod proto;
mod random;
mod secret;

pub mod address;
pub mod curve;
pub mod decryption_error;
pub mod error;
pub mod identity;
pub mod import;
pub mod kem;
pub mod message;
pub mod pq_ratchet;
pub mod pre_key;
pub mod ratchet;
pub mod safety_number;
pub mod sealed_sender;
pub mod sender_key;
pub mod session;
#[doc = include_str!("wire_format.md")]
pub mod wire_format {}

pub use address::{
    DeviceId, KemPreKeyId, MAX_DEVICE_ID, MAX_SEALED_REGISTRATION_ID, OneTimePreKeyId,
    ProtocolAddress, RegistrationId, ServiceId, ServiceIdKind, SignedPreKeyId, Timestamp,
};
pub use curve::{
    KeyPair, PRIVATE_KEY_LEN, PUBLIC_KEY_LEN, PrivateKey, PublicKey, SHARED_SECRET_LEN,
    SIGNATURE_LEN, SigningKeyPair,
};
pub use decryption_error::{DecryptionErrorMessage, PlaintextContent};
pub use error::{Error, KeyRole, Result};
pub use identity::{IdentityKeyPair, LocalParty};
pub use kem::{
    KEM_CIPHERTEXT_LEN, KEM_PUBLIC_KEY_LEN, KEM_SECRET_KEY_LEN, KemCiphertext, KemKeyPair, KemKind,
    KemPublicKey, KemSecretKey,
};
pub use message::{
    CiphertextMessage, MessageType, PreKeySignalMessage, ProtocolVersion, SignalMessage,
};
pub use pq_ratchet::PqPolicy;
pub use pre_key::{
    KemPreKey, KemPreKeyBundle, OneTimePreKey, OneTimePreKeyBundle, PreKeyBundle,
    REPLAY_GUARD_CAPACITY, ReplayGuard, SignedPreKey, SignedPreKeyBundle,
};
pub use ratchet::{MAX_FORWARD_JUMP, MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS};
pub use safety_number::{SAFETY_NUMBER_ITERATIONS, SafetyNumber, SafetyNumberParty};
pub use sender_key::{
    ChainId, DistributionId, InboundSenderKey, MAX_SENDER_KEY_STATES, OutboundSenderKey,
    SenderKeyDistributionMessage, SenderKeyMessage,
};
pub use session::{
    ConsumedPreKeys, MAX_ARCHIVED_STATES, MAX_SKIPPED_KEYS_PER_SESSION, MAX_UNACKNOWLEDGED_AGE_MS,
    PreKeySecrets, Received, Session,
};
