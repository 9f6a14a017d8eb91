//! Which blobs are being written or deleted, so that nobody else does at the same time.
//!
//! In memory: a restart ends every transfer anyway.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::key::Name;

/// The blobs in somebody's hands. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<Name>>>);

/// One blob, held until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Claims,
    name: Name,
}

impl Claims {
    /// Takes a blob; `None` if somebody holds it.
    pub(super) fn take(&self, name: Name) -> Option<Claim> {
        let taken = self.held().insert(name);
        taken.then(|| Claim {
            claims: self.clone(),
            name,
        })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashSet<Name>> {
        // Inserting and removing leave the set whole, whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.held().remove(&self.name);
    }
}
