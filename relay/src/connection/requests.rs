//! Which room answers what. One request, one answer; what is refused has changed nothing.

use std::sync::Arc;

use bytes::Bytes;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, Acknowledged, ClientFrame, CloseReason, DeviceId, DeviceListFound, ErrorCode,
    FetchPreKeyBundles, Found, GetDeviceList, LookUpName, NameLookedUp, PreKeyBundles,
    PresenceValues, Publish, PutDeviceList, VerifiedDeviceList, limits, topic,
};

use super::handshake::{self, Identity, Proven};
use super::sending;
use super::task::Connection;
use crate::accounts::directory::Account;
use crate::accounts::{self, names};
use crate::keys;
use crate::limits::Asker;
use crate::mailbox::Acknowledgement;
use crate::presence::{Follower, Published, Topic};
use crate::refusal::Refusal;
use crate::relay::LOOK_UP_TIME;

/// Presence values in one frame: of the longest, about half of what a frame may hold.
const VALUES: usize = 128;
/// Topics that one connection publishes under at most.
const MAX_PUBLISHED: usize = 16;

/// Answers a request, now or (a message to store) when it is durable.
pub(super) async fn handle(connection: &mut Connection, frame: ClientFrame) {
    let id = frame.id;
    match answer(connection, frame).await {
        Ok(Some(body)) => connection.session.answer(id, body),
        Ok(None) => {}
        Err(refusal) => connection.refuse(id, refusal),
    }
}

const fn ok() -> Body {
    Body::Ok(hushpost_wire::Ok {})
}

/// `None`: the answer comes later.
async fn answer(connection: &mut Connection, frame: ClientFrame) -> Result<Option<Body>, Refusal> {
    let unsupported = || {
        Refusal::new(
            ErrorCode::Unsupported,
            "this relay does not know the request; it may be older than the client",
        )
    };
    let id = frame.id;
    let request = frame.request.ok_or_else(unsupported)?;
    let introduces = matches!(
        request,
        Request::Anonymous(_) | Request::Authenticate(_) | Request::Register(_)
    );
    if introduces && !matches!(connection.identity, Identity::Unknown) {
        return Err(Refusal::new(
            ErrorCode::AlreadyAuthenticated,
            "open another connection for another identity",
        ));
    }
    let body = match request {
        Request::Ping(_) => ok(),
        Request::Anonymous(request) => handshake::anonymous(connection, request.version)?,
        Request::Authenticate(request) => handshake::authenticate(connection, request).await?,
        Request::Register(request) => handshake::register(connection, request).await?,

        Request::PutDeviceList(request) => put_device_list(connection, request).await?,
        Request::GetDeviceList(request) => get_device_list(connection, request).await?,
        Request::SetUserName(request) => {
            let row = proven(connection)?.row;
            let asker = Asker::Account(row);
            connection.relay.limits.name_lookups.admit(&asker)?;
            let set =
                move |store: &rusqlite::Connection| names::set_user_name(store, row, &request.name);
            connection.relay.store.write(set).await?;
            ok()
        }
        Request::LookUpName(request) => look_up_name(connection, request).await?,
        Request::SetDeliveryToken(request) => {
            set_delivery_token(connection, &request.token_hash).await?
        }
        Request::DeleteAccount(_) => delete_account(connection).await?,

        Request::UploadPreKeys(request) => {
            let device = device_key(connection)?;
            keys::check(&request)?;
            let store = connection.relay.store.clone();
            let counts = store
                .write(move |store| -> Result<_, Refusal> {
                    Ok(keys::store(store, device, &request)?)
                })
                .await?;
            Body::PreKeyCounts(counts)
        }
        Request::CountPreKeys(_) => {
            let device = device_key(connection)?;
            let store = connection.relay.store.clone();
            let counts = store
                .read(move |store| -> Result<_, Refusal> { Ok(keys::count(store, device)?) })
                .await?;
            Body::PreKeyCounts(counts)
        }
        Request::FetchPreKeyBundles(request) => fetch_bundles(connection, request).await?,

        Request::Send(request) => return sending::send(connection, id, request).await,
        Request::SendSealed(request) => {
            return sending::send_sealed(connection, id, request).await;
        }
        Request::Receive(request) => return receive(connection, id, request.after_sequence),
        Request::Acknowledge(request) => {
            return acknowledge(connection, id, request.through_sequence);
        }

        Request::Publish(request) => publish(connection, request).await?,
        Request::Subscribe(request) => subscribe(connection, &request.topics).await?,
        Request::Unsubscribe(request) => {
            introduced(connection)?;
            let unwanted = topics(&request.topics)?;
            let session = connection.session.id();
            connection.relay.presence.unsubscribe(session, &unwanted);
            connection.topics.retain(|topic| !unwanted.contains(topic));
            ok()
        }

        Request::CreateUpload(request) => {
            let row = proven(connection)?.row;
            connection.relay.limits.uploads.admit(&row)?;
            let created = connection.relay.blobs.create_upload(row, request).await?;
            Body::UploadCreated(created)
        }
    };
    Ok(Some(body))
}

/// The device that the connection speaks for.
pub(super) fn proven(connection: &Connection) -> Result<Proven, Refusal> {
    match connection.identity {
        Identity::Device(proven) => Ok(proven),
        Identity::Unknown | Identity::Anonymous => Err(Refusal::new(
            ErrorCode::Unauthenticated,
            "this request needs a connection that speaks for a device",
        )),
    }
}

fn device_key(connection: &Connection) -> Result<crate::mailbox::DeviceKey, Refusal> {
    let mailbox = connection.mailbox.as_ref();
    let key = mailbox.map(|mailbox| mailbox.device());
    proven(connection)
        .and_then(|_| key.ok_or_else(|| Refusal::new(ErrorCode::Unauthenticated, "no device")))
}

/// Who asks, once the connection has said who it is.
pub(super) fn introduced(connection: &Connection) -> Result<Asker, Refusal> {
    match connection.identity {
        Identity::Device(proven) => Ok(Asker::Account(proven.row)),
        Identity::Anonymous => Ok(Asker::Address(connection.address)),
        Identity::Unknown => Err(Refusal::new(
            ErrorCode::Unauthenticated,
            "begin with Anonymous, Authenticate or Register",
        )),
    }
}

async fn put_device_list(connection: &Connection, request: PutDeviceList) -> Result<Body, Refusal> {
    let account = proven(connection)?.address.account;
    let signed = request
        .device_list
        .ok_or_else(|| Refusal::new(ErrorCode::BadRequest, "device_list is missing"))?;
    let list = VerifiedDeviceList::verify(&signed)?;
    if list.account() != account {
        return Err(Refusal::new(
            ErrorCode::DeviceListInvalid,
            "the list is signed by another account's key",
        ));
    }
    handshake::check_length(&list, connection.relay.config.limits.devices)?;
    let change = connection
        .relay
        .store
        .write(move |store| accounts::store_list(store, &list, &signed, false))
        .await?;
    connection.relay.list_changed(account, change).await?;
    Ok(ok())
}

/// An account that the asker may see: any on an authenticated connection, with its token on an anonymous
/// one. No such account and a wrong token are the same.
async fn visible(
    connection: &Connection,
    account: &[u8],
    delivery_token: &[u8],
) -> Result<Arc<Account>, Refusal> {
    let asker = introduced(connection)?;
    let account = AccountId::from_slice(account)?;
    let found = connection.relay.directory.find(account).await?;
    found
        .filter(|found| matches!(asker, Asker::Account(_)) || found.takes_token(delivery_token))
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "no such account, or a wrong token"))
}

async fn get_device_list(connection: &Connection, request: GetDeviceList) -> Result<Body, Refusal> {
    let asker = introduced(connection)?;
    connection.relay.limits.name_lookups.admit(&asker)?;
    let account = visible(connection, &request.account, &request.delivery_token).await?;
    let id = account.id;
    let device_list = connection
        .relay
        .store
        .read(move |store| -> Result<_, Refusal> { Ok(accounts::signed_list(store, id)?) })
        .await?;
    Ok(Body::DeviceListFound(DeviceListFound { device_list }))
}

async fn look_up_name(connection: &Connection, request: LookUpName) -> Result<Body, Refusal> {
    let asker = introduced(connection)?;
    let kind = request.kind();
    if kind == hushpost_wire::NameKind::Unspecified
        || request.name.is_empty()
        || request.name.len() > limits::MAX_NAME_LEN
    {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "a kind and a name of 1 to 256 bytes are needed",
        ));
    }
    connection.relay.limits.name_lookups.admit(&asker)?;
    // A fixed moment to answer at: a hit and a miss take different work.
    let answer_at = tokio::time::Instant::now().checked_add(LOOK_UP_TIME);
    let found = connection
        .relay
        .store
        .read(move |store| -> Result<_, Refusal> {
            Ok(names::look_up(store, kind, &request.name)?)
        })
        .await?;
    if let Some(moment) = answer_at {
        tokio::time::sleep_until(moment).await;
    }
    Ok(Body::NameLookedUp(NameLookedUp {
        found: if found.is_some() {
            Found::Yes
        } else {
            Found::No
        }
        .into(),
        account: found.map_or_else(
            || Bytes::from_static(&[0; 16]),
            |account| Bytes::copy_from_slice(account.as_bytes()),
        ),
    }))
}

async fn set_delivery_token(connection: &Connection, token_hash: &[u8]) -> Result<Body, Refusal> {
    let Proven { row, address } = proven(connection)?;
    let token_hash = match token_hash.len() {
        0 => None,
        _ => Some(token_hash.try_into().map_err(|_| {
            Refusal::new(ErrorCode::BadRequest, "a token hash is 32 bytes, or empty")
        })?),
    };
    connection
        .relay
        .store
        .write(move |store| -> Result<_, Refusal> {
            Ok(accounts::set_delivery_token(store, row, token_hash)?)
        })
        .await?;
    connection.relay.directory.forget(address.account);
    Ok(ok())
}

async fn delete_account(connection: &Connection) -> Result<Body, Refusal> {
    let account = proven(connection)?.address.account;
    connection.relay.delete_account(account).await?;
    connection
        .session
        .close(CloseReason::AccountDeleted, core::time::Duration::ZERO);
    Ok(ok())
}

async fn fetch_bundles(
    connection: &Connection,
    request: FetchPreKeyBundles,
) -> Result<Body, Refusal> {
    let relay = &connection.relay;
    let asker = introduced(connection)?;
    let account = visible(connection, &request.account, &request.delivery_token).await?;
    relay.limits.bundles_per_pair.admit(&(asker, account.row))?;
    relay.limits.bundles_per_target.admit(&account.row)?;
    let only = match request.device {
        0 => None,
        number => Some(DeviceId::new(number)?),
    };
    let wanted = Arc::clone(&account);
    let (device_list, taken) = relay
        .store
        .write(move |store| -> Result<_, Refusal> {
            // The list and the keys in one transaction, so that they fit each other.
            let list = accounts::signed_list(store, wanted.id)?;
            let mut taken = Vec::new();
            let devices = wanted
                .devices
                .iter()
                .filter(|device| only.is_none_or(|only| only == device.device));
            for device in devices {
                let bundle = keys::take_bundle(store, device.key, device.device.into())?;
                taken.extend(bundle.map(|(bundle, low)| (device.key, bundle, low)));
            }
            Ok((list, taken))
        })
        .await?;
    let mut bundles = Vec::with_capacity(taken.len());
    for (device, bundle, low) in taken {
        bundles.push(bundle);
        if let Some(counts) = low {
            relay.tell_pre_keys_low(device, counts).await;
        }
    }
    Ok(Body::PreKeyBundles(PreKeyBundles {
        device_list,
        bundles,
    }))
}

fn receive(connection: &mut Connection, id: u64, after: u64) -> Result<Option<Body>, Refusal> {
    proven(connection)?;
    let Some(mailbox) = connection.mailbox.as_ref() else {
        return Err(Refusal::new(ErrorCode::Unauthenticated, "no device"));
    };
    let (last, floor) = (mailbox.last(), mailbox.floor());
    if after > last {
        return Err(Refusal::new(
            ErrorCode::SequenceInvalid,
            format!(
                "this mailbox ends at {last}; was the cursor another device's or another store's?"
            ),
        ));
    }
    connection.delivery.start(after.max(floor));
    if after > floor {
        submit_acknowledgement(connection, id, after);
        return Ok(None);
    }
    Ok(Some(Body::Acknowledged(Acknowledged {
        through_sequence: floor,
    })))
}

fn acknowledge(
    connection: &mut Connection,
    id: u64,
    through: u64,
) -> Result<Option<Body>, Refusal> {
    proven(connection)?;
    if !connection.delivery.acknowledge(through) {
        return Err(Refusal::new(
            ErrorCode::SequenceInvalid,
            "only what was delivered on this connection can be acknowledged",
        ));
    }
    submit_acknowledgement(connection, id, through);
    Ok(None)
}

fn submit_acknowledgement(connection: &Connection, id: u64, through: u64) {
    let Some(mailbox) = connection.mailbox.as_ref() else {
        return;
    };
    let session = Arc::clone(&connection.session);
    session.begin();
    connection
        .relay
        .store
        .writer()
        .acknowledge(Acknowledgement {
            device: mailbox.device(),
            through,
            answer: Box::new(move |result| {
                let body = match result {
                    Ok(()) => Body::Acknowledged(Acknowledged {
                        through_sequence: through,
                    }),
                    Err(error) => Body::Error(Refusal::from(error).into_frame()),
                };
                session.finish(id, body);
            }),
        });
}

async fn publish(connection: &mut Connection, request: Publish) -> Result<Body, Refusal> {
    introduced(connection)?;
    let session = connection.session.id();
    connection.relay.limits.presence.admit(&session)?;
    let published = Published::checked(&request.topic_key, &request.value, request.ttl_s)?;
    let will = request
        .last_will
        .map(|will| Published::checked(&request.topic_key, &will.value, will.ttl_s))
        .transpose()?;
    let topic = published.topic;
    let others = connection.wills.iter().filter(|will| will.topic != topic);
    if will.is_some() && others.count() >= MAX_PUBLISHED {
        return Err(Refusal::new(
            ErrorCode::TooMany,
            format!("a connection leaves at most {MAX_PUBLISHED} last wills"),
        ));
    }
    connection
        .relay
        .presence
        .publish(session, published)
        .await?;
    connection.wills.retain(|will| will.topic != topic);
    connection.wills.extend(will);
    Ok(ok())
}

async fn subscribe(connection: &mut Connection, wanted: &[Bytes]) -> Result<Body, Refusal> {
    introduced(connection)?;
    let wanted = topics(wanted)?;
    let new: Vec<Topic> = wanted
        .iter()
        .filter(|topic| !connection.topics.contains(topic))
        .copied()
        .collect();
    let most = connection.relay.config.limits.topics_per_connection;
    if connection.topics.len().saturating_add(new.len()) > most {
        return Err(Refusal::new(
            ErrorCode::TooMany,
            format!("a connection follows at most {most} topics"),
        ));
    }
    // Noted first, so that the end of the connection takes back whatever was begun.
    connection.topics.extend(new);
    let session: Arc<dyn Follower> = Arc::clone(&connection.session) as _;
    let mut values = connection
        .relay
        .presence
        .subscribe(connection.session.id(), Arc::downgrade(&session), wanted)
        .await?;
    // What is too much for one frame is pushed before the answer.
    while values.len() > VALUES {
        let rest = values.split_off(VALUES);
        let values = core::mem::replace(&mut values, rest);
        connection
            .session
            .push(Body::PresenceValues(PresenceValues { values }));
    }
    Ok(Body::PresenceValues(PresenceValues { values }))
}

fn topics(topics: &[Bytes]) -> Result<Vec<Topic>, Refusal> {
    topics
        .iter()
        .map(|topic| {
            <[u8; topic::TOPIC_LEN]>::try_from(topic.as_ref())
                .map_err(|_| Refusal::new(ErrorCode::BadRequest, "a topic is 32 bytes"))
        })
        .collect()
}
