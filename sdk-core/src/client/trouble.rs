//! What went wrong and shows to the app as such.

use hushpost_wire::AccountId;
use rusqlite::Connection;

use crate::Result;
use crate::group;
use crate::store::columns::{account, unsigned};

/// Most entries that are listed.
const MOST: usize = 500;

/// Something that did not come through as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// Whose message.
    pub account: AccountId,
    /// What is wrong.
    pub kind: TroubleKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TroubleKind {
    /// Did not decrypt; asked for again unless `gone`.
    Undecryptable {
        /// A stable name of the cause.
        cause: String,
        /// The sender knows nothing of it: a forgery, most likely.
        gone: bool,
    },
    /// Messages are missing; asked for unless `gone`.
    Missing {
        /// How many.
        count: u64,
        /// The sender does not have them any more.
        gone: bool,
    },
    /// Authentic, and makes no sense to this version.
    Quarantined {
        /// A stable name of the cause.
        cause: String,
    },
}

/// All that is wrong now.
pub(crate) fn all(db: &Connection) -> Result<Vec<Trouble>> {
    let mut troubles = Vec::new();
    let mut add = |sql: &str,
                   read: &dyn Fn(&rusqlite::Row<'_>) -> Result<TroubleKind, rusqlite::Error>|
     -> Result<()> {
        let mut query = db.prepare_cached(sql)?;
        let rows = query.query_map([MOST], |row| {
            Ok(Trouble {
                account: account(row, 0)?,
                kind: read(row)?,
            })
        })?;
        for row in rows {
            troubles.push(row?);
        }
        Ok(())
    };
    add(
        "SELECT account, cause, gone FROM undecryptable ORDER BY id LIMIT ?1",
        &|row| {
            Ok(TroubleKind::Undecryptable {
                cause: row.get(1)?,
                gone: row.get(2)?,
            })
        },
    )?;
    add(
        &format!(
            "SELECT sender, last - first + 1, gone FROM gap g WHERE {} ORDER BY id LIMIT ?1",
            group::rows::NOT_LEFT
        ),
        &|row| {
            Ok(TroubleKind::Missing {
                count: unsigned(row, 1)?,
                gone: row.get(2)?,
            })
        },
    )?;
    add(
        "SELECT account, cause FROM quarantine ORDER BY id LIMIT ?1",
        &|row| Ok(TroubleKind::Quarantined { cause: row.get(1)? }),
    )?;
    Ok(troubles)
}
