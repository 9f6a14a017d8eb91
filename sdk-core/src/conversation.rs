//! Conversations: their list, their history, what is sent in them.
//!
//! - [`rows`]: messages and conversations in the database; what the outbox and the inbox change there
//! - [`handle`]: one conversation, as the app uses it; [`send`] and [`activity`]: what it puts on its way
//! - [`history`]: paging both ways; [`search`] and [`search_text`]: full-text search in any script
//! - [`list`]: all conversations in order, and their changes as diffs
//!
//! History is ordered by (stamp, sender, device, sequence), which travel with each message: the order is the
//! same on every device.

pub(crate) mod activity;
pub(crate) mod handle;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod search_text;
pub(crate) mod send;

pub use handle::Conversation;
pub use history::{MAX_PAGE, Page};
pub use list::{ConversationList, ConversationSummary, ListChange, Standing};
pub use search::SearchHit;
