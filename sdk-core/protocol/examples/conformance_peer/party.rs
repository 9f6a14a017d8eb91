//! A party: one device with its keys, its sessions and its sender keys, all in memory.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::num::NonZeroUsize;
use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use hushpost_protocol::sealed_sender::{
    self, ContentHint, Recipient, RecipientDevice, SenderCertificate,
    UnidentifiedSenderMessageContent,
};
use hushpost_protocol::{
    CiphertextMessage, DeviceId, DistributionId, Error, IdentityKeyPair, InboundSenderKey, KemKind,
    KemPreKey, KemPreKeyId, LocalParty, MessageType, OneTimePreKey, OneTimePreKeyId,
    OutboundSenderKey, PqPolicy, PreKeyBundle, PreKeySecrets, PreKeySignalMessage, PrivateKey,
    ProtocolAddress, PublicKey, Received, RegistrationId, ReplayGuard, Result,
    SenderKeyDistributionMessage, SenderKeyMessage, ServiceId, Session, SignalMessage,
    SignedPreKey, SignedPreKeyId, Timestamp,
};

/// A peer's device, by the name it was introduced under.
pub type Address = (String, DeviceId);

pub struct Party {
    pub name: String,
    pub device: DeviceId,
    pub registration_id: RegistrationId,
    pub pq_policy: PqPolicy,
    pub identity: IdentityKeyPair,
    pub next_id: u32,
    pub one_time: BTreeMap<u32, OneTimePreKey>,
    pub signed: BTreeMap<u32, SignedPreKey>,
    pub kem: BTreeMap<u32, KemPreKey>,
    pub replay_guard: ReplayGuard,
    pub sessions: BTreeMap<Address, Session>,
    pub identities: BTreeMap<Address, PublicKey>,
    pub outbound: BTreeMap<DistributionId, OutboundSenderKey>,
    pub inbound: BTreeMap<(Address, DistributionId), InboundSenderKey>,
}

impl Party {
    pub fn new(
        name: String,
        device: DeviceId,
        registration_id: RegistrationId,
        pq_policy: PqPolicy,
        private: Option<PrivateKey>,
    ) -> Result<Self> {
        let identity = match private {
            Some(private) => IdentityKeyPair::from_private(private),
            None => IdentityKeyPair::generate(&mut SysRng)?,
        };
        Ok(Self {
            name,
            device,
            registration_id,
            pq_policy,
            identity,
            next_id: 1,
            one_time: BTreeMap::new(),
            signed: BTreeMap::new(),
            kem: BTreeMap::new(),
            replay_guard: ReplayGuard::new(),
            sessions: BTreeMap::new(),
            identities: BTreeMap::new(),
            outbound: BTreeMap::new(),
            inbound: BTreeMap::new(),
        })
    }

    fn local(&self) -> LocalParty<'_> {
        LocalParty {
            identity: &self.identity,
            registration_id: self.registration_id,
        }
    }

    /// Makes fresh pre-keys and publishes them. The KEM key is a last resort: it stays.
    pub fn bundle(&mut self, one_time: bool, kem: bool) -> Result<PreKeyBundle> {
        let id = self.next_id;
        let next_id = id.checked_add(1).ok_or(Error::OutOfRange("pre-key id"))?;
        let now = now();
        let signed = SignedPreKey::generate(SignedPreKeyId(id), &self.identity, now, &mut SysRng)?;
        let one_time = if one_time {
            Some(OneTimePreKey::generate(OneTimePreKeyId(id), &mut SysRng)?)
        } else {
            None
        };
        let kem = if kem {
            let (kind, last_resort) = (KemKind::Kyber1024, true);
            Some(KemPreKey::generate(
                KemPreKeyId(id),
                kind,
                last_resort,
                &self.identity,
                now,
                &mut SysRng,
            )?)
        } else {
            None
        };
        let bundle = PreKeyBundle::new(
            self.local(),
            self.device,
            &signed,
            one_time.as_ref(),
            kem.as_ref(),
        );
        self.next_id = next_id;
        self.signed.insert(id, signed);
        self.one_time.extend(one_time.map(|key| (id, key)));
        self.kem.extend(kem.map(|key| (id, key)));
        Ok(bundle)
    }

    pub fn process_bundle(&mut self, peer: Address, bundle: &PreKeyBundle) -> Result<()> {
        self.require_trusted(&peer, &bundle.identity_key)?;
        let mut session = self.take_session(&peer);
        let outcome = session.initiate(self.local(), bundle, now(), &mut SysRng);
        self.put_back(&peer, session, outcome.is_ok());
        outcome?;
        self.identities.insert(peer, bundle.identity_key);
        Ok(())
    }

    pub fn encrypt(&mut self, peer: &Address, plaintext: &[u8]) -> Result<CiphertextMessage> {
        self.sessions
            .get_mut(peer)
            .ok_or(Error::NoSession)?
            .encrypt(plaintext, now())
    }

    pub fn decrypt(
        &mut self,
        peer: &Address,
        message_type: MessageType,
        message: &[u8],
    ) -> Result<Received> {
        match message_type {
            MessageType::Signal => {
                let message = SignalMessage::from_bytes(message)?;
                self.sessions
                    .get_mut(peer)
                    .ok_or(Error::NoSession)?
                    .decrypt(&message, &mut SysRng)
            }
            MessageType::PreKey => {
                let message = PreKeySignalMessage::from_bytes(message)?;
                self.decrypt_pre_key(peer, &message)
            }
            _ => Err(Error::InvalidMessage),
        }
    }

    fn decrypt_pre_key(
        &mut self,
        peer: &Address,
        message: &PreKeySignalMessage,
    ) -> Result<Received> {
        self.require_trusted(peer, message.identity_key())?;
        let mut session = self.take_session(peer);
        let local = LocalParty {
            identity: &self.identity,
            registration_id: self.registration_id,
        };
        let secrets = PreKeySecrets {
            signed_pre_key: self.signed.get(&message.signed_pre_key_id().0),
            one_time_pre_key: message
                .one_time_pre_key_id()
                .and_then(|id| self.one_time.get(&id.0)),
            kem_pre_key: message.kem_pre_key_id().and_then(|id| self.kem.get(&id.0)),
            replay_guard: &mut self.replay_guard,
        };
        let received = session.decrypt_pre_key(local, message, secrets, &mut SysRng);
        self.put_back(peer, session, received.is_ok());
        let received = received?;
        self.identities.insert(peer.clone(), received.identity_key);
        if let Some(used) = received.consumed.and_then(|used| used.one_time_pre_key) {
            self.one_time.remove(&used.0);
        }
        Ok(received)
    }

    /// The session with a peer, or one that knows both ends if both names are service ids.
    fn take_session(&mut self, peer: &Address) -> Session {
        self.sessions.remove(peer).unwrap_or_else(|| {
            let session = Session::new(self.pq_policy);
            let remote = ServiceId::parse(&peer.0);
            match (ServiceId::parse(&self.name), remote) {
                (Ok(local), Ok(remote)) => session.between(
                    ProtocolAddress::new(local, self.device),
                    ProtocolAddress::new(remote, peer.1),
                ),
                _ => session,
            }
        })
    }

    /// A peer with whom nothing has worked yet gets no entry.
    fn put_back(&mut self, peer: &Address, session: Session, worked: bool) {
        if worked || session.version().is_some() || session.archived_len() > 0 {
            self.sessions.insert(peer.clone(), session);
        }
    }

    /// Trust on first use.
    fn require_trusted(&self, peer: &Address, identity: &PublicKey) -> Result<()> {
        match self.identities.get(peer) {
            Some(known) if known != identity => Err(Error::UntrustedIdentity),
            _ => Ok(()),
        }
    }

    pub fn distribution_message(
        &mut self,
        id: DistributionId,
    ) -> Result<SenderKeyDistributionMessage> {
        let key = match self.outbound.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(OutboundSenderKey::generate(id, &mut SysRng)?),
        };
        Ok(key.distribution_message())
    }

    pub fn process_distribution(&mut self, peer: Address, message: &[u8]) -> Result<()> {
        let message = SenderKeyDistributionMessage::from_bytes(message)?;
        let id = message.distribution_id();
        self.inbound
            .entry((peer, id))
            .or_insert_with(|| InboundSenderKey::new(id))
            .process(&message)
    }

    pub fn group_encrypt(
        &mut self,
        id: DistributionId,
        plaintext: &[u8],
    ) -> Result<SenderKeyMessage> {
        self.outbound
            .get_mut(&id)
            .ok_or(Error::NoSenderKey)?
            .encrypt(plaintext, &mut SysRng)
    }

    pub fn group_decrypt(&mut self, peer: Address, message: &[u8]) -> Result<Vec<u8>> {
        let message = SenderKeyMessage::from_bytes(message)?;
        self.inbound
            .get_mut(&(peer, message.distribution_id()))
            .ok_or(Error::NoSenderKey)?
            .decrypt(&message)
    }

    pub fn sealed_encrypt(
        &mut self,
        peer: &Address,
        certificate: SenderCertificate,
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        // Checked before the ratchet moves: a refused call must change nothing.
        if certificate.identity_key() != self.identity.public_key() {
            return Err(Error::CertificateInvalid);
        }
        let recipient = *self
            .sessions
            .get(peer)
            .and_then(Session::remote_identity)
            .ok_or(Error::NoSession)?;
        let message = self.encrypt(peer, plaintext)?;
        let content = UnidentifiedSenderMessageContent::new(
            message.message_type(),
            certificate,
            message.into_bytes(),
            ContentHint::Default,
            None,
        );
        sealed_sender::seal(&content, &self.identity, &recipient, &mut SysRng)
    }

    pub fn sealed_decrypt(
        &mut self,
        message: &[u8],
        trust_root: &PublicKey,
        now: Timestamp,
    ) -> Result<(Vec<u8>, ProtocolAddress)> {
        let content = sealed_sender::open(message, &self.identity)?;
        let me = ProtocolAddress::new(ServiceId::parse(&self.name)?, self.device);
        let sender = content.verify_sender(trust_root, &[], now, &me)?;
        let address = (sender.service_id.to_string(), sender.device_id);
        self.require_trusted(&address, content.sender_certificate().identity_key())?;
        let received = self.decrypt(&address, content.message_type(), content.contents())?;
        if received.identity_key != *content.sender_certificate().identity_key() {
            return Err(Error::UntrustedIdentity);
        }
        Ok((received.plaintext, sender))
    }

    pub fn sealed_group_encrypt(
        &mut self,
        id: DistributionId,
        certificate: SenderCertificate,
        plaintext: &[u8],
        group_id: Option<Vec<u8>>,
        to: &[Address],
    ) -> Result<Vec<u8>> {
        if certificate.identity_key() != self.identity.public_key() {
            return Err(Error::CertificateInvalid);
        }
        let recipients = self.recipients(to)?;
        let message = self.group_encrypt(id, plaintext)?;
        let content = UnidentifiedSenderMessageContent::new(
            MessageType::SenderKey,
            certificate,
            message.into_bytes(),
            ContentHint::Default,
            group_id,
        );
        sealed_sender::seal_multi_recipient(
            &content,
            &self.identity,
            &recipients,
            &[],
            NonZeroUsize::MIN,
            &mut SysRng,
        )
    }

    /// One entry an account, in the order they were first named.
    fn recipients(&self, to: &[Address]) -> Result<Vec<Recipient>> {
        let mut recipients: Vec<Recipient> = Vec::new();
        let mut seen = BTreeSet::new();
        for address in to {
            if !seen.insert(address) {
                continue;
            }
            let session = self.sessions.get(address).ok_or(Error::NoSession)?;
            let (Some(identity), Some(registration_id)) =
                (session.remote_identity(), session.remote_registration_id())
            else {
                return Err(Error::NoSession);
            };
            let service_id = ServiceId::parse(&address.0)?;
            let device = RecipientDevice {
                device_id: address.1,
                registration_id,
            };
            match recipients
                .iter_mut()
                .find(|recipient| recipient.service_id == service_id)
            {
                Some(known) if known.identity_key == *identity => known.devices.push(device),
                Some(_) => return Err(Error::UntrustedIdentity),
                None => recipients.push(Recipient {
                    service_id,
                    identity_key: *identity,
                    devices: vec![device],
                }),
            }
        }
        for recipient in &recipients {
            for device in &recipient.devices {
                if device.registration_id.0 > hushpost_protocol::MAX_SEALED_REGISTRATION_ID {
                    return Err(Error::OutOfRange("registration id"));
                }
            }
        }
        Ok(recipients)
    }
}

pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since_epoch.map_or(0, |elapsed| {
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }))
}
