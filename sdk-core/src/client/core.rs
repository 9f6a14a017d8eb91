//! What all rooms share: the store, the clock, the events, the link of the moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::LocalDevice;
use crate::client::engine::Engine;
use crate::client::lease::{self, Holder, Role};
use crate::clock::Clock;
use crate::config::{Config, StoreThreads};
use crate::connection::{Link, RelayUrl, Transport};
use crate::content::{Activity, ConversationId};
use crate::conversation::expiry::{self, Housekeeping};
use crate::event::{Event, EventBus};
use crate::random::Randomness;
use crate::store::columns::signed;
use crate::store::{Store, StoreError, Transaction};
use crate::{Error, Result};

/// Typing is shown at most this often.
const ACTIVITY_EVERY: Duration = Duration::from_secs(3);

/// Whether there is a connection to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not asked for.
    Offline,
    /// On the way.
    Connecting,
    /// Connected; what waited at the relay is coming.
    CatchingUp,
    /// Connected, and everything is here.
    Online,
    /// Tried in vain, or lost; tried again by itself after this long.
    Waiting {
        /// How long.
        retry_in: Duration,
    },
    /// This account is connected from another process or a copy of this device: not tried again by itself.
    Replaced,
    /// The relay does not take this account: `code` says why. Call [`register`](crate::Client::register), or ask
    /// the operator; not tried again by itself.
    Refused {
        /// A stable name of the cause.
        code: String,
    },
}

/// What the app chose.
pub(crate) struct Settings {
    pub(crate) hold_back: Duration,
    pub(crate) receipt_delay: Duration,
    pub(crate) read_receipts: bool,
    pub(crate) pre_key_stock: u32,
}

/// Shared by all handles and tasks of one client.
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) rng: Randomness,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: EventBus,
    pub(crate) state: watch::Sender<ConnectionState>,
    pub(crate) settings: Settings,
    pub(crate) relay: RelayUrl,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) wake_connection: Notify,
    pub(crate) wake_outbox: Notify,
    pub(crate) wake_receipts: Notify,
    pub(crate) wake_repair: Notify,
    pub(crate) wake_upkeep: Notify,
    /// Another process may hold messages back.
    pub(crate) wake_inbox: Notify,
    /// Tells whoever waits for something to leave the outbox that it may have.
    pub(crate) outbox_looked_at: Notify,
    pub(crate) holder: Holder,
    pub(crate) housekeeping: Housekeeping,
    pub(crate) media: crate::media::Room,
    /// The client was closed: whoever watches it is told no more.
    pub(crate) closed: CancellationToken,
    pub(crate) engine: Mutex<Option<Engine>>,
    link: Mutex<Option<Link>>,
    /// When typing was last shown, and what.
    shown_activity: Mutex<BTreeMap<ConversationId, (Instant, Activity)>>,
}

impl Core {
    pub(crate) async fn open(config: Config) -> Result<Arc<Self>> {
        let role = Role::of(config.processes);
        Self::open_as(config, role).await
    }

    /// As [`open`](Self::open), for a client that makes way for the app, and makes no database.
    pub(crate) async fn open_for_push(config: Config) -> Result<Arc<Self>> {
        Self::open_as(config, Role::Push).await
    }

    async fn open_as(config: Config, role: Role) -> Result<Arc<Self>> {
        let media = crate::media::Room::new(&config);
        let holder = Holder::new(role, &config.randomness)?;
        let (path, key) = (config.database, config.key);
        let (threads, hook) = (config.store_threads, config.fault_hook);
        let open = move || {
            if role == Role::Push && !Store::is_there(&path)? {
                return Err(Error::NotRegistered);
            }
            Ok(Store::open(&path, &key, threads, hook)?)
        };
        let store = match threads {
            StoreThreads::Background => tokio::task::spawn_blocking(open)
                .await
                .map_err(|_| StoreError::Interrupted)?,
            StoreThreads::Inline => open(),
        }?;
        let core = Arc::new(Self {
            store,
            rng: config.randomness,
            clock: config.clock,
            events: EventBus::new(),
            state: watch::Sender::new(ConnectionState::Offline),
            settings: Settings {
                hold_back: config.hold_back,
                receipt_delay: config.receipt_delay,
                read_receipts: config.read_receipts,
                pre_key_stock: config.pre_key_stock,
            },
            relay: config.relay,
            transport: config.transport,
            wake_connection: Notify::new(),
            wake_outbox: Notify::new(),
            wake_receipts: Notify::new(),
            wake_repair: Notify::new(),
            wake_upkeep: Notify::new(),
            wake_inbox: Notify::new(),
            outbox_looked_at: Notify::new(),
            holder,
            housekeeping: Housekeeping::new(),
            media,
            closed: CancellationToken::new(),
            engine: Mutex::new(None),
            link: Mutex::new(None),
            shown_activity: Mutex::new(BTreeMap::new()),
        });
        if core.store.was_rolled_back() {
            core.set_up_anew(0).await?;
        }
        expiry::start(&core).await?;
        lease::watch(&core).await?;
        Ok(core)
    }

    /// The database went back in time: before anything is encrypted, every key that may have been used since
    /// is replaced. List versions count seconds from here on, so that they rise above what was lost.
    pub(crate) async fn set_up_anew(self: &Arc<Self>, relay_ms: u64) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let mut rng = self.rng.clone();
        let mark = self.store.mark()?;
        let core = Arc::clone(self);
        let work = move |tx: &mut Transaction<'_>| {
            let Some(local) = LocalDevice::find(tx)? else {
                return Ok(());
            };
            let now_ms = local.clock.corrected(now_ms).max(relay_ms);
            let seconds = now_ms.checked_div(1000).and_then(|s| u32::try_from(s).ok());
            let version = local
                .device_list_version
                .saturating_add(1)
                .max(seconds.unwrap_or_default());
            local.set_up_anew(tx, version, now_ms, &mut rng)?;
            // The mark tells how many steps were lost: the next old copy is below it too.
            tx.execute(
                "UPDATE local_device SET ratchet_steps = max(ratchet_steps, ?1)",
                [signed(mark)],
            )?;
            tx.ratchets_moved();
            Ok(())
        };
        let then = move |()| core.events.emit_early(Event::SetUpAnew);
        self.store.write_then(work, then).await
    }

    /// The link, while there is one.
    pub(crate) fn link(&self) -> Result<Link> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.clone()
            .filter(|link| !link.is_closed())
            .ok_or(Error::NotConnected)
    }

    pub(crate) fn set_link(&self, new: Option<Link>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Whether typing may be shown now: at most one in 3 seconds for each conversation, and stopping at once.
    pub(crate) fn may_show_activity(
        &self,
        conversation: ConversationId,
        activity: Activity,
    ) -> bool {
        let mut shown = self
            .shown_activity
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        shown.retain(|_, (when, _)| now.duration_since(*when) < ACTIVITY_EVERY);
        let allowed = shown
            .get(&conversation)
            .is_none_or(|(_, last)| activity == Activity::Stopped && *last != Activity::Stopped);
        if allowed {
            shown.insert(conversation, (now, activity));
        }
        allowed
    }

    pub(crate) fn set_state(&self, state: ConnectionState) {
        self.state.send_replace(state);
    }

    /// Everything that waited is here.
    pub(crate) fn set_online(&self) {
        self.state.send_if_modified(|state| {
            let caught_up = *state == ConnectionState::CatchingUp;
            if caught_up {
                *state = ConnectionState::Online;
            }
            caught_up
        });
    }

    /// The wall clock, corrected by the relay's.
    pub(crate) async fn corrected_now(&self) -> Result<u64> {
        let now_ms = self.clock.now_ms();
        let local = self.store.read(LocalDevice::find).await?;
        Ok(local.map_or(now_ms, |local| local.clock.corrected(now_ms)))
    }

    pub(crate) fn connection_states(
        &self,
    ) -> impl Stream<Item = ConnectionState> + Send + Unpin + use<> {
        let mut receiver = self.state.subscribe();
        receiver.mark_changed();
        let watched = (receiver, self.closed.clone());
        Box::pin(stream::unfold(watched, |(mut receiver, closed)| async {
            tokio::select! {
                biased;
                changed = receiver.changed() => changed.ok()?,
                () = closed.cancelled() => return None,
            }
            let state = receiver.borrow_and_update().clone();
            Some((state, (receiver, closed)))
        }))
    }
}
