//! End-to-end encrypted messaging for any app: link it, open a client, register, send, observe.
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use hushpost::{Client, Config, DatabaseKey, Event, Registration, RelayUrl, Text};
//!
//! # async fn example(bob: hushpost::AccountId) -> hushpost::Result<()> {
//! let key = DatabaseKey::generate()?; // kept in the Keychain or Keystore
//! let relay = "ws://localhost:4810".parse::<RelayUrl>().unwrap();
//! let alice = Client::open(Config::new("alice.db", key, relay)).await?;
//! alice.register(Registration::open()).await?;
//! alice.connect();
//!
//! let conversation = alice.conversation_with(bob).await?;
//! conversation.send(Text::new("Hello, Bob")?).await?; // stored; delivered when it can be
//!
//! let mut events = alice.events();
//! while let Some(event) = events.next().await {
//!     if let Event::MessageAdded { message, .. } = event {
//!         println!("{:?}", alice.message(message).await?);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The rooms
//!
//! ```text
//!   client ─┬─▶ conversation (send, history, search, list) ─▶ outbox ─┐
//!           │                        ▲                                ├─▶ connection ─▶ relay
//!           ├─▶ account (keys, contacts, safety numbers)     inbox ◀──┘
//!           │                        ▲                          │
//!           └────────────▶ store (one encrypted file) ◀─────────┘        content: what is said
//! ```
//!
//! # What is promised
//!
//! - **Persist before you speak.** A call that returned is on the disk. Bytes leave after the ratchet that made
//!   them is committed; what was received is acknowledged after it is.
//! - **Nothing lost, nothing twice.** An own message is kept until the recipient's device has said that it has
//!   it, whatever happens to the relay; a received one is shown once, for ever.
//! - **One order.** The history of a conversation is in the same order on every device.
//! - **Nothing panics** on what a peer, the relay, a file or the app supplied, and any future may be dropped at
//!   any point.
//!
//! # What is not here yet
//!
//! Groups, attachments, reactions and the other kinds of content, several devices of one account, profiles,
//! presence beside typing, backup, sealed sender, push.
#![forbid(unsafe_code)]

pub(crate) mod account;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod config;
pub mod connection;
pub(crate) mod content;
pub(crate) mod conversation;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
pub(crate) mod group;
pub(crate) mod inbox;
pub(crate) mod message;
pub(crate) mod outbox;
pub(crate) mod random;
pub(crate) mod store;

pub use account::{Contact, ContactSafetyNumber, Contacts};
pub use client::{Client, ConnectionState, Registration, Trouble, TroubleKind};
pub use clock::{Clock, SystemClock};
pub use config::{Config, FaultHook, FaultPoint, StoreThreads};
pub use connection::{RelayUrl, RequestError, Transport};
pub use content::{
    Activity, Content, ContentError, ConversationId, MAX_EXCERPT_LEN, MAX_TEXT_LEN, ReceiptKind,
    Reply, Text,
};
pub use conversation::{
    Conversation, ConversationList, ConversationSummary, ListChange, MAX_PAGE, Page, SearchHit,
    Standing,
};
pub use error::{Error, GroupRefusal, Result};
pub use event::{EVENT_BUFFER, Event, Events, MessageRef};
pub use group::{
    Group, GroupChangeMessage, GroupInfo, GroupMember, GroupNotice, GroupSettings, InviteLink,
    MAX_DESCRIPTION_LEN, MAX_GROUP_NAME_LEN, MAX_ICON_LEN, MAX_MEMBERS, MemberReceipt,
    MessageReceipts, NewGroup,
};
pub use hushpost_wire::{AccountId, DeviceId, MessageId};
pub use message::{Cursor, FailureReason, Message, MessageState};
pub use random::{NoRandomness, Randomness};
pub use store::{DATABASE_KEY_LEN, DatabaseKey, StoreError};

/// The quick start of the project's page is compiled with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct ReadmeDoctests;
