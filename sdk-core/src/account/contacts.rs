//! Other accounts: their signed device lists, and what the user decided about them.
//!
//! A device counts only if it stands on a list that its account key signed, and a list's version only
//! rises: the relay cannot slip in a device or bring one back. Two lists of one version are the relay's or
//! the account's lie; the first one seen stays.

mod handle;
mod rows;

pub use handle::{Contact, Contacts};
pub(crate) use rows::{
    ContactDevice, ContactRow, devices, ensure, find, save_token, take_wanted_lists, token,
    told_list, told_token, want_list,
};

use hushpost_protocol::{PublicKey, RegistrationId};
use hushpost_wire::{AccountId, DeviceId, SignedDeviceList, VerifiedDeviceList};
use thiserror::Error as ThisError;

use crate::Error;
use crate::event::Event;
use crate::group;
use crate::outbox;
use crate::store::Transaction;

/// Why a device list is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub(crate) enum ListRefused {
    /// It does not verify, or speaks of another account.
    #[error("the device list is not signed by this account")]
    NotTheirs,
    /// A newer one is known: what a rollback by the relay looks like.
    #[error("the device list is older than the one known")]
    Old,
    /// Another list of the same version is known.
    #[error("there are two device lists of one version")]
    Forked,
    /// A device's identity key is no key.
    #[error("a device on the list has no valid identity key")]
    BadKey,
}

/// Takes a device list if it is newer than the known one, and everything that follows: sessions with devices
/// that are gone or new are dropped, and what those did not get is encrypted again. Events are added to
/// `events`.
pub(crate) fn apply_list(
    tx: &mut Transaction<'_>,
    account: AccountId,
    signed: &SignedDeviceList,
    events: &mut Vec<Event>,
) -> Result<Result<(), ListRefused>, Error> {
    let Ok(list) = VerifiedDeviceList::verify(signed) else {
        return Ok(Err(ListRefused::NotTheirs));
    };
    if list.account() != account {
        return Ok(Err(ListRefused::NotTheirs));
    }
    let mut listed = Vec::with_capacity(list.devices().len());
    for entry in list.devices() {
        let Ok(identity_key) = PublicKey::from_bytes(&entry.identity_key) else {
            return Ok(Err(ListRefused::BadKey));
        };
        listed.push(ContactDevice {
            device: entry.device,
            identity_key,
            registration_id: RegistrationId(entry.registration_id),
        });
    }
    ensure(tx, account)?;
    let Some(contact) = find(tx, account)? else {
        return Err(Error::NotFound("contact"));
    };
    if list.version() < contact.list_version {
        return Ok(Err(ListRefused::Old));
    }
    if list.version() == contact.list_version {
        return Ok(match &contact.device_list {
            Some(known) if known.device_list == signed.device_list => Ok(()),
            _ => Err(ListRefused::Forked),
        });
    }
    let known = devices(tx, account)?;
    let change = Change::between(&known, &listed);
    rows::replace_list(tx, account, signed, &list, &listed)?;
    for &device in change.removed.iter().chain(&change.renewed) {
        tx.prepare_cached("DELETE FROM session WHERE account = ?1 AND device = ?2")?
            .execute((account.as_bytes(), device.get()))?;
    }
    outbox::rows::devices_changed(tx, account, &change.removed, &change.renewed)?;
    if change.is_some() {
        let some_gone = !(change.removed.is_empty() && change.renewed.is_empty());
        group::sender_keys::devices_changed(tx, account, some_gone)?;
    }
    if contact.list_version > 0 && change.is_some() {
        rows::note_change(tx, account)?;
        events.push(Event::DevicesChanged {
            account,
            added: change.added,
            removed: change.removed,
            renewed: change.renewed,
        });
    }
    Ok(Ok(()))
}

struct Change {
    added: Vec<DeviceId>,
    removed: Vec<DeviceId>,
    renewed: Vec<DeviceId>,
}

impl Change {
    fn between(known: &[ContactDevice], listed: &[ContactDevice]) -> Self {
        let find = |list: &[ContactDevice], device| {
            list.iter().find(|entry| entry.device == device).copied()
        };
        let mut change = Self {
            added: Vec::new(),
            removed: Vec::new(),
            renewed: Vec::new(),
        };
        for entry in listed {
            match find(known, entry.device) {
                None => change.added.push(entry.device),
                Some(before) if before != *entry => change.renewed.push(entry.device),
                Some(_) => {}
            }
        }
        for entry in known {
            if find(listed, entry.device).is_none() {
                change.removed.push(entry.device);
            }
        }
        change
    }

    fn is_some(&self) -> bool {
        !(self.added.is_empty() && self.removed.is_empty() && self.renewed.is_empty())
    }
}
