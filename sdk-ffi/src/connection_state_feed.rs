//! Whether there is a connection, as that changes.

use crate::feed::exported_feed;
use crate::{CancelHandle, ConnectionState, Result};

exported_feed! {
    /// The connection's state now, and every change that the app is fast enough for. Ends when the client is shut down.
    ConnectionStateFeed of ConnectionState
}
