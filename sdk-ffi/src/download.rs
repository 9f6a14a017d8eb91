//! A download that runs.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::{CancelHandle, ProgressFeed, Result, runtime};

/// A download that runs. It goes on when this is let go.
#[derive(Debug, uniffi::Object)]
pub struct Download {
    running: Arc<hushpost::Download>,
    cancel: CancellationToken,
}

impl Download {
    pub(crate) fn new(running: hushpost::Download) -> Arc<Self> {
        Arc::new(Self {
            running: Arc::new(running),
            cancel: CancellationToken::new(),
        })
    }
}

#[uniffi::export]
impl Download {
    /// How far it is, now and whenever that changes; ends with it.
    ///
    /// # Errors
    /// None today.
    pub fn progress_stream(&self) -> Result<Arc<ProgressFeed>> {
        let stream = self.running.progress().map(Into::into);
        Ok(Arc::new(ProgressFeed::new(stream.boxed())))
    }

    /// Stops it, from anywhere. What came stays, and is gone on from next time.
    ///
    /// # Errors
    /// None today.
    pub fn cancel_handle(&self) -> Result<Arc<CancelHandle>> {
        let running = Arc::clone(&self.running);
        let handle = CancelHandle::calling(self.cancel.clone(), move || running.cancel());
        Ok(Arc::new(handle))
    }

    /// Waits until it is here and checked. It is told once. Who stops waiting loses nothing, and may wait again.
    ///
    /// # Errors
    /// `Media`: gone from the relay, unreachable (try again: it goes on where
    /// it was), damaged, too large; `Cancelled`.
    pub async fn finished(&self) -> Result<()> {
        Ok(runtime::wait(self.running.finished()).await??)
    }
}
