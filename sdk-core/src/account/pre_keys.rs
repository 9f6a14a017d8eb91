//! Pre-keys: made, published, rotated, used up.
//!
//! One-time keys are deleted in the transaction that stores the session they served. Signed and last-resort
//! keys are rotated weekly and kept 30 days after that, for first messages that were under way. Numbers of
//! all kinds come from one counter that only rises: none is ever used again.

use hushpost_protocol::{
    ConsumedPreKeys, KemKind, KemPreKey, KemPreKeyId, OneTimePreKey, OneTimePreKeyId,
    PreKeySignalMessage, SignedPreKey, SignedPreKeyId, Timestamp,
};
use hushpost_wire::UploadPreKeys;
use rusqlite::{Connection, OptionalExtension as _};
use zeroize::Zeroizing;

use crate::Error;
use crate::account::local_device::{LocalDevice, replay_guard, save_replay_guard};
use crate::random::Randomness;
use crate::store::columns::signed;
use crate::store::{StoreError, Transaction};

/// How often signed and last-resort keys are replaced.
const ROTATION_MS: u64 = 7 * 24 * 3600 * 1000;
/// How long a replaced one still opens first messages.
const KEPT_MS: u64 = 30 * 24 * 3600 * 1000;

#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    OneTime = 1,
    Signed = 2,
    OneTimeKem = 3,
    LastResortKem = 4,
}

/// What one first message needs.
pub(crate) struct NamedPreKeys {
    pub(crate) signed: Option<SignedPreKey>,
    pub(crate) one_time: Option<OneTimePreKey>,
    pub(crate) kem: Option<KemPreKey>,
}

/// The relay lost its store: what was published is to be published again. One-time keys that it may have
/// handed out are not: they wait for who got them, and new ones are made.
pub(crate) fn forget_uploads(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute(
        "UPDATE pre_key SET uploaded = 0 WHERE kind IN (2, 4) AND retired_ms IS NULL",
        [],
    )?;
    Ok(())
}

/// Makes what is due and gives everything that is not published yet. `None`: nothing is due.
///
/// `one_time` and `one_time_kem` are how many the relay has left.
pub(crate) fn refill(
    tx: &Transaction<'_>,
    local: &LocalDevice,
    in_stock: InStock,
    stock: u32,
    now_ms: u64,
    rng: &mut Randomness,
) -> Result<Option<UploadPreKeys>, Error> {
    let low = stock.div_ceil(5).max(1);
    rotate(tx, local, now_ms, rng)?;
    for (kind, left) in [
        (Kind::OneTime, in_stock.one_time),
        (Kind::OneTimeKem, in_stock.one_time_kem),
    ] {
        if left >= low || not_uploaded(tx, kind)? > 0 {
            continue;
        }
        for _ in 0..stock {
            make(tx, kind, local, now_ms, rng)?;
        }
    }
    retire(tx, now_ms)?;
    pending(tx)
}

/// One-time keys the relay has left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InStock {
    pub(crate) one_time: u32,
    pub(crate) one_time_kem: u32,
}

/// The relay has stored them.
pub(crate) fn uploaded(tx: &Transaction<'_>, upload: &UploadPreKeys) -> Result<(), Error> {
    let mut mark =
        tx.prepare_cached("UPDATE pre_key SET uploaded = 1 WHERE kind = ?1 AND id = ?2")?;
    let one_time = upload
        .one_time_pre_keys
        .iter()
        .map(|key| (Kind::OneTime, key.id));
    let kem = upload
        .one_time_kem_pre_keys
        .iter()
        .map(|key| (Kind::OneTimeKem, key.id));
    let signed = upload
        .signed_pre_key
        .iter()
        .map(|key| (Kind::Signed, key.id));
    let last = upload.last_resort_kem_pre_key.iter();
    let last = last.map(|key| (Kind::LastResortKem, key.id));
    for (kind, id) in one_time.chain(kem).chain(signed).chain(last) {
        mark.execute((kind as u8, id))?;
    }
    Ok(())
}

/// Looks up the keys that a first message names.
pub(crate) fn named(db: &Connection, message: &PreKeySignalMessage) -> Result<NamedPreKeys, Error> {
    let find = |kind, id: u32| record(db, kind, id);
    let one_time = match message.one_time_pre_key_id() {
        Some(id) => find(Kind::OneTime, id.0)?,
        None => None,
    };
    let kem = match message.kem_pre_key_id() {
        Some(id) => match find(Kind::OneTimeKem, id.0)? {
            Some(record) => Some(record),
            None => find(Kind::LastResortKem, id.0)?,
        },
        None => None,
    };
    let signed = find(Kind::Signed, message.signed_pre_key_id().0)?;
    Ok(NamedPreKeys {
        signed: decode(signed, SignedPreKey::decode)?,
        one_time: decode(one_time, OneTimePreKey::decode)?,
        kem: decode(kem, KemPreKey::decode)?,
    })
}

/// Deletes the one-time keys that a session was started with.
pub(crate) fn consume(tx: &Transaction<'_>, consumed: ConsumedPreKeys) -> Result<(), Error> {
    let mut delete = tx.prepare_cached("DELETE FROM pre_key WHERE kind = ?1 AND id = ?2")?;
    if let Some(id) = consumed.one_time_pre_key {
        delete.execute((Kind::OneTime as u8, id.0))?;
    }
    if let Some(id) = consumed.kem_pre_key {
        delete.execute((Kind::OneTimeKem as u8, id.0))?;
    }
    Ok(())
}

fn record(db: &Connection, kind: Kind, id: u32) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let mut query = db.prepare_cached("SELECT record FROM pre_key WHERE kind = ?1 AND id = ?2")?;
    Ok(query
        .query_row((kind as u8, id), |row| row.get(0).map(Zeroizing::new))
        .optional()?)
}

fn decode<T>(
    record: Option<Zeroizing<Vec<u8>>>,
    decode: impl Fn(&[u8]) -> hushpost_protocol::Result<T>,
) -> Result<Option<T>, Error> {
    record
        .map(|record| {
            decode(&record).map_err(|_| StoreError::Corrupted("a pre-key does not decode").into())
        })
        .transpose()
}

fn not_uploaded(tx: &Transaction<'_>, kind: Kind) -> Result<u32, Error> {
    Ok(tx.query_row(
        "SELECT count(*) FROM pre_key WHERE kind = ?1 AND uploaded = 0",
        [kind as u8],
        |row| row.get(0),
    )?)
}

fn make(
    tx: &Transaction<'_>,
    kind: Kind,
    local: &LocalDevice,
    now_ms: u64,
    rng: &mut Randomness,
) -> Result<(), Error> {
    let id: u32 = tx.query_row(
        "UPDATE local_device SET next_pre_key = next_pre_key + 1 RETURNING next_pre_key - 1",
        [],
        |row| row.get(0),
    )?;
    let (identity, now) = (&local.identity, Timestamp(now_ms));
    let kem = |last_resort, rng: &mut Randomness| {
        KemPreKey::generate(
            KemPreKeyId(id),
            KemKind::MlKem1024,
            last_resort,
            identity,
            now,
            rng,
        )
    };
    let record = match kind {
        Kind::OneTime => OneTimePreKey::generate(OneTimePreKeyId(id), rng)?.encode(),
        Kind::Signed => SignedPreKey::generate(SignedPreKeyId(id), identity, now, rng)?.encode(),
        Kind::OneTimeKem => kem(false, rng)?.encode(),
        Kind::LastResortKem => kem(true, rng)?.encode(),
    };
    tx.prepare_cached(
        "INSERT INTO pre_key (kind, id, record, created_ms) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((kind as u8, id, record.as_slice(), signed(now_ms)))?;
    Ok(())
}

/// Replaces signed and last-resort keys that are a week old. A clock that was set back makes none older.
fn rotate(
    tx: &Transaction<'_>,
    local: &LocalDevice,
    now_ms: u64,
    rng: &mut Randomness,
) -> Result<(), Error> {
    for kind in [Kind::Signed, Kind::LastResortKem] {
        let fresh: bool = tx.query_row(
            "SELECT EXISTS (SELECT 1 FROM pre_key
                 WHERE kind = ?1 AND retired_ms IS NULL AND created_ms > ?2)",
            (kind as u8, signed(now_ms.saturating_sub(ROTATION_MS))),
            |row| row.get(0),
        )?;
        if fresh {
            continue;
        }
        tx.execute(
            "UPDATE pre_key SET retired_ms = ?2 WHERE kind = ?1 AND retired_ms IS NULL",
            (kind as u8, signed(now_ms)),
        )?;
        make(tx, kind, local, now_ms, rng)?;
    }
    Ok(())
}

/// Deletes what was replaced more than 30 days ago, and what the replay guard remembered for it.
fn retire(tx: &Transaction<'_>, now_ms: u64) -> Result<(), Error> {
    let before = signed(now_ms.saturating_sub(KEPT_MS));
    let mut query = tx.prepare("SELECT id FROM pre_key WHERE kind = 2 AND retired_ms < ?1")?;
    let retired: Vec<u32> = query
        .query_map([before], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if !retired.is_empty() {
        let mut guard = replay_guard(tx)?;
        for id in retired {
            guard.forget(SignedPreKeyId(id));
        }
        save_replay_guard(tx, &guard)?;
    }
    tx.execute("DELETE FROM pre_key WHERE retired_ms < ?1", [before])?;
    Ok(())
}

/// Everything that is not published yet, at most 100 of a kind.
fn pending(tx: &Transaction<'_>) -> Result<Option<UploadPreKeys>, Error> {
    let mut query = tx.prepare(
        "SELECT record FROM pre_key WHERE kind = ?1 AND uploaded = 0 AND retired_ms IS NULL
         ORDER BY id LIMIT 100",
    )?;
    let mut records = |kind: Kind| -> Result<Vec<Zeroizing<Vec<u8>>>, Error> {
        let rows = query.query_map([kind as u8], |row| row.get(0).map(Zeroizing::new))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let damaged = |_| Error::from(StoreError::Corrupted("a pre-key does not decode"));
    let kem = |record: &Zeroizing<Vec<u8>>| -> Result<hushpost_wire::KemPreKey, Error> {
        let key = KemPreKey::decode(record).map_err(damaged)?;
        Ok(hushpost_wire::KemPreKey {
            id: key.id.0,
            public_key: key.keys.public.to_bytes().into(),
            signature: key.signature.to_vec().into(),
        })
    };
    let mut upload = UploadPreKeys::default();
    for record in records(Kind::Signed)? {
        let key = SignedPreKey::decode(&record).map_err(damaged)?;
        upload.signed_pre_key = Some(hushpost_wire::SignedPreKey {
            id: key.id.0,
            public_key: key.keys.public_key().to_bytes().to_vec().into(),
            signature: key.signature.to_vec().into(),
        });
    }
    for record in records(Kind::LastResortKem)? {
        upload.last_resort_kem_pre_key = Some(kem(&record)?);
    }
    for record in records(Kind::OneTime)? {
        let key = OneTimePreKey::decode(&record).map_err(damaged)?;
        upload.one_time_pre_keys.push(hushpost_wire::OneTimePreKey {
            id: key.id.0,
            public_key: key.keys.public_key().to_bytes().to_vec().into(),
        });
    }
    for record in records(Kind::OneTimeKem)? {
        upload.one_time_kem_pre_keys.push(kem(&record)?);
    }
    let due = upload != UploadPreKeys::default();
    Ok(due.then_some(upload))
}
