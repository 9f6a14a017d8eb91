//! Who this device is, and whom it knows.
//!
//! ```text
//!   account key ──signs──▶ device list ──names──▶ devices ──▶ identity key (sessions)
//!        │ hash                                           └─▶ authentication key (the relay)
//!        ▼
//!   account id
//! ```
//!
//! - [`local_device`]: the keys of this device and what it has told the relay
//! - [`pre_keys`]: one-time, signed and KEM pre-keys: made, published, rotated, used up
//! - [`contacts`]: other accounts' signed device lists, and what the user decided about them
//! - [`sessions`]: ratchets, read and written inside one transaction
//! - [`safety`]: safety numbers over account keys
//!
//! Must never: encrypt to a device that its account did not sign, or take an older list for a newer one.

pub(crate) mod contacts;
pub(crate) mod local_device;
pub(crate) mod pre_keys;
pub(crate) mod safety;
pub(crate) mod sessions;

pub use contacts::{Contact, Contacts};
pub use safety::ContactSafetyNumber;

pub(crate) use local_device::LocalDevice;
