//! Work in the background that an app watches, waits for and may cancel. It goes on when nobody looks.

use core::future::Future;
use std::sync::Arc;

use futures_util::stream::{self, Stream};
use tokio::sync::{Mutex, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::MediaError;
use crate::client::Core;
use crate::store::StoreError;
use crate::{Error, Result};

/// How far an upload or a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes of this stage that are done. May go back: after a cut the relay says how much it has.
    pub done: u64,
    /// Bytes of this stage; 0 while that is not known.
    pub total: u64,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The file is read, made anew if it is a picture, and encrypted.
    Preparing,
    /// Waits for a connection, or for the next try.
    Waiting,
    /// Bytes are on their way.
    Transferring,
    /// It has ended: `finished` says how.
    Ended,
}

/// Tells how far it is.
#[derive(Clone)]
pub(super) struct Meter(Arc<watch::Sender<Progress>>);

impl Meter {
    pub(super) fn stage(&self, stage: Stage, done: u64, total: u64) {
        self.0.send_replace(Progress { stage, done, total });
    }

    pub(super) fn waiting(&self) {
        self.0
            .send_modify(|progress| progress.stage = Stage::Waiting);
    }

    pub(super) fn advance(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.0
            .send_modify(|progress| progress.done = progress.done.saturating_add(bytes));
    }
}

/// A handle to work that runs.
pub(super) struct Job<T> {
    progress: watch::Receiver<Progress>,
    result: Mutex<Option<oneshot::Receiver<Result<T>>>>,
    cancel: CancellationToken,
}

impl<T: Send + 'static> Job<T> {
    /// Starts it. It gets the token as well: what blocks cannot be dropped, and has to look.
    pub(super) fn start<F>(
        core: &Arc<Core>,
        work: impl FnOnce(Meter, CancellationToken) -> F,
    ) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (sender, progress) = watch::channel(Progress {
            stage: Stage::Waiting,
            done: 0,
            total: 0,
        });
        let (answer, result) = oneshot::channel();
        let cancel = CancellationToken::new();
        let stop = core.media.stop.clone();
        let meter = Meter(Arc::new(sender));
        let work = work(meter.clone(), cancel.clone());
        let cancelled = cancel.clone();
        tokio::spawn(async move {
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => Err(Error::from(StoreError::Closed)),
                () = cancelled.cancelled() => Err(MediaError::Cancelled.into()),
                done = work => done,
            };
            // Nobody may wait any more.
            drop(answer.send(done));
            meter
                .0
                .send_modify(|progress| progress.stage = Stage::Ended);
        });
        Self {
            progress,
            result: Mutex::new(Some(result)),
            cancel,
        }
    }

    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits for the end. Dropping the future loses nothing; the end is told once.
    pub(super) async fn finished(&self) -> Result<T> {
        let mut slot = self.result.lock().await;
        let Some(result) = slot.as_mut() else {
            return Err(Error::NotFound("result: it was told before"));
        };
        let result = result.await;
        *slot = None;
        result.map_err(|_| StoreError::Interrupted)?
    }

    pub(super) fn now(&self) -> Progress {
        *self.progress.borrow()
    }

    /// How far it is now, and every change that a listener is fast enough for; ends with the work.
    pub(super) fn progress(&self) -> impl Stream<Item = Progress> + Send + Unpin + use<T> {
        let mut receiver = self.progress.clone();
        receiver.mark_changed();
        Box::pin(stream::unfold(receiver, |mut receiver| async {
            receiver.changed().await.ok()?;
            let progress = *receiver.borrow_and_update();
            Some((progress, receiver))
        }))
    }
}
