//! Who is at the other end: the welcome, and the proofs that answer it.
//!
//! A device signs this connection's nonce and the relay's name; nothing it shows could be used again
//! elsewhere. All that is wrong with a proof gets one answer, so that nobody learns from it who is
//! registered.

use std::sync::Arc;

use bytes::Bytes;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, Authenticate, Authenticated, DeviceAddress, DeviceId, ErrorCode, PROTOCOL_VERSION,
    Register, RelayLimits, VerifiedDeviceList, Welcome, challenge, limits,
};

use super::task::Connection;
use crate::accounts::directory::{Account, Device};
use crate::accounts::registration::Admission;
use crate::accounts::{self, names};
use crate::keys;
use crate::mailbox::Receiver;
use crate::refusal::Refusal;
use crate::store::now_ms;

/// Who a connection speaks for.
pub(super) enum Identity {
    /// Not said yet.
    Unknown,
    /// Nobody; sealed sends and presence only.
    Anonymous,
    /// A device of an account.
    Device(Proven),
}

/// A device that proved itself.
#[derive(Clone, Copy)]
pub(super) struct Proven {
    pub(super) row: i64,
    pub(super) address: DeviceAddress,
}

/// The first push.
pub(super) fn welcome(connection: &Connection) -> Welcome {
    let relay = &connection.relay;
    let configured = &relay.config.limits;
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Welcome {
        oldest_version: PROTOCOL_VERSION,
        newest_version: PROTOCOL_VERSION,
        relay_name: relay.config.name.clone(),
        nonce: Bytes::copy_from_slice(&connection.nonce),
        time_ms: now_ms(),
        storage_epoch: Bytes::copy_from_slice(&relay.store.epoch()),
        limits: Some(RelayLimits {
            message_bytes: small(configured.message_bytes),
            recipients: small(configured.recipients),
            devices: small(configured.devices),
            queue_messages: u32::try_from(configured.queue_messages).unwrap_or(u32::MAX),
            blob_bytes: configured.blob_bytes,
            pre_keys_per_upload: small(limits::MAX_PRE_KEYS_PER_UPLOAD),
            message_ttl_s: configured.message_ttl.as_secs(),
            topics: small(configured.topics_per_connection),
            delivery_window: small(configured.delivery_window),
            idle_timeout_s: u32::try_from(relay.config.listen.idle_timeout.as_secs())
                .unwrap_or(u32::MAX),
        }),
        features: Vec::new(),
    }
}

fn check_version(version: u32) -> Result<(), Refusal> {
    if version == PROTOCOL_VERSION {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::UnsupportedVersion,
        format!("this relay speaks version {PROTOCOL_VERSION}; update the older side"),
    ))
}

fn not_proven() -> Refusal {
    Refusal::new(
        ErrorCode::AuthenticationFailed,
        "unknown account or device, or the signature is not this device's over this connection's challenge",
    )
}

/// Anonymous.
pub(super) fn anonymous(connection: &mut Connection, version: u32) -> Result<Body, Refusal> {
    check_version(version)?;
    connection.identity = Identity::Anonymous;
    connection.session.mark_proven();
    Ok(Body::Ok(hushpost_wire::Ok {}))
}

/// Authenticate.
pub(super) async fn authenticate(
    connection: &mut Connection,
    request: Authenticate,
) -> Result<Body, Refusal> {
    check_version(request.version)?;
    let address = address(&request)?;
    let account = connection.relay.directory.find(address.account).await?;
    let found = account
        .as_deref()
        .and_then(|account| Some((account, account.device(address.device)?)));
    // An unknown device is checked, too, with a key that nothing verifies under: the same work, the same answer.
    let key = found.map_or([0xff; 32], |(_, device)| device.authentication_key);
    let proven = verify(connection, address, &key, &request.signature);
    let Some((account, device)) = found.filter(|_| proven) else {
        return Err(not_proven());
    };
    attach(connection, account, device).await
}

/// Register.
pub(super) async fn register(
    connection: &mut Connection,
    request: Register,
) -> Result<Body, Refusal> {
    let relay = Arc::clone(&connection.relay);
    relay
        .limits
        .registrations_per_address
        .admit(&connection.address)?;
    let missing = |what| Refusal::new(ErrorCode::BadRequest, format!("{what} is missing"));
    let proof = request.device.ok_or_else(|| missing("device"))?;
    let signed = request.device_list.ok_or_else(|| missing("device_list"))?;
    check_version(proof.version)?;
    let address = address(&proof)?;
    let list = VerifiedDeviceList::verify(&signed)?;
    if list.account() != address.account {
        return Err(Refusal::new(
            ErrorCode::DeviceListInvalid,
            "the account id is not the account key's",
        ));
    }
    check_length(&list, relay.config.limits.devices)?;
    let device = list.device(address.device).ok_or_else(not_proven)?;
    // Before the store is touched: who replays somebody's old list is not one of its devices.
    if !verify(
        connection,
        address,
        &device.authentication_key,
        &proof.signature,
    ) {
        return Err(not_proven());
    }
    let admission = relay
        .registration
        .admit(address.account, &request.invite_code, &request.token)
        .await;
    let account = address.account;
    let change = relay
        .store
        .write(move |connection| -> Result<_, Refusal> {
            let known = accounts::account_row(connection, account)?.is_some();
            // A returning owner needs no second invitation: the signature is the proof.
            let admission = match admission {
                Ok(admission) => admission,
                Err(_) if known => Admission::default(),
                Err(refusal) => return Err(refusal),
            };
            let change = accounts::store_list(connection, &list, &signed, true)?;
            if let (Some(user_id), Some(row)) = (
                admission.app_user_id,
                accounts::account_row(connection, account)?,
            ) {
                names::set_app_user_id(connection, row, &user_id)?;
            }
            Ok(change)
        })
        .await?;
    relay.list_changed(account, change).await?;
    let account = relay
        .directory
        .find(account)
        .await?
        .ok_or_else(not_proven)?;
    let device = account.device(address.device).ok_or_else(not_proven)?;
    attach(connection, &account, device).await
}

/// Refuses a list with more devices than the relay allows.
pub(super) fn check_length(list: &VerifiedDeviceList, most: usize) -> Result<(), Refusal> {
    if list.devices().len() <= most {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::TooManyDevices,
        format!("this relay allows {most} devices for an account"),
    ))
}

fn address(request: &Authenticate) -> Result<DeviceAddress, Refusal> {
    Ok(DeviceAddress {
        account: AccountId::from_slice(&request.account)?,
        device: DeviceId::new(request.device)?,
    })
}

fn verify(
    connection: &Connection,
    address: DeviceAddress,
    key: &[u8; 32],
    signature: &[u8],
) -> bool {
    let name = &connection.relay.config.name;
    challenge::verify(name, &connection.nonce, address, key, signature)
}

/// From here on the connection speaks for the device; an older connection of the same device is told.
async fn attach(
    connection: &mut Connection,
    account: &Account,
    device: &Device,
) -> Result<Body, Refusal> {
    if account.blocked {
        return Err(Refusal::new(
            ErrorCode::Blocked,
            "the operator of this relay blocked the account",
        ));
    }
    let relay = &connection.relay;
    let mailbox = relay
        .store
        .writer()
        .open_mailbox(device.key)
        .await?
        .ok_or_else(not_proven)?;
    let key = device.key;
    let counts = relay
        .store
        .read(move |connection| -> Result<_, Refusal> { Ok(keys::count(connection, key)?) })
        .await?;
    let receiver: Arc<dyn Receiver> = Arc::clone(&connection.session) as _;
    mailbox.attach(receiver);
    // Whoever removes or blocks the device from here on finds this connection and ends it. Who did so since
    // the account was looked up did not.
    let now = relay.directory.find(account.id).await?;
    let still = now.is_some_and(|now| {
        let same = now.device(device.device);
        !now.blocked && same.is_some_and(|same| same.key == key)
    });
    if !still {
        mailbox.detach(connection.session.id());
        return Err(not_proven());
    }
    let last_sequence = mailbox.last();
    connection.mailbox = Some(mailbox);
    connection.identity = Identity::Device(Proven {
        row: account.row,
        address: DeviceAddress {
            account: account.id,
            device: device.device,
        },
    });
    connection.session.mark_proven();
    Ok(Body::Authenticated(Authenticated {
        device_list_version: account.list_version,
        last_sequence,
        pre_keys: Some(counts),
    }))
}
