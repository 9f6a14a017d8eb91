//! From the mailbox to the socket: in order, at most a window ahead of what is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CaughtUp, Deliveries, Delivery as DeliveryFrame};

use super::session::sender_frame;
use crate::mailbox::{Entry, Mailbox, Next, page};
use crate::refusal::Refusal;
use crate::relay::Relay;
use crate::store::now_ms;

/// Bytes of ciphertext in one frame, about: enough to be worth a system call, little enough that the
/// socket's buffer stays small.
const FRAME: usize = 32 * 1024;

/// Where delivery to one connection stands.
#[derive(Default)]
pub(super) struct Delivery {
    /// Whether the client asked for it.
    receiving: bool,
    /// Whether there may be something to push.
    due: bool,
    /// Whether the client was told that it is up to date.
    caught_up: bool,
    /// The highest sequence number pushed, or named when receiving began.
    pushed: u64,
    /// The highest sequence number that the client says it has.
    acknowledged: u64,
}

impl Delivery {
    /// The client asks for what comes after a sequence number.
    pub(super) fn start(&mut self, after: u64) {
        *self = Self {
            receiving: true,
            due: true,
            caught_up: false,
            pushed: after,
            acknowledged: after,
        };
    }

    /// There may be something new.
    pub(super) const fn look(&mut self) {
        self.due = true;
    }

    /// Whether there may be something to push now.
    pub(super) const fn is_due(&self) -> bool {
        self.receiving && self.due
    }

    /// The client has everything up to here. `false` if that was never pushed to it.
    pub(super) fn acknowledge(&mut self, through: u64) -> bool {
        if !self.receiving || through > self.pushed {
            return false;
        }
        self.acknowledged = self.acknowledged.max(through);
        self.due = true;
        true
    }

    /// The next push, if there is one and the window is open.
    pub(super) async fn next(
        &mut self,
        relay: &Arc<Relay>,
        mailbox: &Mailbox,
    ) -> Result<Option<Body>, Refusal> {
        loop {
            // What expired needs no acknowledgement.
            let floor = mailbox.floor();
            self.pushed = self.pushed.max(floor);
            self.acknowledged = self.acknowledged.max(floor);
            let in_flight = self.pushed.saturating_sub(self.acknowledged);
            let window = relay.config.limits.delivery_window;
            let room = window.saturating_sub(usize::try_from(in_flight).unwrap_or(usize::MAX));
            if room == 0 {
                // The next acknowledgement opens it.
                self.due = false;
                return Ok(None);
            }
            let messages = match mailbox.next_after(self.pushed, room, FRAME) {
                Next::Messages(messages) => messages,
                Next::Nothing => return Ok(self.nothing()),
                Next::Settled(through) => {
                    let page = self.page(relay, mailbox, through, room).await?;
                    if page.is_empty() {
                        // Expired meanwhile: go on behind it.
                        self.pushed = through;
                        continue;
                    }
                    page
                }
            };
            if let Some((last, _)) = messages.last() {
                self.pushed = *last;
            }
            metrics::counter!("hushpost_delivered_total")
                .increment(u64::try_from(messages.len()).unwrap_or(u64::MAX));
            if self.caught_up {
                // Of devices that are connected; how long others were away says nothing about the relay.
                record_latency(&messages);
            }
            return Ok(Some(Body::Deliveries(Deliveries {
                deliveries: messages.iter().map(to_frame).collect(),
            })));
        }
    }

    fn nothing(&mut self) -> Option<Body> {
        self.due = false;
        if self.caught_up {
            return None;
        }
        self.caught_up = true;
        Some(Body::CaughtUp(CaughtUp {
            through_sequence: self.pushed,
        }))
    }

    /// Boxed: only a device that was away reads from the table.
    fn page(
        &self,
        relay: &Arc<Relay>,
        mailbox: &Mailbox,
        through: u64,
        count: usize,
    ) -> futures_util::future::BoxFuture<'static, Result<Vec<(u64, Entry)>, Refusal>> {
        let (store, device, after) = (relay.store.clone(), mailbox.device(), self.pushed);
        Box::pin(async move {
            Ok(store
                .read(move |connection| {
                    page::read(connection, device, after, through, count, FRAME)
                })
                .await?)
        })
    }
}

fn record_latency(messages: &[(u64, Entry)]) {
    let now = now_ms();
    let latency = metrics::histogram!("hushpost_delivery_seconds");
    for (_, entry) in messages {
        let millis = now.saturating_sub(entry.message.accepted_ms);
        latency.record(Duration::from_millis(millis).as_secs_f64());
    }
}

fn to_frame((sequence, entry): &(u64, Entry)) -> DeliveryFrame {
    let message = &entry.message;
    DeliveryFrame {
        sequence: *sequence,
        message_id: Bytes::copy_from_slice(message.id.as_bytes()),
        sender: message.sender.map(sender_frame),
        accepted_ms: message.accepted_ms,
        ciphertext: entry.ciphertext(),
    }
}
