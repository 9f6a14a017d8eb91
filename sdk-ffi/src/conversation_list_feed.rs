//! The list of conversations, as it changes.

use crate::feed::exported_feed;
use crate::{CancelHandle, ListChange, Result};

exported_feed! {
    /// The list of conversations: all of it first, then its changes. Applied one after the other they keep the app's copy equal.
    ConversationListFeed of ListChange
}
