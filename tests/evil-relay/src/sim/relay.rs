//! The handle of a simulated relay: connecting to it, breaking it, looking into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hushpost_wire::{AccountId, DeviceAddress, MessageId, PreKeyCounts, SignedDeviceList};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::connection;
use super::faults::FaultPlan;
use super::model::{Model, SimOptions};
use crate::EvilError;

/// Bytes on their way: above the longest frame, as a network's buffers are.
const PIPE: usize = 512 * 1024;

/// A relay in memory. Clones are the same relay.
#[derive(Clone)]
pub struct SimRelay {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    model: Mutex<Model>,
    now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now_ms(&self) -> u64 {
        (self.now_ms)()
    }

    /// Something happened: who waits looks again.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|changes| {
            *changes = changes.wrapping_add(1);
        });
    }
}

impl core::fmt::Debug for SimRelay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SimRelay({} connections)", self.connections())
    }
}

impl SimRelay {
    /// A relay on tokio's clock, paused or not.
    #[must_use]
    pub fn new(options: SimOptions) -> Self {
        let (began, begins_ms) = (Instant::now(), options.begins_ms);
        Self::with_clock(options, move || {
            let passed = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            begins_ms.saturating_add(passed)
        })
    }

    /// A relay on a clock of the test's: milliseconds since the Unix epoch.
    pub fn with_clock(
        options: SimOptions,
        now_ms: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                model: Mutex::new(Model::new(options)),
                now_ms: Box::new(now_ms),
                changes: watch::Sender::new(0),
            }),
        }
    }

    /// The client's end of a new connection, before the WebSocket handshake. While the relay is down, the
    /// other end is closed already.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (client, relay) = duplex(PIPE);
        self.serve(relay);
        client
    }

    /// Serves one connection over any stream.
    pub fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        if !self.shared.model().down {
            tokio::spawn(connection::run(Arc::clone(&self.shared), stream));
        }
    }
}

/// What breaks it.
impl SimRelay {
    /// Loses everything: another epoch, connections cut.
    pub fn wipe(&self) {
        self.change(Model::wipe);
    }

    /// Cuts all connections and keeps the rest.
    pub fn restart(&self) {
        self.change(Model::cut_all);
    }

    /// Cuts the connection that speaks for a device.
    pub fn cut(&self, device: DeviceAddress) {
        self.change(|model| {
            if let Some(session) = model.session_of(device) {
                session.closing = true;
                session.cut.notify_one();
            }
        });
    }

    /// Cuts all connections and takes no new ones.
    pub fn go_down(&self) {
        self.change(|model| {
            model.down = true;
            model.cut_all();
        });
    }

    /// Takes connections again.
    pub fn come_up(&self) {
        self.change(|model| model.down = false);
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: FaultPlan) {
        self.change(|model| model.faults = faults);
    }

    /// How far the relay's clock is ahead, or behind if negative.
    pub fn set_clock_offset_ms(&self, offset: i64) {
        self.change(|model| model.clock_offset_ms = offset);
    }

    fn change(&self, change: impl FnOnce(&mut Model)) {
        change(&mut self.shared.model());
        self.shared.changed();
    }
}

/// What it knows.
impl SimRelay {
    /// Connections that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        let model = self.shared.model();
        let open = model.sessions.values().filter(|session| !session.closing);
        open.count()
    }

    /// Whether a connection speaks for a device.
    #[must_use]
    pub fn is_connected(&self, device: DeviceAddress) -> bool {
        self.shared.model().session_of(device).is_some()
    }

    /// Messages that wait for a device; 0 if there is no such device.
    #[must_use]
    pub fn waiting(&self, device: DeviceAddress) -> usize {
        let model = self.shared.model();
        model
            .device(device)
            .map_or(0, |device| device.mailbox.waiting.len())
    }

    /// Whether no message waits for anybody.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let model = self.shared.model();
        let mut devices = model
            .accounts
            .values()
            .flat_map(|account| account.devices.values());
        devices.all(|device| device.mailbox.waiting.is_empty())
    }

    /// Every message that was ever stored for somebody, in that order, also before the store was lost.
    #[must_use]
    pub fn accepted(&self) -> Vec<MessageId> {
        self.shared.model().accepted.clone()
    }

    /// One-time pre-keys in stock for a device.
    #[must_use]
    pub fn pre_keys(&self, device: DeviceAddress) -> Option<PreKeyCounts> {
        let model = self.shared.model();
        Some(model.device(device)?.stock.counts())
    }

    /// The device list that the relay holds for an account.
    #[must_use]
    pub fn device_list(&self, account: AccountId) -> Option<SignedDeviceList> {
        let model = self.shared.model();
        Some(model.accounts.get(&account)?.signed.clone())
    }

    /// The relay's clock, with its offset.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.shared.model().clock(self.shared.now_ms())
    }

    /// Waits until the relay is as wanted, for so long on tokio's clock at most.
    ///
    /// # Errors
    /// [`EvilError::Silent`] with `what`, if it never is.
    pub async fn until(
        &self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Self) -> bool,
    ) -> Result<(), EvilError> {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if wanted(self) {
                    return;
                }
                // The sender lives as long as this relay.
                let _ = changes.changed().await;
            }
        };
        let outcome = timeout(limit, waiting).await;
        outcome.map_err(|_| EvilError::Silent(what.to_owned()))
    }
}
