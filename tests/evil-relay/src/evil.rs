//! The evil relay: clients connect to it, it connects to a real relay for each, and every frame between
//! them passes a test's rules.
//!
//! All that it decides happens under one lock, frame by frame, so a rule's counters need no lock of their own
//! and what the record says is the order in which things were. A rule must not call the [`EvilRelay`]: it
//! says what to do by its verdict.
//!
//! The delivery's sequence numbers: by [`EvilRelay::start`] they stay as the real relay gave them, and what is
//! dropped leaves a gap that a client may see. By [`EvilRelay::renumbering`] they are counted anew for each
//! device, over all of its connections, and acknowledgements are translated back: a plausible liar. What it
//! dropped stays lost.

mod connection;
mod control;
mod numbering;
mod record;
mod script;
mod shared;
mod traffic;
mod translation;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use record::{Event, Fate, Record, What, Who};
pub use script::{Frame, RuleId, Rules, Verdict};
pub use traffic::{Held, HeldFrame, Target};

use crate::EvilError;
use shared::Shared;

/// A relay that lies between clients and a real one. Dropped, it cuts all connections.
pub struct EvilRelay {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: AbortHandle,
}

impl core::fmt::Debug for EvilRelay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "EvilRelay({})", self.address)
    }
}

impl EvilRelay {
    /// Starts on a port of the system's choice, before the relay at `upstream`. Sequence numbers stay as that
    /// one gives them.
    ///
    /// # Errors
    /// [`EvilError::Io`].
    pub async fn start(upstream: SocketAddr) -> Result<Self, EvilError> {
        Self::open(upstream, false).await
    }

    /// The same, with sequence numbers of its own, so that what is dropped or injected leaves no trace in
    /// them.
    ///
    /// # Errors
    /// [`EvilError::Io`].
    pub async fn renumbering(upstream: SocketAddr) -> Result<Self, EvilError> {
        Self::open(upstream, true).await
    }

    async fn open(upstream: SocketAddr, renumbers: bool) -> Result<Self, EvilError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(upstream, renumbers));
        let accepting = tokio::spawn(connection::accept(Arc::clone(&shared), listener));
        Ok(Self {
            shared,
            address,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for EvilRelay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut_all();
    }
}
