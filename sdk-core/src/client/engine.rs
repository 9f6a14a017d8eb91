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

use hushpost_wire::{CloseReason, ErrorCode};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::client::begin::begin;
use crate::client::core::{ConnectionState, Core};
use crate::client::{lease, upkeep};
use crate::connection::{self, Backoff, Ending, Link, OpenError, Pushes, RequestError};
use crate::inbox::{receipts, repair, task};
use crate::outbox::delivery;

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

/// Lets it end, without waiting for that.
pub(crate) fn cancel(core: &Core) {
    let engine = core.engine.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = &*engine {
        engine.stop.cancel();
    }
}

async fn run(core: Arc<Core>, stop: CancellationToken) {
    let receipts = tokio::spawn(receipts::run(Arc::clone(&core)));
    let end = stop.run_until_cancelled(connect_if_it_may(&core)).await;
    receipts.abort();
    core.set_link(None);
    lease::give_up(&core).await;
    core.set_state(end.unwrap_or(ConnectionState::Offline));
}

/// Connects, unless another process is to: that counts as replaced.
async fn connect_if_it_may(core: &Arc<Core>) -> ConnectionState {
    if !lease::take(core).await {
        return ConnectionState::Replaced;
    }
    tokio::select! {
        biased;
        state = connect_again_and_again(core) => state,
        () = lease::keep(core) => ConnectionState::Replaced,
    }
}

async fn connect_again_and_again(core: &Arc<Core>) -> ConnectionState {
    let mut backoff = Backoff::new();
    let mut insisted = false;
    loop {
        core.set_state(ConnectionState::Connecting);
        let started = Instant::now();
        let after = match connected(core).await {
            Outcome::Again { after } => after,
            Outcome::Stop(state) => {
                // Once: it may as well have been a copy of this device somewhere else.
                if state != ConnectionState::Replaced || insisted || !lease::insist(core).await {
                    return state;
                }
                insisted = true;
                None
            }
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
    // That took a while. The relay would end the app's connection for this one.
    if !lease::is_ours(core).await {
        return Outcome::Stop(ConnectionState::Replaced);
    }
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
