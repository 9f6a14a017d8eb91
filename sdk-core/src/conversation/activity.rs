//! Typing: encrypted like any message, never stored, never repeated.
//!
//! Must never: wake a phone, or start a session.

use hushpost_wire::{DeviceAddress, Recipient, RecipientDevice};

use crate::account::sessions::Sessions;
use crate::account::{LocalDevice, contacts};
use crate::content::{Activity, Body, ConversationId, Introduction, Plaintext, Typing, pad};
use crate::conversation::rows::{self as messages, Kind};
use crate::conversation::send::check_may_send;
use crate::envelope;
use crate::store::Transaction;
use crate::{Error, Result};

/// Encrypts for the devices there is a session with; `None` if there is none.
pub(crate) fn seal(
    tx: &mut Transaction<'_>,
    id: ConversationId,
    activity: Activity,
    now_ms: u64,
) -> Result<Option<Recipient>> {
    let local = LocalDevice::load(tx)?;
    let conversation = messages::find(tx, id)?.ok_or(Error::NotFound("conversation"))?;
    check_may_send(tx, &conversation)?;
    if !conversation.accepted {
        return Err(Error::NotAccepted);
    }
    // Thousands would learn of every key: a group shows no typing.
    let Kind::Direct(peer) = conversation.kind else {
        return Ok(None);
    };
    let body = Body::Typing(Typing {
        conversation: id,
        activity,
        at_ms: local.clock.corrected(now_ms),
    });
    let plaintext = pad(Plaintext::complete(
        &body.encode()?,
        Introduction::default(),
    ));
    let now = hushpost_protocol::Timestamp(now_ms);
    let mut sessions = Sessions::new(local.address());
    let mut devices = Vec::new();
    for entry in contacts::devices(tx, peer)? {
        let address = DeviceAddress {
            account: peer,
            device: entry.device,
        };
        let session = sessions.get(tx, address)?;
        let established = session.can_send(now)
            && !session.is_unacknowledged()
            && session.remote_identity() == Some(&entry.identity_key);
        if !established {
            return Ok(None);
        }
        let message = session.encrypt(&plaintext, now)?;
        sessions.moved(address);
        devices.push(RecipientDevice {
            device: entry.device.into(),
            registration_id: entry.registration_id.0,
            ciphertext: envelope::seal(&message)?.into(),
        });
    }
    sessions.save(tx)?;
    if devices.is_empty() {
        return Ok(None);
    }
    Ok(Some(Recipient {
        account: peer.as_bytes().to_vec().into(),
        delivery_token: Vec::new().into(),
        devices,
    }))
}
