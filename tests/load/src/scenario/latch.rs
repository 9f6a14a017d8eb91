//! Waits until so many things have happened, and tells when the last one did.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts down to 0.
#[derive(Debug, Default)]
pub struct Latch {
    left: AtomicUsize,
    opened: Notify,
}

impl Latch {
    /// Closes it until `count` things have happened. Not while anybody waits.
    pub fn close(&self, count: usize) {
        self.left.store(count, Ordering::SeqCst);
    }

    /// `count` things happened.
    pub fn count(&self, count: usize) {
        if count > 0 && self.left.fetch_sub(count, Ordering::SeqCst) == count {
            self.opened.notify_one();
        }
    }

    /// Waits for the last one.
    pub async fn opened(&self) {
        self.opened.notified().await;
    }
}
