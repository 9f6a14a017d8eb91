//! How far an upload or a download is, as it goes on.

use crate::feed::exported_feed;
use crate::{CancelHandle, Progress, Result};

exported_feed! {
    /// How far an upload or a download is, now and at every change that the app is fast enough for. Ends with it.
    ProgressFeed of Progress
}
