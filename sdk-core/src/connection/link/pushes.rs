//! What the relay says unasked, in its order.

use std::fmt;

use hushpost_wire::server_frame::Body;
use tokio::sync::mpsc;

use super::budget::Accounted;

/// Something that the relay says unasked.
pub type Push = Body;

/// The pushes of one link. Take them steadily: while many wait, nothing more is read from the relay. Dropping
/// this lets them fall; the link goes on.
pub struct Pushes(mpsc::UnboundedReceiver<Accounted>);

/// The task's end. Not bounded by number: everything in it is counted by the link's budget.
pub(super) type Pushed = mpsc::UnboundedSender<Accounted>;

pub(super) fn channel() -> (Pushed, Pushes) {
    let (sender, pushes) = mpsc::unbounded_channel();
    (sender, Pushes(pushes))
}

impl Pushes {
    /// The next push; `None` once the link has ended and everything that came was taken. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Push> {
        self.0.recv().await.map(Accounted::take)
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pushes")
    }
}
