//! Splitting a multi-recipient message: the relay's job, which needs no secret.
//!
//! What the sender uploads once (the sent form) holds every recipient's key material; each recipient
//! gets only its own (the received form). It needs no secret, so a relay has it without having
//! anything that decrypts.

use thiserror::Error;

/// Length of a service id in the newer sent form: kind byte and UUID.
pub const SERVICE_ID_LEN: usize = 17;
/// Length of one recipient's key material.
pub const KEY_MATERIAL_LEN: usize = 48;

/// The older sent form, with bare UUIDs.
const SENT_UUIDS: u8 = 0x22;
/// The newer sent form, with service ids.
const SENT_SERVICE_IDS: u8 = 0x23;
const RECEIVED: u8 = 0x22;

/// Bit 15: more devices follow. Bits 0 to 13: registration id. Bit 14 is unused.
const MORE_DEVICES: u16 = 0x8000;
const REGISTRATION_ID_MASK: u16 = 0x3fff;

/// The ephemeral key and an empty body's tag: nothing shorter opens.
const MIN_SHARED_LEN: usize = 32 + 16;

/// The bytes are not a sent form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a multi-recipient message")]
pub struct MalformedSentMessage;

/// A sent form, taken apart without copying.
#[derive(Debug, Clone)]
pub struct SentMessage<'a> {
    recipients: Vec<SentRecipient<'a>>,
    shared: &'a [u8],
}

/// One entry of a sent form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRecipient<'a> {
    /// The account: kind byte and UUID.
    pub service_id: [u8; SERVICE_ID_LEN],
    /// Its devices; empty for an excluded account.
    pub devices: Vec<SentDevice>,
    /// What its devices need; `None` for an excluded account.
    key_material: Option<&'a [u8; KEY_MATERIAL_LEN]>,
}

/// One device of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentDevice {
    /// The device number, 1 to 127.
    pub device_id: u8,
    /// The registration id the sender knows.
    pub registration_id: u16,
}

impl<'a> SentMessage<'a> {
    /// Takes a sent form apart. Work and memory are linear in its length, whatever it claims.
    ///
    /// # Errors
    /// [`MalformedSentMessage`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MalformedSentMessage> {
        let mut rest = bytes;
        let bare_uuids = match take::<1>(&mut rest)? {
            [SENT_UUIDS] => true,
            [SENT_SERVICE_IDS] => false,
            _ => return Err(MalformedSentMessage),
        };
        let count = take_varint(&mut rest)?;
        // An entry has at least an id and a byte, so a count beyond this is a lie.
        let most = rest.len() / SERVICE_ID_LEN;
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= most)
            .ok_or(MalformedSentMessage)?;
        let mut recipients = Vec::with_capacity(count);
        for _ in 0..count {
            recipients.push(take_recipient(&mut rest, bare_uuids)?);
        }
        if rest.len() < MIN_SHARED_LEN {
            return Err(MalformedSentMessage);
        }
        Ok(Self {
            recipients,
            shared: rest,
        })
    }

    /// The entries, excluded accounts among them.
    #[must_use]
    pub fn recipients(&self) -> &[SentRecipient<'a>] {
        &self.recipients
    }

    /// What all received forms end with: the ephemeral key and the body.
    #[must_use]
    pub const fn shared(&self) -> &'a [u8] {
        self.shared
    }

    /// The received form for every device of one entry of [`recipients`](Self::recipients); `None`
    /// for an excluded account.
    #[must_use]
    pub fn received_form(&self, recipient: &SentRecipient<'_>) -> Option<Vec<u8>> {
        let prefix = recipient.received_prefix()?;
        Some([prefix.as_slice(), self.shared].concat())
    }
}

impl SentRecipient<'_> {
    /// What the received form begins with, followed by [`SentMessage::shared`]; `None` for an excluded
    /// account.
    #[must_use]
    pub fn received_prefix(&self) -> Option<Vec<u8>> {
        let material = self.key_material?;
        Some([&[RECEIVED], material.as_slice()].concat())
    }
}

fn take_recipient<'a>(
    rest: &mut &'a [u8],
    bare_uuid: bool,
) -> Result<SentRecipient<'a>, MalformedSentMessage> {
    let mut service_id = [0; SERVICE_ID_LEN];
    if bare_uuid {
        let uuid = take::<16>(rest)?;
        for (slot, byte) in service_id.iter_mut().skip(1).zip(uuid) {
            *slot = *byte;
        }
    } else {
        service_id = *take(rest)?;
    }
    let mut devices = Vec::new();
    loop {
        let [device_id] = *take::<1>(rest)?;
        if device_id == 0 {
            if !devices.is_empty() {
                return Err(MalformedSentMessage);
            }
            return Ok(SentRecipient {
                service_id,
                devices,
                key_material: None,
            });
        }
        let word = u16::from_be_bytes(*take(rest)?);
        if device_id > 127 {
            return Err(MalformedSentMessage);
        }
        devices.push(SentDevice {
            device_id,
            registration_id: word & REGISTRATION_ID_MASK,
        });
        if word & MORE_DEVICES == 0 {
            break;
        }
    }
    Ok(SentRecipient {
        service_id,
        devices,
        key_material: Some(take(rest)?),
    })
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], MalformedSentMessage> {
    let (taken, left) = rest.split_first_chunk().ok_or(MalformedSentMessage)?;
    *rest = left;
    Ok(taken)
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, MalformedSentMessage> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let [byte] = *take::<1>(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(MalformedSentMessage)
}
