//! Hushpost for Swift, Kotlin and Python: the client SDK, exported through `UniFFI`.
//!
//! ```text
//!   app ─▶ bindings/ (thin, by hand: async sequences, flows, context managers)
//!            └─▶ generated code ─▶ this crate: annotations and conversions ─▶ hushpost
//! ```
//!
//! - **One runtime of our own** (`runtime`). Every asynchronous call is a task there: an app that stops waiting for
//!   one loses the answer, and nothing else.
//! - **Streams are pulled** (`feed`): the app asks for the next few; nothing is pushed into it, so a slow app is
//!   never flooded, and none of its code runs on our threads. (Log lines are the one exception: [`LogSink`].)
//! - **Every call can fail as a value** ([`HushpostError`]): a panic here reaches the app as an error as well, and
//!   never ends its process.
//! - **Handles are opaque, calls are coarse**: pages of records, not an object an item; files by path.
//!
//! Must never: hold a rule of the protocol or the pipeline, print a key, a token or what a user wrote, or block the
//! app's thread.

mod activity;
#[cfg(target_os = "android")]
mod android;
mod attachment;
mod attachment_kind;
mod cancel_handle;
mod client;
mod config;
mod connection_state;
mod connection_state_feed;
mod contact;
mod contact_card;
mod contacts;
mod content;
mod conversation;
mod conversation_list_feed;
mod conversation_summary;
mod database_key;
mod download;
mod error;
mod event;
mod event_feed;
mod feed;
mod file_ref;
mod group;
mod group_info;
mod group_member;
mod group_notice;
mod group_settings;
mod ids;
mod invite_link;
mod link_preview;
mod list_change;
mod location;
mod log_sink;
mod media;
mod media_cache;
mod media_item;
mod member_receipt;
mod mention;
mod message;
mod message_receipts;
mod message_ref;
mod message_state;
mod new_group;
mod page;
mod picture_mode;
mod poll;
mod progress;
mod progress_feed;
mod push;
mod reaction;
mod registration;
mod reply;
mod runtime;
mod safety_number;
mod search_hit;
mod text;
mod text_range;
mod text_version;
mod times;
mod trouble;
mod unfinished_upload;
mod upload;
mod upload_options;

pub use activity::Activity;
pub use attachment::Attachment;
pub use attachment_kind::AttachmentKind;
pub use cancel_handle::CancelHandle;
pub use client::Client;
pub use config::Config;
pub use connection_state::ConnectionState;
pub use connection_state_feed::ConnectionStateFeed;
pub use contact::Contact;
pub use contact_card::ContactCard;
pub use contacts::Contacts;
pub use content::Content;
pub use conversation::Conversation;
pub use conversation_list_feed::ConversationListFeed;
pub use conversation_summary::ConversationSummary;
pub use database_key::DatabaseKey;
pub use download::Download;
pub use error::{HushpostError, Result};
pub use event::Event;
pub use event_feed::EventFeed;
pub use file_ref::FileRef;
pub use group::Group;
pub use group_info::GroupInfo;
pub use group_member::GroupMember;
pub use group_notice::GroupNotice;
pub use group_settings::GroupSettings;
pub use ids::{AccountId, ConversationId, Cursor, MediaCursor, MessageId, UploadId};
pub use invite_link::InviteLink;
pub use link_preview::LinkPreview;
pub use list_change::ListChange;
pub use location::Location;
pub use log_sink::{LogLevel, LogLine, LogSink, set_log_sink};
pub use media::Media;
pub use media_cache::MediaCache;
pub use media_item::{MediaItem, MediaPage};
pub use member_receipt::MemberReceipt;
pub use mention::Mention;
pub use message::Message;
pub use message_receipts::MessageReceipts;
pub use message_ref::MessageRef;
pub use message_state::{FailureReason, MessageState};
pub use new_group::NewGroup;
pub use page::Page;
pub use picture_mode::PictureMode;
pub use poll::Poll;
pub use progress::{Progress, Stage};
pub use progress_feed::ProgressFeed;
pub use push::{PushEnd, PushResult, PushedMessage, process_push};
pub use reaction::Reaction;
pub use registration::Registration;
pub use reply::Reply;
pub use safety_number::SafetyNumber;
pub use search_hit::SearchHit;
pub use text::Text;
pub use text_range::TextRange;
pub use text_version::TextVersion;
pub use trouble::{Trouble, TroubleKind};
pub use unfinished_upload::UnfinishedUpload;
pub use upload::Upload;
pub use upload_options::UploadOptions;

uniffi::setup_scaffolding!("hushpost");
