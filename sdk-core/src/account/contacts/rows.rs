//! Contacts and their devices in the database.

use hushpost_protocol::{PublicKey, RegistrationId};
use hushpost_wire::limits::DELIVERY_TOKEN_LEN;
use hushpost_wire::{AccountId, DeviceId, SignedDeviceList, VerifiedDeviceList};
use rusqlite::{Connection, OptionalExtension as _};

use crate::Error;
use crate::store::Transaction;
use crate::store::columns::{account as account_column, checked, device as device_column};

/// A contact, as stored.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub(crate) struct ContactRow {
    pub(crate) account: AccountId,
    pub(crate) device_list: Option<SignedDeviceList>,
    pub(crate) list_version: u32,
    pub(crate) account_key: Option<[u8; 32]>,
    pub(crate) name: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) verified: bool,
    pub(crate) changed: bool,
    pub(crate) blocked: bool,
    pub(crate) told_list_version: u32,
    pub(crate) told_token: bool,
}

impl ContactRow {
    /// Whether sending waits until the user has accepted a change.
    pub(crate) const fn waits_for_verification(&self) -> bool {
        self.verified && self.changed
    }
}

/// A device that a contact's account signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContactDevice {
    pub(crate) device: DeviceId,
    pub(crate) identity_key: PublicKey,
    pub(crate) registration_id: RegistrationId,
}

/// Makes the contact's row, if there is none.
pub(crate) fn ensure(tx: &Transaction<'_>, account: AccountId) -> Result<(), Error> {
    tx.prepare_cached("INSERT OR IGNORE INTO contact (account) VALUES (?1)")?
        .execute([account.as_bytes()])?;
    Ok(())
}

pub(crate) fn find(db: &Connection, account: AccountId) -> Result<Option<ContactRow>, Error> {
    let mut query = db.prepare_cached(
        "SELECT account, device_list, device_list_signature, device_list_version, account_key, name,
                user_name, verified, changed, blocked, told_list_version, told_token
         FROM contact WHERE account = ?1",
    )?;
    Ok(query.query_row([account.as_bytes()], read).optional()?)
}

/// Every contact, by name.
pub(crate) fn all(db: &Connection) -> Result<Vec<ContactRow>, Error> {
    let mut query = db.prepare_cached(
        "SELECT account, device_list, device_list_signature, device_list_version, account_key, name,
                user_name, verified, changed, blocked, told_list_version, told_token
         FROM contact ORDER BY name IS NULL, name, account",
    )?;
    Ok(query.query_map([], read)?.collect::<Result<_, _>>()?)
}

fn read(row: &rusqlite::Row<'_>) -> Result<ContactRow, rusqlite::Error> {
    let list: Option<Vec<u8>> = row.get(1)?;
    let signature: Option<Vec<u8>> = row.get(2)?;
    Ok(ContactRow {
        account: account_column(row, 0)?,
        device_list: list
            .zip(signature)
            .map(|(list, signature)| SignedDeviceList {
                device_list: list.into(),
                signature: signature.into(),
            }),
        list_version: row.get(3)?,
        account_key: row.get(4)?,
        name: row.get(5)?,
        user_name: row.get(6)?,
        verified: row.get(7)?,
        changed: row.get(8)?,
        blocked: row.get(9)?,
        told_list_version: row.get(10)?,
        told_token: row.get(11)?,
    })
}

/// The devices of the newest list, by number.
pub(crate) fn devices(db: &Connection, account: AccountId) -> Result<Vec<ContactDevice>, Error> {
    let mut query = db.prepare_cached(
        "SELECT device, identity_key, registration_id FROM contact_device WHERE account = ?1
         ORDER BY device",
    )?;
    let rows = query.query_map([account.as_bytes()], |row| {
        let key: Vec<u8> = row.get(1)?;
        Ok(ContactDevice {
            device: device_column(row, 0)?,
            identity_key: checked(1, || PublicKey::from_bytes(&key))?,
            registration_id: RegistrationId(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores a newer list and its devices.
pub(super) fn replace_list(
    tx: &Transaction<'_>,
    account: AccountId,
    signed: &SignedDeviceList,
    list: &VerifiedDeviceList,
    devices: &[ContactDevice],
) -> Result<(), Error> {
    let key = account_key(signed)?;
    tx.execute(
        "UPDATE contact SET device_list = ?2, device_list_signature = ?3, device_list_version = ?4,
             account_key = ?5, list_wanted = 0, told_token = 0
         WHERE account = ?1",
        (
            account.as_bytes(),
            signed.device_list.as_ref(),
            signed.signature.as_ref(),
            list.version(),
            key,
        ),
    )?;
    tx.execute(
        "DELETE FROM contact_device WHERE account = ?1",
        [account.as_bytes()],
    )?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO contact_device (account, device, identity_key, registration_id)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for entry in devices {
        insert.execute((
            account.as_bytes(),
            entry.device.get(),
            entry.identity_key.to_bytes(),
            entry.registration_id.0,
        ))?;
    }
    Ok(())
}

/// The account key on a list that was verified.
fn account_key(signed: &SignedDeviceList) -> Result<[u8; 32], Error> {
    use prost::Message as _;
    let refused = Error::Untrusted("the device list's account key");
    let Ok(list) = hushpost_wire::DeviceList::decode(signed.device_list.clone()) else {
        return Err(refused);
    };
    list.account_key.as_ref().try_into().map_err(|_| refused)
}

/// A verified contact's devices changed.
pub(super) fn note_change(tx: &Transaction<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(
        "UPDATE contact SET changed = 1 WHERE account = ?1 AND verified = 1",
        [account.as_bytes()],
    )?;
    Ok(())
}

/// Something they sent does not fit the list that is known: ask the relay for a newer one.
pub(crate) fn want_list(tx: &Transaction<'_>, account: AccountId) -> Result<(), Error> {
    ensure(tx, account)?;
    tx.execute(
        "UPDATE contact SET list_wanted = 1 WHERE account = ?1",
        [account.as_bytes()],
    )?;
    Ok(())
}

/// Whose lists are to be asked for, and from now on are not.
pub(crate) fn take_wanted_lists(tx: &Transaction<'_>) -> Result<Vec<AccountId>, Error> {
    let mut query = tx.prepare_cached(
        "UPDATE contact SET list_wanted = 0 WHERE list_wanted = 1 RETURNING account",
    )?;
    let rows = query.query_map([], |row| account_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Our own list of this version was sent to them.
pub(crate) fn told_list(
    tx: &Transaction<'_>,
    account: AccountId,
    version: u32,
) -> Result<(), Error> {
    tx.prepare_cached(
        "UPDATE contact SET told_list_version = ?2 WHERE account = ?1 AND told_list_version < ?2",
    )?
    .execute((account.as_bytes(), version))?;
    Ok(())
}

/// Our delivery token is on its way to them.
pub(crate) fn told_token(tx: &Transaction<'_>, account: AccountId) -> Result<(), Error> {
    tx.prepare_cached("UPDATE contact SET told_token = 1 WHERE account = ?1")?
        .execute([account.as_bytes()])?;
    Ok(())
}

/// They gave us the token that opens their mailbox.
pub(crate) fn save_token(
    tx: &Transaction<'_>,
    account: AccountId,
    token: &[u8; DELIVERY_TOKEN_LEN],
) -> Result<(), Error> {
    tx.prepare_cached("UPDATE contact SET delivery_token = ?2 WHERE account = ?1")?
        .execute((account.as_bytes(), token))?;
    Ok(())
}

/// The token to show for them; empty if they gave none.
pub(crate) fn token(db: &Connection, account: AccountId) -> Result<Vec<u8>, Error> {
    let mut query = db.prepare_cached("SELECT delivery_token FROM contact WHERE account = ?1")?;
    let token: Option<Option<Vec<u8>>> = query
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(token.flatten().unwrap_or_default())
}

/// Who is known by a user name.
pub(super) fn by_user_name(db: &Connection, name: &str) -> Result<Option<AccountId>, Error> {
    let mut query = db.prepare_cached("SELECT account FROM contact WHERE user_name = ?1")?;
    Ok(query
        .query_row([name], |row| account_column(row, 0))
        .optional()?)
}

/// The name means this account from now on, and no other.
pub(super) fn set_user_name(
    tx: &Transaction<'_>,
    account: AccountId,
    name: &str,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE contact SET user_name = NULL WHERE user_name = ?1",
        [name],
    )?;
    tx.execute(
        "UPDATE contact SET user_name = ?2 WHERE account = ?1",
        (account.as_bytes(), name),
    )?;
    Ok(())
}
