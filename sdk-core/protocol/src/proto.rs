//! The protobuf schemas of everything that crosses the wire, and nothing else.
//!
//! Written as prost structs because the schemas are small and fixed. Presence is explicit in every
//! field: an absent id is not id 0. No message here holds a secret, except the sender key distribution
//! message, which wipes itself.

use prost::Message;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{Error, Result};

/// Decodes, with one error for every cause. Unknown fields are skipped.
pub(crate) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|_| Error::InvalidMessage)
}

/// Appends the encoding of `message`, fields in ascending order.
pub(crate) fn append(bytes: &mut Vec<u8>, message: &impl Message) {
    bytes.reserve(message.encoded_len());
    let refused = message.encode(bytes).is_err();
    debug_assert!(!refused, "a Vec grows as needed");
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignalMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) ratchet_key: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) counter: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) previous_counter: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) ciphertext: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) pq_ratchet: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(crate) addresses: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PreKeySignalMessage {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) pre_key_id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) base_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) identity_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) message: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "5")]
    pub(crate) registration_id: Option<u32>,
    #[prost(uint32, optional, tag = "6")]
    pub(crate) signed_pre_key_id: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub(crate) kem_pre_key_id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(crate) kem_ciphertext: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SenderKeyMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) distribution_id: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) chain_id: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) iteration: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) ciphertext: Option<Vec<u8>>,
}

#[derive(PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
pub(crate) struct SenderKeyDistributionMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) distribution_id: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) chain_id: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) iteration: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) chain_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) signing_key: Option<Vec<u8>>,
}

/// A certificate of either kind: signed bytes and their signature.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Certificate {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) body: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) signature: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ServerCertificateBody {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) key: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SenderCertificateBody {
    #[prost(string, optional, tag = "1")]
    pub(crate) phone_number: Option<String>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) device_id: Option<u32>,
    #[prost(fixed64, optional, tag = "3")]
    pub(crate) expires: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) identity_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) server_certificate: Option<Vec<u8>>,
    #[prost(string, optional, tag = "6")]
    pub(crate) sender_uuid_text: Option<String>,
    #[prost(bytes = "vec", optional, tag = "7")]
    pub(crate) sender_uuid: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "8")]
    pub(crate) server_certificate_id: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct UnidentifiedSenderMessageContent {
    #[prost(int32, optional, tag = "1")]
    pub(crate) kind: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) sender_certificate: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) contents: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) content_hint: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) group_id: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SealedMessageV1 {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) ephemeral_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) encrypted_static: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) encrypted_message: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PlaintextContent {
    #[prost(message, optional, tag = "8")]
    pub(crate) decryption_error: Option<DecryptionErrorMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DecryptionErrorMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) ratchet_key: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) device_id: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScannableFingerprint {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) version: Option<u32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) local: Option<FingerprintHalf>,
    #[prost(message, optional, tag = "3")]
    pub(crate) remote: Option<FingerprintHalf>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FingerprintHalf {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) hash: Option<Vec<u8>>,
}
