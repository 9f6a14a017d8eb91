//! The state of the simulated relay. Pure: it is given the time and draws from its seed.

use std::collections::BTreeMap;

use bytes::Bytes;
use hushpost_wire::limits::{
    MAX_DEVICES, MAX_MESSAGE_LEN, MAX_PRE_KEYS_PER_UPLOAD, MAX_QUEUED, MAX_RECIPIENTS,
};
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, DeviceAddress, MessageId, PROTOCOL_VERSION, RelayLimits, Welcome};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::accounts::{Account, Device};
use super::faults::FaultPlan;
use super::session::Session;

/// How a simulated relay is set up.
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Decides every random choice.
    pub seed: u64,
    /// The name that devices sign.
    pub name: String,
    /// Messages that wait for one device at most.
    pub queue_messages: usize,
    /// Deliveries in flight to one device.
    pub delivery_window: usize,
    /// Devices of one account.
    pub devices: usize,
    /// Seconds without a frame after which a connection is closed.
    pub idle_timeout_s: u32,
    /// The relay's clock when the simulation begins, milliseconds since the Unix epoch.
    pub begins_ms: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            name: "relay.test".to_owned(),
            queue_messages: usize::try_from(MAX_QUEUED).unwrap_or(usize::MAX),
            delivery_window: 256,
            devices: MAX_DEVICES,
            idle_timeout_s: 90,
            begins_ms: 1_764_000_000_000,
        }
    }
}

/// Everything the relay knows.
pub(super) struct Model {
    pub(super) options: SimOptions,
    random: ChaCha8Rng,
    pub(super) epoch: [u8; 16],
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) names: BTreeMap<String, AccountId>,
    /// Who sent what to which device, to recognise repeats.
    pub(super) seen: BTreeMap<(Option<DeviceAddress>, MessageId, DeviceAddress), u64>,
    /// Messages that were stored for somebody, in order; for tests, and kept when the store is lost.
    pub(super) accepted: Vec<MessageId>,
    pub(super) sessions: BTreeMap<u64, Session>,
    opened: u64,
    pub(super) down: bool,
    pub(super) clock_offset_ms: i64,
    pub(super) faults: FaultPlan,
}

impl Model {
    pub(super) fn new(options: SimOptions) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        Self {
            epoch: random.random(),
            options,
            random,
            accounts: BTreeMap::new(),
            names: BTreeMap::new(),
            seen: BTreeMap::new(),
            accepted: Vec::new(),
            sessions: BTreeMap::new(),
            opened: 0,
            down: false,
            clock_offset_ms: 0,
            faults: FaultPlan::none(),
        }
    }

    /// A connection begins. Its number, its dice.
    pub(super) fn open(&mut self, now_ms: u64) -> (u64, ChaCha8Rng) {
        self.opened = self.opened.saturating_add(1);
        let number = self.opened;
        let mut session = Session::new(self.random.random());
        session.say(0, Body::Welcome(self.welcome(&session.nonce, now_ms)));
        self.sessions.insert(number, session);
        let mut dice = ChaCha8Rng::seed_from_u64(self.options.seed);
        dice.set_stream(number);
        (number, dice)
    }

    pub(super) fn closed(&mut self, session: u64) {
        self.sessions.remove(&session);
    }

    /// Drops all connections; what the store holds is kept.
    pub(super) fn cut_all(&mut self) {
        for session in self.sessions.values_mut() {
            session.closing = true;
            session.cut.notify_one();
        }
    }

    /// Loses everything, under another epoch.
    pub(super) fn wipe(&mut self) {
        self.cut_all();
        self.epoch = self.random.random();
        self.accounts.clear();
        self.names.clear();
        self.seen.clear();
    }

    /// The relay's own clock.
    pub(super) fn clock(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.clock_offset_ms)
    }

    pub(super) fn device(&self, address: DeviceAddress) -> Option<&Device> {
        self.accounts
            .get(&address.account)?
            .devices
            .get(&address.device)
    }

    pub(super) fn device_mut(&mut self, address: DeviceAddress) -> Option<&mut Device> {
        self.accounts
            .get_mut(&address.account)?
            .devices
            .get_mut(&address.device)
    }

    /// The connection that speaks for a device.
    pub(super) fn session_of(&mut self, device: DeviceAddress) -> Option<&mut Session> {
        self.sessions
            .values_mut()
            .find(|session| session.device() == Some(device))
    }

    fn welcome(&self, nonce: &[u8; 32], now_ms: u64) -> Welcome {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let options = &self.options;
        Welcome {
            oldest_version: PROTOCOL_VERSION,
            newest_version: PROTOCOL_VERSION,
            relay_name: options.name.clone(),
            nonce: Bytes::copy_from_slice(nonce),
            time_ms: self.clock(now_ms),
            storage_epoch: Bytes::copy_from_slice(&self.epoch),
            limits: Some(RelayLimits {
                message_bytes: small(MAX_MESSAGE_LEN),
                recipients: small(MAX_RECIPIENTS),
                devices: small(options.devices),
                queue_messages: small(options.queue_messages),
                blob_bytes: 0,
                pre_keys_per_upload: small(MAX_PRE_KEYS_PER_UPLOAD),
                message_ttl_s: 30 * 24 * 3600,
                topics: 0,
                delivery_window: small(options.delivery_window),
                idle_timeout_s: options.idle_timeout_s,
            }),
            features: Vec::new(),
        }
    }
}
