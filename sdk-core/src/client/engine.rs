//! Connects, and connects again: the one place that decides whether and when.
//!
//! ```text
//!   open ─▶ welcome: clock, storage epoch ─▶ authenticate or register ─▶ receive ─▶ tasks until it ends ─┐
//!    ▲                                                                                                   │
//!    └──────────────────────── wait: full jitter, 100 ms to 30 s ◀───────────────────────────────────────┘
//! ```
//!
//! A relay of another storage epoch lost its store: the account is brought back, keys are published again, and
//! what was not delivered is sent again. A relay that has more acknowledgements of this device than the
//! database knows of speaks to an old copy of it: the device is set up anew before anything leaves.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Authenticated, CloseReason, ErrorCode, Receive, SetDeliveryToken, Welcome};
use sha2::{Digest as _, Sha256};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::{LocalDevice, pre_keys};
use crate::client::core::{ConnectionState, Core};
use crate::client::registration::Registration;
use crate::client::{upkeep, user_name};
use crate::connection::{self, Backoff, Ending, Link, OpenError, Pushes, RequestError};
use crate::event::Event;
use crate::inbox::{receipts, repair, task};
use crate::outbox::{delivery, rows as outbox};
use crate::{Error, Result};

/// The running engine.
pub(crate) struct Engine {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// How one connection went.
enum Outcome {
    /// Try again.
    Again { after: Option<Duration> },
    /// Do not, until the app says so.
    Stop(ConnectionState),
}

/// Starts. If it runs and waits for the next attempt, it tries at once.
pub(crate) fn start(core: &Arc<Core>) {
    let mut engine = core.engine.lock().unwrap_or_else(PoisonError::into_inner);
    if engine
        .as_ref()
        .is_some_and(|engine| !engine.task.is_finished())
    {
        core.wake_connection.notify_waiters();
        return;
    }
    let stop = CancellationToken::new();
    core.set_state(ConnectionState::Connecting);
    let task = tokio::spawn(run(Arc::clone(core), stop.clone()));
    *engine = Some(Engine { stop, task });
}

/// Stops and waits for the end. Says whether it ran.
pub(crate) async fn stop(core: &Arc<Core>) -> bool {
    let engine = core
        .engine
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some(engine) = engine else {
        return false;
    };
    engine.stop.cancel();
    let ran = !engine.task.is_finished();
    // It only fails if the task was aborted, and then it has ended too.
    let _ended = engine.task.await;
    core.set_state(ConnectionState::Offline);
    ran
}

async fn run(core: Arc<Core>, stop: CancellationToken) {
    let receipts = tokio::spawn(receipts::run(Arc::clone(&core)));
    let end = stop
        .run_until_cancelled(connect_again_and_again(&core))
        .await;
    receipts.abort();
    core.set_link(None);
    core.set_state(end.unwrap_or(ConnectionState::Offline));
}

async fn connect_again_and_again(core: &Arc<Core>) -> ConnectionState {
    let mut backoff = Backoff::new();
    loop {
        core.set_state(ConnectionState::Connecting);
        let started = Instant::now();
        let after = match connected(core).await {
            Outcome::Stop(state) => return state,
            Outcome::Again { after } => after,
        };
        core.set_link(None);
        backoff.lasted(started.elapsed());
        let retry_in = backoff.next(after, &mut core.rng.jitter());
        // Made before the state is shown: who sees it and connects at once is heard.
        let asked = core.wake_connection.notified();
        core.set_state(ConnectionState::Waiting { retry_in });
        tokio::select! {
            biased;
            // The app knows something: the network is back, or somebody looks at the screen.
            () = asked => backoff.reset(),
            () = tokio::time::sleep(retry_in) => {}
        }
    }
}

/// One connection, from beginning to end.
async fn connected(core: &Arc<Core>) -> Outcome {
    let (link, pushes, welcome) = match connection::open(&*core.transport, &core.relay).await {
        Ok(opened) => opened,
        Err(error) => return not_opened(&error),
    };
    match begin(core, &link, &welcome).await {
        Ok(()) => {}
        Err(error) => return refused(&error),
    }
    serve(core, link, pushes).await
}

/// Runs the tasks until the link ends.
async fn serve(core: &Arc<Core>, link: Link, pushes: Pushes) -> Outcome {
    core.set_link(Some(link.clone()));
    core.set_state(ConnectionState::CatchingUp);
    // Dropped with the function: the tasks end with it, whatever became of the link.
    let mut tasks = JoinSet::new();
    tasks.spawn(delivery::run(Arc::clone(core), link.clone()));
    tasks.spawn(repair::run(Arc::clone(core), link.clone()));
    tasks.spawn(upkeep::run(Arc::clone(core), link.clone()));
    let inbox = task::run(Arc::clone(core), link.clone(), pushes);
    tokio::select! {
        biased;
        ending = link.closed() => ended(&ending),
        () = inbox => if link.is_closed() {
            ended(&link.closed().await)
        } else {
            // The store failed: what was not acknowledged comes again.
            Outcome::Again { after: Some(Duration::from_secs(1)) }
        },
    }
}

fn ended(ending: &Ending) -> Outcome {
    match ending.reason {
        Some(CloseReason::Replaced) => Outcome::Stop(ConnectionState::Replaced),
        Some(
            reason @ (CloseReason::DeviceRemoved
            | CloseReason::AccountDeleted
            | CloseReason::AccountBlocked),
        ) => Outcome::Stop(ConnectionState::Refused {
            code: reason.as_str_name().to_ascii_lowercase(),
        }),
        _ => Outcome::Again {
            after: ending.reconnect_after,
        },
    }
}

fn not_opened(error: &OpenError) -> Outcome {
    tracing::debug!(%error, "no connection");
    match error {
        OpenError::RelayName { .. } => Outcome::Stop(ConnectionState::Refused {
            code: "relay_name".to_owned(),
        }),
        OpenError::Version { .. } => Outcome::Stop(ConnectionState::Refused {
            code: "update_needed".to_owned(),
        }),
        _ => Outcome::Again {
            after: error.reconnect_after(),
        },
    }
}

fn refused(error: &Error) -> Outcome {
    tracing::debug!(code = error.code(), "the relay did not take us");
    let after = match error {
        Error::Relay(RequestError::Refused { retry_after, .. }) => *retry_after,
        _ => None,
    };
    let for_good = match error {
        Error::NotRegistered => true,
        Error::Relay(error) => matches!(
            error.refusal(),
            Some(
                ErrorCode::Blocked
                    | ErrorCode::InviteRequired
                    | ErrorCode::TokenRejected
                    | ErrorCode::RegistrationClosed
            )
        ),
        _ => false,
    };
    if for_good {
        return Outcome::Stop(ConnectionState::Refused {
            code: error.code().to_ascii_lowercase(),
        });
    }
    Outcome::Again { after }
}

/// From the welcome to the start of delivery.
async fn begin(core: &Arc<Core>, link: &Link, welcome: &Welcome) -> Result<()> {
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
pub(crate) async fn introduce(core: &Arc<Core>, registration: &Registration) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::StreamExt as _;

    use super::*;
    use crate::connection::{Connecting, RelayUrl, Transport};
    use crate::{Client, Config, DatabaseKey, StoreThreads};

    /// No network.
    struct Nowhere;

    impl Transport for Nowhere {
        fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
            Box::pin(std::future::ready(Err(io::ErrorKind::NotConnected.into())))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connect_called_again_does_not_wait_for_the_next_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let relay = "wss://relay.example".parse::<RelayUrl>().unwrap();
        let config = Config::new(folder.path().join("db"), DatabaseKey::new([7; 32]), relay)
            .store_threads(StoreThreads::Inline)
            .transport(Nowhere);
        let client = Client::open(config).await.unwrap();
        let mut states = client.connection_states();
        client.connect();
        let mut asked = 0;
        while asked < 20 {
            if let Some(ConnectionState::Waiting { retry_in }) = states.next().await
                && retry_in > Duration::from_millis(50)
            {
                // Time stands still but for the waits.
                let called = Instant::now();
                client.connect();
                states.next().await;
                assert_eq!(called.elapsed(), Duration::ZERO, "waited {retry_in:?}");
                asked += 1;
            }
        }
        client.close().await;
    }
}
