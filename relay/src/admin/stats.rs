//! How much a relay holds: for `stats` and `account show`. Read beside a running relay; messages that are
//! not settled yet (the last seconds) are counted by their journal.

use core::fmt;
use std::path::Path;

use hushpost_wire::AccountId;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::AdminError;
use crate::accounts;
use crate::keys;
use crate::store;

/// How much a relay holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Registered accounts.
    pub accounts: i64,
    /// Accounts that the operator blocked.
    pub blocked_accounts: i64,
    /// Devices of all accounts.
    pub devices: i64,
    /// Settled messages waiting for a device, shared ones counted for each.
    pub waiting_messages: i64,
    /// Commits of the last seconds that are not settled yet.
    pub journal_commits: i64,
    /// Complete blobs.
    pub blobs: i64,
    /// Bytes of complete blobs.
    pub blob_bytes: i64,
    /// Bytes of the database file.
    pub database_bytes: i64,
    /// Bytes in it that deleted rows left free; `vacuum` gives them back.
    pub free_bytes: i64,
}

impl Stats {
    /// Reads the figures.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn read(folder: &Path) -> Result<Self, AdminError> {
        let connection = store::open_beside(folder)?;
        let one = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
        let page = one("PRAGMA page_size")?;
        Ok(Self {
            accounts: one("SELECT count(*) FROM account")?,
            blocked_accounts: one("SELECT count(*) FROM account WHERE blocked")?,
            devices: one("SELECT count(*) FROM device")?,
            waiting_messages: one("SELECT count(*) FROM mailbox")?,
            journal_commits: one("SELECT count(*) FROM journal")?,
            blobs: one("SELECT count(*) FROM blob WHERE complete")?,
            blob_bytes: one("SELECT coalesce(sum(size), 0) FROM blob WHERE complete")?,
            database_bytes: one("PRAGMA page_count")?.saturating_mul(page),
            free_bytes: one("PRAGMA freelist_count")?.saturating_mul(page),
        })
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "accounts          {}", self.accounts)?;
        writeln!(f, "  blocked         {}", self.blocked_accounts)?;
        writeln!(f, "devices           {}", self.devices)?;
        writeln!(f, "waiting messages  {}", self.waiting_messages)?;
        writeln!(f, "journal commits   {}", self.journal_commits)?;
        writeln!(f, "blobs             {}", self.blobs)?;
        writeln!(f, "blob bytes        {}", self.blob_bytes)?;
        writeln!(f, "database bytes    {}", self.database_bytes)?;
        writeln!(f, "  free            {}", self.free_bytes)
    }
}

/// What a relay knows of one account, but for keys.
#[derive(Debug)]
pub struct AccountReport {
    account: AccountId,
    blocked: bool,
    list_version: u32,
    names: i64,
    takes_sealed: bool,
    devices: Vec<DeviceReport>,
}

#[derive(Debug)]
struct DeviceReport {
    number: u32,
    waiting: i64,
    one_time: u32,
    one_time_kem: u32,
}

impl AccountReport {
    /// Reads it.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn read(folder: &Path, account: AccountId) -> Result<Self, AdminError> {
        let connection = store::open_beside(folder)?;
        let row =
            accounts::account_row(&connection, account)?.ok_or(AdminError::NoAccount(account))?;
        let (blocked, list_version, takes_sealed) = connection.query_row(
            "SELECT blocked, list_version, token_hash IS NOT NULL FROM account WHERE id = ?1",
            [row],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        Ok(Self {
            account,
            blocked,
            list_version,
            names: connection.query_row(
                "SELECT count(*) FROM name WHERE account = ?1",
                [row],
                |row| row.get(0),
            )?,
            takes_sealed,
            devices: device_reports(&connection, row)?,
        })
    }
}

fn device_reports(connection: &Connection, account: i64) -> rusqlite::Result<Vec<DeviceReport>> {
    accounts::stored_devices(connection, account)?
        .into_iter()
        .map(|(key, device)| {
            let counts = keys::count(connection, key)?;
            Ok(DeviceReport {
                number: device.device.into(),
                waiting: connection.query_row(
                    "SELECT count(*) FROM mailbox WHERE device = ?1",
                    params![key.0],
                    |row| row.get(0),
                )?,
                one_time: counts.one_time_pre_keys,
                one_time_kem: counts.one_time_kem_pre_keys,
            })
        })
        .collect()
}

impl fmt::Display for AccountReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |so| if so { "yes" } else { "no" };
        writeln!(f, "account           {}", self.account)?;
        writeln!(f, "blocked           {}", yes(self.blocked))?;
        writeln!(f, "device list       version {}", self.list_version)?;
        writeln!(f, "names             {}", self.names)?;
        writeln!(f, "takes sealed      {}", yes(self.takes_sealed))?;
        for device in &self.devices {
            writeln!(
                f,
                "device {:<10} {} waiting, one-time pre-keys {} and {} KEM",
                device.number, device.waiting, device.one_time, device.one_time_kem
            )?;
        }
        Ok(())
    }
}
