//! How far an upload or a download is, as it goes on.

use futures_util::stream::BoxStream;

use crate::feed::Feed;
use crate::{CancelHandle, Progress, Result};

/// How far an upload or a download is, now and at every change that the app is fast enough for. Ends with it.
#[derive(Debug, uniffi::Object)]
pub struct ProgressFeed(Feed<Progress>);

impl ProgressFeed {
    pub(crate) fn new(stream: BoxStream<'static, Progress>) -> Self {
        Self(Feed::new(stream))
    }
}

#[uniffi::export]
impl ProgressFeed {
    /// Waits for at least one, and gives at most so many (1 to 256), in order. Empty once the subscription has ended.
    /// One caller at a time.
    ///
    /// # Errors
    /// None but `Internal`.
    pub async fn next(&self, at_most: u32) -> Result<Vec<Progress>> {
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
