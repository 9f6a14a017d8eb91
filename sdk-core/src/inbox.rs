//! The inbox: from the relay's push to "shown here, once, in its place".
//!
//! ```text
//!   Deliveries ─▶ one transaction: decrypt · dedup · place in its chain · history row · receipt due
//!                        │ commit
//!                        ├─▶ Acknowledge ─▶ the relay deletes it
//!                        └─▶ events ─▶ the app
//! ```
//!
//! - [`task`]: the loop; [`batch`]: what one transaction shares
//! - [`open`]: envelope, session, signed device list: who says what
//! - [`posts`]: dedup, order, hold-back, gaps; [`receipts`]: ticks, both ways
//! - [`resend`]: what others ask us to send again; [`repair`]: what we ask for
//!
//! Must never: acknowledge what is not committed, show a message twice, let one that does not decrypt cost a
//! session, or stop at one that makes no sense.

pub(crate) mod batch;
pub(crate) mod open;
pub(crate) mod posts;
pub(crate) mod receipts;
pub(crate) mod repair;
pub(crate) mod resend;
pub(crate) mod task;
