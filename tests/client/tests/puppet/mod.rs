//! A peer with real keys that says anything: authentic, and as malformed as a test likes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs,
    dead_code,
    reason = "each test file uses some of it"
)]

pub mod group;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hushpost::{AccountId, ConversationId, MessageId, MessageRef};
use hushpost_client_tests::TestError;
use hushpost_harness::{Client, Identity};
use hushpost_protocol::{
    IdentityKeyPair, KemPreKeyBundle, KemPreKeyId, KemPublicKey, LocalParty, MessageType,
    OneTimePreKeyBundle, OneTimePreKeyId, PqPolicy, PreKeyBundle, ProtocolAddress, PublicKey,
    RegistrationId, ServiceId, Session, SignalMessage, SignedPreKeyBundle, SignedPreKeyId,
    Timestamp,
};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    FetchPreKeyBundles, PreKeyBundles, PutDeviceList, Recipient, RecipientDevice, Send,
    VerifiedDeviceList,
};
use prost::Message as _;
use rand::rngs::SysRng;

const NOW: Timestamp = Timestamp(1_764_000_000_000);
/// What encryption and the envelope add to a padded plaintext, at most.
const RESERVE: usize = 129;
const CLASSES: [usize; 4] = [512, 1024, 2048, 4096];

/// As `content.v1` says, with one body at most set; numbers that are not there come by `more`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Plaintext {
    #[prost(message, optional, tag = "1")]
    pub device_list: Option<List>,
    #[prost(bytes = "vec", tag = "2")]
    pub replaces: Vec<u8>,
    #[prost(message, optional, tag = "10")]
    pub post: Option<Post>,
    #[prost(message, optional, tag = "11")]
    pub receipt: Option<Receipt>,
    #[prost(message, optional, tag = "12")]
    pub typing: Option<Typing>,
    #[prost(message, optional, tag = "13")]
    pub resend_request: Option<Again>,
    #[prost(message, optional, tag = "14")]
    pub gone: Option<Again>,
    #[prost(message, optional, tag = "15")]
    pub sender_key: Option<group::SenderKey>,
    #[prost(message, optional, tag = "16")]
    pub group_log: Option<group::Log>,
    #[prost(message, optional, tag = "17")]
    pub group_log_request: Option<group::LogRequest>,
    #[prost(message, optional, tag = "18")]
    pub join_request: Option<group::JoinRequest>,
    #[prost(message, optional, tag = "19")]
    pub shared_history: Option<group::SharedHistory>,
    /// A kind of a later version.
    #[prost(bytes = "vec", tag = "55")]
    pub later: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct List {
    #[prost(bytes = "vec", tag = "1")]
    pub device_list: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Post {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub message_id: Vec<u8>,
    #[prost(fixed64, tag = "3")]
    pub stamp: u64,
    #[prost(fixed64, tag = "4")]
    pub chain: u64,
    #[prost(uint64, tag = "5")]
    pub sequence: u64,
    #[prost(message, repeated, tag = "6")]
    pub heads: Vec<Head>,
    #[prost(bytes = "vec", tag = "7")]
    pub content: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub group_heads: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Head {
    #[prost(bytes = "vec", tag = "1")]
    pub account: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub device: u32,
    #[prost(fixed64, tag = "3")]
    pub chain: u64,
    #[prost(uint64, tag = "4")]
    pub sequence: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Range {
    #[prost(uint32, tag = "1")]
    pub device: u32,
    #[prost(fixed64, tag = "2")]
    pub chain: u64,
    #[prost(uint64, tag = "3")]
    pub first: u64,
    #[prost(uint64, tag = "4")]
    pub last: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Receipt {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub kind: u32,
    #[prost(message, repeated, tag = "3")]
    pub ranges: Vec<Range>,
    #[prost(uint64, tag = "4")]
    pub at_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Typing {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub activity: u32,
    #[prost(uint64, tag = "3")]
    pub at_ms: u64,
}

/// A request for a re-send, or the answer that there is nothing.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Again {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub ranges: Vec<Range>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub envelopes: Vec<Vec<u8>>,
}

/// A session with one device.
struct Line {
    session: Session,
    registration_id: u32,
}

/// The peer, and its sessions with those whom it faces. It speaks to the last one it turned to.
pub struct Puppet {
    pub identity: Identity,
    key: IdentityKeyPair,
    lines: BTreeMap<AccountId, Line>,
    relay: SocketAddr,
    connection: Client,
    peer: AccountId,
    pub chain: u64,
    pub sequence: u64,
}

impl Puppet {
    /// Registers somebody who can write to `peer`.
    pub async fn facing(relay: SocketAddr, peer: AccountId) -> Result<Self, TestError> {
        let key = IdentityKeyPair::generate(&mut SysRng).unwrap();
        let mut identity = Identity::new()?;
        identity.devices[0].identity_key = key.public_key().to_bytes();
        let (mut connection, welcome) = Client::connect(relay).await?;
        connection.register(&welcome, &identity).await?;
        let mut puppet = Self {
            identity,
            key,
            lines: BTreeMap::new(),
            relay,
            connection,
            peer,
            chain: rand::random(),
            sequence: 0,
        };
        puppet.turn_to(peer).await?;
        Ok(puppet)
    }

    /// Speaks to somebody else from now on; with a session of its own if there is none yet.
    pub async fn turn_to(&mut self, peer: AccountId) -> Result<(), TestError> {
        self.peer = peer;
        if self.lines.contains_key(&peer) {
            return Ok(());
        }
        let fetch = Request::FetchPreKeyBundles(FetchPreKeyBundles {
            account: peer.as_bytes().to_vec().into(),
            ..FetchPreKeyBundles::default()
        });
        let Body::PreKeyBundles(bundles) = self.connection.request(fetch).await? else {
            panic!("no bundles");
        };
        let local = LocalParty {
            identity: &self.key,
            registration_id: RegistrationId(self.identity.devices[0].registration_id),
        };
        let mut session =
            Session::new(PqPolicy::Required).between(address(self.account()), address(peer));
        let bundle = bundle(&bundles);
        session.initiate(local, &bundle, NOW, &mut SysRng).unwrap();
        let registration_id = bundle.registration_id.0;
        let line = Line {
            session,
            registration_id,
        };
        self.lines.insert(peer, line);
        Ok(())
    }

    /// The device is set up anew: another identity key, and no session any more.
    pub async fn set_up_anew(&mut self) -> Result<(), TestError> {
        self.key = IdentityKeyPair::generate(&mut SysRng).unwrap();
        let device = &mut self.identity.devices[0];
        device.identity_key = self.key.public_key().to_bytes();
        device.registration_id = device.registration_id % 10_000 + 1;
        self.lines.clear();
        self.identity.list_version += 1;
        // The relay ends the connection of a device that is another now.
        let _ended = self.publish().await;
        let connected = Client::connect_as(self.relay, &self.identity, 1).await?;
        self.connection = connected.0;
        Ok(())
    }

    /// Puts one more device on the list, that nobody has the keys of.
    pub async fn add_device(&mut self) -> Result<(), TestError> {
        self.identity.add_device()?;
        let key = IdentityKeyPair::generate(&mut SysRng).unwrap();
        self.identity.devices[1].identity_key = key.public_key().to_bytes();
        self.publish().await
    }

    async fn publish(&mut self) -> Result<(), TestError> {
        let list = Some(self.identity.signed_list());
        let put = Request::PutDeviceList(PutDeviceList { device_list: list });
        self.connection.request(put).await?;
        Ok(())
    }

    pub fn account(&self) -> AccountId {
        self.identity.account()
    }

    /// The conversation with the peer.
    pub fn conversation(&self) -> Vec<u8> {
        ConversationId::between(self.account(), self.peer)
            .as_bytes()
            .to_vec()
    }

    /// The next post, as it should be.
    pub fn post(&mut self, body: &str) -> Post {
        self.sequence += 1;
        let now = hushpost::Clock::now_ms(&hushpost::SystemClock);
        Post {
            conversation: self.conversation(),
            message_id: rand::random::<[u8; 16]>().to_vec(),
            stamp: now << 16 | self.sequence & 0xffff,
            chain: self.chain,
            sequence: self.sequence,
            heads: Vec::new(),
            content: content(body.as_bytes()),
            group_heads: Vec::new(),
        }
    }

    /// How the peer's client names a post.
    pub fn name(&self, post: &Post) -> MessageRef {
        MessageRef {
            sender: self.account(),
            id: MessageId::from_slice(&post.message_id).unwrap(),
        }
    }

    /// Says something, introduced by the device list.
    pub async fn say(&mut self, plaintext: Plaintext) -> Result<(), TestError> {
        let bytes = self.introduced(plaintext);
        self.say_bytes(&bytes, false).await
    }

    /// With the device list, so that the reader knows who says it.
    pub fn introduced(&self, mut plaintext: Plaintext) -> Vec<u8> {
        let list = self.identity.signed_list();
        plaintext.device_list = Some(List {
            device_list: list.device_list.to_vec(),
            signature: list.signature.to_vec(),
        });
        plaintext.encode_to_vec()
    }

    pub async fn say_post(&mut self, post: Post) -> Result<(), TestError> {
        let plaintext = Plaintext {
            post: Some(post),
            ..Plaintext::default()
        };
        self.say(plaintext).await
    }

    /// Says bytes, padded as they should be.
    pub async fn say_bytes(&mut self, plaintext: &[u8], ephemeral: bool) -> Result<(), TestError> {
        self.say_padded(&pad(plaintext), ephemeral).await
    }

    /// Says bytes, as they are.
    pub async fn say_padded(&mut self, padded: &[u8], ephemeral: bool) -> Result<(), TestError> {
        let line = self.lines.get_mut(&self.peer).unwrap();
        let message = line.session.encrypt(padded, NOW).unwrap();
        let envelope = envelope(message.message_type(), message.as_bytes());
        let mut recipient = self.recipient(self.peer);
        recipient.devices[0].ciphertext = envelope.into();
        let send = Request::Send(Send {
            message_id: rand::random::<[u8; 16]>().to_vec().into(),
            recipients: vec![recipient],
            ephemeral,
            ..Send::default()
        });
        self.connection.request(send).await?;
        Ok(())
    }

    /// Sends one ciphertext to several whom it faces.
    pub async fn send_shared(
        &mut self,
        ciphertext: Vec<u8>,
        to: &[AccountId],
    ) -> Result<(), TestError> {
        let send = Request::Send(Send {
            message_id: rand::random::<[u8; 16]>().to_vec().into(),
            shared_ciphertext: Some(ciphertext.into()),
            recipients: to.iter().map(|account| self.recipient(*account)).collect(),
            ..Send::default()
        });
        self.connection.request(send).await?;
        Ok(())
    }

    fn recipient(&self, account: AccountId) -> Recipient {
        Recipient {
            account: account.as_bytes().to_vec().into(),
            devices: vec![RecipientDevice {
                device: 1,
                registration_id: self.lines[&account].registration_id,
                ciphertext: Vec::new().into(),
            }],
            ..Recipient::default()
        }
    }

    /// Reads what the peer sent to this one.
    pub fn read(&mut self, send: &Send) -> Vec<u8> {
        let envelope = &send.recipients[0].devices[0].ciphertext;
        self.open(self.peer, envelope).unwrap()
    }

    /// Reads an envelope of somebody it faces, if it is for this one.
    pub fn open(&mut self, from: AccountId, envelope: &[u8]) -> Option<Vec<u8>> {
        let (message_type, message) = unseal(envelope)?;
        if message_type != MessageType::Signal as u8 {
            return None;
        }
        let message = SignalMessage::from_bytes(message).unwrap();
        let line = self.lines.get_mut(&from)?;
        let received = line.session.decrypt(&message, &mut SysRng).ok()?;
        Some(received.plaintext)
    }
}

/// Fills a plaintext up, as it should be.
pub fn pad(plaintext: &[u8]) -> Vec<u8> {
    let mut padded = plaintext.to_vec();
    padded.push(0x80);
    let class = class(padded.len() + RESERVE);
    padded.resize(class - RESERVE, 0);
    padded
}

/// The plaintext of what was filled up.
pub fn unpad(padded: &[u8]) -> &[u8] {
    let mark = padded.iter().rposition(|byte| *byte != 0).unwrap();
    &padded[..mark]
}

/// Puts a message into its envelope.
pub fn envelope(message_type: MessageType, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    let mut envelope = vec![1, message_type as u8];
    envelope.extend_from_slice(&length.to_be_bytes()[1..]);
    envelope.extend_from_slice(message);
    envelope.resize(class(envelope.len()), 0);
    envelope
}

/// Takes a message out of its envelope, with its type.
pub fn unseal(envelope: &[u8]) -> Option<(u8, &[u8])> {
    let header = envelope.first_chunk::<5>()?;
    let length = u32::from_be_bytes([0, header[2], header[3], header[4]]);
    let message = envelope.get(5..5 + usize::try_from(length).unwrap())?;
    Some((header[1], message))
}

/// An encoded text.
pub fn content(body: &[u8]) -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Bytes {
        #[prost(bytes = "vec", tag = "1")]
        inner: Vec<u8>,
    }
    let text = Bytes {
        inner: body.to_vec(),
    };
    let inner = text.encode_to_vec();
    Bytes { inner }.encode_to_vec()
}

/// The published size classes: four, then Padmé.
fn class(len: usize) -> usize {
    let padme = || {
        let exponent = len.ilog2();
        len.next_multiple_of(1 << (exponent - exponent.ilog2() - 1))
    };
    let fixed = CLASSES.into_iter().find(|class| len <= *class);
    fixed.unwrap_or_else(padme)
}

fn address(account: AccountId) -> ProtocolAddress {
    ProtocolAddress::new(
        ServiceId::account(account.uuid()),
        hushpost_protocol::DeviceId::PRIMARY,
    )
}

fn bundle(bundles: &PreKeyBundles) -> PreKeyBundle {
    let list = bundles.device_list.as_ref().unwrap();
    let entry = VerifiedDeviceList::verify(list).unwrap().devices()[0];
    let bundle = &bundles.bundles[0];
    let signed = bundle.signed_pre_key.as_ref().unwrap();
    let one_time = bundle.one_time_pre_key.as_ref();
    let kem = bundle.kem_pre_key.as_ref().unwrap();
    PreKeyBundle {
        registration_id: RegistrationId(entry.registration_id),
        device_id: hushpost_protocol::DeviceId::PRIMARY,
        identity_key: PublicKey::from_bytes(&entry.identity_key).unwrap(),
        signed_pre_key: SignedPreKeyBundle {
            id: SignedPreKeyId(signed.id),
            key: PublicKey::from_bytes(&signed.public_key).unwrap(),
            signature: signed.signature.to_vec(),
        },
        one_time_pre_key: one_time.map(|key| OneTimePreKeyBundle {
            id: OneTimePreKeyId(key.id),
            key: PublicKey::from_bytes(&key.public_key).unwrap(),
        }),
        kem_pre_key: Some(KemPreKeyBundle {
            id: KemPreKeyId(kem.id),
            key: KemPublicKey::from_bytes(&kem.public_key).unwrap(),
            signature: kem.signature.to_vec(),
        }),
    }
}
