//! A session: everything shared with one device of a peer, owned and stored by the caller.
//!
//! A [`Session`] holds one current state and a list of archived ones, newest first, because two
//! parties may start at the same moment, reinstall, or restore, and messages of an older start may
//! still be under way (Signal, "The Sesame Algorithm", §3). The rules of choice:
//!
//! - sending always uses the current state;
//! - a message of an established session is tried on the current state, then on the archived ones;
//!   the one that opens it becomes current;
//! - a pre-key message selects the state with its base key, or makes one, and is tried only there.
//!
//! So both sides end up on the state that last carried a message. A state set up by X3DH never takes
//! the place of one set up by PQXDH with the same identity: what a downgrade looks like is refused.
//!
//! Every method either succeeds and changes the session, or fails and leaves it as it was. Encode and
//! store it in the same transaction as what the call produced, **before** the ciphertext is sent or
//! the message acknowledged: a ratchet step that was sent but not stored would be repeated with the
//! same keys.
//!
//! The [crate page](crate#alice-and-bob) has a runnable conversation.

mod addresses;
mod encoding;
mod state;

pub(crate) use addresses::Addresses;
pub(crate) use state::{PendingPreKey, SessionState};

use core::fmt;
use std::collections::VecDeque;

use rand_core::TryCryptoRng;

use crate::address::{
    KemPreKeyId, OneTimePreKeyId, ProtocolAddress, RegistrationId, SignedPreKeyId, Timestamp,
};
use crate::curve::PublicKey;
use crate::error::{Error, KeyRole, Result};
use crate::handshake::{self, ResponderKeys};
use crate::identity::LocalParty;
use crate::message::{CiphertextMessage, PreKeySignalMessage, ProtocolVersion, SignalMessage};
use crate::pq_ratchet::{Direction, PqPolicy, PqRatchet};
use crate::pre_key::{KemPreKey, OneTimePreKey, PreKeyBundle, ReplayGuard, SignedPreKey};
use crate::secret::Secret;

/// How many archived states a session keeps; the oldest is dropped first.
pub const MAX_ARCHIVED_STATES: usize = 40;

/// How many skipped messages' keys a session keeps over all its states: what one state can hold.
/// Beyond it, archived states give theirs up, oldest first, so that a session of a peer who skips on
/// purpose stays under 0.5 MB.
pub const MAX_SKIPPED_KEYS_PER_SESSION: usize = 10_000;

/// How long a session that was never answered may be used for sending: 30 days, in milliseconds.
pub const MAX_UNACKNOWLEDGED_AGE_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// The shared state with one device of a peer. See the [module page](self) for the rules.
///
/// ```
/// use hushpost_protocol::{Error, PqPolicy, Session, Timestamp};
///
/// let mut session = Session::new(PqPolicy::Required);
/// let unsent = session.encrypt(b"too early", Timestamp(0));
/// assert_eq!(unsent.err(), Some(Error::NoSession)); // fetch a bundle and `initiate` first
/// let restored = Session::decode(&session.encode())?;
/// assert!(!restored.can_send(Timestamp(0)));
/// # Ok::<(), Error>(())
/// ```
pub struct Session {
    policy: PqPolicy,
    addresses: Option<Addresses>,
    /// Boxed, so that moving between current and archived leaves no copies of keys behind.
    current: Option<Box<SessionState>>,
    archived: VecDeque<Box<SessionState>>,
}

/// The secrets a first message may need, looked up by the caller by the ids the message names.
#[derive(Debug)]
pub struct PreKeySecrets<'a> {
    /// The key of [`PreKeySignalMessage::signed_pre_key_id`].
    pub signed_pre_key: Option<&'a SignedPreKey>,
    /// The key of [`PreKeySignalMessage::one_time_pre_key_id`].
    pub one_time_pre_key: Option<&'a OneTimePreKey>,
    /// The key of [`PreKeySignalMessage::kem_pre_key_id`].
    pub kem_pre_key: Option<&'a KemPreKey>,
    /// The device's memory of first messages.
    pub replay_guard: &'a mut ReplayGuard,
}

/// A decrypted message and what it did.
#[must_use = "the consumed pre-keys must be deleted with the session's new state"]
pub struct Received {
    /// The plaintext, exactly as it was encrypted.
    pub plaintext: Vec<u8>,
    /// The identity that owns the session it came by: the sender, whatever the envelope says.
    pub identity_key: PublicKey,
    /// Set when the message started a new session. Delete the one-time keys in the transaction that
    /// stores the session and the replay guard.
    pub consumed: Option<ConsumedPreKeys>,
}

/// The pre-keys a first message was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumedPreKeys {
    /// Delete this one.
    pub one_time_pre_key: Option<OneTimePreKeyId>,
    /// Keep this one until it is retired.
    pub signed_pre_key: SignedPreKeyId,
    /// Delete this one, unless it is the last resort.
    pub kem_pre_key: Option<KemPreKeyId>,
}

impl Session {
    /// A session with no state yet. `policy` is for the states to come.
    #[must_use]
    pub const fn new(policy: PqPolicy) -> Self {
        Self {
            policy,
            addresses: None,
            current: None,
            archived: VecDeque::new(),
        }
    }

    /// Says whom the session is between. Its first messages then carry both addresses under their
    /// MAC, and those received are held against them.
    #[must_use]
    pub const fn between(mut self, local: ProtocolAddress, remote: ProtocolAddress) -> Self {
        self.addresses = Some(Addresses { local, remote });
        self
    }

    /// Changes the policy for the states to come.
    pub const fn set_pq_policy(&mut self, policy: PqPolicy) {
        self.policy = policy;
    }

    /// Starts a new state from a pre-key bundle and makes it current. Check the bundle's identity
    /// key against the one you know before.
    ///
    /// # Errors
    /// [`Error::InvalidSignature`] or [`Error::InvalidKey`] name the bundle's bad part,
    /// [`Error::Downgrade`] if it has no KEM pre-key although this identity used one before or the
    /// policy requires the post-quantum ratchet,
    /// [`Error::Randomness`] if `rng` fails.
    pub fn initiate(
        &mut self,
        local: LocalParty<'_>,
        bundle: &PreKeyBundle,
        now: Timestamp,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<()> {
        let version = match bundle.kem_pre_key {
            Some(_) => ProtocolVersion::V4,
            None => ProtocolVersion::V3,
        };
        let policy = self.refuse_downgrade(version, &bundle.identity_key)?;
        let initiated = handshake::initiate(local.identity, bundle, rng)?;
        let pq = start_pq(
            policy,
            version,
            Direction::Initiator,
            initiated.pq_secret,
            rng,
        )?;
        self.make_current(Box::new(SessionState {
            version,
            local_identity: *local.identity.public_key(),
            remote_identity: bundle.identity_key,
            local_registration_id: local.registration_id,
            remote_registration_id: bundle.registration_id,
            base_key: initiated.base_key,
            pending: Some(PendingPreKey {
                one_time_pre_key_id: bundle.one_time_pre_key.map(|key| key.id),
                signed_pre_key_id: bundle.signed_pre_key.id,
                kem: initiated.kem,
                created: now,
            }),
            ratchet: initiated.ratchet,
            pq,
        }));
        Ok(())
    }

    /// Encrypts for the peer; the result is a pre-key message until the peer's first answer.
    ///
    /// # Errors
    /// [`Error::NoSession`] if there is no current state, [`Error::StaleSession`] if it was never
    /// answered and is older than 30 days, [`Error::ChainExhausted`] after 2³² messages without an
    /// answer.
    pub fn encrypt(&mut self, plaintext: &[u8], now: Timestamp) -> Result<CiphertextMessage> {
        let state = self.current.as_mut().ok_or(Error::NoSession)?;
        if !state.is_fresh(now) {
            return Err(Error::StaleSession);
        }
        state.encrypt(plaintext, self.addresses.as_ref())
    }

    /// Decrypts a message of an established session.
    ///
    /// # Errors
    /// [`Error::NoSession`] if there is no state at all, [`Error::DuplicateMessage`] for a repeat,
    /// [`Error::TooFarAhead`], otherwise what the current state found wrong
    /// ([`Error::InvalidMessage`]).
    pub fn decrypt(
        &mut self,
        message: &SignalMessage,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Received> {
        let mut refused = Error::NoSession;
        let archived = (0..self.archived.len()).map(Position::Archived);
        for position in core::iter::once(Position::Current).chain(archived) {
            match self.open_at(position, message, rng) {
                Ok(received) => return Ok(received),
                // Either way the message is this state's own, and no other could open it.
                Err(error @ (Error::DuplicateMessage | Error::Randomness)) => return Err(error),
                Err(error) if refused == Error::NoSession => refused = error,
                Err(_) => {}
            }
        }
        Err(refused)
    }

    /// Decrypts a first message, starting a new state unless its base key is already known. Check
    /// [`PreKeySignalMessage::identity_key`] against the one you know before.
    ///
    /// # Errors
    /// [`Error::NoSuchPreKey`] if a pre-key it names was not supplied, [`Error::ReplayedBaseKey`] or
    /// [`Error::ReplayGuardFull`] by the guard, [`Error::InvalidKey`] for an unsafe base or identity
    /// key, [`Error::UntrustedIdentity`] if a known base key comes with another identity,
    /// [`Error::Downgrade`] for a weaker start than this identity used before or the policy requires,
    /// and as [`Session::decrypt`].
    pub fn decrypt_pre_key(
        &mut self,
        local: LocalParty<'_>,
        message: &PreKeySignalMessage,
        secrets: PreKeySecrets<'_>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Received> {
        if let Some(position) = self.position_of(message.version(), message.base_key()) {
            return self.decrypt_known(position, message, rng);
        }
        let mut policy = self.refuse_downgrade(message.version(), message.identity_key())?;
        match (policy, message.message().pq_ratchet()) {
            (PqPolicy::Required, None) => return Err(Error::Downgrade),
            (PqPolicy::Allowed, None) => policy = PqPolicy::Off,
            _ => {}
        }
        let keys = match_ids(message, &secrets)?;
        let replay_guard = secrets.replay_guard;
        // A used-up one-time key answers no replay; only a start that used none needs the guard.
        let kem_is_kept = keys.kem.is_none_or(|key| key.last_resort);
        let guarded = keys.one_time.is_none() && kem_is_kept;
        let kem_id = message.kem_pre_key_id();
        if guarded {
            replay_guard.check(keys.signed.id, kem_id, message.base_key())?;
        }
        let (ratchet, pq_secret) = handshake::respond(local.identity, message, &keys)?;
        let pq = start_pq(
            policy,
            message.version(),
            Direction::Responder,
            pq_secret,
            rng,
        )?;
        let mut state = Box::new(SessionState {
            version: message.version(),
            local_identity: *local.identity.public_key(),
            remote_identity: *message.identity_key(),
            local_registration_id: local.registration_id,
            remote_registration_id: message.registration_id(),
            base_key: *message.base_key(),
            pending: None,
            ratchet,
            pq,
        });
        let plaintext = state.decrypt(message.message(), self.addresses.as_ref(), rng)?;
        let consumed = ConsumedPreKeys {
            one_time_pre_key: message.one_time_pre_key_id(),
            signed_pre_key: keys.signed.id,
            kem_pre_key: kem_id,
        };
        if guarded {
            replay_guard.record(keys.signed.id, kem_id, message.base_key());
        }
        self.make_current(state);
        self.bound_skipped();
        Ok(Received {
            plaintext,
            identity_key: *message.identity_key(),
            consumed: Some(consumed),
        })
    }

    /// Opens a pre-key message of a state that exists: a repeat of the first flight, or a later part
    /// of it.
    fn decrypt_known(
        &mut self,
        position: Position,
        message: &PreKeySignalMessage,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Received> {
        let state = self.state_mut(position).ok_or(Error::NoSession)?;
        // The identity of a pre-key message is authenticated by the handshake alone, and that was
        // another message's.
        if state.remote_identity != *message.identity_key() {
            return Err(Error::UntrustedIdentity);
        }
        self.open_at(position, message.message(), rng)
    }

    /// Tries one state, and makes it current if it opens the message.
    fn open_at(
        &mut self,
        position: Position,
        message: &SignalMessage,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Received> {
        let addresses = self.addresses;
        let state = self.state_mut(position).ok_or(Error::NoSession)?;
        let plaintext = state.decrypt(message, addresses.as_ref(), rng)?;
        let identity_key = state.remote_identity;
        if let Position::Archived(index) = position {
            self.promote(index);
        }
        self.bound_skipped();
        Ok(Received {
            plaintext,
            identity_key,
            consumed: None,
        })
    }

    /// Every state, the current one first.
    fn states(&self) -> impl Iterator<Item = &SessionState> {
        let states = self.current.iter().chain(&self.archived);
        states.map(Box::as_ref)
    }

    fn state_mut(&mut self, position: Position) -> Option<&mut SessionState> {
        match position {
            Position::Current => self.current.as_deref_mut(),
            Position::Archived(index) => self.archived.get_mut(index).map(Box::as_mut),
        }
    }

    /// Whether [`Session::encrypt`] would find a state to send on.
    #[must_use]
    pub fn can_send(&self, now: Timestamp) -> bool {
        self.current
            .as_ref()
            .is_some_and(|state| state.is_fresh(now))
    }

    /// Puts the current state away, so that the next message needs a new start; late messages can
    /// still be read.
    pub fn archive_current(&mut self) {
        if let Some(state) = self.current.take() {
            self.archive(state);
        }
    }

    /// The version of the current state.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.current.as_ref().map(|state| state.version)
    }

    /// Which post-quantum epoch the current state is agreeing on, from 1; `None` if it runs without
    /// that ratchet, or has not decided yet.
    #[must_use]
    pub fn pq_epoch(&self) -> Option<u64> {
        let pq = self.current.as_ref()?.pq.as_ref()?;
        pq.is_decided().then(|| pq.epoch())
    }

    /// The initiator's base key, which names the current state: both ends have the same.
    #[must_use]
    pub fn base_key(&self) -> Option<&PublicKey> {
        self.current.as_ref().map(|state| &state.base_key)
    }

    /// The peer's identity in the current state.
    #[must_use]
    pub fn remote_identity(&self) -> Option<&PublicKey> {
        self.current.as_ref().map(|state| &state.remote_identity)
    }

    /// The peer's registration id in the current state.
    #[must_use]
    pub fn remote_registration_id(&self) -> Option<RegistrationId> {
        self.current
            .as_ref()
            .map(|state| state.remote_registration_id)
    }

    /// Whether the peer has not answered yet: the start is "weak" (no proof that the peer holds its
    /// one-time keys) until it does.
    #[must_use]
    pub fn is_unacknowledged(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|state| state.pending.is_some())
    }

    /// Whether the ratchet key we show in the current state is `key`: tells whether a
    /// [`DecryptionErrorMessage`](crate::DecryptionErrorMessage) is about the state in use.
    #[must_use]
    pub fn current_ratchet_key_matches(&self, key: &PublicKey) -> bool {
        self.current
            .as_ref()
            .is_some_and(|state| state.ratchet.ratchet_key() == key)
    }

    /// How many archived states there are.
    #[must_use]
    pub fn archived_len(&self) -> usize {
        self.archived.len()
    }

    /// Rebuilds a session from states, newest first.
    pub(crate) fn from_states(
        policy: PqPolicy,
        addresses: Option<Addresses>,
        current: Option<Box<SessionState>>,
        archived: VecDeque<Box<SessionState>>,
    ) -> Result<Self> {
        if archived.len() > MAX_ARCHIVED_STATES {
            return Err(Error::InvalidState);
        }
        Ok(Self {
            policy,
            addresses,
            current,
            archived,
        })
    }

    /// Once post-quantum, an identity does not go back: refuses a weaker handshake than it has used,
    /// and answers the policy for a new state with it.
    fn refuse_downgrade(&self, version: ProtocolVersion, identity: &PublicKey) -> Result<PqPolicy> {
        let mut policy = self.policy;
        for state in self
            .states()
            .filter(|state| state.remote_identity == *identity)
        {
            if state.version > version {
                return Err(Error::Downgrade);
            }
            if state.pq.as_ref().is_some_and(PqRatchet::is_decided) {
                policy = PqPolicy::Required;
            }
        }
        if policy == PqPolicy::Required && version < ProtocolVersion::V4 {
            return Err(Error::Downgrade);
        }
        Ok(policy)
    }

    fn position_of(&self, version: ProtocolVersion, base_key: &PublicKey) -> Option<Position> {
        let found = |state: &SessionState| state.version == version && state.base_key == *base_key;
        if self.current.as_ref().is_some_and(|state| found(state)) {
            return Some(Position::Current);
        }
        self.archived
            .iter()
            .position(|state| found(state))
            .map(Position::Archived)
    }

    fn make_current(&mut self, state: Box<SessionState>) {
        if let Some(previous) = self.current.replace(state) {
            self.archive(previous);
        }
    }

    fn archive(&mut self, mut state: Box<SessionState>) {
        state.pending = None;
        self.archived
            .truncate(MAX_ARCHIVED_STATES.saturating_sub(1));
        self.archived.push_front(state);
    }

    /// Makes an archived state current, unless a stronger one of the same identity, current or
    /// archived, is there.
    fn promote(&mut self, index: usize) {
        let outranked = self.archived.get(index).is_none_or(|state| {
            self.states().any(|other| {
                other.remote_identity == state.remote_identity
                    && other.strength() > state.strength()
            })
        });
        if outranked {
            return;
        }
        if let Some(state) = self.archived.remove(index) {
            self.make_current(state);
        }
    }

    fn bound_skipped(&mut self) {
        let mut total: usize = self.states().map(SessionState::skipped_len).sum();
        for state in self.archived.iter_mut().rev() {
            if total <= MAX_SKIPPED_KEYS_PER_SESSION {
                break;
            }
            total = total.saturating_sub(state.skipped_len());
            state.drop_skipped();
        }
    }
}

/// The ratchet to run beside a new state's, where policy and version allow one.
fn start_pq(
    policy: PqPolicy,
    version: ProtocolVersion,
    direction: Direction,
    initial: Secret<32>,
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Option<PqRatchet>> {
    match (policy, version) {
        (PqPolicy::Off, _) | (_, ProtocolVersion::V3) => Ok(None),
        (PqPolicy::Allowed | PqPolicy::Required, ProtocolVersion::V4) => {
            let required = policy == PqPolicy::Required;
            PqRatchet::new(direction, required, initial, rng).map(Some)
        }
    }
}

/// Where a state lies.
#[derive(Clone, Copy)]
enum Position {
    Current,
    Archived(usize),
}

/// Holds the supplied secrets against the ids the message names.
fn match_ids<'a>(
    message: &PreKeySignalMessage,
    secrets: &PreKeySecrets<'a>,
) -> Result<ResponderKeys<'a>> {
    let signed = secrets
        .signed_pre_key
        .filter(|key| key.id == message.signed_pre_key_id())
        .ok_or(Error::NoSuchPreKey(KeyRole::SignedPreKey))?;
    let one_time = match message.one_time_pre_key_id() {
        None => None,
        Some(id) => Some(
            secrets
                .one_time_pre_key
                .filter(|key| key.id == id)
                .ok_or(Error::NoSuchPreKey(KeyRole::OneTimePreKey))?,
        ),
    };
    let kem = match message.kem_pre_key_id() {
        None => None,
        Some(id) => Some(
            secrets
                .kem_pre_key
                .filter(|key| key.id == id)
                .ok_or(Error::NoSuchPreKey(KeyRole::KemPreKey))?,
        ),
    };
    Ok(ResponderKeys {
        signed,
        one_time,
        kem,
    })
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("identity_key", &self.identity_key)
            .field("consumed", &self.consumed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("version", &self.version())
            .field("remote_identity", &self.remote_identity())
            .field("archived", &self.archived.len())
            .finish_non_exhaustive()
    }
}
