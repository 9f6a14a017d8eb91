//! The list of conversations, as it changes.

use futures_util::stream::BoxStream;

use crate::feed::Feed;
use crate::{CancelHandle, ListChange, Result};

/// The list of conversations: all of it first, then its changes. Applied one after the other they keep the app's copy equal.
#[derive(Debug, uniffi::Object)]
pub struct ConversationListFeed(Feed<ListChange>);

impl ConversationListFeed {
    pub(crate) fn new(stream: BoxStream<'static, ListChange>) -> Self {
        Self(Feed::new(stream))
    }
}

#[uniffi::export]
impl ConversationListFeed {
    /// Waits for at least one, and gives at most so many (1 to 256), in order. Empty once the subscription has ended.
    /// One caller at a time.
    ///
    /// # Errors
    /// None but `Internal`.
    pub async fn next(&self, at_most: u32) -> Result<Vec<ListChange>> {
        self.0.next(at_most).await
    }

    /// Ends the subscription from anywhere; whoever waits gets an empty answer.
    ///
    /// # Errors
    /// None today.
    pub fn cancel_handle(&self) -> Result<std::sync::Arc<CancelHandle>> {
        Ok(self.0.cancel_handle().into())
    }
}
