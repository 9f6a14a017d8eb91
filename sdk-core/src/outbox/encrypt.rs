//! Ratchets move and ciphertexts are made, in the transaction that stores both.

use hushpost_protocol::Timestamp;
use hushpost_wire::DeviceAddress;

use crate::Error;
use crate::account::sessions::Sessions;
use crate::account::{LocalDevice, contacts};
use crate::content::{Introduction, Plaintext, pad};
use crate::conversation::rows as messages;
use crate::envelope;
use crate::outbox::rows::{self, DeviceCiphertext, OutboxRow};
use crate::store::Transaction;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Its ciphertexts are stored with it.
    Done,
    /// A device list or a session is missing: fetch bundles and try again.
    NeedsSessions,
    /// A verified contact changed, or it is blocked: nothing happens until the user decides.
    OnHold,
    /// The one device it was for is gone, and the row with it.
    Pointless,
}

/// Encrypts a row for all devices it is for, or for none.
pub(crate) fn encrypt(
    tx: &mut Transaction<'_>,
    local: &LocalDevice,
    sessions: &mut Sessions,
    row: &OutboxRow,
    now_ms: u64,
) -> Result<Encryption, Error> {
    let Some(contact) = contacts::find(tx, row.recipient)? else {
        return Ok(Encryption::NeedsSessions);
    };
    if contact.blocked || contact.waits_for_verification() {
        return Ok(Encryption::OnHold);
    }
    if contact.list_version == 0 {
        return Ok(Encryption::NeedsSessions);
    }
    let mut devices = contacts::devices(tx, row.recipient)?;
    if let Some(only) = row.only_device {
        devices.retain(|entry| entry.device == only);
        if devices.is_empty() {
            rows::delete(tx, row.id)?;
            return Ok(Encryption::Pointless);
        }
    }
    let now = Timestamp(now_ms);
    let mut introduce = contact.told_list_version < local.device_list_version;
    for entry in &devices {
        let address = DeviceAddress {
            account: row.recipient,
            device: entry.device,
        };
        let session = sessions.get(tx, address)?;
        if !session.can_send(now) || session.remote_identity() != Some(&entry.identity_key) {
            return Ok(Encryption::NeedsSessions);
        }
        introduce |= session.is_unacknowledged();
    }
    // Whoever is accepted may fill the mailbox to the brim; strangers share a part of it.
    let trusted = !contact.told_token
        && messages::with_peer(tx, row.recipient)?.is_some_and(|found| found.accepted);
    let introduction = Introduction {
        device_list: introduce.then_some(&local.device_list),
        delivery_token: trusted.then_some(&local.delivery_token),
        replaces: &row.replaces,
    };
    let plaintext = pad(Plaintext::complete(&row.body, introduction));
    if trusted {
        contacts::told_token(tx, row.recipient)?;
    }
    let mut ciphertexts = Vec::with_capacity(devices.len());
    for entry in &devices {
        let address = DeviceAddress {
            account: row.recipient,
            device: entry.device,
        };
        let message = sessions.get(tx, address)?.encrypt(&plaintext, now)?;
        sessions.moved(address);
        ciphertexts.push(DeviceCiphertext {
            device: entry.device,
            registration_id: entry.registration_id.0,
            ciphertext: envelope::seal(&message)?,
        });
    }
    rows::set_encrypted(tx, row.id, &ciphertexts)?;
    Ok(Encryption::Done)
}
