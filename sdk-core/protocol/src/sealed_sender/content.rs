//! What is inside a sealed message: the inner message, its type, and who says so.

use core::fmt;

use super::certificate::{SenderCertificate, ServerCertificate};
use crate::address::{ProtocolAddress, Timestamp};
use crate::curve::PublicKey;
use crate::error::{Error, Result};
use crate::message::MessageType;
use crate::proto;

/// What the recipient should do if the inner message does not decrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ContentHint {
    /// Show that something could not be read.
    #[default]
    Default,
    /// The sender can send it again: ask.
    Resendable,
    /// Nobody would miss it: say nothing.
    Implicit,
    /// A hint of a later version, kept as it is.
    Unknown(i32),
}

impl ContentHint {
    const fn from_wire(value: Option<i32>) -> Self {
        match value {
            None | Some(0) => Self::Default,
            Some(1) => Self::Resendable,
            Some(2) => Self::Implicit,
            Some(other) => Self::Unknown(other),
        }
    }

    const fn to_wire(self) -> Option<i32> {
        match self {
            Self::Default => None,
            Self::Resendable => Some(1),
            Self::Implicit => Some(2),
            Self::Unknown(other) => Some(other),
        }
    }
}

/// The content of a sealed message, kept as the bytes that were sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct UnidentifiedSenderMessageContent {
    message_type: MessageType,
    sender_certificate: SenderCertificate,
    contents: Vec<u8>,
    content_hint: ContentHint,
    group_id: Option<Vec<u8>>,
    serialized: Vec<u8>,
}

impl UnidentifiedSenderMessageContent {
    /// Puts a message of ours in. An empty group id is none.
    #[must_use]
    pub fn new(
        message_type: MessageType,
        sender_certificate: SenderCertificate,
        contents: Vec<u8>,
        content_hint: ContentHint,
        group_id: Option<Vec<u8>>,
    ) -> Self {
        let group_id = group_id.filter(|id| !id.is_empty());
        let mut serialized = Vec::new();
        proto::append(
            &mut serialized,
            &proto::UnidentifiedSenderMessageContent {
                kind: Some(type_to_wire(message_type)),
                sender_certificate: Some(sender_certificate.as_bytes().to_vec()),
                contents: Some(contents.clone()),
                content_hint: content_hint.to_wire(),
                group_id: group_id.clone(),
            },
        );
        Self {
            message_type,
            sender_certificate,
            contents,
            content_hint,
            group_id,
            serialized,
        }
    }

    /// Parses what was sealed.
    ///
    /// # Errors
    /// [`Error::InvalidMessage`], or [`Error::CertificateInvalid`] if the certificate is malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let content: proto::UnidentifiedSenderMessageContent = proto::decode(bytes)?;
        let certificate = content.sender_certificate.ok_or(Error::InvalidMessage)?;
        Ok(Self {
            message_type: type_from_wire(content.kind)?,
            sender_certificate: SenderCertificate::from_bytes(&certificate)?,
            contents: content.contents.ok_or(Error::InvalidMessage)?,
            content_hint: ContentHint::from_wire(content.content_hint),
            group_id: content.group_id.filter(|id| !id.is_empty()),
            serialized: bytes.to_vec(),
        })
    }

    /// Checks the sender certificate and answers whom the message is from; refuses our own.
    ///
    /// When the inner message is a 1:1 message, also hold the identity that its session reports
    /// ([`Received::identity_key`](crate::Received::identity_key)) against the certificate's.
    ///
    /// # Errors
    /// [`Error::CertificateInvalid`], [`Error::SelfSend`].
    pub fn verify_sender(
        &self,
        trust_root: &PublicKey,
        known: &[ServerCertificate],
        now: Timestamp,
        local: &ProtocolAddress,
    ) -> Result<ProtocolAddress> {
        self.sender_certificate.verify(trust_root, known, now)?;
        let sender = self.sender_certificate.fields().sender;
        if sender == *local {
            return Err(Error::SelfSend);
        }
        Ok(sender)
    }

    /// The inner message's type.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// The certificate it came with.
    #[must_use]
    pub const fn sender_certificate(&self) -> &SenderCertificate {
        &self.sender_certificate
    }

    /// The inner message.
    #[must_use]
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }

    /// What to do if the inner message does not decrypt.
    #[must_use]
    pub const fn content_hint(&self) -> ContentHint {
        self.content_hint
    }

    /// The group it belongs to, for re-send requests.
    #[must_use]
    pub fn group_id(&self) -> Option<&[u8]> {
        self.group_id.as_deref()
    }

    /// The sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.serialized
    }
}

impl fmt::Debug for UnidentifiedSenderMessageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnidentifiedSenderMessageContent")
            .field("message_type", &self.message_type)
            .field("sender_certificate", &self.sender_certificate)
            .field("content_hint", &self.content_hint)
            .finish_non_exhaustive()
    }
}

/// Here a pre-key message is 1, not 3.
const fn type_to_wire(message_type: MessageType) -> i32 {
    match message_type {
        MessageType::PreKey => 1,
        MessageType::Signal => 2,
        MessageType::SenderKey => 7,
        MessageType::Plaintext => 8,
    }
}

fn type_from_wire(value: Option<i32>) -> Result<MessageType> {
    match value {
        Some(1) => Ok(MessageType::PreKey),
        Some(2) => Ok(MessageType::Signal),
        Some(7) => Ok(MessageType::SenderKey),
        Some(8) => Ok(MessageType::Plaintext),
        _ => Err(Error::InvalidMessage),
    }
}
