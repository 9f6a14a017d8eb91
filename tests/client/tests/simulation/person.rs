//! A person of the simulation: a client that is opened and closed over and over, on a clock and a line that
//! the dice move.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, StreamExt as _};
use hushpost::connection::{ByteStream, Connecting, RelayUrl, Transport};
use hushpost::{
    AccountId, Client, Clock, Config, Conversation, ConversationId, DatabaseKey, DeviceId, Event,
    Events, Message, MessageRef, Randomness, Registration, Standing, StoreThreads, Text,
};
use hushpost_evil_relay::SimRelay;
use hushpost_wire::DeviceAddress;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use tokio::task::unconstrained;
use tokio::time::Instant;

/// When the simulation begins, on every clock that is right.
pub const BEGINS_MS: u64 = 1_764_000_000_000;
const KEY: [u8; 32] = [5; 32];

/// Why a group's message was put aside that was sent by, or reached, somebody who was taken out.
pub const NOT_A_MEMBER: &str = "not_a_member";

/// Registering goes through the same bad network as all else.
const TRIES: usize = 40;

pub struct Person {
    pub name: String,
    pub account: AccountId,
    /// `None` while the app does not run.
    pub client: Option<Client>,
    /// Whether the app asked for a connection.
    pub connecting: bool,
    /// Every message that the app was told of, over the device's whole life.
    pub added: Vec<(ConversationId, MessageRef)>,
    /// What the app must never be told.
    pub complaints: Vec<String>,
    events: Option<Events>,
    phone: Phone,
}

/// What stays when the app is closed.
struct Phone {
    database: PathBuf,
    relay: SimRelay,
    line_up: Arc<AtomicBool>,
    clock: PhoneClock,
    randomness: Randomness,
    pre_keys: u32,
}

#[derive(Clone)]
struct PhoneClock {
    began: Instant,
    offset_ms: Arc<AtomicI64>,
}

impl Clock for PhoneClock {
    fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        (BEGINS_MS + passed).saturating_add_signed(self.offset_ms.load(Ordering::Relaxed))
    }
}

struct Line {
    relay: SimRelay,
    up: Arc<AtomicBool>,
}

impl Transport for Line {
    fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(async {
            if !self.up.load(Ordering::Relaxed) {
                return Err(io::Error::from(ErrorKind::NetworkUnreachable));
            }
            Ok(Box::new(self.relay.connect()) as Box<dyn ByteStream>)
        })
    }
}

impl Person {
    /// Somebody with an account; connected from then on.
    pub async fn registered(name: String, folder: PathBuf, seed: u64, relay: &SimRelay) -> Self {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let pre_keys = 2 + dice.next_u32() % 4;
        // Kept over restarts: a generator that began anew would draw the same keys again.
        let dice = Mutex::new(dice);
        let phone = Phone {
            database: folder.join(&name),
            relay: relay.clone(),
            line_up: Arc::new(AtomicBool::new(true)),
            clock: PhoneClock {
                began: Instant::now(),
                offset_ms: Arc::default(),
            },
            randomness: Randomness::for_simulation(move |bytes| {
                dice.lock().unwrap().fill_bytes(bytes);
            }),
            pre_keys,
        };
        let mut person = Self {
            name,
            // Known once registered.
            account: AccountId::of_key(&[0; 32]),
            client: None,
            connecting: false,
            added: Vec::new(),
            complaints: Vec::new(),
            events: None,
            phone,
        };
        let client = person.open().await;
        for _ in 0..TRIES {
            if let Ok(account) = client.register(Registration::open()).await {
                person.account = account;
                person.connect().await;
                return person;
            }
        }
        panic!("{} could not register", person.name);
    }

    /// The app, opened if it is not.
    pub async fn open(&mut self) -> Client {
        if let Some(client) = &self.client {
            return client.clone();
        }
        let phone = &self.phone;
        let url = RelayUrl::insecure("ws://relay.test").unwrap();
        let config = Config::new(&phone.database, DatabaseKey::new(KEY), url)
            .store_threads(StoreThreads::Inline)
            .randomness(phone.randomness.clone())
            .clock(phone.clock.clone())
            .transport(Line {
                relay: phone.relay.clone(),
                up: Arc::clone(&phone.line_up),
            })
            .pre_key_stock(phone.pre_keys);
        let client = Client::open(config).await.expect("a client that opens");
        self.events = Some(client.events());
        self.client = Some(client.clone());
        client
    }

    pub async fn connect(&mut self) {
        self.open().await.connect();
        self.connecting = true;
    }

    pub async fn disconnect(&mut self) {
        if let Some(client) = &self.client {
            client.disconnect().await;
        }
        self.connecting = false;
    }

    pub async fn close(&mut self) {
        if let Some(client) = self.client.take() {
            client.close().await;
        }
        self.connecting = false;
        self.listen();
        self.events = None;
    }

    /// Takes what the app was told since it last listened.
    pub fn listen(&mut self) {
        let Some(events) = &mut self.events else {
            return;
        };
        // Without the runtime's budget, which would end a long look early.
        while let Some(Some(event)) = unconstrained(events.next()).now_or_never() {
            match event {
                Event::MessageAdded {
                    conversation,
                    message,
                } => self.added.push((conversation, message)),
                // Somebody had been taken out when the relay took it: the judge knows whether that may be.
                Event::Quarantined { cause, .. } if cause == NOT_A_MEMBER => {}
                Event::Missed { .. } | Event::SetUpAnew | Event::Quarantined { .. } => {
                    self.complaints.push(format!("{}: {event:?}", self.name));
                }
                _ => {}
            }
        }
    }

    /// Sets the phone's clock.
    pub fn set_clock(&self, offset_ms: i64) {
        self.phone
            .clock
            .offset_ms
            .store(offset_ms, Ordering::Relaxed);
    }

    /// Cuts the line, or lets it be used.
    pub fn set_line(&self, up: bool) {
        self.phone.line_up.store(up, Ordering::Relaxed);
        if !up {
            self.cut();
        }
    }

    /// The connection breaks once.
    pub fn cut(&self) {
        self.phone.relay.cut(DeviceAddress {
            account: self.account,
            device: DeviceId::PRIMARY,
        });
    }

    /// The conversation with somebody, whether there is one or not: asking for it makes nobody a contact.
    pub async fn with(&mut self, other: AccountId) -> Conversation {
        let client = self.open().await;
        client.conversation(ConversationId::between(self.account, other))
    }

    /// How it stands; `None` if there is none.
    pub async fn standing(&mut self, other: AccountId) -> Option<Standing> {
        let summary = self.with(other).await.summary().await;
        summary.ok().map(|summary| summary.standing)
    }

    pub async fn say(&mut self, to: AccountId, body: &str) -> MessageRef {
        let text = Text::new(body).unwrap();
        let conversation = self.open().await.conversation_with(to).await.unwrap();
        conversation.send(text).await.unwrap()
    }

    /// Everything shown of the conversation with somebody, in order.
    pub async fn history(&mut self, other: AccountId) -> Vec<Message> {
        self.history_of(ConversationId::between(self.account, other))
            .await
    }

    /// Everything shown of a conversation, in order.
    pub async fn history_of(&mut self, id: ConversationId) -> Vec<Message> {
        let conversation = self.open().await.conversation(id);
        let page = conversation.messages_before(None, hushpost::MAX_PAGE).await;
        let page = page.unwrap();
        assert!(!page.more, "scripts are short");
        page.messages
    }
}
