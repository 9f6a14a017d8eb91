//! A peer with real keys that says anything: authentic, and as malformed as a test likes.

use std::net::SocketAddr;

use hushpost::{AccountId, ConversationId, MessageId, MessageRef};
use hushpost_client_tests::TestError;
use hushpost_harness::{Client, Identity};
use hushpost_protocol::{
    IdentityKeyPair, KemPreKeyBundle, KemPreKeyId, KemPublicKey, LocalParty, OneTimePreKeyBundle,
    OneTimePreKeyId, PqPolicy, PreKeyBundle, ProtocolAddress, PublicKey, RegistrationId, ServiceId,
    Session, SignalMessage, SignedPreKeyBundle, SignedPreKeyId, Timestamp,
};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    FetchPreKeyBundles, PreKeyBundles, Recipient, RecipientDevice, Send, VerifiedDeviceList,
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

/// The peer, and its session with one device.
pub struct Puppet {
    identity: Identity,
    session: Session,
    connection: Client,
    peer: AccountId,
    registration_id: u32,
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
        let fetch = Request::FetchPreKeyBundles(FetchPreKeyBundles {
            account: peer.as_bytes().to_vec().into(),
            ..FetchPreKeyBundles::default()
        });
        let Body::PreKeyBundles(bundles) = connection.request(fetch).await? else {
            panic!("no bundles");
        };
        let local = LocalParty {
            identity: &key,
            registration_id: RegistrationId(identity.devices[0].registration_id),
        };
        let mut session =
            Session::new(PqPolicy::Required).between(address(identity.account()), address(peer));
        let bundle = bundle(&bundles);
        session.initiate(local, &bundle, NOW, &mut SysRng).unwrap();
        Ok(Self {
            identity,
            session,
            connection,
            peer,
            registration_id: bundle.registration_id.0,
            chain: rand::random(),
            sequence: 0,
        })
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
        let mut padded = plaintext.to_vec();
        padded.push(0x80);
        let class = class(padded.len() + RESERVE);
        padded.resize(class - RESERVE, 0);
        self.say_padded(&padded, ephemeral).await
    }

    /// Says bytes, as they are.
    pub async fn say_padded(&mut self, padded: &[u8], ephemeral: bool) -> Result<(), TestError> {
        let message = self.session.encrypt(padded, NOW).unwrap();
        let length = u32::try_from(message.as_bytes().len()).unwrap();
        let mut envelope = vec![1, message.message_type() as u8];
        envelope.extend_from_slice(&length.to_be_bytes()[1..]);
        envelope.extend_from_slice(message.as_bytes());
        envelope.resize(class(envelope.len()), 0);
        let send = Request::Send(Send {
            message_id: rand::random::<[u8; 16]>().to_vec().into(),
            recipients: vec![Recipient {
                account: self.peer.as_bytes().to_vec().into(),
                devices: vec![RecipientDevice {
                    device: 1,
                    registration_id: self.registration_id,
                    ciphertext: envelope.into(),
                }],
                ..Recipient::default()
            }],
            ephemeral,
            ..Send::default()
        });
        self.connection.request(send).await?;
        Ok(())
    }

    /// Reads what was sent to this peer.
    pub fn read(&mut self, send: &Send) -> Vec<u8> {
        let envelope = &send.recipients[0].devices[0].ciphertext;
        let length = u32::from_be_bytes([0, envelope[2], envelope[3], envelope[4]]);
        let message = &envelope[5..5 + usize::try_from(length).unwrap()];
        let message = SignalMessage::from_bytes(message).unwrap();
        self.session
            .decrypt(&message, &mut SysRng)
            .unwrap()
            .plaintext
    }
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
