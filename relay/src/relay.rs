//! What all connections share: the rooms, and what concerns more than one of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hushpost_wire::{AccountId, CloseReason, ErrorCode, PreKeyCounts};

use crate::accounts::directory::Directory;
use crate::accounts::registration::Registration;
use crate::accounts::{self, ListChange};
use crate::blobs::Blobs;
use crate::config::Config;
use crate::connection::Registry;
use crate::limits::Limits;
use crate::mailbox::DeviceKey;
use crate::presence::Presence;
use crate::refusal::Refusal;
use crate::store::Store;

/// When a name look-up answers, hit or miss.
pub const LOOK_UP_TIME: Duration = Duration::from_millis(10);

/// The rooms of a relay.
pub struct Relay {
    /// The effective configuration.
    pub config: Config,
    /// The store.
    pub store: Store,
    /// Accounts and devices.
    pub directory: Directory,
    /// Who may register.
    pub registration: Registration,
    /// Presence topics.
    pub presence: Presence,
    /// Encrypted files.
    pub blobs: Blobs,
    /// Rate limits.
    pub limits: Limits,
    /// Open connections.
    pub registry: Registry,
    draining: AtomicBool,
}

impl Relay {
    /// Puts the rooms together.
    #[must_use]
    pub fn new(config: Config, store: Store, registration: Registration, blobs: Blobs) -> Self {
        Self {
            directory: Directory::new(store.clone()),
            registration,
            presence: Presence::new(store.clone()),
            blobs,
            limits: Limits::new(&config.limits.rate, config.limits.tracked_keys),
            registry: Registry::default(),
            draining: AtomicBool::new(false),
            config,
            store,
        }
    }

    /// Whether the relay is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From here on no connection begins; those that are open are told when to come back.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let most =
            u64::try_from(self.config.drain.reconnect_jitter.as_millis()).unwrap_or(u64::MAX);
        for session in self.registry.all() {
            let drawn = u64::from_be_bytes(self.random());
            let after = Duration::from_millis(drawn.checked_rem(most).unwrap_or(0));
            session.close(CloseReason::Draining, after);
        }
    }

    /// Random bytes of the system. Without them the relay could prove nothing to anybody, so it ends.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        if getrandom::fill(&mut bytes).is_err() {
            tracing::error!("the system has no random numbers; stopping");
            std::process::abort();
        }
        bytes
    }

    /// A stored device list changed: ends the connections of devices that are not on it any more.
    ///
    /// # Errors
    /// [`Refusal`] if the store fails; the list is stored all the same.
    pub async fn list_changed(
        &self,
        account: AccountId,
        change: ListChange,
    ) -> Result<(), Refusal> {
        self.directory.forget(account);
        if !change.removed.is_empty() {
            self.store
                .writer()
                .forget(change.removed, CloseReason::DeviceRemoved);
        }
        self.end_connections(change.rekeyed, CloseReason::DeviceRemoved)
            .await
    }

    async fn end_connections(
        &self,
        devices: Vec<DeviceKey>,
        reason: CloseReason,
    ) -> Result<(), Refusal> {
        for device in devices {
            if let Some(mailbox) = self.store.writer().open_mailbox(device).await? {
                mailbox.end(reason);
            }
        }
        Ok(())
    }

    /// Removes an account and ends its connections. Whether there was one.
    ///
    /// # Errors
    /// [`Refusal`] if the store fails.
    pub async fn delete_account(&self, account: AccountId) -> Result<bool, Refusal> {
        let removed = self
            .store
            .write(move |store| -> Result<_, Refusal> { Ok(accounts::delete(store, account)?) })
            .await?;
        self.directory.forget(account);
        let existed = removed.is_some();
        self.store
            .writer()
            .forget(removed.unwrap_or_default(), CloseReason::AccountDeleted);
        Ok(existed)
    }

    /// Sets or lifts the operator's block, and ends a blocked account's connections.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`], or [`Refusal`] if the store fails.
    pub async fn set_blocked(&self, account: AccountId, blocked: bool) -> Result<(), Refusal> {
        let known = self
            .store
            .write(move |store| -> Result<_, Refusal> {
                Ok(accounts::set_blocked(store, account, blocked)?)
            })
            .await?;
        self.directory.forget(account);
        let Some(found) = self.directory.find(account).await?.filter(|_| known) else {
            return Err(Refusal::new(ErrorCode::NotFound, "no such account"));
        };
        if blocked {
            let devices = found.devices.iter().map(|device| device.key).collect();
            self.end_connections(devices, CloseReason::AccountBlocked)
                .await?;
        }
        Ok(())
    }

    /// Tells a device, if it is connected, that its pre-keys run low.
    pub async fn tell_pre_keys_low(&self, device: DeviceKey, counts: PreKeyCounts) {
        if let Ok(Some(mailbox)) = self.store.writer().open_mailbox(device).await
            && let Some(receiver) = mailbox.receiver()
        {
            receiver.pre_keys_low(counts);
        }
    }
}
