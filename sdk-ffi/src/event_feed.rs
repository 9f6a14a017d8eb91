//! What happens, as it happens.

use crate::feed::exported_feed;
use crate::{CancelHandle, Event, Result};

exported_feed! {
    /// What happens from the moment it was made on. Ends when the client is shut down. The bindings give it as an asynchronous sequence.
    EventFeed of Event
}
