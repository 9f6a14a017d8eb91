//! The log of a group in the database, and what it amounts to.

use std::collections::BTreeMap;

use hushpost_wire::AccountId;
use rusqlite::{Connection, OptionalExtension as _};

use crate::Result;
use crate::account::contacts;
use crate::clock::Stamp;
use crate::content::ConversationId;
use crate::group::change::{Change, ChangeId, SignedChange};
use crate::group::log::Log;
use crate::group::state::{GroupState, Member};
use crate::store::columns::{account, checked, signed, unsigned};
use crate::store::{StoreError, Transaction};

/// Whether somebody is a member now.
pub(crate) fn is_member(db: &Connection, conversation: i64, who: AccountId) -> Result<bool> {
    Ok(member(db, conversation, who)?.is_some_and(|member| member.left_ms.is_none()))
}

/// Whether there is a group that this account and somebody else are in.
pub(crate) fn shares_one(db: &Connection, who: AccountId) -> Result<bool> {
    let mut query = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM group_member m JOIN conversation c ON c.id = m.conversation
             WHERE m.account = ?1 AND m.left_ms IS NULL AND c.standing = 1)",
    )?;
    Ok(query.query_row([who.as_bytes()], |row| row.get(0))?)
}

/// Of a gap `g`: it is not in a group that this account is out of. There nobody owes it anything.
pub(crate) const NOT_LEFT: &str = "NOT EXISTS
    (SELECT 1 FROM group_member m JOIN local_device d ON d.account = m.account
     WHERE m.conversation = g.conversation AND m.left_ms IS NOT NULL)";

/// Somebody who is or was in a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberRow {
    pub(crate) account: AccountId,
    pub(crate) admin: bool,
    /// Stamp of the change that brought them in.
    pub(crate) since: Stamp,
    pub(crate) left_ms: Option<u64>,
    /// Until when they were an admin, of somebody who was one before.
    pub(crate) admin_until_ms: Option<u64>,
}

impl MemberRow {
    /// Whether a message that was stamped so is for them: what was said before they came is not, and neither is the
    /// post that tells the others, which comes right after the change.
    pub(crate) fn may_read(&self, stamp: Stamp) -> bool {
        stamp > self.since.next()
    }
}

const MEMBER: &str = "SELECT account, admin, since, left_ms, admin_until_ms FROM group_member";

pub(super) fn read_member(row: &rusqlite::Row<'_>) -> Result<MemberRow, rusqlite::Error> {
    let time = |index| -> Result<Option<u64>, rusqlite::Error> {
        let time: Option<i64> = row.get(index)?;
        Ok(time.and_then(|time| u64::try_from(time).ok()))
    };
    Ok(MemberRow {
        account: account(row, 0)?,
        admin: row.get(1)?,
        since: Stamp::from_bits(unsigned(row, 2)?),
        left_ms: time(3)?,
        admin_until_ms: time(4)?,
    })
}

/// Somebody who is or was in a group.
pub(crate) fn member(
    db: &Connection,
    conversation: i64,
    who: AccountId,
) -> Result<Option<MemberRow>> {
    let mut query = db.prepare_cached(&format!(
        "{MEMBER} WHERE conversation = ?1 AND account = ?2"
    ))?;
    let found = query.query_row((conversation, who.as_bytes()), read_member);
    Ok(found.optional()?)
}

/// All members, by account.
pub(crate) fn members(db: &Connection, conversation: i64) -> Result<Vec<MemberRow>> {
    let mut query = db.prepare_cached(&format!(
        "{MEMBER} WHERE conversation = ?1 AND left_ms IS NULL"
    ))?;
    let rows = query.query_map([conversation], read_member)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Since when only admins may send.
pub(crate) fn admins_send_ms(db: &Connection, conversation: i64) -> Result<Option<u64>> {
    let mut query =
        db.prepare_cached("SELECT admins_send_ms FROM group_info WHERE conversation = ?1")?;
    let since: Option<Option<i64>> = query
        .query_row([conversation], |row| row.get(0))
        .optional()?;
    Ok(since.flatten().and_then(|since| u64::try_from(since).ok()))
}

/// The newest changes known.
pub(crate) fn heads(db: &Connection, conversation: i64) -> Result<Vec<ChangeId>> {
    let mut query = db.prepare_cached("SELECT heads FROM group_info WHERE conversation = ?1")?;
    let heads: Option<Vec<u8>> = query
        .query_row([conversation], |row| row.get(0))
        .optional()?;
    let heads = heads.unwrap_or_default();
    let (heads, _) = heads.as_chunks::<32>();
    Ok(heads.iter().copied().map(ChangeId).collect())
}

/// Whether a change is known.
pub(crate) fn has_change(db: &Connection, conversation: i64, id: ChangeId) -> Result<bool> {
    let mut query = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM group_change WHERE conversation = ?1 AND id = ?2)",
    )?;
    Ok(query.query_row((conversation, id.0), |row| row.get(0))?)
}

/// The whole log. Signatures were checked when it was stored.
pub(crate) fn log(db: &Connection, conversation: i64) -> Result<Log> {
    let mut log = Log::default();
    for (_, change) in changes(db, conversation)? {
        if log.add(change).is_none() {
            return Err(StoreError::Corrupted("a group's log has a hole").into());
        }
    }
    Ok(log)
}

/// All changes, in their order here.
pub(crate) fn changes(db: &Connection, conversation: i64) -> Result<Vec<(SignedChange, Change)>> {
    let mut query = db.prepare_cached(
        "SELECT change, signature FROM group_change WHERE conversation = ?1 ORDER BY place",
    )?;
    let rows = query.query_map([conversation], |row| {
        Ok(SignedChange {
            change: row.get(0)?,
            signature: row.get(1)?,
        })
    })?;
    let mut all = Vec::new();
    for row in rows {
        let signed = row?;
        let change = signed
            .read_verified()
            .map_err(|_| StoreError::Corrupted("a group change"))?;
        all.push((signed, change));
    }
    Ok(all)
}

/// Stores a change that was checked.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    conversation: i64,
    signed_change: &SignedChange,
    id: ChangeId,
    place: usize,
    message: Option<i64>,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO group_change (conversation, id, change, signature, place, message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        conversation,
        id.0,
        &signed_change.change,
        &signed_change.signature,
        place,
        message,
    ))?;
    Ok(())
}

/// What the log amounts to, for everybody to read; with when the relay took the last of it.
pub(crate) fn save(
    tx: &Transaction<'_>,
    conversation: i64,
    state: &GroupState,
    heads: &[ChangeId],
    forked: bool,
    accepted_ms: u64,
) -> Result<()> {
    let heads: Vec<u8> = heads.iter().flat_map(|head| head.0).collect();
    tx.prepare_cached(
        "INSERT INTO group_info (conversation, name, description, icon, admins_send_ms, admins_edit,
             timer_s, heads, forks)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (conversation) DO UPDATE SET name = excluded.name,
             description = excluded.description, icon = excluded.icon,
             admins_send_ms = excluded.admins_send_ms, admins_edit = excluded.admins_edit,
             timer_s = excluded.timer_s, heads = excluded.heads, forks = forks + excluded.forks",
    )?
    .execute((
        conversation,
        &state.name,
        &state.description,
        &state.icon,
        state.admins_send.map(|since| signed(since.ms())),
        state.admins_edit,
        state.timer_s,
        heads,
        forked,
    ))?;
    let mut known = BTreeMap::new();
    let mut query = tx.prepare_cached(&format!("{MEMBER} WHERE conversation = ?1"))?;
    for row in query.query_map([conversation], read_member)? {
        let row = row?;
        known.insert(row.account, row);
    }
    let mut write = tx.prepare_cached(
        "INSERT INTO group_member (conversation, account, admin, since, left_ms, admin_until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (conversation, account) DO UPDATE SET admin = excluded.admin,
             since = excluded.since, left_ms = excluded.left_ms,
             admin_until_ms = excluded.admin_until_ms",
    )?;
    let until = |account: &AccountId| state.admins_until.get(account).map(|until| until.ms());
    for (account, Member { admin, since }) in &state.members {
        let now = (*admin, *since, None, until(account));
        let same = known
            .get(account)
            .is_some_and(|row| (row.admin, row.since, row.left_ms, row.admin_until_ms) == now);
        if !same {
            contacts::ensure(tx, *account)?;
            write.execute((
                conversation,
                account.as_bytes(),
                admin,
                signed(since.to_bits()),
                None::<i64>,
                until(account).map(signed),
            ))?;
        }
    }
    // Who was in before this device was is known too: what they wrote may be told to us.
    for (account, left) in &state.departed {
        let row = known.get(account);
        let left_ms = if left.ms() <= accepted_ms {
            left.ms()
        } else {
            // Nobody leaves later than they say so: they would be heard, and be on no list.
            accepted_ms.min(row.and_then(|row| row.left_ms).unwrap_or(accepted_ms))
        };
        let now = (Some(left_ms), until(account));
        if row.is_none_or(|row| (row.left_ms, row.admin_until_ms) != now) {
            let since = row.map_or(*left, |row| row.since);
            write.execute((
                conversation,
                account.as_bytes(),
                false,
                signed(since.to_bits()),
                Some(signed(left_ms)),
                until(account).map(signed),
            ))?;
        }
    }
    // A change that took somebody in may turn out to be void.
    for (account, row) in known {
        let gone = !state.members.contains_key(&account) && !state.departed.contains_key(&account);
        if gone && row.left_ms != Some(0) {
            write.execute((
                conversation,
                account.as_bytes(),
                false,
                signed(row.since.to_bits()),
                Some(0),
                None::<i64>,
            ))?;
        }
    }
    Ok(())
}

/// The conversation of a group, made if there is none.
pub(crate) fn open(
    tx: &Transaction<'_>,
    group: ConversationId,
    accepted: bool,
    stamp: Stamp,
) -> Result<i64> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO conversation (conversation_id, standing, activity)
         VALUES (?1, ?2, ?3)",
    )?
    .execute((group.as_bytes(), accepted, signed(stamp.to_bits())))?;
    Ok(tx.query_row(
        "SELECT id FROM conversation WHERE conversation_id = ?1",
        [group.as_bytes()],
        |row| row.get(0),
    )?)
}

/// A conversation's id.
pub(crate) fn group_id(db: &Connection, conversation: i64) -> Result<ConversationId> {
    let mut query = db.prepare_cached("SELECT conversation_id FROM conversation WHERE id = ?1")?;
    Ok(query.query_row([conversation], |row| {
        let id: [u8; 16] = row.get(0)?;
        checked(0, || {
            ConversationId::from_slice(&id).ok_or(StoreError::Corrupted("a conversation id"))
        })
    })?)
}
