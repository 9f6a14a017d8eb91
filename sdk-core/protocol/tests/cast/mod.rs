//! Alice, Bob and whoever else a test needs, each with all the keys of a device, and the steps an
//! application takes around the crate's calls.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_debug_implementations,
    missing_docs
)]

use hushpost_protocol::{
    CiphertextMessage, DeviceId, Error, IdentityKeyPair, KemKind, KemPreKey, KemPreKeyId,
    LocalParty, MessageType, OneTimePreKey, OneTimePreKeyId, PqPolicy, PreKeyBundle, PreKeySecrets,
    PreKeySignalMessage, Received, RegistrationId, ReplayGuard, Result, Session, SignalMessage,
    SignedPreKey, SignedPreKeyId, Timestamp,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Which KEM pre-key goes into a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KemKey {
    None,
    Kyber,
    KyberOnce,
    MlKem,
}

impl KemKey {
    pub const ALL: [Self; 4] = [Self::None, Self::Kyber, Self::KyberOnce, Self::MlKem];
}

/// A device's secrets. Everybody uses the same ids, so that re-addressed messages find keys.
pub struct Person {
    pub identity: IdentityKeyPair,
    pub registration_id: RegistrationId,
    pub signed: SignedPreKey,
    pub one_time: Option<OneTimePreKey>,
    pub kyber: KemPreKey,
    pub one_time_kyber: Option<KemPreKey>,
    pub ml_kem: KemPreKey,
    pub guard: ReplayGuard,
}

impl Person {
    pub fn new(registration_id: u32, rng: &mut ChaCha20Rng) -> Self {
        let identity = IdentityKeyPair::generate(rng).unwrap();
        let mut kem = |id, kind, last_resort| {
            KemPreKey::generate(KemPreKeyId(id), kind, last_resort, &identity, NOW, rng).unwrap()
        };
        let kyber = kem(1, KemKind::Kyber1024, true);
        let one_time_kyber = Some(kem(2, KemKind::Kyber1024, false));
        let ml_kem = kem(3, KemKind::MlKem1024, true);
        Self {
            registration_id: RegistrationId(registration_id),
            signed: SignedPreKey::generate(SignedPreKeyId(1), &identity, NOW, rng).unwrap(),
            one_time: Some(OneTimePreKey::generate(OneTimePreKeyId(0), rng).unwrap()),
            kyber,
            one_time_kyber,
            ml_kem,
            guard: ReplayGuard::new(),
            identity,
        }
    }

    pub fn local(&self) -> LocalParty<'_> {
        LocalParty {
            identity: &self.identity,
            registration_id: self.registration_id,
        }
    }

    pub fn bundle(&self, one_time: bool, kem: KemKey) -> PreKeyBundle {
        let kem = match kem {
            KemKey::None => None,
            KemKey::Kyber => Some(&self.kyber),
            KemKey::KyberOnce => Some(self.one_time_kyber.as_ref().expect("not used up")),
            KemKey::MlKem => Some(&self.ml_kem),
        };
        let one_time = one_time.then(|| self.one_time.as_ref().expect("not used up"));
        PreKeyBundle {
            registration_id: self.registration_id,
            device_id: DeviceId::PRIMARY,
            identity_key: *self.identity.public_key(),
            signed_pre_key: (&self.signed).into(),
            one_time_pre_key: one_time.map(Into::into),
            kem_pre_key: kem.map(Into::into),
        }
    }

    /// Decrypts like an application: looks up the pre-keys, deletes those that were used up.
    pub fn read(
        &mut self,
        session: &mut Session,
        (kind, bytes): &(MessageType, Vec<u8>),
        rng: &mut ChaCha20Rng,
    ) -> Result<Received> {
        if *kind == MessageType::Signal {
            return session.decrypt(&SignalMessage::from_bytes(bytes)?, rng);
        }
        let message = PreKeySignalMessage::from_bytes(bytes)?;
        let local = LocalParty {
            identity: &self.identity,
            registration_id: self.registration_id,
        };
        let kems = [&self.kyber, &self.ml_kem];
        let kem = kems.into_iter().chain(&self.one_time_kyber);
        let secrets = PreKeySecrets {
            signed_pre_key: Some(&self.signed),
            one_time_pre_key: self.one_time.as_ref(),
            kem_pre_key: kem
                .into_iter()
                .find(|key| Some(key.id) == message.kem_pre_key_id()),
            replay_guard: &mut self.guard,
        };
        let received = session.decrypt_pre_key(local, &message, secrets, rng)?;
        if let Some(consumed) = received.consumed {
            self.one_time
                .take_if(|key| Some(key.id) == consumed.one_time_pre_key);
            self.one_time_kyber
                .take_if(|key| Some(key.id) == consumed.kem_pre_key);
        }
        Ok(received)
    }
}

/// A message as it travels: its type beside its bytes.
pub type Wire = (MessageType, Vec<u8>);

pub fn wire(message: CiphertextMessage) -> Wire {
    (message.message_type(), message.into_bytes())
}

/// A conversation, both ends of it.
pub struct Talk {
    pub alice: Person,
    pub bob: Person,
    pub at_alice: Session,
    pub at_bob: Session,
    pub rng: ChaCha20Rng,
}

impl Talk {
    /// Two people who have not met.
    pub fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        Self {
            alice: Person::new(1, &mut rng),
            bob: Person::new(2, &mut rng),
            at_alice: Session::new(PqPolicy::Off),
            at_bob: Session::new(PqPolicy::Off),
            rng,
        }
    }

    /// Alice has a bundle of Bob's and has sent nothing yet.
    pub fn started(seed: u64, one_time: bool, kem: KemKey) -> Self {
        let mut talk = Self::new(seed);
        talk.start(one_time, kem);
        talk
    }

    /// A first message was read and answered.
    pub fn established(seed: u64, kem: KemKey) -> Self {
        Self::established_under(seed, kem, PqPolicy::Off)
    }

    /// The same, with both sides' policy for the post-quantum ratchet.
    pub fn established_under(seed: u64, kem: KemKey, policy: PqPolicy) -> Self {
        let mut talk = Self::new(seed);
        talk.at_alice.set_pq_policy(policy);
        talk.at_bob.set_pq_policy(policy);
        talk.start(true, kem);
        let first = talk.alice_says(b"hello");
        assert_eq!(talk.bob_reads(&first).unwrap(), b"hello");
        let answer = talk.bob_says(b"hello yourself");
        assert_eq!(talk.alice_reads(&answer).unwrap(), b"hello yourself");
        talk
    }

    /// Alice starts a session.
    pub fn start(&mut self, one_time: bool, kem: KemKey) {
        let bundle = self.bob.bundle(one_time, kem);
        self.at_alice
            .initiate(self.alice.local(), &bundle, NOW, &mut self.rng)
            .unwrap();
    }

    pub fn alice_says(&mut self, text: &[u8]) -> Wire {
        wire(self.at_alice.encrypt(text, NOW).unwrap())
    }

    pub fn bob_says(&mut self, text: &[u8]) -> Wire {
        wire(self.at_bob.encrypt(text, NOW).unwrap())
    }

    pub fn alice_reads(&mut self, message: &Wire) -> Result<Vec<u8>> {
        self.alice
            .read(&mut self.at_alice, message, &mut self.rng)
            .map(|received| received.plaintext)
    }

    pub fn bob_reads(&mut self, message: &Wire) -> Result<Vec<u8>> {
        self.bob
            .read(&mut self.at_bob, message, &mut self.rng)
            .map(|received| received.plaintext)
    }

    /// Why Bob does not read this; nothing of his may have changed.
    #[track_caller]
    pub fn bob_refuses(&mut self, message: &Wire) -> Error {
        let before = self.bobs_state();
        let error = self.bob_reads(message).expect_err("it was accepted");
        assert_eq!(self.bobs_state(), before, "{error} changed something");
        error
    }

    fn bobs_state(&self) -> (Vec<u8>, ReplayGuard, bool, bool) {
        (
            self.at_bob.encode().to_vec(),
            self.bob.guard.clone(),
            self.bob.one_time.is_some(),
            self.bob.one_time_kyber.is_some(),
        )
    }

    /// A message each way, read on established sessions.
    pub fn round_trip(&mut self) {
        let there = self.alice_says(b"there");
        assert_eq!(self.bob_reads(&there).unwrap(), b"there");
        let back = self.bob_says(b"and back");
        assert_eq!(self.alice_reads(&back).unwrap(), b"and back");
    }
}
