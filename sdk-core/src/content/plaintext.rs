//! The whole plaintext: what is said, and what introduces who says it.

use hushpost_wire::limits::DELIVERY_TOKEN_LEN;
use hushpost_wire::{MessageId, SignedDeviceList};
use prost::Message as _;

use crate::content::control::MAX_ENVELOPES;
use crate::content::{
    ContentError, Gone, GroupLog, GroupLogRequest, JoinRequest, MAX_PLAINTEXT_LEN, Post, Receipt,
    ResendRequest, SenderKey, SharedHistory, Typing, generated,
};

/// What is said.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Post(Post),
    Receipt(Receipt),
    Typing(Typing),
    ResendRequest(ResendRequest),
    Gone(Gone),
    SenderKey(SenderKey),
    GroupLog(GroupLog),
    GroupLogRequest(GroupLogRequest),
    JoinRequest(JoinRequest),
    SharedHistory(SharedHistory),
    /// A kind of a later version.
    Unknown,
}

/// What came out of a decryption.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Plaintext {
    pub(crate) device_list: Option<SignedDeviceList>,
    pub(crate) replaces: Vec<MessageId>,
    pub(crate) delivery_token: Option<[u8; DELIVERY_TOKEN_LEN]>,
    pub(crate) body: Body,
}

/// What is put in front of a body, so that the reader knows its sender.
#[derive(Clone, Copy, Default)]
pub(crate) struct Introduction<'a> {
    pub(crate) device_list: Option<&'a SignedDeviceList>,
    pub(crate) delivery_token: Option<&'a [u8; DELIVERY_TOKEN_LEN]>,
    /// Envelope ids, 16 bytes each.
    pub(crate) replaces: &'a [u8],
}

impl Body {
    /// The bytes an outbox row keeps: a plaintext without introduction.
    pub(crate) fn encode(self) -> Result<Vec<u8>, ContentError> {
        use generated::plaintext::Body as Wire;
        let body = match self {
            Self::Post(post) => Wire::Post(post.write()),
            Self::Receipt(receipt) => Wire::Receipt(receipt.write()),
            Self::Typing(typing) => Wire::Typing(typing.write()),
            Self::ResendRequest(request) => Wire::ResendRequest(request.write()),
            Self::Gone(gone) => Wire::Gone(gone.write()),
            Self::SenderKey(key) => Wire::SenderKey(key.write()),
            Self::GroupLog(log) => Wire::GroupLog(log.write()),
            Self::GroupLogRequest(request) => Wire::GroupLogRequest(request.write()),
            Self::JoinRequest(request) => Wire::JoinRequest(request.write()),
            Self::SharedHistory(history) => Wire::SharedHistory(history.write()),
            Self::Unknown => return Err(ContentError::Malformed("body")),
        };
        let bytes = generated::Plaintext {
            body: Some(body),
            ..Default::default()
        }
        .encode_to_vec();
        if bytes.len() > MAX_PLAINTEXT_LEN {
            return Err(ContentError::TooLong("message"));
        }
        Ok(bytes)
    }
}

impl Plaintext {
    /// Puts the introduction in front of an encoded [`Body`]. Two encoded messages one after the other are
    /// their union: so says the format (protobuf, "Last One Wins").
    pub(crate) fn complete(body: &[u8], introduction: Introduction<'_>) -> Vec<u8> {
        let introduction = generated::Plaintext {
            device_list: introduction.device_list.map(|list| generated::SignedList {
                device_list: list.device_list.to_vec(),
                signature: list.signature.to_vec(),
            }),
            replaces: introduction.replaces.to_vec(),
            delivery_token: introduction
                .delivery_token
                .map(|token| token.to_vec())
                .unwrap_or_default(),
            body: None,
        };
        let mut bytes = introduction.encode_to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        use generated::plaintext::Body as Wire;
        let malformed = ContentError::Malformed("message");
        let plaintext = generated::Plaintext::decode(bytes).map_err(|_| malformed)?;
        let (ids, rest) = plaintext.replaces.as_chunks::<16>();
        if !rest.is_empty() || ids.len() > MAX_ENVELOPES {
            return Err(malformed);
        }
        let replaces = ids.iter().map(|id| MessageId::from_slice(id));
        let replaces = replaces.collect::<Result<_, _>>().map_err(|_| malformed)?;
        let body = match plaintext.body {
            None => Body::Unknown,
            Some(Wire::Post(post)) => Body::Post(Post::read(post)?),
            Some(Wire::Receipt(receipt)) => Body::Receipt(Receipt::read(&receipt)?),
            Some(Wire::Typing(typing)) => Body::Typing(Typing::read(&typing)?),
            Some(Wire::ResendRequest(request)) => {
                Body::ResendRequest(ResendRequest::read(&request)?)
            }
            Some(Wire::Gone(gone)) => Body::Gone(Gone::read(&gone)?),
            Some(Wire::SenderKey(key)) => Body::SenderKey(SenderKey::read(key)?),
            Some(Wire::GroupLog(log)) => Body::GroupLog(GroupLog::read(log)?),
            Some(Wire::GroupLogRequest(request)) => {
                Body::GroupLogRequest(GroupLogRequest::read(&request)?)
            }
            Some(Wire::JoinRequest(request)) => Body::JoinRequest(JoinRequest::read(request)?),
            Some(Wire::SharedHistory(history)) => {
                Body::SharedHistory(SharedHistory::read(history)?)
            }
        };
        Ok(Self {
            device_list: plaintext.device_list.map(|list| SignedDeviceList {
                device_list: list.device_list.into(),
                signature: list.signature.into(),
            }),
            replaces,
            delivery_token: plaintext.delivery_token.try_into().ok(),
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::content::{
        Activity, ChainId, ConversationId, Head, ReceiptKind, Sequence, SequenceRange, SharedPost,
    };
    use crate::event::MessageRef;
    use crate::group::change::{ChangeId, SignedChange};
    use hushpost_wire::{AccountId, DeviceId};
    use proptest::prelude::*;

    fn range(first: u64, last: u64) -> SequenceRange {
        SequenceRange {
            device: DeviceId::PRIMARY,
            chain: ChainId(u64::MAX),
            first: Sequence::new(first).unwrap(),
            last: Sequence::new(last).unwrap(),
        }
    }

    fn bodies() -> Vec<Body> {
        let conversation = ConversationId::from_slice(&[7; 16]).unwrap();
        let account = AccountId::of_key(&[1; 32]);
        let id = MessageId::from_slice(&[9; 16]).unwrap();
        vec![
            Body::Post(Post {
                conversation,
                message_id: id,
                stamp: Stamp::checked(5).unwrap(),
                chain: ChainId(3),
                sequence: Sequence::new(1).unwrap(),
                heads: vec![Head {
                    account,
                    device: DeviceId::PRIMARY,
                    chain: ChainId(0),
                    sequence: Sequence::new(8).unwrap(),
                }],
                content: vec![1, 2, 3],
                expires_after_s: 60,
                group_heads: vec![ChangeId([4; 32])],
            }),
            Body::Receipt(Receipt {
                conversation,
                kind: ReceiptKind::Read,
                ranges: vec![range(1, 5), range(7, 7)],
                at_ms: 1,
            }),
            Body::Typing(Typing {
                conversation,
                activity: Activity::Recording,
                at_ms: u64::MAX,
            }),
            Body::ResendRequest(ResendRequest {
                conversation,
                ranges: vec![range(2, 3)],
                envelopes: vec![id],
            }),
            Body::Gone(Gone {
                conversation,
                ranges: vec![range(2, 3)],
                envelopes: vec![id],
            }),
            Body::SenderKey(SenderKey {
                conversation,
                distribution: vec![1; 100].into(),
                chain: ChainId(9),
                first: Sequence::new(4).unwrap(),
            }),
            Body::GroupLog(GroupLog {
                conversation,
                changes: vec![SignedChange {
                    change: vec![1, 2],
                    signature: vec![3],
                }],
            }),
            Body::GroupLogRequest(GroupLogRequest {
                conversation,
                heads: vec![ChangeId([7; 32])],
            }),
            Body::JoinRequest(JoinRequest {
                conversation,
                secret: [8; 32].into(),
            }),
            Body::SharedHistory(SharedHistory {
                conversation,
                posts: vec![SharedPost {
                    id: MessageRef {
                        sender: account,
                        id,
                    },
                    device: DeviceId::PRIMARY,
                    stamp: Stamp::checked(7).unwrap(),
                    sequence: Sequence::new(2).unwrap(),
                    content: vec![1, 2],
                }],
            }),
        ]
    }

    #[test]
    fn what_is_said_arrives_with_its_introduction() {
        let list = SignedDeviceList {
            device_list: vec![1; 300].into(),
            signature: vec![2; 64].into(),
        };
        for body in bodies() {
            let encoded = body.clone().encode().unwrap();
            let introduction = Introduction {
                device_list: Some(&list),
                delivery_token: Some(&[6; 16]),
                replaces: &[5; 32],
            };
            let bytes = Plaintext::complete(&encoded, introduction);
            let read = Plaintext::decode(&bytes).unwrap();
            assert_eq!(read.delivery_token, Some([6; 16]));
            assert!(read.body == body);
            assert_eq!(read.replaces.len(), 2);
            assert!(read.device_list.as_ref() == Some(&list));
            let plain = Plaintext::decode(&encoded).unwrap();
            assert!(plain.body == body && plain.device_list.is_none());
        }
    }

    #[test]
    fn a_body_of_a_later_version_is_no_error() {
        let read = Plaintext::decode(&[0xa2, 0x06, 1, 0]).unwrap();
        assert!(read.body == Body::Unknown);
    }

    proptest! {
        #[test]
        fn changed_bytes_are_read_or_refused(
            which in 0..9usize, position in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = bodies().swap_remove(which).encode().unwrap();
            let position = position.index(bytes.len());
            bytes[position] = byte;
            let _ = Plaintext::decode(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = Plaintext::decode(&bytes);
        }
    }
}
