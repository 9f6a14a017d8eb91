//! Pre-keys: what a device publishes so that others can start a session while it is offline.
//!
//! The relay hands out each one-time key once and checks lengths; whether a signature is right is checked
//! by who fetches the bundle, with keys that the relay cannot forge.

use hushpost_wire::{
    ErrorCode, KemPreKey, OneTimePreKey, PreKeyBundle, PreKeyCounts, SignedPreKey, UploadPreKeys,
    limits,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::mailbox::DeviceKey;
use crate::refusal::Refusal;

/// The two kinds of key, as their tables number them.
#[derive(Clone, Copy)]
enum Kind {
    Curve = 0,
    Kem = 1,
}

/// A key as the tables hold it.
struct StoredKey {
    id: u32,
    public_key: Vec<u8>,
    signature: Vec<u8>,
}

/// Checks lengths and counts of an upload.
///
/// # Errors
/// [`ErrorCode::BadRequest`], [`ErrorCode::TooMany`].
pub fn check(upload: &UploadPreKeys) -> Result<(), Refusal> {
    let most = limits::MAX_PRE_KEYS_PER_UPLOAD;
    if upload.one_time_pre_keys.len() > most || upload.one_time_kem_pre_keys.len() > most {
        return Err(Refusal::new(
            ErrorCode::TooMany,
            format!("at most {most} one-time pre-keys of a kind in one upload"),
        ));
    }
    let curve_key = |key: &[u8]| key.len() == limits::EC_PUBLIC_KEY_LEN;
    let kem_key = |key: &KemPreKey| {
        key.public_key.len() == limits::KEM_PUBLIC_KEY_LEN
            && key.signature.len() == limits::SIGNATURE_LEN
    };
    let good = upload.signed_pre_key.as_ref().is_none_or(|key| {
        curve_key(&key.public_key) && key.signature.len() == limits::SIGNATURE_LEN
    }) && upload.last_resort_kem_pre_key.as_ref().is_none_or(kem_key)
        && upload
            .one_time_pre_keys
            .iter()
            .all(|key| curve_key(&key.public_key))
        && upload.one_time_kem_pre_keys.iter().all(kem_key);
    if good {
        Ok(())
    } else {
        Err(Refusal::new(
            ErrorCode::BadRequest,
            "a pre-key or its signature has the wrong length",
        ))
    }
}

/// Stores a checked upload.
///
/// # Errors
/// Any of the store's.
pub fn store(
    connection: &Connection,
    device: DeviceKey,
    upload: &UploadPreKeys,
) -> rusqlite::Result<PreKeyCounts> {
    if let Some(key) = &upload.signed_pre_key {
        replace_lasting(
            connection,
            device,
            Kind::Curve,
            key.id,
            &key.public_key,
            &key.signature,
        )?;
    }
    if let Some(key) = &upload.last_resort_kem_pre_key {
        replace_lasting(
            connection,
            device,
            Kind::Kem,
            key.id,
            &key.public_key,
            &key.signature,
        )?;
    }
    let curve = upload
        .one_time_pre_keys
        .iter()
        .map(|key| (key.id, key.public_key.as_ref(), [].as_slice()));
    add_one_time(connection, device, Kind::Curve, curve)?;
    let kem = upload
        .one_time_kem_pre_keys
        .iter()
        .map(|key| (key.id, key.public_key.as_ref(), key.signature.as_ref()));
    add_one_time(connection, device, Kind::Kem, kem)?;
    count(connection, device)
}

/// How many one-time pre-keys a device has in stock.
///
/// # Errors
/// Any of the store's.
pub fn count(connection: &Connection, device: DeviceKey) -> rusqlite::Result<PreKeyCounts> {
    let stock = |kind: Kind| {
        connection
            .prepare_cached("SELECT count(*) FROM one_time_key WHERE device = ?1 AND kind = ?2")?
            .query_row(params![device.0, kind as i32], |row| row.get(0))
    };
    Ok(PreKeyCounts {
        one_time_pre_keys: stock(Kind::Curve)?,
        one_time_kem_pre_keys: stock(Kind::Kem)?,
    })
}

/// Takes a device's bundle, its one-time keys out of stock. `None` if it has published no signed
/// pre-key. Together with the bundle: the counts, if taking it brought a stock below the mark at which the
/// owner is told.
///
/// # Errors
/// Any of the store's.
pub fn take_bundle(
    connection: &Connection,
    device: DeviceKey,
    number: u32,
) -> rusqlite::Result<Option<(PreKeyBundle, Option<PreKeyCounts>)>> {
    let Some(signed) = lasting(connection, device, Kind::Curve)? else {
        return Ok(None);
    };
    let one_time = take_one_time(connection, device, Kind::Curve)?;
    let one_time_kem = take_one_time(connection, device, Kind::Kem)?;
    let took = one_time.is_some() || one_time_kem.is_some();
    let kem = match one_time_kem {
        Some(key) => Some(key),
        None => lasting(connection, device, Kind::Kem)?,
    };
    let bundle = PreKeyBundle {
        device: number,
        signed_pre_key: Some(SignedPreKey {
            id: signed.id,
            public_key: signed.public_key.into(),
            signature: signed.signature.into(),
        }),
        one_time_pre_key: one_time.map(|key| OneTimePreKey {
            id: key.id,
            public_key: key.public_key.into(),
        }),
        kem_pre_key: kem.map(|key| KemPreKey {
            id: key.id,
            public_key: key.public_key.into(),
            signature: key.signature.into(),
        }),
    };
    let counts = count(connection, device)?;
    let low =
        took && counts.one_time_pre_keys.min(counts.one_time_kem_pre_keys) < limits::PRE_KEYS_LOW;
    Ok(Some((bundle, low.then_some(counts))))
}

fn replace_lasting(
    connection: &Connection,
    device: DeviceKey,
    kind: Kind,
    id: u32,
    public_key: &[u8],
    signature: &[u8],
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO lasting_key (device, kind, key_id, public_key, signature)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![device.0, kind as i32, id, public_key, signature])?;
    Ok(())
}

fn lasting(
    connection: &Connection,
    device: DeviceKey,
    kind: Kind,
) -> rusqlite::Result<Option<StoredKey>> {
    connection
        .prepare_cached(
            "SELECT key_id, public_key, signature FROM lasting_key
              WHERE device = ?1 AND kind = ?2",
        )?
        .query_row(params![device.0, kind as i32], stored_key)
        .optional()
}

/// Adds keys whose number is above every number uploaded before: others may have been handed out.
fn add_one_time<'a>(
    connection: &Connection,
    device: DeviceKey,
    kind: Kind,
    keys: impl Iterator<Item = (u32, &'a [u8], &'a [u8])>,
) -> rusqlite::Result<()> {
    let mark: Option<u32> = connection
        .prepare_cached("SELECT key_id FROM one_time_key_mark WHERE device = ?1 AND kind = ?2")?
        .query_row(params![device.0, kind as i32], |row| row.get(0))
        .optional()?;
    let mut stock: u32 = connection
        .prepare_cached("SELECT count(*) FROM one_time_key WHERE device = ?1 AND kind = ?2")?
        .query_row(params![device.0, kind as i32], |row| row.get(0))?;
    let mut keys: Vec<_> = keys
        .filter(|(id, ..)| mark.is_none_or(|mark| *id > mark))
        .collect();
    keys.sort_unstable_by_key(|(id, ..)| *id);
    let mut highest = mark;
    for (id, public_key, signature) in keys {
        if stock >= limits::MAX_PRE_KEYS_IN_STOCK {
            break;
        }
        // The same number twice in one upload: the first counts.
        if highest.is_some_and(|highest| id <= highest) {
            continue;
        }
        connection
            .prepare_cached(
                "INSERT INTO one_time_key (device, kind, key_id, public_key, signature)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![device.0, kind as i32, id, public_key, signature])?;
        stock = stock.saturating_add(1);
        highest = Some(id);
    }
    if highest != mark {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO one_time_key_mark (device, kind, key_id)
                 VALUES (?1, ?2, ?3)",
            )?
            .execute(params![device.0, kind as i32, highest])?;
    }
    Ok(())
}

fn take_one_time(
    connection: &Connection,
    device: DeviceKey,
    kind: Kind,
) -> rusqlite::Result<Option<StoredKey>> {
    let key = connection
        .prepare_cached(
            "SELECT key_id, public_key, signature FROM one_time_key
              WHERE device = ?1 AND kind = ?2 ORDER BY key_id LIMIT 1",
        )?
        .query_row(params![device.0, kind as i32], stored_key)
        .optional()?;
    if let Some(key) = &key {
        connection
            .prepare_cached(
                "DELETE FROM one_time_key WHERE device = ?1 AND kind = ?2 AND key_id = ?3",
            )?
            .execute(params![device.0, kind as i32, key.id])?;
    }
    Ok(key)
}

fn stored_key(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredKey> {
    Ok(StoredKey {
        id: row.get(0)?,
        public_key: row.get(1)?,
        signature: row.get(2)?,
    })
}
