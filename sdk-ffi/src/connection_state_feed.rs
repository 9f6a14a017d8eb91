//! Whether there is a connection, as that changes.

use futures_util::stream::BoxStream;

use crate::feed::Feed;
use crate::{CancelHandle, ConnectionState, Result};

/// The connection's state now, and every change that the app is fast enough for. Ends when the client is shut down.
#[derive(Debug, uniffi::Object)]
pub struct ConnectionStateFeed(Feed<ConnectionState>);

impl ConnectionStateFeed {
    pub(crate) fn new(stream: BoxStream<'static, ConnectionState>) -> Self {
        Self(Feed::new(stream))
    }
}

#[uniffi::export]
impl ConnectionStateFeed {
    /// Waits for at least one, and gives at most so many (1 to 256), in order. Empty once the subscription has ended.
    /// One caller at a time.
    ///
    /// # Errors
    /// None but `Internal`.
    pub async fn next(&self, at_most: u32) -> Result<Vec<ConnectionState>> {
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
