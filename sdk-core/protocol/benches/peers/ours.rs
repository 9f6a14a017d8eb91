//! Our side: two parties, and whatever state a line starts from.

use hushpost_protocol::{
    CiphertextMessage, DeviceId, IdentityKeyPair, KemKind, KemPreKey, KemPreKeyId, LocalParty,
    OneTimePreKey, OneTimePreKeyId, PqPolicy, PreKeyBundle, PreKeySecrets, PreKeySignalMessage,
    Received, RegistrationId, ReplayGuard, Session, SignalMessage, SignedPreKey, SignedPreKeyId,
    Timestamp,
};

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub struct Party {
    pub identity: IdentityKeyPair,
    signed: SignedPreKey,
    one_time: OneTimePreKey,
    kem: KemPreKey,
}

impl Party {
    pub fn new() -> Self {
        let rng = &mut rand::rng();
        let identity = IdentityKeyPair::generate(rng).unwrap();
        Self {
            signed: SignedPreKey::generate(SignedPreKeyId(1), &identity, NOW, rng).unwrap(),
            one_time: OneTimePreKey::generate(OneTimePreKeyId(1), rng).unwrap(),
            kem: KemPreKey::generate(
                KemPreKeyId(1),
                KemKind::Kyber1024,
                false,
                &identity,
                NOW,
                rng,
            )
            .unwrap(),
            identity,
        }
    }

    pub fn local(&self) -> LocalParty<'_> {
        LocalParty {
            identity: &self.identity,
            registration_id: RegistrationId(1),
        }
    }

    pub fn bundle(&self) -> PreKeyBundle {
        PreKeyBundle::new(
            self.local(),
            DeviceId::PRIMARY,
            &self.signed,
            Some(&self.one_time),
            Some(&self.kem),
        )
    }

    pub fn initiate(&self, policy: PqPolicy, bundle: &PreKeyBundle) -> Session {
        let mut session = Session::new(policy);
        session
            .initiate(self.local(), bundle, NOW, &mut rand::rng())
            .unwrap();
        session
    }

    pub fn receive_first(&self, session: &mut Session, bytes: &[u8]) -> Received {
        session
            .decrypt_pre_key(
                self.local(),
                &PreKeySignalMessage::from_bytes(bytes).unwrap(),
                PreKeySecrets {
                    signed_pre_key: Some(&self.signed),
                    one_time_pre_key: Some(&self.one_time),
                    kem_pre_key: Some(&self.kem),
                    replay_guard: &mut ReplayGuard::new(),
                },
                &mut rand::rng(),
            )
            .unwrap()
    }
}

/// An established session, seen from both ends.
pub struct Pair {
    pub alice: Session,
    pub bob: Session,
}

impl Pair {
    /// Has seen enough turns to hold all its receiving chains.
    pub fn established(policy: PqPolicy) -> Self {
        let (alice, bob) = (Party::new(), Party::new());
        let mut pair = Self {
            alice: alice.initiate(policy, &bob.bundle()),
            bob: Session::new(policy),
        };
        let first = encrypt(&mut pair.alice, b"first");
        let _ = bob.receive_first(&mut pair.bob, &first);
        for _ in 0..10 {
            pair.turn();
        }
        pair
    }

    /// Each side sends once: two DH ratchet steps.
    pub fn turn(&mut self) {
        let message = encrypt(&mut self.bob, &[7; 100]);
        decrypt(&mut self.alice, &message);
        let message = encrypt(&mut self.alice, &[7; 100]);
        decrypt(&mut self.bob, &message);
    }
}

pub fn encrypt(session: &mut Session, plaintext: &[u8]) -> Vec<u8> {
    let message: CiphertextMessage = session.encrypt(plaintext, NOW).unwrap();
    message.into_bytes()
}

pub fn decrypt(session: &mut Session, bytes: &[u8]) -> Vec<u8> {
    let message = SignalMessage::from_bytes(bytes).unwrap();
    session
        .decrypt(&message, &mut rand::rng())
        .unwrap()
        .plaintext
}
