//! One write transaction.

use core::ops::Deref;

use rusqlite::Connection;

use crate::store::StoreError;

/// An open transaction: a [`Connection`] to query with, and a note of whether it moved a ratchet.
pub(crate) struct Transaction<'a> {
    inner: rusqlite::Transaction<'a>,
    ratchets_moved: bool,
}

impl<'a> Transaction<'a> {
    pub(super) const fn new(inner: rusqlite::Transaction<'a>) -> Self {
        Self {
            inner,
            ratchets_moved: false,
        }
    }

    /// Says that ratchet state was changed: the high-water mark rises with the commit.
    pub(crate) const fn ratchets_moved(&mut self) {
        self.ratchets_moved = true;
    }

    /// Counts the step, if there was one; the number is the new mark.
    pub(super) fn count_step(&self) -> Result<Option<u64>, StoreError> {
        if !self.ratchets_moved {
            return Ok(None);
        }
        let mut count = self.inner.prepare_cached(
            "UPDATE local_device SET ratchet_steps = ratchet_steps + 1 RETURNING ratchet_steps",
        )?;
        let steps: i64 = count.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(steps).ok())
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit()?)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.inner
    }
}
