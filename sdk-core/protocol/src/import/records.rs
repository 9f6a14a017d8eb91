//! The protobuf schemas of the official library's stored records. Every one wipes itself on drop.

use prost::Message;
use zeroize::{Zeroize, ZeroizeOnDrop};

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct SessionRecord {
    #[prost(message, optional, tag = "1")]
    pub(super) current: Option<Session>,
    #[prost(message, repeated, tag = "2")]
    pub(super) archived: Vec<Session>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct Session {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) local_identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) remote_identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) root_key: Option<Vec<u8>>,
    #[prost(uint32, tag = "5")]
    pub(super) previous_counter: u32,
    #[prost(message, optional, tag = "6")]
    pub(super) sending: Option<Chain>,
    #[prost(message, repeated, tag = "7")]
    pub(super) receiving: Vec<Chain>,
    #[prost(message, optional, tag = "9")]
    pub(super) pending: Option<PendingPreKey>,
    #[prost(uint32, tag = "10")]
    pub(super) remote_registration_id: u32,
    #[prost(uint32, tag = "11")]
    pub(super) local_registration_id: u32,
    #[prost(bytes = "vec", optional, tag = "13")]
    pub(super) base_key: Option<Vec<u8>>,
    #[prost(message, optional, tag = "14")]
    pub(super) pending_kem: Option<PendingKem>,
    #[prost(bytes = "vec", optional, tag = "15")]
    pub(super) pq_ratchet: Option<Vec<u8>>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct Chain {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) ratchet_public: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) ratchet_private: Option<Vec<u8>>,
    #[prost(message, optional, tag = "3")]
    pub(super) key: Option<ChainKey>,
    #[prost(message, repeated, tag = "4")]
    pub(super) skipped: Vec<MessageKey>,
}

/// Also the chain key of a sender key, whose index is called iteration.
#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct ChainKey {
    #[prost(uint32, tag = "1")]
    pub(super) index: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) key: Option<Vec<u8>>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct MessageKey {
    #[prost(uint32, tag = "1")]
    pub(super) index: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) cipher_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) mac_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) iv: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(super) seed: Option<Vec<u8>>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct PendingPreKey {
    #[prost(uint32, optional, tag = "1")]
    pub(super) one_time_id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) base_key: Option<Vec<u8>>,
    #[prost(int32, tag = "3")]
    pub(super) signed_id: i32,
    #[prost(uint64, tag = "4")]
    pub(super) created_seconds: u64,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct PendingKem {
    #[prost(uint32, tag = "1")]
    pub(super) id: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) ciphertext: Option<Vec<u8>>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct KeyPair {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) public: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) private: Option<Vec<u8>>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct PreKey {
    #[prost(uint32, optional, tag = "1")]
    pub(super) id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) public: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) private: Option<Vec<u8>>,
}

/// Signed and KEM pre-keys have the same record.
#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct SignedPreKey {
    #[prost(uint32, optional, tag = "1")]
    pub(super) id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) public: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) private: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) signature: Option<Vec<u8>>,
    #[prost(fixed64, optional, tag = "5")]
    pub(super) created_ms: Option<u64>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct SenderKeyRecord {
    #[prost(message, repeated, tag = "1")]
    pub(super) states: Vec<SenderKeyState>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct SenderKeyState {
    #[prost(uint32, tag = "1")]
    pub(super) chain_id: u32,
    #[prost(message, optional, tag = "2")]
    pub(super) chain_key: Option<ChainKey>,
    #[prost(message, optional, tag = "3")]
    pub(super) signing: Option<KeyPair>,
    #[prost(message, repeated, tag = "4")]
    pub(super) skipped: Vec<SenderMessageKey>,
    #[prost(uint32, tag = "5")]
    pub(super) version: u32,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(super) struct SenderMessageKey {
    #[prost(uint32, tag = "1")]
    pub(super) iteration: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) seed: Option<Vec<u8>>,
}
