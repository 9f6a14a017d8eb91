//! The relay, driven by a client as lean as the one for Redis: WebSocket frames by hand, sends from
//! templates.

mod accounts;
mod receiver;
mod sender;
mod template;
mod websocket;

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use hushpost_harness::{HarnessError, Identity, read_metric, resident_bytes};
use tokio::task::JoinSet;

use crate::error::LoadError;
use crate::footprint::{Footprint, folder_bytes};
use crate::link::Link;
use crate::target::Target;

use self::accounts::Account;
pub use self::receiver::RelayReceiver;
pub use self::sender::RelaySender;
use self::template::Template;

/// Durable commits, each one fsync.
const COMMITS: &str = "hushpost_store_commits_total";

/// Accounts that register at the same time.
const REGISTERING: usize = 64;

/// Where a relay is.
#[derive(Debug, Clone)]
pub struct RelayPlace {
    /// Its WebSocket.
    pub address: SocketAddr,
    /// Its metrics.
    pub admin: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// Its data folder, if known.
    pub data_dir: Option<PathBuf>,
}

/// A running relay, with registered accounts.
#[derive(Debug)]
pub struct Relay {
    place: RelayPlace,
    accounts: Vec<Arc<Account>>,
    /// A message to each account.
    templates: Arc<[Template]>,
    /// The accounts of the fan-out, and a message to them all.
    to_all: (Range<usize>, Arc<Template>),
}

impl Relay {
    /// Registers `count` new accounts. `to_all`: those that the fan-out goes to.
    pub async fn register(
        place: RelayPlace,
        count: usize,
        to_all: Range<usize>,
    ) -> Result<Self, LoadError> {
        let mut accounts = Vec::with_capacity(count);
        for _ in 0..count {
            accounts.push(Arc::new(Account::new(Identity::new()?)));
        }
        let mut waiting = accounts.iter().cloned();
        let mut registering = JoinSet::new();
        loop {
            while registering.len() < REGISTERING
                && let Some(account) = waiting.next()
            {
                let address = place.address;
                registering.spawn(async move { account.register(None, address).await.map(drop) });
            }
            match registering.join_next().await {
                Some(registered) => registered??,
                None => break,
            }
        }
        let members = accounts.get(to_all.clone()).unwrap_or_default();
        let to_all_template = Arc::new(Template::to_all(members)?);
        let templates: Result<Vec<Template>, LoadError> = accounts
            .iter()
            .map(|account| Template::to_one(account))
            .collect();
        Ok(Self {
            place,
            templates: templates?.into(),
            to_all: (to_all, to_all_template),
            accounts,
        })
    }

    fn account(&self, index: usize) -> Result<&Arc<Account>, LoadError> {
        self.accounts.get(index).ok_or(LoadError::Unexpected(
            "fewer accounts than the scenario needs",
        ))
    }
}

impl Target for Relay {
    type Sender = RelaySender;
    type Receiver = RelayReceiver;

    async fn sender(&self, index: usize) -> Result<Link<RelaySender>, LoadError> {
        let link = self.account(index)?.connect(self.place.address).await?;
        let (range, to_all) = &self.to_all;
        Ok(link.map(|()| {
            RelaySender::new(
                Arc::clone(&self.templates),
                range.clone(),
                Arc::clone(to_all),
            )
        }))
    }

    async fn receiver(&self, index: usize) -> Result<Link<RelayReceiver>, LoadError> {
        let account = self.account(index)?;
        let link = account.connect(self.place.address).await?;
        Ok(link.map(|()| RelayReceiver::new(Arc::clone(account))))
    }

    async fn idler(&self, from: IpAddr) -> Result<Link<RelayReceiver>, LoadError> {
        let account = Arc::new(Account::new(Identity::new()?));
        let link = account.register(Some(from), self.place.address).await?;
        Ok(link.map(|()| RelayReceiver::new(account)).mostly_silent())
    }

    async fn footprint(&self) -> Result<Footprint, LoadError> {
        let disk = self
            .place
            .data_dir
            .as_deref()
            .map(folder_bytes)
            .transpose()?;
        let commits = match read_metric(self.place.admin, COMMITS).await {
            // A counter appears when it first counts.
            Err(HarnessError::NoMetric(_)) => 0.0,
            commits => commits?,
        };
        Ok(Footprint {
            resident: resident_bytes(self.place.pid)?,
            disk,
            commits: Some(commits),
        })
    }
}
