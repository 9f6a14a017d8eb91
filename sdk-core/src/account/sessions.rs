//! Sessions, read inside the transaction that moves them and written once at its end, however many messages
//! went through.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hushpost_protocol::{PqPolicy, Session};
use hushpost_wire::DeviceAddress;
use rusqlite::{Connection, OptionalExtension as _};
use zeroize::Zeroizing;

use crate::Error;
use crate::account::local_device::protocol_address;
use crate::store::{StoreError, Transaction};

/// The sessions that one transaction uses.
pub(crate) struct Sessions {
    local: DeviceAddress,
    loaded: BTreeMap<DeviceAddress, Loaded>,
}

struct Loaded {
    session: Session,
    stored: bool,
    moved: bool,
}

impl Sessions {
    pub(crate) const fn new(local: DeviceAddress) -> Self {
        Self {
            local,
            loaded: BTreeMap::new(),
        }
    }

    /// The session with a device; a fresh one without any state if there is none. Post-quantum protection is
    /// required: all our peers have it, so what lacks it is a downgrade.
    pub(crate) fn get(
        &mut self,
        db: &Connection,
        remote: DeviceAddress,
    ) -> Result<&mut Session, Error> {
        match self.loaded.entry(remote) {
            Entry::Occupied(entry) => Ok(&mut entry.into_mut().session),
            Entry::Vacant(entry) => {
                let mut query = db.prepare_cached(
                    "SELECT state FROM session WHERE account = ?1 AND device = ?2",
                )?;
                let state: Option<Zeroizing<Vec<u8>>> = query
                    .query_row((remote.account.as_bytes(), remote.device.get()), |row| {
                        row.get(0).map(Zeroizing::new)
                    })
                    .optional()?;
                let stored = state.is_some();
                let session = match state {
                    Some(state) => Session::decode(&state)
                        .map_err(|_| StoreError::Corrupted("a session does not decode"))?,
                    None => Session::new(PqPolicy::Required)
                        .between(protocol_address(self.local)?, protocol_address(remote)?),
                };
                let loaded = entry.insert(Loaded {
                    session,
                    stored,
                    moved: false,
                });
                Ok(&mut loaded.session)
            }
        }
    }

    /// Whether anything was ever agreed with that device.
    pub(crate) fn exists(&mut self, db: &Connection, remote: DeviceAddress) -> Result<bool, Error> {
        self.get(db, remote)?;
        Ok(self
            .loaded
            .get(&remote)
            .is_some_and(|loaded| loaded.stored || loaded.moved))
    }

    /// The session was changed: it is written at the end.
    pub(crate) fn moved(&mut self, remote: DeviceAddress) {
        if let Some(loaded) = self.loaded.get_mut(&remote) {
            loaded.moved = true;
        }
    }

    /// The session as it is now, to go back to.
    pub(crate) fn snapshot(
        &mut self,
        db: &Connection,
        remote: DeviceAddress,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(self.get(db, remote)?.encode())
    }

    /// Goes back to a snapshot.
    pub(crate) fn restore(
        &mut self,
        remote: DeviceAddress,
        snapshot: &Zeroizing<Vec<u8>>,
    ) -> Result<(), Error> {
        if let Some(loaded) = self.loaded.get_mut(&remote) {
            loaded.session = Session::decode(snapshot)?;
        }
        Ok(())
    }

    /// Writes what was changed.
    pub(crate) fn save(self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let mut moved = false;
        {
            let mut write = tx.prepare_cached(
                "INSERT INTO session (account, device, state) VALUES (?1, ?2, ?3)
                 ON CONFLICT (account, device) DO UPDATE SET state = excluded.state",
            )?;
            for (remote, loaded) in self.loaded.iter().filter(|(_, loaded)| loaded.moved) {
                moved = true;
                write.execute((
                    remote.account.as_bytes(),
                    remote.device.get(),
                    loaded.session.encode().as_slice(),
                ))?;
            }
        }
        if moved {
            tx.ratchets_moved();
        }
        Ok(())
    }
}
