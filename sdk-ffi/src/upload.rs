//! An upload that runs.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::{Attachment, CancelHandle, ProgressFeed, Result, runtime};

/// An upload that runs. It goes on when this is let go.
#[derive(Debug, uniffi::Object)]
pub struct Upload {
    running: Arc<hushpost::Upload>,
    cancel: CancellationToken,
}

impl Upload {
    pub(crate) fn new(running: hushpost::Upload) -> Arc<Self> {
        Arc::new(Self {
            running: Arc::new(running),
            cancel: CancellationToken::new(),
        })
    }
}

#[uniffi::export]
impl Upload {
    /// How far it is, now and whenever that changes; ends with it.
    ///
    /// # Errors
    /// None today.
    pub fn progress_stream(&self) -> Result<Arc<ProgressFeed>> {
        let stream = self.running.progress().map(Into::into);
        Ok(Arc::new(ProgressFeed::new(stream.boxed())))
    }

    /// Stops it, from anywhere. What is encrypted stays among the unfinished uploads.
    ///
    /// # Errors
    /// None today.
    pub fn cancel_handle(&self) -> Result<Arc<CancelHandle>> {
        let running = Arc::clone(&self.running);
        let handle = CancelHandle::calling(self.cancel.clone(), move || running.cancel());
        Ok(Arc::new(handle))
    }

    /// Waits until the relay has it; the answer is to be sent. It is told once. Who stops waiting loses nothing, and may
    /// wait again.
    ///
    /// # Errors
    /// `Media`: the file cannot be read, is too large, or is a picture that
    /// cannot be made anew; `Cancelled`.
    pub async fn finished(&self) -> Result<Attachment> {
        let done = runtime::wait(self.running.finished()).await??;
        Ok((&done).into())
    }
}
