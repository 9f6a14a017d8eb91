//! From a relay's welcome to the start of delivery: proving to be this device, bringing the account where it is not
//! known, and what both sides have of each other.
//!
//! Must never: send what is encrypted before it is known that the database is no old copy of itself.

use std::sync::Arc;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Authenticated, ErrorCode, Receive, SetDeliveryToken, Welcome};
use sha2::{Digest as _, Sha256};

use crate::account::{LocalDevice, pre_keys};
use crate::client::core::Core;
use crate::client::registration::Registration;
use crate::client::{upkeep, user_name};
use crate::connection::{self, Link, RequestError};
use crate::event::Event;
use crate::outbox::rows as outbox;
use crate::{Error, Result};

/// From the welcome to the start of delivery.
pub(super) async fn begin(core: &Arc<Core>, link: &Link, welcome: &Welcome) -> Result<()> {
    prove(core, link, welcome, &Registration::open()).await?;
    set_delivery_token(core, link).await?;
    user_name::restore(core, link).await?;
    let through = receive(core, link).await?;
    let local = core.store.read(LocalDevice::load).await?;
    if through > local.received_through {
        core.set_up_anew(welcome.time_ms).await?;
        return Err(Error::Relay(RequestError::Disconnected));
    }
    Ok(())
}

/// Says which token contacts show. The relay learns its hash alone.
async fn set_delivery_token(core: &Arc<Core>, link: &Link) -> Result<()> {
    let local = core.store.read(LocalDevice::load).await?;
    let request = Request::SetDeliveryToken(SetDeliveryToken {
        token_hash: Sha256::digest(local.delivery_token).to_vec().into(),
    });
    link.request(request).await?;
    Ok(())
}

/// Registers over a connection of its own, and publishes keys.
pub(super) async fn introduce(core: &Arc<Core>, registration: &Registration) -> Result<()> {
    let opened = connection::open(&*core.transport, &core.relay).await;
    let (link, _pushes, welcome) = opened.map_err(|error| {
        tracing::debug!(%error, "no connection");
        Error::NotConnected
    })?;
    let authenticated = prove(core, &link, &welcome, registration).await?;
    upkeep::refill(core, &link, authenticated.pre_keys.unwrap_or_default()).await
}

/// Proves to be this device, bringing the account to the relay where that is needed.
async fn prove(
    core: &Arc<Core>,
    link: &Link,
    welcome: &Welcome,
    registration: &Registration,
) -> Result<Authenticated> {
    let local = core.store.read(LocalDevice::load).await?;
    let same_store = local.storage_epoch.as_deref() == Some(welcome.storage_epoch.as_ref());
    if local.registered && same_store {
        let (address, key) = (local.address(), &local.authentication_key.signing_key());
        match connection::authenticate(link, welcome, &core.relay, address, key).await {
            Ok(authenticated) => {
                note_relay(core, welcome, false).await?;
                return Ok(authenticated);
            }
            Err(error) if error.refusal() == Some(ErrorCode::AuthenticationFailed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let authenticated = bring(core, link, welcome, registration, &local).await?;
    note_relay(core, welcome, true).await?;
    Ok(authenticated)
}

async fn bring(
    core: &Arc<Core>,
    link: &Link,
    welcome: &Welcome,
    registration: &Registration,
    local: &LocalDevice,
) -> Result<Authenticated> {
    let result = connection::register(
        link,
        welcome,
        &core.relay,
        local.address(),
        &local.authentication_key.signing_key(),
        registration.at_the_relay(local),
    )
    .await;
    match result {
        Err(error) if error.refusal() == Some(ErrorCode::DeviceListStale) => {
            // The relay has a newer list by our own key: this is an old copy of the device.
            core.set_up_anew(welcome.time_ms).await?;
            let local = core.store.read(LocalDevice::load).await?;
            Ok(connection::register(
                link,
                welcome,
                &core.relay,
                local.address(),
                &local.authentication_key.signing_key(),
                registration.at_the_relay(&local),
            )
            .await?)
        }
        result => Ok(result?),
    }
}

/// Stores what the welcome said: the relay's clock, and whether its store is another one. `brought`: the account was
/// brought there just now.
async fn note_relay(core: &Arc<Core>, welcome: &Welcome, brought: bool) -> Result<()> {
    let (now_ms, relay_ms) = (core.clock.now_ms(), welcome.time_ms);
    let epoch = welcome.storage_epoch.clone();
    let told = Arc::clone(core);
    core.store
        .write_then(
            move |tx| {
                let local = LocalDevice::load(tx)?;
                let mut clock = local.clock;
                clock.correct(now_ms, relay_ms);
                LocalDevice::save_clock(tx, &clock)?;
                tx.execute(
                    "UPDATE local_device SET registered = 1, storage_epoch = ?1",
                    [epoch.as_ref()],
                )?;
                if brought {
                    user_name::is_due(tx)?;
                }
                let same_store = local.storage_epoch.as_deref() == Some(epoch.as_ref());
                if !same_store {
                    LocalDevice::save_position(tx, 0)?;
                    pre_keys::forget_uploads(tx)?;
                    outbox::send_again(tx)?;
                }
                Ok(local.storage_epoch.is_some() && !same_store)
            },
            move |reset| {
                if reset {
                    told.events.emit(Event::RelayReset);
                }
            },
        )
        .await
}

/// Starts delivery; says up to where the relay has acknowledgements of this device.
async fn receive(core: &Arc<Core>, link: &Link) -> Result<u64> {
    let local = core.store.read(LocalDevice::load).await?;
    match receive_after(link, local.received_through).await {
        Err(error) if error.refusal() == Some(ErrorCode::SequenceInvalid) => {
            // The mailbox is a new one, or we were told a number that it never gave. What comes twice is known
            // by its id.
            let through = receive_after(link, 0).await?;
            core.store
                .write(move |tx| LocalDevice::save_position(tx, through))
                .await?;
            Ok(through)
        }
        answer => Ok(answer?),
    }
}

async fn receive_after(link: &Link, after_sequence: u64) -> Result<u64, RequestError> {
    match link
        .request(Request::Receive(Receive { after_sequence }))
        .await?
    {
        Body::Acknowledged(answer) => Ok(answer.through_sequence),
        _ => Err(RequestError::Unexpected),
    }
}
