//! What members of a group say to each other beside messages: keys, changes, requests. Over 1:1 sessions alone.

use hushpost_wire::{AccountId, DeviceId, MessageId};
use zeroize::Zeroizing;

use crate::clock::Stamp;
use crate::content::{ChainId, ContentError, ConversationId, Sequence, generated};
use crate::event::MessageRef;
use crate::group::change::{ChangeId, SignedChange};

/// Bytes of a sender key distribution message.
const MAX_DISTRIBUTION_LEN: usize = 256;
/// Changes in one message.
pub(crate) const MAX_LOG_CHANGES: usize = 256;
/// Posts in one message of shared history.
pub(crate) const MAX_SHARED_POSTS: usize = 256;
/// Heads in one request, and in one post.
pub(crate) const MAX_GROUP_HEADS: usize = 16;

/// The sender's key of a group.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SenderKey {
    pub(crate) conversation: ConversationId,
    pub(crate) distribution: Zeroizing<Vec<u8>>,
    pub(crate) chain: ChainId,
    /// The first post of the chain that is meant for the reader.
    pub(crate) first: Sequence,
}

/// Changes of a group.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct GroupLog {
    pub(crate) conversation: ConversationId,
    pub(crate) changes: Vec<SignedChange>,
}

/// Which changes somebody has.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct GroupLogRequest {
    pub(crate) conversation: ConversationId,
    pub(crate) heads: Vec<ChangeId>,
}

/// What was said before a newcomer came.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SharedHistory {
    pub(crate) conversation: ConversationId,
    pub(crate) posts: Vec<SharedPost>,
}

/// A post as another member has it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SharedPost {
    pub(crate) id: MessageRef,
    pub(crate) device: DeviceId,
    pub(crate) stamp: Stamp,
    pub(crate) sequence: Sequence,
    /// An encoded `Content`.
    pub(crate) content: Vec<u8>,
}

/// A wish to be let in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JoinRequest {
    pub(crate) conversation: ConversationId,
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

fn read_group(bytes: &[u8]) -> Result<ConversationId, ContentError> {
    ConversationId::from_slice(bytes).ok_or(ContentError::Malformed("group id"))
}

pub(super) fn write_heads(heads: &[ChangeId]) -> Vec<Vec<u8>> {
    let heads = heads.iter().take(MAX_GROUP_HEADS);
    heads.map(|head| head.0.to_vec()).collect()
}

pub(super) fn read_heads(heads: &[Vec<u8>]) -> Result<Vec<ChangeId>, ContentError> {
    if heads.len() > MAX_GROUP_HEADS {
        return Err(ContentError::TooLong("list of heads"));
    }
    heads
        .iter()
        .map(|head| ChangeId::from_slice(head))
        .collect()
}

impl SenderKey {
    pub(super) fn write(self) -> generated::SenderKey {
        generated::SenderKey {
            conversation: self.conversation.as_bytes().to_vec(),
            distribution: self.distribution.to_vec(),
            chain: self.chain.0,
            first: self.first.get(),
        }
    }

    pub(super) fn read(key: generated::SenderKey) -> Result<Self, ContentError> {
        let distribution = Zeroizing::new(key.distribution);
        if distribution.len() > MAX_DISTRIBUTION_LEN {
            return Err(ContentError::TooLong("sender key"));
        }
        Ok(Self {
            conversation: read_group(&key.conversation)?,
            distribution,
            chain: ChainId(key.chain),
            first: Sequence::new(key.first)?,
        })
    }
}

impl GroupLog {
    pub(super) fn write(&self) -> generated::GroupLog {
        generated::GroupLog {
            conversation: self.conversation.as_bytes().to_vec(),
            changes: self.changes.iter().map(SignedChange::write).collect(),
        }
    }

    pub(super) fn read(log: generated::GroupLog) -> Result<Self, ContentError> {
        if log.changes.len() > MAX_LOG_CHANGES {
            return Err(ContentError::TooLong("group log"));
        }
        Ok(Self {
            conversation: read_group(&log.conversation)?,
            changes: log.changes.into_iter().map(SignedChange::read).collect(),
        })
    }
}

impl GroupLogRequest {
    pub(super) fn write(&self) -> generated::GroupLogRequest {
        generated::GroupLogRequest {
            conversation: self.conversation.as_bytes().to_vec(),
            heads: write_heads(&self.heads),
        }
    }

    pub(super) fn read(request: &generated::GroupLogRequest) -> Result<Self, ContentError> {
        Ok(Self {
            conversation: read_group(&request.conversation)?,
            heads: read_heads(&request.heads)?,
        })
    }
}

impl SharedHistory {
    pub(super) fn write(self) -> generated::SharedHistory {
        let posts = self.posts.into_iter().map(|post| generated::SharedPost {
            author: post.id.sender.as_bytes().to_vec(),
            device: post.device.into(),
            message_id: post.id.id.as_bytes().to_vec(),
            stamp: post.stamp.to_bits(),
            sequence: post.sequence.get(),
            content: post.content,
        });
        generated::SharedHistory {
            conversation: self.conversation.as_bytes().to_vec(),
            posts: posts.collect(),
        }
    }

    pub(super) fn read(history: generated::SharedHistory) -> Result<Self, ContentError> {
        if history.posts.len() > MAX_SHARED_POSTS {
            return Err(ContentError::TooLong("shared history"));
        }
        let posts = history.posts.into_iter().map(SharedPost::read);
        Ok(Self {
            conversation: read_group(&history.conversation)?,
            posts: posts.collect::<Result<_, _>>()?,
        })
    }
}

impl SharedPost {
    fn read(post: generated::SharedPost) -> Result<Self, ContentError> {
        let malformed = ContentError::Malformed("shared post");
        Ok(Self {
            id: MessageRef {
                sender: AccountId::from_slice(&post.author).map_err(|_| malformed)?,
                id: MessageId::from_slice(&post.message_id).map_err(|_| malformed)?,
            },
            device: DeviceId::new(post.device).map_err(|_| malformed)?,
            stamp: Stamp::checked(post.stamp).ok_or(malformed)?,
            sequence: Sequence::new(post.sequence)?,
            content: post.content,
        })
    }
}

impl JoinRequest {
    pub(super) fn write(&self) -> generated::JoinRequest {
        generated::JoinRequest {
            conversation: self.conversation.as_bytes().to_vec(),
            secret: self.secret.to_vec(),
        }
    }

    pub(super) fn read(request: generated::JoinRequest) -> Result<Self, ContentError> {
        let secret = Zeroizing::new(request.secret);
        Ok(Self {
            conversation: read_group(&request.conversation)?,
            secret: Zeroizing::new(
                (secret.as_slice().try_into()).map_err(|_| ContentError::Malformed("secret"))?,
            ),
        })
    }
}
