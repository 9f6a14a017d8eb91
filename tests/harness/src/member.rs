//! Somebody with real keys and no database: reads what an SDK client sends, one to one and to a group, and says
//! that it has it. Thousands of them live in one test.
//!
//! It speaks the published formats by itself, so it also tells whether they are as published. Must never: keep
//! anything, or be lenient: what does not decrypt is an error.

use std::collections::BTreeMap;

use bytes::Bytes;
use getrandom::SysRng;
use hushpost_protocol::{
    DistributionId, IdentityKeyPair, InboundSenderKey, KemKind, KemPreKey, KemPreKeyId, LocalParty,
    MessageType, PqPolicy, PreKeySecrets, PreKeySignalMessage, ProtocolAddress, RegistrationId,
    ReplayGuard, SenderKeyDistributionMessage, SenderKeyMessage, ServiceId, Session, SignalMessage,
    SignedPreKey, SignedPreKeyId, Timestamp,
};
use hushpost_wire::client_frame::Request;
use hushpost_wire::{
    AccountId, Delivery, DeviceAddress, DeviceId, Recipient, RecipientDevice, Send, UploadPreKeys,
};
use prost::Message as _;

use crate::identity::random;
use crate::{HarnessError, Identity};

/// When everything happens here. Fixed: nothing depends on it.
const NOW: Timestamp = Timestamp(1_764_000_000_000);
/// What encryption and the envelope add to a padded plaintext, at most.
const RESERVE: usize = 129;
/// The smallest size class: a receipt fits.
const SMALLEST: usize = 512;
/// The mark at the end of a plaintext.
const MARK: u8 = 0x80;

/// One device of one account.
pub struct Member {
    /// Who.
    pub identity: Identity,
    key: IdentityKeyPair,
    signed: SignedPreKey,
    kem: KemPreKey,
    guard: ReplayGuard,
    sessions: BTreeMap<DeviceAddress, Session>,
    sender_keys: BTreeMap<(DeviceAddress, DistributionId), InboundSenderKey>,
}

impl core::fmt::Debug for Member {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Member({} sessions)", self.sessions.len())
    }
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message of a conversation.
    Post(HeardPost),
    /// The sender's key of a group; it is kept.
    SenderKey,
    /// Changes of a group.
    GroupLog,
    /// Something else.
    Other,
}

/// A message of a conversation, and its place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardPost {
    /// Who said it, from which device.
    pub from: DeviceAddress,
    /// The conversation's id.
    pub conversation: Vec<u8>,
    /// The message's id.
    pub message: Vec<u8>,
    /// The encoded content.
    pub content: Vec<u8>,
    chain: u64,
    sequence: u64,
}

/// As `content.v1` says, as far as it is needed here.
#[derive(Clone, PartialEq, prost::Message)]
struct Plaintext {
    #[prost(message, optional, tag = "10")]
    post: Option<Post>,
    #[prost(message, optional, tag = "11")]
    receipt: Option<Receipt>,
    #[prost(message, optional, tag = "15")]
    sender_key: Option<SenderKey>,
    #[prost(bytes = "vec", optional, tag = "16")]
    group_log: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Post {
    #[prost(bytes = "vec", tag = "1")]
    conversation: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    message_id: Vec<u8>,
    #[prost(fixed64, tag = "4")]
    chain: u64,
    #[prost(uint64, tag = "5")]
    sequence: u64,
    #[prost(bytes = "vec", tag = "7")]
    content: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SenderKey {
    #[prost(bytes = "vec", tag = "2")]
    distribution: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Receipt {
    #[prost(bytes = "vec", tag = "1")]
    conversation: Vec<u8>,
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(message, repeated, tag = "3")]
    ranges: Vec<Range>,
    #[prost(uint64, tag = "4")]
    at_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Range {
    #[prost(uint32, tag = "1")]
    device: u32,
    #[prost(fixed64, tag = "2")]
    chain: u64,
    #[prost(uint64, tag = "3")]
    first: u64,
    #[prost(uint64, tag = "4")]
    last: u64,
}

impl Member {
    /// Somebody new.
    ///
    /// # Errors
    /// [`HarnessError::Random`], [`HarnessError::Protocol`].
    pub fn new() -> Result<Self, HarnessError> {
        let key = IdentityKeyPair::generate(&mut SysRng)?;
        let mut identity = Identity::new()?;
        for device in &mut identity.devices {
            device.identity_key = key.public_key().to_bytes();
        }
        let kind = KemKind::MlKem1024;
        Ok(Self {
            signed: SignedPreKey::generate(SignedPreKeyId(1), &key, NOW, &mut SysRng)?,
            kem: KemPreKey::generate(KemPreKeyId(1), kind, true, &key, NOW, &mut SysRng)?,
            identity,
            key,
            guard: ReplayGuard::new(),
            sessions: BTreeMap::new(),
            sender_keys: BTreeMap::new(),
        })
    }

    /// What is to be published for others to write to it: a bundle without one-time keys.
    #[must_use]
    pub fn pre_keys(&self) -> UploadPreKeys {
        UploadPreKeys {
            signed_pre_key: Some(hushpost_wire::SignedPreKey {
                id: self.signed.id.0,
                public_key: self.signed.keys.public_key().to_bytes().to_vec().into(),
                signature: self.signed.signature.to_vec().into(),
            }),
            last_resort_kem_pre_key: Some(hushpost_wire::KemPreKey {
                id: self.kem.id.0,
                public_key: self.kem.keys.public.to_bytes().into(),
                signature: self.kem.signature.to_vec().into(),
            }),
            ..UploadPreKeys::default()
        }
    }

    /// Opens what was delivered.
    ///
    /// # Errors
    /// [`HarnessError`] if it is not as published, or does not decrypt.
    pub fn open(&mut self, delivery: &Delivery) -> Result<Heard, HarnessError> {
        let sender = delivery.sender.as_ref();
        let sender = sender.ok_or(HarnessError::Unexpected("a sender"))?;
        let from = DeviceAddress {
            account: AccountId::from_slice(&sender.account)?,
            device: DeviceId::new(sender.device)?,
        };
        let (kind, message) = unwrap(&delivery.ciphertext)?;
        let padded = match MessageType::from_number(kind)? {
            MessageType::SenderKey => {
                let message = SenderKeyMessage::from_bytes(message)?;
                let key = (from, message.distribution_id());
                let key = self.sender_keys.get_mut(&key);
                let key = key.ok_or(HarnessError::Unexpected("the sender's key before this"))?;
                key.decrypt(&message)?
            }
            MessageType::PreKey => {
                let message = PreKeySignalMessage::from_bytes(message)?;
                let secrets = PreKeySecrets {
                    signed_pre_key: Some(&self.signed),
                    one_time_pre_key: None,
                    kem_pre_key: Some(&self.kem),
                    replay_guard: &mut self.guard,
                };
                let local = LocalParty {
                    identity: &self.key,
                    registration_id: registration_id(&self.identity)?,
                };
                let here = address(self.identity.account(), DeviceId::PRIMARY)?;
                let there = address(from.account, from.device)?;
                let session = self.sessions.entry(from);
                let session = session
                    .or_insert_with(|| Session::new(PqPolicy::Required).between(here, there));
                let opened = session.decrypt_pre_key(local, &message, secrets, &mut SysRng)?;
                opened.plaintext
            }
            MessageType::Signal => {
                let message = SignalMessage::from_bytes(message)?;
                let session = self.sessions.get_mut(&from);
                let session = session.ok_or(HarnessError::Unexpected("a session before this"))?;
                session.decrypt(&message, &mut SysRng)?.plaintext
            }
            MessageType::Plaintext => {
                return Err(HarnessError::Unexpected("an encrypted message"));
            }
        };
        self.hear(from, &padded)
    }

    fn hear(&mut self, from: DeviceAddress, padded: &[u8]) -> Result<Heard, HarnessError> {
        let mark = padded.iter().rposition(|byte| *byte != 0);
        let plaintext = mark.and_then(|mark| padded.split_at_checked(mark));
        let Some((plaintext, [MARK, ..])) = plaintext else {
            return Err(HarnessError::Unexpected("a padded plaintext"));
        };
        let said = Plaintext::decode(plaintext)
            .map_err(|_| HarnessError::Unexpected("a published plaintext"))?;
        if let Some(key) = said.sender_key {
            let message = SenderKeyDistributionMessage::from_bytes(&key.distribution)?;
            let id = message.distribution_id();
            let key = self.sender_keys.entry((from, id));
            key.or_insert_with(|| InboundSenderKey::new(id))
                .process(&message)?;
            return Ok(Heard::SenderKey);
        }
        if said.group_log.is_some() {
            return Ok(Heard::GroupLog);
        }
        let post = said.post.map(|post| HeardPost {
            from,
            conversation: post.conversation,
            message: post.message_id,
            content: post.content,
            chain: post.chain,
            sequence: post.sequence,
        });
        Ok(post.map_or(Heard::Other, Heard::Post))
    }

    /// Says to its sender, over the session with them, that a post has come here.
    ///
    /// # Errors
    /// [`HarnessError`] if there is no session with them.
    pub fn receipt(&mut self, post: &HeardPost) -> Result<Request, HarnessError> {
        let no_session = HarnessError::Unexpected("a session with the sender");
        let session = self.sessions.get_mut(&post.from).ok_or(no_session)?;
        let mut padded = Plaintext {
            receipt: Some(Receipt {
                conversation: post.conversation.clone(),
                kind: 1,
                ranges: vec![Range {
                    device: post.from.device.into(),
                    chain: post.chain,
                    first: post.sequence,
                    last: post.sequence,
                }],
                at_ms: NOW.0,
            }),
            ..Plaintext::default()
        }
        .encode_to_vec();
        padded.push(MARK);
        padded.resize(SMALLEST.saturating_sub(RESERVE), 0);
        let registration_id = session
            .remote_registration_id()
            .ok_or(HarnessError::Unexpected("a registration id"))?;
        let message = session.encrypt(&padded, NOW)?;
        let number = message.message_type() as u8;
        Ok(Request::Send(Send {
            message_id: random::<16>()?.to_vec().into(),
            recipients: vec![Recipient {
                account: post.from.account.as_bytes().to_vec().into(),
                devices: vec![RecipientDevice {
                    device: post.from.device.into(),
                    registration_id: registration_id.0,
                    ciphertext: wrap(number, message.as_bytes()),
                }],
                ..Recipient::default()
            }],
            ..Send::default()
        }))
    }
}

/// Kind and bytes of the message in an envelope.
fn unwrap(envelope: &[u8]) -> Result<(u8, &[u8]), HarnessError> {
    let malformed = HarnessError::Unexpected("an envelope");
    let Some(([1, kind, length @ ..], rest)) = envelope.split_first_chunk::<5>() else {
        return Err(malformed);
    };
    let [high, middle, low] = *length;
    let length = usize::try_from(u32::from_be_bytes([0, high, middle, low]));
    let message = length.ok().and_then(|length| rest.get(..length));
    Ok((*kind, message.ok_or(malformed)?))
}

fn wrap(kind: u8, message: &[u8]) -> Bytes {
    let [_, length @ ..] = u32::try_from(message.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let mut envelope = vec![1, kind];
    envelope.extend_from_slice(&length);
    envelope.extend_from_slice(message);
    envelope.resize(SMALLEST.max(envelope.len()), 0);
    envelope.into()
}

fn address(account: AccountId, device: DeviceId) -> Result<ProtocolAddress, HarnessError> {
    Ok(ProtocolAddress::new(
        ServiceId::account(account.uuid()),
        hushpost_protocol::DeviceId::new(device.into())?,
    ))
}

fn registration_id(identity: &Identity) -> Result<RegistrationId, HarnessError> {
    Ok(RegistrationId(identity.device(1)?.registration_id))
}
