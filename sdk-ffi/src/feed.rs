//! What all subscriptions share: a stream that the app pulls, some items at a time.
//!
//! ```text
//!   stream ─▶ Feed::next(at_most): waits for one, takes what else is there ─▶ batch ─▶ app
//!                  ▲ cancelled, or the stream has ended: an empty batch, from then on
//! ```
//!
//! Items wait in the stream, where the SDK bounds them; an app that stops pulling holds nothing up.

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{CancelHandle, Result, runtime};

/// Most items of one batch.
const MAX_BATCH: usize = 256;

/// A subscription.
pub(crate) struct Feed<T> {
    stream: Mutex<Option<BoxStream<'static, T>>>,
    cancel: CancellationToken,
}

impl<T: Send> Feed<T> {
    pub(crate) fn new(stream: BoxStream<'static, T>) -> Self {
        Self {
            stream: Mutex::new(Some(stream)),
            cancel: CancellationToken::new(),
        }
    }

    /// Waits for at least one item, and takes at most so many; empty once it has ended, or was cancelled.
    pub(crate) async fn next(&self, at_most: u32) -> Result<Vec<T>> {
        let at_most = usize::try_from(at_most).unwrap_or(usize::MAX);
        let at_most = at_most.clamp(1, MAX_BATCH);
        runtime::wait(async {
            let batch = self.cancel.run_until_cancelled(self.batch(at_most)).await;
            if batch.is_none() {
                // What it holds goes now, and not when the app's last reference does.
                drop(self.stream.lock().await.take());
            }
            batch.unwrap_or_default()
        })
        .await
    }

    async fn batch(&self, at_most: usize) -> Vec<T> {
        let mut slot = self.stream.lock().await;
        let Some(stream) = slot.as_mut() else {
            return Vec::new();
        };
        let Some(first) = stream.next().await else {
            *slot = None;
            return Vec::new();
        };
        let mut batch = vec![first];
        while batch.len() < at_most
            && let Some(next) = stream.next().now_or_never()
        {
            let Some(item) = next else {
                // It has ended, and must not be asked again.
                *slot = None;
                break;
            };
            batch.push(item);
        }
        batch
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        CancelHandle::new(self.cancel.clone())
    }
}

impl<T> core::fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Feed")
    }
}

/// Exports a subscription to one kind of item: `UniFFI` knows no generic types.
macro_rules! exported_feed {
    ($(#[$doc:meta])* $name:ident of $item:ident) => {
        $(#[$doc])*
        #[derive(Debug, uniffi::Object)]
        pub struct $name($crate::feed::Feed<$item>);

        impl $name {
            pub(crate) fn new(stream: futures_util::stream::BoxStream<'static, $item>) -> Self {
                Self($crate::feed::Feed::new(stream))
            }
        }

        #[uniffi::export]
        impl $name {
            /// Waits for at least one, and gives at most so many (1 to 256), in order. Empty once the subscription has
            /// ended. One caller at a time.
            ///
            /// # Errors
            /// None but `Internal`.
            pub async fn next(&self, at_most: u32) -> Result<Vec<$item>> {
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
    };
}
pub(crate) use exported_feed;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_batch_has_what_is_there_and_an_ended_feed_is_empty_for_ever() {
        // One that must not be asked again once it has ended.
        let items = stream::unfold(0..5, |mut rest| async { Some((rest.next()?, rest)) });
        let feed = Feed::new(items.boxed());
        assert_eq!(feed.next(3).await, Ok(vec![0, 1, 2]));
        assert_eq!(feed.next(u32::MAX).await, Ok(vec![3, 4]));
        assert_eq!(feed.next(0).await, Ok(vec![]));
        assert_eq!(feed.next(1).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn cancelling_ends_a_wait_and_drops_the_stream() {
        let (held, gone) = tokio::sync::oneshot::channel::<()>();
        let never = stream::once(async move {
            let _held = held;
            std::future::pending::<u8>().await
        });
        let feed = Arc::new(Feed::new(never.boxed()));
        let waiting = tokio::spawn({
            let feed = Arc::clone(&feed);
            async move { feed.next(1).await }
        });
        tokio::task::yield_now().await;
        feed.cancel_handle().cancel().unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(vec![]));
        gone.await.unwrap_err();
        assert_eq!(feed.next(1).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn a_dropped_wait_takes_nothing() {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let items = stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        });
        let feed = Feed::new(items.boxed());
        assert!(feed.next(1).now_or_never().is_none());
        sender.send(7).unwrap();
        assert_eq!(feed.next(1).await, Ok(vec![7]));
    }
}
