//! What devices say to each other that shows nowhere: receipts, typing, requests for a re-send.

use hushpost_wire::{DeviceId, MessageId};

use crate::content::{ChainId, ContentError, ConversationId, Sequence, generated};

/// Ranges in one receipt or request.
pub(crate) const MAX_RANGES: usize = 128;
/// Posts in one range.
const MAX_RANGE_LEN: u64 = 1_000_000;
/// Envelope ids in one request.
pub(crate) const MAX_ENVELOPES: usize = 64;

/// What became of a message at its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReceiptKind {
    /// It is stored on a device.
    Delivered,
    /// It was read.
    Read,
}

/// What somebody is doing in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Nothing any more.
    Stopped,
    /// Writing.
    Typing,
    /// Recording audio.
    Recording,
}

/// Posts of one chain, from first to last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SequenceRange {
    pub(crate) device: DeviceId,
    pub(crate) chain: ChainId,
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
}

/// What of the reader's was delivered or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) conversation: ConversationId,
    pub(crate) kind: ReceiptKind,
    pub(crate) ranges: Vec<SequenceRange>,
    pub(crate) at_ms: u64,
}

/// What somebody is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Typing {
    pub(crate) conversation: ConversationId,
    pub(crate) activity: Activity,
    pub(crate) at_ms: u64,
}

/// A request for what is missing, or did not decrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResendRequest {
    pub(crate) conversation: ConversationId,
    pub(crate) ranges: Vec<SequenceRange>,
    pub(crate) envelopes: Vec<MessageId>,
}

/// The answer for what is not there any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) conversation: ConversationId,
    pub(crate) ranges: Vec<SequenceRange>,
    pub(crate) envelopes: Vec<MessageId>,
}

impl SequenceRange {
    fn write(self) -> generated::Range {
        generated::Range {
            device: self.device.into(),
            chain: self.chain.0,
            first: self.first.get(),
            last: self.last.get(),
        }
    }

    fn read(range: &generated::Range) -> Result<Self, ContentError> {
        let malformed = ContentError::Malformed("range");
        let count = range.last.checked_sub(range.first).ok_or(malformed)?;
        if count >= MAX_RANGE_LEN {
            return Err(ContentError::TooLong("range"));
        }
        Ok(Self {
            device: DeviceId::new(range.device).map_err(|_| malformed)?,
            chain: ChainId(range.chain),
            first: Sequence::new(range.first)?,
            last: Sequence::new(range.last)?,
        })
    }
}

fn write_ranges(ranges: &[SequenceRange]) -> Vec<generated::Range> {
    let ranges = ranges.iter().take(MAX_RANGES);
    ranges.map(|range| range.write()).collect()
}

fn read_ranges(ranges: &[generated::Range]) -> Result<Vec<SequenceRange>, ContentError> {
    if ranges.len() > MAX_RANGES {
        return Err(ContentError::TooLong("list of ranges"));
    }
    ranges.iter().map(SequenceRange::read).collect()
}

fn write_envelopes(envelopes: &[MessageId]) -> Vec<Vec<u8>> {
    let envelopes = envelopes.iter().take(MAX_ENVELOPES);
    envelopes.map(|id| id.as_bytes().to_vec()).collect()
}

fn read_envelopes(envelopes: &[Vec<u8>]) -> Result<Vec<MessageId>, ContentError> {
    if envelopes.len() > MAX_ENVELOPES {
        return Err(ContentError::TooLong("list of envelopes"));
    }
    envelopes
        .iter()
        .map(|id| MessageId::from_slice(id))
        .collect::<Result<_, _>>()
        .map_err(|_| ContentError::Malformed("envelope id"))
}

fn read_conversation(bytes: &[u8]) -> Result<ConversationId, ContentError> {
    ConversationId::from_slice(bytes).ok_or(ContentError::Malformed("conversation id"))
}

impl Receipt {
    pub(super) fn write(self) -> generated::Receipt {
        let kind = match self.kind {
            ReceiptKind::Delivered => generated::receipt::Kind::Delivered,
            ReceiptKind::Read => generated::receipt::Kind::Read,
        };
        generated::Receipt {
            conversation: self.conversation.as_bytes().to_vec(),
            kind: kind.into(),
            ranges: write_ranges(&self.ranges),
            at_ms: self.at_ms,
        }
    }

    pub(super) fn read(receipt: &generated::Receipt) -> Result<Self, ContentError> {
        Ok(Self {
            conversation: read_conversation(&receipt.conversation)?,
            kind: match receipt.kind() {
                generated::receipt::Kind::Delivered => ReceiptKind::Delivered,
                generated::receipt::Kind::Read => ReceiptKind::Read,
                generated::receipt::Kind::Unspecified => {
                    return Err(ContentError::Malformed("receipt"));
                }
            },
            ranges: read_ranges(&receipt.ranges)?,
            at_ms: receipt.at_ms,
        })
    }
}

impl Typing {
    pub(super) fn write(self) -> generated::Typing {
        let activity = match self.activity {
            Activity::Stopped => generated::typing::Activity::Stopped,
            Activity::Typing => generated::typing::Activity::Typing,
            Activity::Recording => generated::typing::Activity::Recording,
        };
        generated::Typing {
            conversation: self.conversation.as_bytes().to_vec(),
            activity: activity.into(),
            at_ms: self.at_ms,
        }
    }

    pub(super) fn read(typing: &generated::Typing) -> Result<Self, ContentError> {
        Ok(Self {
            conversation: read_conversation(&typing.conversation)?,
            activity: match typing.activity() {
                generated::typing::Activity::Stopped => Activity::Stopped,
                generated::typing::Activity::Typing => Activity::Typing,
                generated::typing::Activity::Recording => Activity::Recording,
            },
            at_ms: typing.at_ms,
        })
    }
}

impl ResendRequest {
    pub(super) fn write(self) -> generated::ResendRequest {
        generated::ResendRequest {
            conversation: self.conversation.as_bytes().to_vec(),
            ranges: write_ranges(&self.ranges),
            envelopes: write_envelopes(&self.envelopes),
        }
    }

    pub(super) fn read(request: &generated::ResendRequest) -> Result<Self, ContentError> {
        Ok(Self {
            conversation: read_conversation(&request.conversation)?,
            ranges: read_ranges(&request.ranges)?,
            envelopes: read_envelopes(&request.envelopes)?,
        })
    }
}

impl Gone {
    pub(super) fn write(self) -> generated::Gone {
        generated::Gone {
            conversation: self.conversation.as_bytes().to_vec(),
            ranges: write_ranges(&self.ranges),
            envelopes: write_envelopes(&self.envelopes),
        }
    }

    pub(super) fn read(gone: &generated::Gone) -> Result<Self, ContentError> {
        Ok(Self {
            conversation: read_conversation(&gone.conversation)?,
            ranges: read_ranges(&gone.ranges)?,
            envelopes: read_envelopes(&gone.envelopes)?,
        })
    }
}
