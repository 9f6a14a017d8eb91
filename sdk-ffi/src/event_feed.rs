//! What happens, as it happens.

use futures_util::stream::BoxStream;

use crate::feed::Feed;
use crate::{CancelHandle, Event, Result};

/// What happens from the moment it was made on. Ends when the client is shut down. The bindings give it as an asynchronous sequence.
#[derive(Debug, uniffi::Object)]
pub struct EventFeed(Feed<Event>);

impl EventFeed {
    pub(crate) fn new(stream: BoxStream<'static, Event>) -> Self {
        Self(Feed::new(stream))
    }
}

#[uniffi::export]
impl EventFeed {
    /// Waits for at least one, and gives at most so many (1 to 256), in order. Empty once the subscription has ended.
    /// One caller at a time.
    ///
    /// # Errors
    /// None but `Internal`.
    pub async fn next(&self, at_most: u32) -> Result<Vec<Event>> {
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
