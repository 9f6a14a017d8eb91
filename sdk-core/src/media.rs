//! Files that travel beside messages.

pub(crate) mod sealed;
