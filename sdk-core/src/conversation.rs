//! Conversations: their list, their history, what is sent in them.
//!
//! - [`rows`]: messages and conversations in the database; what the outbox and the inbox change there
//! - [`handle`]: one conversation, as the app uses it; [`send`] and [`activity`]: what it puts on its way
//! - [`history`]: paging both ways; [`search`] and [`search_text`]: full-text search in any script
//! - [`features`]: edits, reactions and the like, as the app uses them; [`changes`]: what they do; [`remove`] and
//!   [`expiry`]: messages that go
//! - [`media`]: the files of one conversation, paged
//! - [`list`]: all conversations in order, and their changes as diffs
//!
//! History is ordered by (stamp, sender, device, sequence), which travel with each message: the order is the
//! same on every device.

pub(crate) mod activity;
pub(crate) mod changes;
pub(crate) mod expiry;
pub(crate) mod features;
pub(crate) mod handle;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod media;
pub(crate) mod remove;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod search_text;
pub(crate) mod send;

pub use changes::TextVersion;
pub use handle::Conversation;
pub use history::{MAX_PAGE, Page};
pub use list::{ConversationList, ConversationSummary, ListChange, Standing};
pub use media::{MediaCursor, MediaItem, MediaPage};
pub use search::SearchHit;
