//! Accounts and their devices: registering, the signed device list, names, delivery tokens, deletion.
//!
//! The relay checks what it can without a secret: that an id is its key's hash, that the list is signed
//! and newer, that it is not too long. It keeps the list as it was signed, and cannot add a device.

pub mod directory;
pub mod names;
pub mod registration;
pub mod registration_token;

use hushpost_wire::{AccountDevice, AccountId, ErrorCode, SignedDeviceList, VerifiedDeviceList};
use rusqlite::{Connection, OptionalExtension, params};

use crate::mailbox::{self, DeviceKey};
use crate::refusal::Refusal;

/// What storing a list changed.
#[derive(Debug, Default)]
pub struct ListChange {
    /// Devices that are gone, with all that was theirs.
    pub removed: Vec<DeviceKey>,
    /// Devices that prove themselves with another key now: who holds the old one is no longer them.
    pub rekeyed: Vec<DeviceKey>,
}

/// Stores a verified device list: of a new account, or a newer one of a known account. The very list
/// that is stored already changes nothing.
///
/// # Errors
/// [`ErrorCode::DeviceListStale`] if the stored one is newer or another of the same version,
/// [`ErrorCode::NotFound`] if the account must exist and does not, [`ErrorCode::Blocked`].
pub fn store_list(
    connection: &Connection,
    list: &VerifiedDeviceList,
    signed: &SignedDeviceList,
    may_create: bool,
) -> Result<ListChange, Refusal> {
    let known: Option<(i64, u32, Vec<u8>, bool)> = connection
        .prepare_cached(
            "SELECT id, list_version, device_list, blocked FROM account WHERE account = ?1",
        )?
        .query_row(params![list.account().as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let account = match known {
        Some((_, _, _, true)) => {
            return Err(Refusal::new(ErrorCode::Blocked, "this account is blocked"));
        }
        Some((_, version, stored, _))
            if version == list.version() && stored == signed.device_list =>
        {
            return Ok(ListChange::default());
        }
        Some((_, version, _, _)) if version >= list.version() => {
            return Err(Refusal::new(
                ErrorCode::DeviceListStale,
                format!("the relay holds version {version}; fetch it and build on it"),
            ));
        }
        Some((account, ..)) => {
            connection
                .prepare_cached(
                    "UPDATE account SET device_list = ?2, list_signature = ?3, list_version = ?4
                      WHERE id = ?1",
                )?
                .execute(params![
                    account,
                    signed.device_list.as_ref(),
                    signed.signature.as_ref(),
                    list.version()
                ])?;
            account
        }
        None if may_create => {
            connection
                .prepare_cached(
                    "INSERT INTO account (account, device_list, list_signature, list_version)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    list.account().as_bytes(),
                    signed.device_list.as_ref(),
                    signed.signature.as_ref(),
                    list.version()
                ])?;
            connection.last_insert_rowid()
        }
        None => return Err(Refusal::new(ErrorCode::NotFound, "no such account")),
    };
    store_devices(connection, account, list.devices())
}

/// Makes the device rows what the list says.
fn store_devices(
    connection: &Connection,
    account: i64,
    devices: &[AccountDevice],
) -> Result<ListChange, Refusal> {
    let mut change = ListChange::default();
    let stored = stored_devices(connection, account)?;
    for (key, device) in &stored {
        // Another identity or registration is another device under the same number: what waits for the
        // old one, and its pre-keys, are of no use to it.
        let kept = devices.iter().find(|listed| {
            listed.device == device.device
                && listed.identity_key == device.identity_key
                && listed.registration_id == device.registration_id
        });
        match kept {
            None => {
                remove_device(connection, *key)?;
                change.removed.push(*key);
            }
            Some(listed) if listed.authentication_key != device.authentication_key => {
                change.rekeyed.push(*key);
            }
            Some(_) => {}
        }
    }
    for device in devices {
        connection
            .prepare_cached(
                "INSERT INTO device
                    (account, number, identity_key, authentication_key, registration_id)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (account, number)
                 DO UPDATE SET authentication_key = excluded.authentication_key",
            )?
            .execute(params![
                account,
                device.device.get(),
                device.identity_key,
                device.authentication_key,
                device.registration_id
            ])?;
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO queue (device, last, floor, settled)
                 SELECT id, 0, 0, 0 FROM device WHERE account = ?1 AND number = ?2",
            )?
            .execute(params![account, device.device.get()])?;
    }
    Ok(change)
}

/// The devices of an account, as the relay knows them.
pub(crate) fn stored_devices(
    connection: &Connection,
    account: i64,
) -> rusqlite::Result<Vec<(DeviceKey, AccountDevice)>> {
    connection
        .prepare_cached(
            "SELECT id, number, identity_key, authentication_key, registration_id
               FROM device WHERE account = ?1 ORDER BY number",
        )?
        .query_map(params![account], |row| {
            let number: u32 = row.get(1)?;
            let device = hushpost_wire::DeviceId::new(number)
                .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, i64::from(number)))?;
            Ok((
                DeviceKey(row.get(0)?),
                AccountDevice {
                    device,
                    identity_key: row.get(2)?,
                    authentication_key: row.get(3)?,
                    registration_id: row.get(4)?,
                },
            ))
        })?
        .collect()
}

fn remove_device(connection: &Connection, device: DeviceKey) -> rusqlite::Result<()> {
    mailbox::delete_all(connection, device)?;
    connection
        .prepare_cached("DELETE FROM device WHERE id = ?1")?
        .execute(params![device.0])?;
    Ok(())
}

/// Removes an account and all that is kept for it: devices, keys, queued messages, names, the right to its
/// blobs. The devices that went, or `None` if there is no such account.
///
/// # Errors
/// Any of the store's.
pub fn delete(
    connection: &Connection,
    account: AccountId,
) -> rusqlite::Result<Option<Vec<DeviceKey>>> {
    let Some(row) = account_row(connection, account)? else {
        return Ok(None);
    };
    let devices: Vec<DeviceKey> = stored_devices(connection, row)?
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    for device in &devices {
        remove_device(connection, *device)?;
    }
    // Blobs that contacts may still fetch live to their end, but are nobody's; unfinished ones end now.
    connection.execute(
        "UPDATE blob SET account = 0, due_ms = CASE complete WHEN 1 THEN due_ms ELSE 0 END
          WHERE account = ?1",
        params![row],
    )?;
    connection.execute("DELETE FROM account WHERE id = ?1", params![row])?;
    Ok(Some(devices))
}

/// Sets or lifts the operator's block. Whether there is such an account.
///
/// # Errors
/// Any of the store's.
pub fn set_blocked(
    connection: &Connection,
    account: AccountId,
    blocked: bool,
) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE account SET blocked = ?2 WHERE account = ?1",
        params![account.as_bytes(), blocked],
    )?;
    Ok(changed != 0)
}

/// Which token others must show: its SHA-256, or `None` for no token at all.
///
/// # Errors
/// Any of the store's.
pub fn set_delivery_token(
    connection: &Connection,
    account: i64,
    token_hash: Option<[u8; 32]>,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE account SET token_hash = ?2 WHERE id = ?1",
        params![account, token_hash],
    )?;
    Ok(())
}

/// The account's device list as it was signed.
///
/// # Errors
/// Any of the store's. `None` if there is no such account.
pub fn signed_list(
    connection: &Connection,
    account: AccountId,
) -> rusqlite::Result<Option<SignedDeviceList>> {
    connection
        .prepare_cached("SELECT device_list, list_signature FROM account WHERE account = ?1")?
        .query_row(params![account.as_bytes()], |row| {
            Ok(SignedDeviceList {
                device_list: row.get::<_, Vec<u8>>(0)?.into(),
                signature: row.get::<_, Vec<u8>>(1)?.into(),
            })
        })
        .optional()
}

pub(crate) fn account_row(
    connection: &Connection,
    account: AccountId,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM account WHERE account = ?1")?
        .query_row(params![account.as_bytes()], |row| row.get(0))
        .optional()
}
