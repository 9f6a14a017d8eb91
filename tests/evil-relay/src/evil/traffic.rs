//! What is between the two ends of every connection: the rules, what is held, the record, and the way out.
//!
//! Readers of sockets hand frames in, writers take them from unbounded queues; whatever is decided in between
//! is decided at once, under the lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, ClientFrame, Deliveries, Delivery, DeviceAddress, ServerFrame, frame,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;

use super::numbering::Numbers;
use super::record::{Event, Fate, Record, What, Who};
use super::script::{Frame, Gathered, Numbered, Script, Verdict};
use super::translation::{Highest, claimed_device, sequence_in};

/// Requests that this relay makes itself have ids from here on; no client counts that far.
const OWN_IDS: u64 = 1 << 63;

/// What a writer has to do.
pub(super) enum Out {
    /// Write this.
    Message(Message),
    /// Close in order.
    Close,
    /// Drop the connection; what was queued before is written first.
    Cut,
}

/// Whom something is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// All connected devices of an account.
    Account(AccountId),
    /// One device.
    Device(DeviceAddress),
}

impl From<AccountId> for Target {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

impl From<DeviceAddress> for Target {
    fn from(device: DeviceAddress) -> Self {
        Self::Device(device)
    }
}

impl core::fmt::Display for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Device(device) => write!(f, "{}.{}", device.account, device.device.get()),
        }
    }
}

/// A frame that waits to be released.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its connection.
    pub who: Who,
    /// The frame.
    pub frame: HeldFrame,
}

/// What waits.
#[derive(Clone)]
pub enum HeldFrame {
    /// A request, for the relay.
    Request(ClientFrame),
    /// An answer or a push, for the client.
    Server(ServerFrame),
    /// A message, for the client; with the relay's own number for it.
    Delivery(u64, Delivery),
}

impl core::fmt::Debug for HeldFrame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Request(frame) => write!(f, "Request({})", frame.id),
            Self::Server(frame) => write!(f, "Server({})", frame.id),
            Self::Delivery(sequence, _) => write!(f, "Delivery({sequence})"),
        }
    }
}

/// A request that is not answered yet.
pub(super) struct Asked {
    pub(super) request: Request,
    /// The sequence number in it as the client counts, where the relay was told another one.
    pub(super) number: Option<u64>,
}

/// One connection.
pub(super) struct Link {
    pub(super) who: Who,
    to_client: UnboundedSender<Out>,
    to_relay: UnboundedSender<Out>,
    pub(super) cut: Arc<Notify>,
    asked: BTreeMap<u64, Asked>,
}

/// What a connection's task takes from.
pub(super) struct Ends {
    pub(super) connection: u64,
    pub(super) for_client: UnboundedReceiver<Out>,
    pub(super) for_relay: UnboundedReceiver<Out>,
    pub(super) cut: Arc<Notify>,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) script: Script,
    pub(super) record: Record,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) held: Vec<Held>,
    pub(super) holding: bool,
    pub(super) down: bool,
    pub(super) refuse: usize,
    opened: u64,
    own_id: u64,
    pub(super) epoch: Bytes,
    /// `None`: numbers stay as they are.
    pub(super) numbers: Option<BTreeMap<DeviceAddress, Numbers>>,
    pub(super) highest: BTreeMap<DeviceAddress, Highest>,
}

impl State {
    pub(super) fn new(renumbers: bool) -> Self {
        Self {
            script: Script::default(),
            record: Record::default(),
            links: BTreeMap::new(),
            held: Vec::new(),
            holding: false,
            down: false,
            refuse: 0,
            opened: 0,
            own_id: OWN_IDS,
            epoch: Bytes::new(),
            numbers: renumbers.then(BTreeMap::new),
            highest: BTreeMap::new(),
        }
    }

    /// Whether a new connection is let in.
    pub(super) fn lets_in(&mut self) -> bool {
        if self.down {
            return false;
        }
        let refused = self.refuse > 0;
        self.refuse = self.refuse.saturating_sub(1);
        !refused
    }

    pub(super) fn open(&mut self) -> Ends {
        self.opened = self.opened.saturating_add(1);
        let connection = self.opened;
        let (to_client, for_client) = unbounded_channel();
        let (to_relay, for_relay) = unbounded_channel();
        let cut = Arc::new(Notify::new());
        let who = Who {
            connection,
            device: None,
        };
        self.links.insert(
            connection,
            Link {
                who,
                to_client,
                to_relay,
                cut: Arc::clone(&cut),
                asked: BTreeMap::new(),
            },
        );
        self.note(who, What::Opened, Fate::Passed);
        Ends {
            connection,
            for_client,
            for_relay,
            cut,
        }
    }

    pub(super) fn closed(&mut self, connection: u64) {
        self.script.connection_ended(connection);
        self.held.retain(|held| held.who.connection != connection);
        if let Some(link) = self.links.remove(&connection) {
            self.note(link.who, What::Closed, Fate::Passed);
        }
    }

    pub(super) fn note(&mut self, who: Who, what: What, fate: Fate) {
        self.record.note(Event { who, what, fate });
    }

    /// The newest connection of each device meant.
    pub(super) fn connections(&self, target: Target) -> Vec<Who> {
        let mut newest = BTreeMap::new();
        for link in self.links.values() {
            if let Some(device) = link.who.device
                && match target {
                    Target::Account(account) => device.account == account,
                    Target::Device(wanted) => device == wanted,
                }
            {
                newest.insert(device, link.who);
            }
        }
        newest.into_values().collect()
    }

    pub(super) fn client_end(&self, connection: u64, out: Out) {
        if let Some(link) = self.links.get(&connection) {
            // A writer that has ended has a connection that is about to.
            let _ = link.to_client.send(out);
        }
    }

    pub(super) fn relay_end(&self, connection: u64, out: Out) {
        if let Some(link) = self.links.get(&connection) {
            let _ = link.to_relay.send(out);
        }
    }

    /// A frame from a client.
    pub(super) fn client_said(&mut self, connection: u64, bytes: Bytes) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let Ok(mut frame) = frame::decode::<ClientFrame>(bytes.clone()) else {
            let who = link.who;
            self.note(who, What::Unreadable(bytes.clone()), Fate::Passed);
            self.relay_end(connection, Out::Message(Message::Binary(bytes)));
            return;
        };
        if let Some(claimed) = frame.request.as_ref().and_then(claimed_device) {
            link.who.device = Some(claimed);
        }
        let who = link.who;
        let what = match &frame.request {
            Some(request) => What::Request(frame.id, request.clone()),
            None => What::Unreadable(bytes),
        };
        let script = &mut self.script;
        let verdict =
            script
                .frame(Frame::FromClient(&mut frame), &who)
                .or_next(|| match &mut frame.request {
                    Some(request) => script.request(request, &who),
                    None => Verdict::Pass,
                });
        let verdict = self.hold_all(verdict);
        self.note(who, what, verdict.fate());
        match verdict {
            Verdict::Pass | Verdict::Rewrite => self.ask(connection, frame),
            Verdict::Drop => {}
            Verdict::Hold => self.held.push(Held {
                who,
                frame: HeldFrame::Request(frame),
            }),
            Verdict::Repeat(times) => {
                for _ in 0..times {
                    if let Some(request) = frame.request.clone() {
                        self.ask_own(connection, request);
                    }
                }
                self.ask(connection, frame);
            }
            Verdict::Instead(body) => self.say(connection, frame.id, *body),
            Verdict::Cut => self.relay_end(connection, Out::Cut),
            Verdict::CutAfter => {
                self.ask(connection, frame);
                self.relay_end(connection, Out::Cut);
            }
        }
    }

    /// A frame from the real relay.
    pub(super) fn relay_said(&mut self, connection: u64, bytes: Bytes) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let who = link.who;
        let frame = frame::decode::<ServerFrame>(bytes.clone()).ok();
        let Some((id, Some(mut body))) = frame.map(|frame| (frame.id, frame.body)) else {
            self.note(who, What::Unreadable(bytes.clone()), Fate::Passed);
            self.client_end(connection, Out::Message(Message::Binary(bytes)));
            return;
        };
        let asked = link.asked.remove(&id);
        if id >= OWN_IDS {
            let what = What::Answer(asked.map(|asked| asked.request), body);
            self.note(who, what, Fate::Injected);
            return;
        }
        self.translate(connection, asked.as_ref(), &mut body);
        let asked = asked.map(|asked| asked.request);
        let what = match (&body, id) {
            (Body::Deliveries(_), _) => None,
            (body, 0) => Some(What::Push(body.clone())),
            (body, _) => Some(What::Answer(asked.clone(), body.clone())),
        };
        let mut frame = ServerFrame {
            id,
            body: Some(body),
        };
        let verdict = self.script.frame(Frame::FromRelay(&mut frame), &who);
        if let Some(Body::Deliveries(Deliveries { deliveries })) = &mut frame.body {
            let deliveries = core::mem::take(deliveries);
            self.deliveries(who, deliveries, &verdict);
            return;
        }
        // A rule that made something else of deliveries answers for it alone.
        let what = what.unwrap_or(What::Unreadable(bytes));
        let script = &mut self.script;
        let verdict = verdict.or_next(|| match (&mut frame.body, &asked) {
            (Some(body), Some(asked)) if id != 0 => script.answer(asked, body, &who),
            (Some(body), _) if id == 0 => script.push(body, &who),
            _ => Verdict::Pass,
        });
        let verdict = self.hold_all(verdict);
        self.note(who, what, verdict.fate());
        match verdict {
            Verdict::Pass | Verdict::Rewrite => self.pass(connection, &frame),
            Verdict::Drop => {}
            Verdict::Hold => self.held.push(Held {
                who,
                frame: HeldFrame::Server(frame),
            }),
            Verdict::Repeat(times) => {
                for _ in 0..times {
                    self.pass(connection, &frame);
                }
                self.pass(connection, &frame);
            }
            Verdict::Instead(body) => self.say(connection, id, *body),
            Verdict::Cut => self.client_end(connection, Out::Cut),
            Verdict::CutAfter => {
                self.pass(connection, &frame);
                self.client_end(connection, Out::Cut);
            }
        }
    }

    /// Messages for a device, with a verdict on all of them.
    fn deliveries(&mut self, who: Who, deliveries: Vec<Delivery>, on_all: &Verdict) {
        let connection = who.connection;
        let mut passing = Vec::with_capacity(deliveries.len());
        for mut delivery in deliveries {
            let number = delivery.sequence;
            let original = delivery.clone();
            let lost = !self.came(who, number);
            let script = &mut self.script;
            let verdict = match on_all {
                _ if lost => Verdict::Drop,
                // The cut follows the last of them.
                Verdict::Pass | Verdict::Rewrite | Verdict::CutAfter => {
                    script.delivery(&mut delivery, &who)
                }
                other => other.clone(),
            };
            let verdict = self.hold_all(verdict);
            let fate = verdict.fate();
            match verdict {
                Verdict::Pass | Verdict::Rewrite => {
                    match self.script.gather(number, delivery, &who) {
                        Gathered::Not(delivery) => passing.push((number, delivery)),
                        Gathered::Waits => {
                            self.note(who, What::Delivery(original), Fate::Held);
                            continue;
                        }
                        Gathered::Complete(arranged) => passing.extend(arranged),
                    }
                }
                Verdict::Drop => self.lose(who, number),
                Verdict::Hold => self.held.push(Held {
                    who,
                    frame: HeldFrame::Delivery(number, delivery),
                }),
                Verdict::Repeat(times) => {
                    passing.extend(vec![(number, delivery); times.saturating_add(1)]);
                }
                Verdict::Instead(body) => {
                    self.deliver(who, core::mem::take(&mut passing));
                    self.lose(who, number);
                    self.say(connection, 0, *body);
                }
                Verdict::Cut => {
                    self.note(who, What::Delivery(original), fate);
                    self.deliver(who, passing);
                    self.client_end(connection, Out::Cut);
                    return;
                }
                Verdict::CutAfter => {
                    passing.push((number, delivery));
                    self.note(who, What::Delivery(original), fate);
                    self.deliver(who, passing);
                    self.client_end(connection, Out::Cut);
                    return;
                }
            }
            self.note(who, What::Delivery(original), fate);
        }
        self.deliver(who, passing);
        if matches!(on_all, Verdict::CutAfter) {
            self.client_end(connection, Out::Cut);
        }
    }

    fn hold_all(&self, verdict: Verdict) -> Verdict {
        if self.holding && verdict.goes_on() {
            Verdict::Hold
        } else {
            verdict
        }
    }

    /// Lets a held frame go.
    pub(super) fn release(&mut self, held: Held) {
        let connection = held.who.connection;
        match held.frame {
            HeldFrame::Request(frame) => self.ask(connection, frame),
            HeldFrame::Server(frame) => self.pass(connection, &frame),
            HeldFrame::Delivery(number, delivery) => {
                self.deliver(held.who, vec![(number, delivery)]);
            }
        }
    }

    /// Passes a request on, with the relay's numbers in it.
    fn ask(&mut self, connection: u64, mut frame: ClientFrame) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        if let Some(request) = frame.request.clone() {
            let number = frame.request.as_mut().and_then(sequence_in).copied();
            let device = link.who.device;
            link.asked.insert(frame.id, Asked { request, number });
            if let (Some(device), Some(number)) = (device, number) {
                let begins = matches!(frame.request, Some(Request::Receive(_)));
                let translated = self.relay_number(device, number, begins);
                if let Some(place) = frame.request.as_mut().and_then(sequence_in) {
                    *place = translated;
                }
            }
        }
        let message = Message::Binary(frame::encode(&frame));
        self.relay_end(connection, Out::Message(message));
    }

    /// Asks in the client's name; the answer does not reach it.
    pub(super) fn ask_own(&mut self, connection: u64, request: Request) {
        self.own_id = self.own_id.saturating_add(1);
        let id = self.own_id;
        self.ask(
            connection,
            ClientFrame {
                id,
                request: Some(request),
            },
        );
    }

    /// Passes a frame on to the client. Deliveries that a rule put there keep their numbers.
    fn pass(&self, connection: u64, frame: &ServerFrame) {
        let message = Message::Binary(frame::encode(frame));
        self.client_end(connection, Out::Message(message));
    }

    /// Says something to the client.
    pub(super) fn say(&self, connection: u64, id: u64, body: Body) {
        self.pass(
            connection,
            &ServerFrame {
                id,
                body: Some(body),
            },
        );
    }

    /// Delivers, with the numbers that the client counts by.
    fn deliver(&mut self, who: Who, deliveries: Numbered) {
        let mut numbered = Vec::with_capacity(deliveries.len());
        for (number, mut delivery) in deliveries {
            if let Some(numbers) = self.numbers_of(who.device) {
                let Some(own) = numbers.give(number) else {
                    continue;
                };
                delivery.sequence = own;
            }
            numbered.push(delivery);
        }
        self.show(who, numbered);
    }

    /// Delivers what the real relay did not.
    pub(super) fn inject(&mut self, who: Who, mut delivery: Delivery) {
        if let Some(numbers) = self.numbers_of(who.device) {
            delivery.sequence = numbers.next();
        }
        self.note(who, What::Delivery(delivery.clone()), Fate::Injected);
        self.show(who, vec![delivery]);
    }

    fn show(&mut self, who: Who, deliveries: Vec<Delivery>) {
        let Some(highest) = deliveries.iter().map(|delivery| delivery.sequence).max() else {
            return;
        };
        if let Some(device) = who.device {
            let known = self.highest.entry(device).or_default();
            known.shown = known.shown.max(highest);
        }
        self.say(
            who.connection,
            0,
            Body::Deliveries(Deliveries { deliveries }),
        );
    }
}
