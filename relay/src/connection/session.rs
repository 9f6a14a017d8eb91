//! What others see of a connection: a place to leave answers and pushes, and a bell.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    CloseReason, Ephemeral, PreKeyCounts, PresenceValue, PresenceValues, Sender, ServerFrame,
};
use tokio::sync::Notify;

use crate::mailbox::{Entry, Receiver};
use crate::presence::Follower;

/// Pushes that a slow client may have waiting before what is not stored is dropped.
const EPHEMERAL_BACKLOG: usize = 128;
/// Pushes that a slow client may have waiting before it is cut off.
const BACKLOG: usize = 4096;

/// One connection, as seen from outside its task.
pub struct Session {
    id: u64,
    outbox: Mutex<VecDeque<ServerFrame>>,
    bell: Notify,
    mail: AtomicBool,
    pending: AtomicUsize,
    state: Mutex<State>,
    /// Seconds on the registry's clock.
    opened: u32,
    /// The same.
    heard: AtomicU32,
    /// The same, or 0 when nothing is being written.
    writing: AtomicU32,
    /// The same, or 0 before the reaper saw that it is closing.
    closing_since: AtomicU32,
    proven: AtomicBool,
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Say why, then close.
    Closing(CloseReason, u64),
    /// Drop the socket: the client does not read.
    Cut,
}

impl Session {
    fn new(id: u64, now: u32) -> Self {
        Self {
            id,
            outbox: Mutex::default(),
            bell: Notify::new(),
            mail: AtomicBool::new(false),
            pending: AtomicUsize::new(0),
            state: Mutex::new(State::Open),
            opened: now,
            heard: AtomicU32::new(now),
            writing: AtomicU32::new(0),
            closing_since: AtomicU32::new(0),
            proven: AtomicBool::new(false),
        }
    }

    /// A number for this process's logs; says nothing about who it is.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    fn outbox(&self) -> MutexGuard<'_, VecDeque<ServerFrame>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves an answer.
    pub(super) fn answer(&self, id: u64, body: Body) {
        self.leave(ServerFrame {
            id,
            body: Some(body),
        });
    }

    /// Leaves a push.
    pub(super) fn push(&self, body: Body) {
        self.answer(0, body);
    }

    fn leave(&self, frame: ServerFrame) {
        let waiting = {
            let mut outbox = self.outbox();
            outbox.push_back(frame);
            outbox.len()
        };
        if waiting > BACKLOG {
            self.cut();
        }
        self.bell.notify_one();
    }

    /// The next frame to write.
    pub(super) fn take(&self) -> Option<ServerFrame> {
        let mut outbox = self.outbox();
        let frame = outbox.pop_front();
        if frame.is_none() && outbox.capacity() > 0 {
            // An idle connection holds nothing.
            *outbox = VecDeque::new();
        }
        frame
    }

    /// Whether there is a frame to write.
    pub(super) fn has_frames(&self) -> bool {
        !self.outbox().is_empty()
    }

    /// A request whose answer comes later begins.
    pub(super) fn begin(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Its answer.
    pub(super) fn finish(&self, id: u64, body: Body) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
        self.answer(id, body);
    }

    /// Requests without an answer yet.
    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Whether mail arrived since the last call.
    pub(super) fn take_mail(&self) -> bool {
        self.mail.swap(false, Ordering::AcqRel)
    }

    /// Waits until there is something to do.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Has the task look again.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Asks the connection to say why and close.
    pub fn close(&self, reason: CloseReason, reconnect_after: Duration) {
        let millis = u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX);
        {
            let mut state = self.state();
            if *state == State::Open {
                *state = State::Closing(reason, millis);
            }
        }
        self.bell.notify_one();
    }

    /// Drops the connection without a word: it would not be read.
    pub(super) fn cut(&self) {
        *self.state() = State::Cut;
        self.bell.notify_one();
    }

    pub(super) fn is_cut(&self) -> bool {
        *self.state() == State::Cut
    }

    /// Why to close, and when the client may come back, milliseconds.
    pub(super) fn closing(&self) -> Option<(CloseReason, u64)> {
        match *self.state() {
            State::Closing(reason, after) => Some((reason, after)),
            State::Open | State::Cut => None,
        }
    }

    pub(super) fn mark_proven(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    pub(super) fn mark_heard(&self, now: u32) {
        self.heard.store(now, Ordering::Relaxed);
    }

    pub(super) fn mark_writing(&self, since: u32) {
        self.writing.store(since, Ordering::Relaxed);
    }

    /// Since when it has been closing, the first call's `now` at the latest.
    pub(super) fn closing_since(&self, now: u32) -> u32 {
        let seen =
            self.closing_since
                .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        seen.err().unwrap_or(now)
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    pub(super) const fn opened(&self) -> u32 {
        self.opened
    }

    pub(super) fn heard(&self) -> u32 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(super) fn writing(&self) -> u32 {
        self.writing.load(Ordering::Relaxed)
    }
}

impl Receiver for Session {
    fn id(&self) -> u64 {
        self.id
    }

    fn mail_arrived(&self) {
        // Rung once for all that arrives before the task looks.
        if !self.mail.swap(true, Ordering::AcqRel) {
            self.bell.notify_one();
        }
    }

    fn ephemeral(&self, entry: &Entry) {
        if self.outbox().len() < EPHEMERAL_BACKLOG {
            self.push(Body::Ephemeral(Ephemeral {
                sender: entry.message.sender.map(sender_frame),
                ciphertext: entry.ciphertext(),
            }));
        }
    }

    fn pre_keys_low(&self, counts: PreKeyCounts) {
        self.push(Body::PreKeysLow(counts));
    }

    fn ended(&self, reason: CloseReason) {
        self.close(reason, Duration::ZERO);
    }
}

impl Follower for Session {
    fn presence_changed(&self, value: PresenceValue) {
        self.push(Body::PresenceValues(PresenceValues {
            values: vec![value],
        }));
    }
}

/// A sender as the wire says it.
pub(super) fn sender_frame(sender: hushpost_wire::DeviceAddress) -> Sender {
    Sender {
        account: bytes::Bytes::copy_from_slice(sender.account.as_bytes()),
        device: sender.device.into(),
    }
}

/// All open connections, for the reaper and the drain.
pub struct Registry {
    sessions: Mutex<(u64, HashMap<u64, Weak<Session>>)>,
    started: Instant,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            started: Instant::now(),
        }
    }
}

impl Registry {
    fn sessions(&self) -> MutexGuard<'_, (u64, HashMap<u64, Weak<Session>>)> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the relay started, and one: never 0.
    #[must_use]
    pub fn now(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_secs())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// A new connection.
    #[must_use]
    pub fn open(&self) -> Arc<Session> {
        let now = self.now();
        let mut sessions = self.sessions();
        let (last, known) = &mut *sessions;
        *last = last.saturating_add(1);
        let session = Arc::new(Session::new(*last, now));
        known.insert(*last, Arc::downgrade(&session));
        session
    }

    /// A connection ended.
    pub fn closed(&self, id: u64) {
        self.sessions().1.remove(&id);
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions().1.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that are open.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.sessions()
            .1
            .values()
            .filter_map(Weak::upgrade)
            .collect()
    }
}
