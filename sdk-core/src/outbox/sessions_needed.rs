//! Sessions that are missing: bundles are fetched, checked against the signed device list, and started from.

use std::sync::Arc;

use hushpost_protocol::{
    KemPreKeyBundle, KemPreKeyId, KemPublicKey, OneTimePreKeyBundle, OneTimePreKeyId, PreKeyBundle,
    PublicKey, SignedPreKeyBundle, SignedPreKeyId, Timestamp,
};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, DeviceAddress, DeviceId, FetchPreKeyBundles, GetDeviceList, PreKeyBundles,
};

use crate::account::contacts::{self, ContactDevice};
use crate::account::sessions::Sessions;
use crate::account::{LocalDevice, contacts::apply_list};
use crate::client::Core;
use crate::connection::{Link, RequestError};
use crate::event::Event;
use crate::random::Randomness;
use crate::store::Transaction;
use crate::{Error, Result};

/// Which sessions are started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Those that are missing or cannot be used.
    Missing,
    /// This device's, whether there is one or not: the old one stays to read with.
    Anew(DeviceId),
}

/// Fetches an account's bundles and starts what is needed.
pub(crate) async fn fetch(
    core: &Arc<Core>,
    link: &Link,
    account: AccountId,
    start: Start,
) -> Result<()> {
    let device = match start {
        Start::Anew(device) => Some(device),
        Start::Missing => core.store.read(move |db| only_missing(db, account)).await?,
    };
    let answer = bundles(link.request(request(account, device)).await)?;
    let mut rng = core.rng.clone();
    let now_ms = core.clock.now_ms();
    let told = Arc::clone(core);
    let started = core
        .store
        .write_then(
            move |tx| start_sessions(tx, account, &answer, start, now_ms, &mut rng),
            move |events| told.events.emit_all(events),
        )
        .await;
    tell_refused(core, account, started)
}

/// Asks for the bundles that are missing for some accounts, without waiting for each. An answer for each account, in
/// their order.
pub(crate) async fn ask_for_missing(
    core: &Arc<Core>,
    link: &Link,
    accounts: Vec<AccountId>,
) -> Result<Vec<Result<PreKeyBundles>>> {
    let requests: Vec<Request> = core
        .store
        .read(move |db| {
            let ask = |account| Ok(request(account, only_missing(db, account)?));
            accounts.into_iter().map(ask).collect()
        })
        .await?;
    let pending: Vec<_> = requests.into_iter().map(|ask| link.start(ask)).collect();
    let mut answers = Vec::with_capacity(pending.len());
    for answer in pending {
        answers.push(bundles(answer.await));
    }
    Ok(answers)
}

/// Starts the missing sessions with an account; what is refused leaves nothing, and the app is told.
pub(crate) fn take(
    tx: &mut Transaction<'_>,
    account: AccountId,
    answer: &PreKeyBundles,
    now_ms: u64,
    rng: &mut Randomness,
    events: &mut Vec<Event>,
) -> Result<Result<()>> {
    // Others' sessions are in the same transaction.
    tx.execute_batch("SAVEPOINT bundles")?;
    let started = start_sessions(tx, account, answer, Start::Missing, now_ms, rng);
    let end = match &started {
        Ok(_) => "RELEASE bundles",
        Err(_) => "ROLLBACK TO bundles; RELEASE bundles",
    };
    tx.execute_batch(end)?;
    Ok(match started {
        Ok(new) => {
            events.extend(new);
            Ok(())
        }
        Err(error) => {
            events.extend(refusal(account, &error));
            Err(error)
        }
    })
}

fn request(account: AccountId, device: Option<DeviceId>) -> Request {
    Request::FetchPreKeyBundles(FetchPreKeyBundles {
        account: account.as_bytes().to_vec().into(),
        device: device.map_or(0, u32::from),
        delivery_token: Vec::new().into(),
    })
}

fn bundles(answer: Result<Body, RequestError>) -> Result<PreKeyBundles> {
    match answer? {
        Body::PreKeyBundles(answer) => Ok(answer),
        _ => Err(RequestError::Unexpected.into()),
    }
}

/// Fetches an account's device list.
pub(crate) async fn refresh_list(core: &Arc<Core>, link: &Link, account: AccountId) -> Result<()> {
    let request = Request::GetDeviceList(GetDeviceList {
        account: account.as_bytes().to_vec().into(),
        delivery_token: Vec::new().into(),
    });
    let Body::DeviceListFound(answer) = link.request(request).await? else {
        return Err(RequestError::Unexpected.into());
    };
    let told = Arc::clone(core);
    let stored = core
        .store
        .write_then(
            move |tx| {
                let mut events = Vec::new();
                let list = answer.device_list.unwrap_or_default();
                apply_list(tx, account, &list, &mut events)?
                    .map_err(|_| Error::Untrusted("a device list"))?;
                Ok(events)
            },
            move |events: Vec<_>| told.events.emit_all(events),
        )
        .await;
    tell_refused(core, account, stored)
}

/// Says if what the relay served was refused: nothing of it is stored.
fn tell_refused(core: &Core, account: AccountId, result: Result<()>) -> Result<()> {
    let refused = result
        .as_ref()
        .err()
        .and_then(|error| refusal(account, error));
    core.events.emit_all(refused);
    result
}

/// What is told if keys were refused.
fn refusal(account: AccountId, error: &Error) -> Option<Event> {
    let refused = matches!(error, Error::Untrusted(_) | Error::Protocol(_));
    let cause = error.code().to_owned();
    refused.then_some(Event::KeysRefused { account, cause })
}

/// The one device without a usable session, if there is just one: then the others' one-time keys are spared.
fn only_missing(db: &rusqlite::Connection, account: AccountId) -> Result<Option<DeviceId>> {
    let Some(local) = LocalDevice::find(db)? else {
        return Err(Error::NotRegistered);
    };
    let mut sessions = Sessions::new(local.address());
    let mut missing = Vec::new();
    for entry in contacts::devices(db, account)? {
        let device = entry.device;
        let session = sessions.get(db, DeviceAddress { account, device })?;
        if session.remote_identity() != Some(&entry.identity_key) {
            missing.push(device);
        }
    }
    Ok(match missing.as_slice() {
        [one] => Some(*one),
        _ => None,
    })
}

fn start_sessions(
    tx: &mut Transaction<'_>,
    account: AccountId,
    answer: &PreKeyBundles,
    start: Start,
    now_ms: u64,
    rng: &mut Randomness,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let list = answer.device_list.clone().unwrap_or_default();
    apply_list(tx, account, &list, &mut events)?.map_err(|_| Error::Untrusted("a device list"))?;
    let local = LocalDevice::load(tx)?;
    let mut sessions = Sessions::new(local.address());
    let devices = contacts::devices(tx, account)?;
    let now = Timestamp(now_ms);
    for bundle in &answer.bundles {
        // What is not on the signed list is not a device of that account.
        let Some(entry) = devices
            .iter()
            .find(|entry| u32::from(entry.device) == bundle.device)
        else {
            continue;
        };
        let device = entry.device;
        let address = DeviceAddress { account, device };
        let session = sessions.get(tx, address)?;
        let usable =
            session.can_send(now) && session.remote_identity() == Some(&entry.identity_key);
        if usable && start != Start::Anew(device) {
            continue;
        }
        let bundle = read_bundle(entry, bundle)?;
        session.initiate(local.party(), &bundle, now, rng)?;
        sessions.moved(address);
    }
    sessions.save(tx)?;
    Ok(events)
}

fn read_bundle(
    entry: &ContactDevice,
    bundle: &hushpost_wire::PreKeyBundle,
) -> Result<PreKeyBundle> {
    let missing = Error::Untrusted("a bundle without a signed pre-key");
    let signed = bundle.signed_pre_key.as_ref().ok_or(missing)?;
    let one_time = bundle.one_time_pre_key.as_ref();
    let kem = bundle.kem_pre_key.as_ref();
    Ok(PreKeyBundle {
        registration_id: entry.registration_id,
        device_id: hushpost_protocol::DeviceId::new(entry.device.into())?,
        identity_key: entry.identity_key,
        signed_pre_key: SignedPreKeyBundle {
            id: SignedPreKeyId(signed.id),
            key: PublicKey::from_bytes(&signed.public_key)?,
            signature: signed.signature.to_vec(),
        },
        one_time_pre_key: one_time
            .map(|key| {
                Ok::<_, Error>(OneTimePreKeyBundle {
                    id: OneTimePreKeyId(key.id),
                    key: PublicKey::from_bytes(&key.public_key)?,
                })
            })
            .transpose()?,
        kem_pre_key: kem
            .map(|key| {
                Ok::<_, Error>(KemPreKeyBundle {
                    id: KemPreKeyId(key.id),
                    key: KemPublicKey::from_bytes(&key.public_key)?,
                    signature: key.signature.to_vec(),
                })
            })
            .transpose()?,
    })
}
