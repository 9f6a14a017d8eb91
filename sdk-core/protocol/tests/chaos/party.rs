//! One party: its keys, its store, and the steps an application takes around the crate's calls.
//!
//! Everything is kept in its stored form and read back for every step, so that persistence is part
//! of what is tested.

use std::collections::BTreeMap;

use hushpost_protocol::{
    CiphertextMessage, ConsumedPreKeys, DeviceId, Error, IdentityKeyPair, KemKind, KemPreKey,
    KemPreKeyId, LocalParty, MessageType, OneTimePreKey, OneTimePreKeyBundle, OneTimePreKeyId,
    PqPolicy, PreKeyBundle, PreKeySecrets, PreKeySignalMessage, ProtocolVersion, PublicKey,
    Received, RegistrationId, ReplayGuard, Session, SignalMessage, SignedPreKey, SignedPreKeyId,
    Timestamp,
};
use rand_chacha::ChaCha20Rng;

use super::{KemKey, OneTime, Style};

const KYBER: KemPreKeyId = KemPreKeyId(0);
const ML_KEM: KemPreKeyId = KemPreKeyId(1);
/// How many signed pre-keys are kept: this one and the one before.
const SIGNED_PRE_KEYS: usize = 2;

/// What a device has on its disk.
#[derive(Clone)]
pub struct Store {
    session: Vec<u8>,
    guard: Vec<u8>,
    signed: BTreeMap<SignedPreKeyId, Vec<u8>>,
    one_time: BTreeMap<OneTimePreKeyId, Vec<u8>>,
    kem: BTreeMap<KemPreKeyId, Vec<u8>>,
    /// Whether a version 4 state was ever there.
    post_quantum: bool,
    /// Whether a state with the post-quantum ratchet in use was.
    pq_ratchet: bool,
}

pub struct Party {
    identity: IdentityKeyPair,
    registration_id: RegistrationId,
    policy: PqPolicy,
    store: Store,
    snapshots: Vec<Store>,
    next_id: u32,
    handed_out: Option<OneTimePreKeyBundle>,
    pub rolled_back: bool,
    /// Whether a pre-key may be gone although a message in flight names it.
    pub keys_went: bool,
    /// What may push keys of late messages out: messages read, states made.
    pub steps: usize,
}

impl Party {
    pub fn new(registration_id: u32, policy: PqPolicy, rng: &mut ChaCha20Rng) -> Self {
        let identity = IdentityKeyPair::generate(rng).unwrap();
        let kem = [(KYBER, KemKind::Kyber1024), (ML_KEM, KemKind::MlKem1024)].map(|(id, kind)| {
            let key = KemPreKey::generate(id, kind, true, &identity, Timestamp(0), rng).unwrap();
            (id, key.encode().to_vec())
        });
        let mut party = Self {
            identity,
            registration_id: RegistrationId(registration_id),
            policy,
            store: Store {
                session: Session::new(policy).encode().to_vec(),
                guard: ReplayGuard::new().encode().to_vec(),
                signed: BTreeMap::new(),
                one_time: BTreeMap::new(),
                kem: kem.into(),
                post_quantum: false,
                pq_ratchet: false,
            },
            snapshots: Vec::new(),
            next_id: 0,
            handed_out: None,
            rolled_back: false,
            keys_went: false,
            steps: 0,
        };
        party.rotate_signed_pre_key(Timestamp(0), rng);
        party
    }

    pub fn identity(&self) -> &IdentityKeyPair {
        &self.identity
    }

    /// Reads the session back; what was stored must be what comes out.
    pub fn session(&self) -> Session {
        let session = Session::decode(&self.store.session).expect("our own encoding");
        assert_eq!(*session.encode(), self.store.session);
        session
    }

    pub fn session_len(&self) -> usize {
        self.store.session.len()
    }

    fn guard(&self) -> ReplayGuard {
        ReplayGuard::decode(&self.store.guard).expect("our own encoding")
    }

    /// What names the current state.
    pub fn base_key(&self) -> Option<PublicKey> {
        self.session().base_key().copied()
    }

    /// Uploads what the relay then hands out.
    pub fn bundle(&mut self, style: Style, now: Timestamp, rng: &mut ChaCha20Rng) -> PreKeyBundle {
        let one_time = match style.one_time {
            OneTime::None => None,
            OneTime::Again if self.handed_out.is_some() => {
                self.keys_went = true;
                self.handed_out
            }
            OneTime::Again | OneTime::Fresh => {
                let key = OneTimePreKey::generate(OneTimePreKeyId(self.id()), rng).unwrap();
                self.store.one_time.insert(key.id, key.encode().to_vec());
                self.handed_out = Some((&key).into());
                self.handed_out
            }
        };
        let kem = match style.kem {
            KemKey::None => None,
            KemKey::Kyber => Some(KYBER),
            KemKey::MlKem => Some(ML_KEM),
            KemKey::KyberOnce => {
                let id = KemPreKeyId(self.id() + 2);
                let kind = KemKind::Kyber1024;
                let key = KemPreKey::generate(id, kind, false, &self.identity, now, rng).unwrap();
                self.store.kem.insert(id, key.encode().to_vec());
                Some(id)
            }
        };
        let kem = kem.map(|id| KemPreKey::decode(&self.store.kem[&id]).unwrap());
        let signed = self.store.signed.values().next_back().unwrap();
        PreKeyBundle {
            registration_id: self.registration_id,
            device_id: DeviceId::PRIMARY,
            identity_key: *self.identity.public_key(),
            signed_pre_key: (&SignedPreKey::decode(signed).unwrap()).into(),
            one_time_pre_key: one_time,
            kem_pre_key: kem.as_ref().map(Into::into),
        }
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    pub fn rotate_signed_pre_key(&mut self, now: Timestamp, rng: &mut ChaCha20Rng) {
        let id = SignedPreKeyId(self.id());
        let key = SignedPreKey::generate(id, &self.identity, now, rng).unwrap();
        self.store.signed.insert(id, key.encode().to_vec());
        while self.store.signed.len() > SIGNED_PRE_KEYS {
            let (retired, _) = self.store.signed.pop_first().unwrap();
            let mut guard = self.guard();
            guard.forget(retired);
            self.store.guard = guard.encode().to_vec();
            self.keys_went = true;
        }
    }

    /// Starts a session; refused exactly if it would be a step back.
    pub fn initiate(&mut self, bundle: &PreKeyBundle, now: Timestamp, rng: &mut ChaCha20Rng) {
        let mut session = self.session();
        let result = session.initiate(self.local(), bundle, now, rng);
        let strict = self.store.post_quantum || self.policy == PqPolicy::Required;
        let expected = if strict && bundle.kem_pre_key.is_none() {
            Err(Error::Downgrade)
        } else {
            Ok(())
        };
        assert_eq!(result, expected);
        self.keep_or_compare(&session, result);
        self.steps += 1;
    }

    pub fn send(&mut self, plaintext: &[u8], now: Timestamp) -> Result<CiphertextMessage, Error> {
        let mut session = self.session();
        let result = session.encrypt(plaintext, now);
        self.keep_or_compare(
            &session,
            result.as_ref().map(|_| ()).map_err(|error| *error),
        );
        result
    }

    /// Parses and decrypts; on success stores the session, the guard and the loss of used keys.
    pub fn receive(
        &mut self,
        kind: MessageType,
        bytes: &[u8],
        rng: &mut ChaCha20Rng,
    ) -> Result<Received, Error> {
        let mut session = self.session();
        let mut guard = self.guard();
        let result = match kind {
            MessageType::PreKey => PreKeySignalMessage::from_bytes(bytes).and_then(|message| {
                assert_eq!(message.as_bytes(), bytes);
                self.decrypt_pre_key(&mut session, &mut guard, &message, rng)
            }),
            _ => SignalMessage::from_bytes(bytes).and_then(|message| {
                assert_eq!(message.as_bytes(), bytes);
                session.decrypt(&message, rng)
            }),
        };
        if let Err(error) = result {
            self.keep_or_compare(&session, Err(error));
            assert_eq!(
                *guard.encode(),
                self.store.guard,
                "{error} changed the guard"
            );
            return Err(error);
        }
        let received = result?;
        self.keep_or_compare(&session, Ok(()));
        self.store.guard = guard.encode().to_vec();
        if let Some(consumed) = received.consumed {
            self.consume(consumed);
        }
        self.steps += 1;
        Ok(received)
    }

    fn decrypt_pre_key(
        &self,
        session: &mut Session,
        guard: &mut ReplayGuard,
        message: &PreKeySignalMessage,
        rng: &mut ChaCha20Rng,
    ) -> Result<Received, Error> {
        let store = &self.store;
        let signed = store.signed.get(&message.signed_pre_key_id());
        let signed = signed.map(|bytes| SignedPreKey::decode(bytes).unwrap());
        let one_time = message.one_time_pre_key_id();
        let one_time = one_time.and_then(|id| store.one_time.get(&id));
        let one_time = one_time.map(|bytes| OneTimePreKey::decode(bytes).unwrap());
        let kem = message.kem_pre_key_id().and_then(|id| store.kem.get(&id));
        let kem = kem.map(|bytes| KemPreKey::decode(bytes).unwrap());
        let secrets = PreKeySecrets {
            signed_pre_key: signed.as_ref(),
            one_time_pre_key: one_time.as_ref(),
            kem_pre_key: kem.as_ref(),
            replay_guard: guard,
        };
        session.decrypt_pre_key(self.local(), message, secrets, rng)
    }

    fn consume(&mut self, consumed: ConsumedPreKeys) {
        if let Some(id) = consumed.one_time_pre_key {
            self.store.one_time.remove(&id).expect("it was supplied");
        }
        if let Some(id) = consumed.kem_pre_key.filter(|&id| id > ML_KEM) {
            self.store.kem.remove(&id).expect("it was supplied");
        }
    }

    fn local(&self) -> LocalParty<'_> {
        LocalParty {
            identity: &self.identity,
            registration_id: self.registration_id,
        }
    }

    /// A success is stored; after an error nothing may have changed.
    fn keep_or_compare(&mut self, session: &Session, result: Result<(), Error>) {
        let encoded = session.encode();
        match result {
            Ok(()) => {
                self.store.post_quantum |= session.version() == Some(ProtocolVersion::V4);
                self.store.pq_ratchet |= session.pq_epoch().is_some();
                self.store.session = encoded.to_vec();
            }
            Err(error) => {
                assert_eq!(*encoded, self.store.session, "{error} changed the session");
            }
        }
    }

    pub fn archive_current(&mut self) {
        let mut session = self.session();
        session.archive_current();
        assert_eq!(session.version(), None);
        self.keep_or_compare(&session, Ok(()));
        self.steps += 1;
    }

    pub fn snapshot(&mut self) {
        self.snapshots.push(self.store.clone());
    }

    pub fn restore(&mut self, pick: u8) {
        if let Some(last) = self.snapshots.len().checked_sub(1) {
            self.store = self.snapshots[usize::from(pick).min(last)].clone();
            self.rolled_back = true;
        }
    }

    /// Once it has been post-quantum, a session never sends on an X3DH state again, nor, once the
    /// post-quantum ratchet has turned, on a state without it.
    pub fn check_no_downgrade(&self) {
        let session = self.session();
        let weak = session.version() == Some(ProtocolVersion::V3);
        assert!(!(weak && self.store.post_quantum), "downgraded");
        let without = session.version().is_some() && session.pq_epoch().is_none();
        assert!(!(without && self.store.pq_ratchet), "ratchet lost");
    }
}
