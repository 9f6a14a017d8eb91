//! What passed: every frame as it came, before a rule changed it, and what became of it.
//!
//! Frames are kept whole, for replay. They never print themselves: [`What`] says their kind.

use bytes::Bytes;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Delivery, DeviceAddress, Send};

/// A connection, and the device that it said it speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    /// Counted from 1.
    pub connection: u64,
    /// From its `Authenticate` or `Register`; `None` before, and on an anonymous connection.
    pub device: Option<DeviceAddress>,
}

impl Who {
    /// Whether the connection speaks for a device of this account.
    #[must_use]
    pub fn is(&self, account: AccountId) -> bool {
        self.device.is_some_and(|device| device.account == account)
    }

    /// Whether the connection speaks for this device.
    #[must_use]
    pub fn is_device(&self, device: DeviceAddress) -> bool {
        self.device == Some(device)
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// On which connection.
    pub who: Who,
    /// What it was.
    pub what: What,
    /// What became of it.
    pub fate: Fate,
}

/// What happened.
#[derive(Clone)]
pub enum What {
    /// A connection began.
    Opened,
    /// A connection ended.
    Closed,
    /// A client asked.
    Request(u64, Request),
    /// The relay answered; with what had been asked, if that is known.
    Answer(Option<Request>, Body),
    /// The relay delivered, one message.
    Delivery(Delivery),
    /// The relay pushed something else.
    Push(Body),
    /// A frame that does not decode, or of a kind that this crate does not know.
    Unreadable(Bytes),
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It went on as it came.
    Passed,
    /// It went on, changed.
    Rewritten,
    /// It was lost.
    Dropped,
    /// It waits to be released.
    Held,
    /// It went on, and this many times more.
    Repeated(usize),
    /// Something else went to the client in its place.
    Replaced,
    /// It was lost with the connection.
    Cut,
    /// It went on, and then the connection was cut.
    CutAfter,
    /// A test made it.
    Injected,
}

impl core::fmt::Debug for What {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Closed => f.write_str("Closed"),
            Self::Request(id, request) => write!(f, "{}({id})", request_kind(request)),
            Self::Answer(_, body) => write!(f, "answer {}", body_kind(body)),
            Self::Delivery(delivery) => write!(f, "Delivery({})", delivery.sequence),
            Self::Push(body) => write!(f, "push {}", body_kind(body)),
            Self::Unreadable(bytes) => write!(f, "Unreadable({} bytes)", bytes.len()),
        }
    }
}

/// Everything that happened, in order.
#[derive(Debug, Clone, Default)]
pub struct Record {
    events: Vec<Event>,
}

impl Record {
    pub(super) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }

    /// Everything.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What clients asked, dropped requests among them.
    pub fn requests(&self) -> impl Iterator<Item = (Who, &Request)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Request(_, request) => Some((event.who, request)),
            _ => None,
        })
    }

    /// The messages that clients sent.
    pub fn sends(&self) -> impl Iterator<Item = (Who, &Send)> {
        self.requests().filter_map(|(who, request)| match request {
            Request::Send(send) => Some((who, send)),
            _ => None,
        })
    }

    /// What the relay answered, by what was asked.
    pub fn answers(&self) -> impl Iterator<Item = (Who, &Request, &Body)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Answer(Some(request), body) => Some((event.who, request, body)),
            _ => None,
        })
    }

    /// What the relay delivered, as it came: dropped deliveries among them, injected ones not.
    pub fn deliveries(&self) -> impl Iterator<Item = (Who, &Delivery)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Delivery(delivery) if event.fate != Fate::Injected => Some((event.who, delivery)),
            _ => None,
        })
    }

    /// The same, to one account.
    pub fn deliveries_to(&self, account: AccountId) -> impl Iterator<Item = &Delivery> {
        self.deliveries()
            .filter(move |(who, _)| who.is(account))
            .map(|(_, delivery)| delivery)
    }

    /// Pushes other than deliveries.
    pub fn pushes(&self) -> impl Iterator<Item = (Who, &Body)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Push(body) => Some((event.who, body)),
            _ => None,
        })
    }

    /// The highest sequence number that an account's devices acknowledged, as they count.
    #[must_use]
    pub fn acknowledged_by(&self, account: AccountId) -> u64 {
        self.requests()
            .filter(|(who, _)| who.is(account))
            .filter_map(|(_, request)| match request {
                Request::Acknowledge(acknowledge) => Some(acknowledge.through_sequence),
                Request::Receive(receive) => Some(receive.after_sequence),
                _ => None,
            })
            .max()
            .unwrap_or(0)
    }

    /// Connections that began.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.count(|event| matches!(event.what, What::Opened))
    }

    /// Events that fit.
    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| fits(event)).count()
    }
}

const fn request_kind(request: &Request) -> &'static str {
    match request {
        Request::Anonymous(_) => "Anonymous",
        Request::Authenticate(_) => "Authenticate",
        Request::Register(_) => "Register",
        Request::Ping(_) => "Ping",
        Request::PutDeviceList(_) => "PutDeviceList",
        Request::GetDeviceList(_) => "GetDeviceList",
        Request::SetUserName(_) => "SetUserName",
        Request::LookUpName(_) => "LookUpName",
        Request::SetDeliveryToken(_) => "SetDeliveryToken",
        Request::DeleteAccount(_) => "DeleteAccount",
        Request::UploadPreKeys(_) => "UploadPreKeys",
        Request::CountPreKeys(_) => "CountPreKeys",
        Request::FetchPreKeyBundles(_) => "FetchPreKeyBundles",
        Request::Send(_) => "Send",
        Request::SendSealed(_) => "SendSealed",
        Request::Receive(_) => "Receive",
        Request::Acknowledge(_) => "Acknowledge",
        Request::Publish(_) => "Publish",
        Request::Subscribe(_) => "Subscribe",
        Request::Unsubscribe(_) => "Unsubscribe",
        Request::CreateUpload(_) => "CreateUpload",
    }
}

const fn body_kind(body: &Body) -> &'static str {
    match body {
        Body::Error(_) => "Error",
        Body::Ok(_) => "Ok",
        Body::Welcome(_) => "Welcome",
        Body::Authenticated(_) => "Authenticated",
        Body::Closing(_) => "Closing",
        Body::DeviceListFound(_) => "DeviceListFound",
        Body::NameLookedUp(_) => "NameLookedUp",
        Body::PreKeyCounts(_) => "PreKeyCounts",
        Body::PreKeyBundles(_) => "PreKeyBundles",
        Body::PreKeysLow(_) => "PreKeysLow",
        Body::Sent(_) => "Sent",
        Body::Deliveries(_) => "Deliveries",
        Body::Acknowledged(_) => "Acknowledged",
        Body::CaughtUp(_) => "CaughtUp",
        Body::Ephemeral(_) => "Ephemeral",
        Body::PresenceValues(_) => "PresenceValues",
        Body::UploadCreated(_) => "UploadCreated",
    }
}
