//! Names: entries that point at an account id. User names are taken by their account, an app's own user
//! ids by the token shown at registration.
//!
//! Looked up exactly and one at a time; there is no listing and no search.

use hushpost_wire::{AccountId, ErrorCode, NameKind};
use rusqlite::{Connection, OptionalExtension, params};

use crate::refusal::Refusal;

/// Takes, changes or (empty) gives up an account's user name.
///
/// # Errors
/// [`ErrorCode::NameInvalid`], [`ErrorCode::NameTaken`].
pub fn set_user_name(connection: &Connection, account: i64, name: &str) -> Result<(), Refusal> {
    if !(name.is_empty() || is_user_name(name)) {
        return Err(Refusal::new(
            ErrorCode::NameInvalid,
            "a user name is 3 to 32 of a-z, 0-9, '_' and '.', beginning with a letter",
        ));
    }
    let owner: Option<i64> = owner(connection, NameKind::UserName, name)?;
    if owner.is_some_and(|owner| owner != account) {
        return Err(Refusal::new(ErrorCode::NameTaken, "this name is taken"));
    }
    connection.execute(
        "DELETE FROM name WHERE account = ?1 AND kind = ?2",
        params![account, i32::from(NameKind::UserName)],
    )?;
    if !name.is_empty() {
        insert(connection, NameKind::UserName, name, account)?;
    }
    Ok(())
}

/// Points an app's own user id at an account; a user who lost the old account takes it along.
///
/// # Errors
/// Any of the store's.
pub fn set_app_user_id(
    connection: &Connection,
    account: i64,
    user_id: &str,
) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM name WHERE account = ?1 AND kind = ?2",
        params![account, i32::from(NameKind::AppUserId)],
    )?;
    insert(connection, NameKind::AppUserId, user_id, account)
}

/// The account that a name points at.
///
/// # Errors
/// Any of the store's.
pub fn look_up(
    connection: &Connection,
    kind: NameKind,
    name: &str,
) -> rusqlite::Result<Option<AccountId>> {
    let found: Option<[u8; 16]> = connection
        .prepare_cached(
            "SELECT account.account FROM name JOIN account ON account.id = name.account
              WHERE kind = ?1 AND name = ?2",
        )?
        .query_row(params![i32::from(kind), name], |row| row.get(0))
        .optional()?;
    Ok(found.and_then(|id| AccountId::from_slice(&id).ok()))
}

fn owner(connection: &Connection, kind: NameKind, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT account FROM name WHERE kind = ?1 AND name = ?2")?
        .query_row(params![i32::from(kind), name], |row| row.get(0))
        .optional()
}

fn insert(
    connection: &Connection,
    kind: NameKind,
    name: &str,
    account: i64,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO name (kind, name, account) VALUES (?1, ?2, ?3)",
        params![i32::from(kind), name, account],
    )?;
    Ok(())
}

/// ASCII only: names that look alike in other scripts would let one person pass for another.
fn is_user_name(name: &str) -> bool {
    (3..=32).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_user_name;

    #[test]
    fn user_names_are_plain() {
        for name in ["bob", "alice.2", "a_b", &"x".repeat(32)] {
            assert!(is_user_name(name), "{name}");
        }
        for name in [
            "bo",
            "Bob",
            "2bob",
            "bób",
            "bo b",
            "bob\0",
            "'; --",
            &"x".repeat(33),
        ] {
            assert!(!is_user_name(name), "{name}");
        }
    }
}
