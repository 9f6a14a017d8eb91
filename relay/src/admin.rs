//! What an operator asks of a relay, running or not: block, unblock, delete, vacuum; figures and copies.
//!
//! Figures and copies are read beside it. For the rest the command leaves its request in the database. A running relay carries it out and answers there, since
//! it alone knows its connections; without one the command carries it out itself, in the same way.

pub mod backup;
pub mod stats;

use std::path::Path;
use std::time::{Duration, Instant};

use hushpost_wire::AccountId;
use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;

use crate::accounts;
use crate::refusal::Refusal;
use crate::relay::Relay;
use crate::store::{self, OpenError};

/// How long a running relay may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Keep it from connecting.
    Block,
    /// Let it connect again.
    Unblock,
    /// Remove it and all that is kept for it.
    Delete,
    /// Give free pages of the database back to the disk.
    Vacuum,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Delete => "delete",
            Self::Vacuum => "vacuum",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Block, Self::Unblock, Self::Delete, Self::Vacuum]
            .into_iter()
            .find(|action| action.name() == name)
    }
}

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database refused.
    #[error("the database refused: {0}")]
    Database(#[from] rusqlite::Error),
    /// There is no such account.
    #[error("there is no account {0} here")]
    NoAccount(AccountId),
    /// Files cannot be copied.
    #[error("cannot copy: {0}")]
    Copy(std::io::Error),
    /// The running relay said something else.
    #[error("the running relay answered: {0}")]
    Refused(String),
    /// The running relay did not answer.
    #[error("the running relay did not answer within {} seconds; is it stuck?", PATIENCE.as_secs())]
    NoAnswer,
}

const DONE: &str = "done";
const NOT_FOUND: &str = "no such account";

/// The command's side: has a request carried out by whoever may.
///
/// # Errors
/// [`AdminError`].
pub fn request(
    folder: &Path,
    action: Action,
    account: Option<AccountId>,
) -> Result<(), AdminError> {
    let connection = store::open_beside(folder)?;
    let answer = if store::is_served(folder) {
        ask(&connection, action, account)?
    } else {
        carry_out_here(&connection, action, account)?
    };
    match (answer.as_str(), account) {
        (DONE, _) => Ok(()),
        (NOT_FOUND, Some(account)) => Err(AdminError::NoAccount(account)),
        _ => Err(AdminError::Refused(answer)),
    }
}

fn ask(
    connection: &Connection,
    action: Action,
    account: Option<AccountId>,
) -> Result<String, AdminError> {
    let target = account.map_or_else(Vec::new, |account| account.as_bytes().to_vec());
    connection.execute(
        "INSERT INTO admin_request (action, target) VALUES (?1, ?2)",
        params![action.name(), target],
    )?;
    let id = connection.last_insert_rowid();
    let since = Instant::now();
    loop {
        let answer: Option<String> = connection
            .query_row(
                "SELECT answer FROM admin_request WHERE id = ?1",
                [id],
                |row| row.get(0),
            )
            .optional()?
            .flatten();
        if answer.is_some() || since.elapsed() > PATIENCE {
            connection.execute("DELETE FROM admin_request WHERE id = ?1", [id])?;
            return answer.ok_or(AdminError::NoAnswer);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn carry_out_here(
    connection: &Connection,
    action: Action,
    account: Option<AccountId>,
) -> Result<String, AdminError> {
    let transaction = connection.unchecked_transaction()?;
    let found = match (action, account) {
        (Action::Block, Some(account)) => accounts::set_blocked(&transaction, account, true)?,
        (Action::Unblock, Some(account)) => accounts::set_blocked(&transaction, account, false)?,
        (Action::Delete, Some(account)) => accounts::delete(&transaction, account)?.is_some(),
        (Action::Vacuum, _) => {
            drop(transaction);
            connection.execute_batch("VACUUM")?;
            return Ok(DONE.into());
        }
        (_, None) => false,
    };
    transaction.commit()?;
    Ok(if found { DONE } else { NOT_FOUND }.into())
}

/// The running relay's side: carries out what was left.
pub(crate) async fn carry_out(relay: &Relay) -> Result<(), Refusal> {
    let waiting = relay
        .store
        .read(|store| -> Result<_, Refusal> {
            let mut statement = store.prepare_cached(
                "SELECT id, action, target FROM admin_request WHERE answer IS NULL ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                ))
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
        .await?;
    for (id, action, target) in waiting {
        let answer = answer(relay, &action, &target).await;
        tracing::info!(action, answer, "carried out an operator's request");
        relay
            .store
            .write(move |store| -> Result<_, Refusal> {
                store.execute(
                    "UPDATE admin_request SET answer = ?2 WHERE id = ?1",
                    params![id, answer],
                )?;
                Ok(())
            })
            .await?;
    }
    Ok(())
}

async fn answer(relay: &Relay, action: &str, target: &[u8]) -> String {
    let result = match (Action::from_name(action), AccountId::from_slice(target)) {
        (Some(Action::Vacuum), _) => {
            relay
                .store
                .write(|store| -> Result<_, Refusal> {
                    // All at once: pages are only cut off the end. Each step frees one page and answers a row.
                    let mut statement = store.prepare("PRAGMA incremental_vacuum")?;
                    let mut pages = statement.query([])?;
                    while pages.next()?.is_some() {}
                    Ok(true)
                })
                .await
        }
        (Some(Action::Block), Ok(account)) => relay.set_blocked(account, true).await.map(|()| true),
        (Some(Action::Unblock), Ok(account)) => {
            relay.set_blocked(account, false).await.map(|()| true)
        }
        (Some(Action::Delete), Ok(account)) => relay.delete_account(account).await,
        _ => return "this relay does not know the request".into(),
    };
    match result {
        Ok(true) => DONE.into(),
        Ok(false) => NOT_FOUND.into(),
        Err(refusal) if refusal.code() == hushpost_wire::ErrorCode::NotFound => NOT_FOUND.into(),
        Err(refusal) => refusal.into_frame().message,
    }
}
