//! A message with its place in a conversation.

use hushpost_wire::{AccountId, DeviceId, MessageId};

use crate::clock::Stamp;
use crate::content::group::{read_heads, write_heads};
use crate::content::{ChainId, ContentError, ConversationId, Sequence, generated};
use crate::group::change::ChangeId;

/// Other devices' chains that one post may speak of.
const MAX_HEADS: usize = 64;

/// A message as it travels.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) conversation: ConversationId,
    pub(crate) message_id: MessageId,
    pub(crate) stamp: Stamp,
    pub(crate) chain: ChainId,
    pub(crate) sequence: Sequence,
    /// The newest that the sender had seen of every other device.
    pub(crate) heads: Vec<Head>,
    /// An encoded [`Content`](crate::content::Content), byte for byte.
    pub(crate) content: Vec<u8>,
    /// In a group: the newest changes that the sender had seen.
    pub(crate) group_heads: Vec<ChangeId>,
}

/// The newest post seen of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) chain: ChainId,
    pub(crate) sequence: Sequence,
}

impl Post {
    pub(super) fn write(self) -> generated::Post {
        generated::Post {
            conversation: self.conversation.as_bytes().to_vec(),
            message_id: self.message_id.as_bytes().to_vec(),
            stamp: self.stamp.to_bits(),
            chain: self.chain.0,
            sequence: self.sequence.get(),
            heads: self
                .heads
                .iter()
                .take(MAX_HEADS)
                .map(|head| generated::Head {
                    account: head.account.as_bytes().to_vec(),
                    device: head.device.into(),
                    chain: head.chain.0,
                    sequence: head.sequence.get(),
                })
                .collect(),
            group_heads: write_heads(&self.group_heads),
            content: self.content,
        }
    }

    pub(super) fn read(post: generated::Post) -> Result<Self, ContentError> {
        if post.heads.len() > MAX_HEADS {
            return Err(ContentError::TooLong("list of heads"));
        }
        let malformed = ContentError::Malformed;
        Ok(Self {
            conversation: ConversationId::from_slice(&post.conversation)
                .ok_or(malformed("conversation id"))?,
            message_id: MessageId::from_slice(&post.message_id)
                .map_err(|_| malformed("message id"))?,
            stamp: Stamp::checked(post.stamp).ok_or(malformed("stamp"))?,
            chain: ChainId(post.chain),
            sequence: Sequence::new(post.sequence)?,
            heads: post
                .heads
                .iter()
                .map(Head::read)
                .collect::<Result<_, _>>()?,
            group_heads: read_heads(&post.group_heads)?,
            content: post.content,
        })
    }
}

impl Head {
    fn read(head: &generated::Head) -> Result<Self, ContentError> {
        let malformed = ContentError::Malformed("head");
        Ok(Self {
            account: AccountId::from_slice(&head.account).map_err(|_| malformed)?,
            device: DeviceId::new(head.device).map_err(|_| malformed)?,
            chain: ChainId(head.chain),
            sequence: Sequence::new(head.sequence)?,
        })
    }
}
