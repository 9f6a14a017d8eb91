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
//!                                                                        media: files beside messages
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
//! Several devices of one account, profiles, presence beside typing, backup, sealed sender, telling the relay of a push
//! token ([`process_push`] is what an app calls when it was woken, by whatever means).
#![forbid(unsafe_code)]

pub(crate) mod account;
#[doc(hidden)]
pub mod benching;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod config;
pub mod connection;
pub(crate) mod content;
pub(crate) mod conversation;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod event;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod group;
pub(crate) mod inbox;
pub(crate) mod media;
pub(crate) mod message;
pub(crate) mod outbox;
pub(crate) mod random;
pub(crate) mod store;

pub use account::{Contact, ContactSafetyNumber, Contacts};
pub use client::{
    Client, ConnectionState, MAX_PUSHED, PushEnd, PushResult, PushedMessage, Registration, Trouble,
    TroubleKind, process_push,
};
pub use clock::{Clock, SystemClock};
pub use config::{Config, FaultHook, FaultPoint, Processes, StoreThreads};
pub use connection::{RelayUrl, RelayUrlError, RequestError, Transport};
pub use content::{
    Activity, Attachment, AttachmentKind, Attachments, ContactCard, Content, ContentError,
    ConversationId, Emoji, LinkPreview, Location, MAX_ADDRESS_LEN, MAX_ATTACHMENTS,
    MAX_BLURHASH_LEN, MAX_CARD_ENTRIES, MAX_CARD_NAME_LEN, MAX_EMOJI_LEN, MAX_EXCERPT_LEN,
    MAX_FILE_NAME_LEN, MAX_LINK_DESCRIPTION_LEN, MAX_LINK_IMAGE_LEN, MAX_LINK_LEN,
    MAX_LINK_TITLE_LEN, MAX_MENTIONS, MAX_OPTION_LEN, MAX_OPTIONS, MAX_PLACE_NAME_LEN,
    MAX_QUESTION_LEN, MAX_TEXT_LEN, MAX_THUMBNAIL_LEN, MAX_TIMER_S, MAX_WAVEFORM_BARS, Mention,
    Poll, ReceiptKind, Reply, Text,
};
pub use conversation::{
    Conversation, ConversationList, ConversationSummary, ListChange, MAX_PAGE, MediaCursor,
    MediaItem, MediaPage, Page, SearchHit, Standing, TextVersion,
};
pub use error::{Error, GroupRefusal, Result};
pub use event::{EVENT_BUFFER, Event, Events, MessageRef};
pub use group::{
    Group, GroupChangeMessage, GroupInfo, GroupMember, GroupNotice, GroupSettings, InviteLink,
    MAX_DESCRIPTION_LEN, MAX_GROUP_NAME_LEN, MAX_ICON_LEN, MAX_MEMBERS, MAX_SHARED_MESSAGES,
    MemberReceipt, MessageReceipts, NewGroup,
};
pub use hushpost_wire::{AccountId, DeviceId, MessageId};
pub use media::{
    Download, MAX_RANGE_LEN, Media, MediaError, PictureMode, Progress, Source, Stage, Unfinished,
    Upload, UploadId, UploadOptions, Waveform,
};
pub use message::{Cursor, FailureReason, Message, MessageState, Reaction};
pub use random::{NoRandomness, Randomness};
pub use store::{DATABASE_KEY_LEN, DatabaseKey, StoreError};

/// The quick start of the project's page is compiled with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct ReadmeDoctests;
