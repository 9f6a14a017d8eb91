//! Who has which devices: what every send looks up, cached in memory.
//!
//! The database is the truth. An entry is dropped when its account changes; a reader that loaded the old one
//! meanwhile does not put it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hushpost_wire::{AccountId, DeviceId};
use quick_cache::sync::Cache;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::mailbox::DeviceKey;
use crate::refusal::Refusal;
use crate::store::Store;

/// Accounts kept in memory: some 300 bytes each.
const CACHED: usize = 100_000;

/// An account as sends and connections need it.
pub struct Account {
    /// Its number in the store.
    pub row: i64,
    /// Its id.
    pub id: AccountId,
    /// Whether the operator blocked it.
    pub blocked: bool,
    /// Version of its device list.
    pub list_version: u32,
    /// Its devices, by number.
    pub devices: Box<[Device]>,
    token_hash: Option<[u8; 32]>,
}

/// A device as sends and connections need it.
#[derive(Clone, Copy)]
pub struct Device {
    /// Its number.
    pub device: DeviceId,
    /// Its number in the store.
    pub key: DeviceKey,
    /// Its registration id.
    pub registration_id: u32,
    /// The key it proves itself with.
    pub authentication_key: [u8; 32],
}

impl Account {
    /// One of its devices.
    #[must_use]
    pub fn device(&self, device: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|entry| entry.device == device)
    }

    /// Whether this is the delivery token that the account gave to its contacts.
    #[must_use]
    pub fn takes_token(&self, token: &[u8]) -> bool {
        let Some(expected) = &self.token_hash else {
            return false;
        };
        let shown: [u8; 32] = Sha256::digest(token).into();
        shown.ct_eq(expected).into()
    }
}

/// The directory. Clones share it.
#[derive(Clone)]
pub struct Directory {
    store: Store,
    cache: Arc<Cache<AccountId, Arc<Account>>>,
    /// Counts changes, so that what was read before one is not cached after it.
    changes: Arc<AtomicU64>,
}

impl Directory {
    /// An empty cache over a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            cache: Arc::new(Cache::new(CACHED)),
            changes: Arc::default(),
        }
    }

    /// Looks one account up.
    ///
    /// # Errors
    /// [`Refusal`] if the store fails. `None` if there is no such account.
    pub async fn find(&self, account: AccountId) -> Result<Option<Arc<Account>>, Refusal> {
        match self.cache.get(&account) {
            Some(found) => Ok(Some(found)),
            None => Ok(self.find_all(&[account]).await?.pop().flatten()),
        }
    }

    /// Looks many accounts up; the answers are in the order of the questions.
    ///
    /// # Errors
    /// [`Refusal`] if the store fails.
    pub async fn find_all(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<Option<Arc<Account>>>, Refusal> {
        let mut found: Vec<Option<Arc<Account>>> = accounts
            .iter()
            .map(|account| self.cache.get(account))
            .collect();
        let wanted: Vec<AccountId> = accounts
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(account, _)| *account)
            .collect();
        if wanted.is_empty() {
            return Ok(found);
        }
        let changes = self.changes.load(Ordering::Acquire);
        let loaded: Vec<Option<Arc<Account>>> = self
            .store
            .read(move |connection| -> Result<_, Refusal> {
                wanted
                    .into_iter()
                    .map(|account| Ok(load(connection, account)?.map(Arc::new)))
                    .collect()
            })
            .await?;
        let unchanged = self.changes.load(Ordering::Acquire) == changes;
        let mut loaded = loaded.into_iter();
        for slot in found.iter_mut().filter(|slot| slot.is_none()) {
            *slot = loaded.next().flatten();
            if let (true, Some(account)) = (unchanged, slot) {
                self.cache.insert(account.id, Arc::clone(account));
            }
        }
        Ok(found)
    }

    /// An account changed: the next look-up reads it anew.
    pub fn forget(&self, account: AccountId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.cache.remove(&account);
    }
}

fn load(connection: &Connection, account: AccountId) -> rusqlite::Result<Option<Account>> {
    let row: Option<(i64, bool, u32, Option<[u8; 32]>)> = connection
        .prepare_cached(
            "SELECT id, blocked, list_version, token_hash FROM account WHERE account = ?1",
        )?
        .query_row(params![account.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((row, blocked, list_version, token_hash)) = row else {
        return Ok(None);
    };
    let devices = super::stored_devices(connection, row)?
        .into_iter()
        .map(|(key, device)| Device {
            device: device.device,
            key,
            registration_id: device.registration_id,
            authentication_key: device.authentication_key,
        })
        .collect();
    Ok(Some(Account {
        row,
        id: account,
        blocked,
        list_version,
        devices,
        token_hash,
    }))
}
