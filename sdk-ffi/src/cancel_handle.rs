//! Ends a subscription or a long task from anywhere.

use core::fmt;

use tokio_util::sync::CancellationToken;

use crate::Result;

/// Ends what it was given for: a subscription, an upload, a download. May be kept, shared between threads, and used
/// more than once.
#[derive(uniffi::Object)]
pub struct CancelHandle {
    token: CancellationToken,
    also: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelHandle({})", self.token.is_cancelled())
    }
}

impl CancelHandle {
    /// For what looks at a token.
    pub(crate) fn new(token: CancellationToken) -> Self {
        Self::calling(token, || {})
    }

    /// For what has a way of its own.
    pub(crate) fn calling(
        token: CancellationToken,
        also: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            token,
            also: Box::new(also),
        }
    }
}

#[uniffi::export]
impl CancelHandle {
    /// Ends it. Returns at once; whoever waits is told.
    ///
    /// # Errors
    /// None today.
    pub fn cancel(&self) -> Result<()> {
        self.token.cancel();
        (self.also)();
        Ok(())
    }

    /// Whether it was ended with this handle, or another one for the same.
    ///
    /// # Errors
    /// None today.
    pub fn is_cancelled(&self) -> Result<bool> {
        Ok(self.token.is_cancelled())
    }
}
