//! Changes of messages that were sent before: edits, reactions, deletions for everyone, pins, votes; and the
//! conversation's timer.
//!
//! ```text
//!   inbox (in its chain's order) ─┐                                 target here: settle ─▶ what is shown
//!   a send of our own ────────────┴▶ take ─▶ one row for a change ─┤
//!                                                                   not yet: waits for arrived()
//! ```
//!
//! A change is a post like any other, with a place in its chain, so none is lost, none counts twice, and a missing
//! one is noticed and asked for. What a message looks like is always worked out anew from the message and all its
//! changes ([`resolve`]): the order in which they came cannot matter.
//!
//! - [`resolve`]: what changes amount to; [`settle`]: stores it; [`read`]: reactions, votes and older versions
//!
//! Must never: let a change do what its sender may not, show one, or grow without bound for a peer who sends
//! changes of nothing.

#[cfg(test)]
mod admin_tests;
#[cfg(test)]
mod own_tests;
mod read;
mod resolve;
mod settle;
#[cfg(test)]
mod tests;

pub use read::TextVersion;
pub(crate) use read::{complete, versions};
pub(crate) use resolve::DELETE_WITHIN_MS;
pub(crate) use settle::{forget_changes, scrub, settle};

use hushpost_wire::{AccountId, DeviceAddress};
use rusqlite::{Connection, OptionalExtension as _};

use crate::Result;
use crate::content::{ChainId, Change, Content, Said, Sequence, change::kind};
use crate::conversation::rows::{ConversationRow, Kind};
use crate::event::{Event, MessageRef};
use crate::group;
use crate::store::Transaction;
use crate::store::columns::{account, bits, checked, device, unsigned};

/// Changes by one account that wait for messages of a conversation that have not come.
const MAX_WAITING: usize = 256;
/// Edits of one message that are kept: each is a version that may be looked at.
const MAX_EDITS: usize = 100;
/// Other changes of one kind that one account may have on one message; only the last counts.
const MAX_REPEATS: usize = 16;

/// How long after somebody was an admin no more a deletion of theirs may reach the relay: they may not have known.
const LATE_MS: u64 = 5 * 60 * 1000;

/// What came of a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The message that it changes is shown here: its sender may know that this device has it.
    pub(crate) target_shown: bool,
    /// The search index has words of what is not there any more.
    pub(crate) words_removed: bool,
}

/// What had been waiting for a message.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// Changes that were received, by their places: they are to be confirmed now.
    pub(crate) changes: Vec<(DeviceAddress, ChainId, Sequence)>,
    /// As in [`Taken`].
    pub(crate) words_removed: bool,
}

/// Whether an account may delete what others wrote in a conversation: now, or, for a deletion that the relay accepted
/// then, when it was sent. Whoever is an admin no more may not have known: the same on every device, in whatever
/// order the two came.
pub(crate) fn may_delete_for_others(
    db: &Connection,
    (conversation, kind): (i64, Kind),
    account: AccountId,
    accepted_ms: Option<u64>,
) -> Result<bool> {
    if kind != Kind::Group {
        return Ok(false);
    }
    let Some(member) = group::rows::member(db, conversation, account)? else {
        return Ok(false);
    };
    let was = member
        .admin_until_ms
        .zip(accepted_ms)
        .is_some_and(|(until, accepted)| accepted <= until.saturating_add(LATE_MS));
    Ok(was || (member.admin && member.left_ms.is_none()))
}

/// Members or roles changed: deletions whose authors may delete now take effect. Says whether words went.
pub(crate) fn roles_changed(
    tx: &Transaction<'_>,
    conversation: i64,
    events: &mut Vec<Event>,
) -> Result<bool> {
    let mut query = tx.prepare_cached(
        "SELECT DISTINCT t.id FROM change c JOIN message t ON t.id = c.target
             JOIN message p ON p.id = c.post
         WHERE c.conversation = ?1 AND c.kind = ?2 AND p.sender <> t.sender AND t.content <> ?3",
    )?;
    let targets: Vec<i64> = query
        .query_map(
            (conversation, kind::DELETION, Content::Deleted.encode()),
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    let mut words_removed = false;
    for target in targets {
        words_removed |= settle(tx, target, events)?;
    }
    Ok(words_removed)
}

/// A change does what it says, now or when its target comes. `post` is its row.
pub(crate) fn take(
    tx: &Transaction<'_>,
    conversation: &ConversationRow,
    post: i64,
    by: AccountId,
    events: &mut Vec<Event>,
) -> Result<Taken> {
    let content: Vec<u8> = tx
        .prepare_cached("SELECT content FROM message WHERE id = ?1")?
        .query_row([post], |row| row.get(0))?;
    let Ok(Said::Quiet(change)) = Said::decode(&content) else {
        return Ok(Taken::default());
    };
    let Some(target) = change.target() else {
        if conversation.kind == Kind::Group {
            // A group's timer is in its log, by who may set it.
            scrub(tx, post, None)?;
            return Ok(Taken::default());
        }
        insert(tx, conversation.id, post, change.kind(), None, None)?;
        return set_timer(tx, conversation, by, events);
    };
    let allowed = match &change {
        Change::Edit(..) => target.sender == by,
        // In a group it depends on the log, which may be behind: see `settle`.
        Change::Delete(_) => target.sender == by || conversation.kind == Kind::Group,
        _ => true,
    };
    if !allowed {
        scrub(tx, post, None)?;
        return Ok(Taken::default());
    }
    let found = find(tx, conversation.id, target)?;
    match found {
        Some(Found::Shown(row)) => {
            insert(
                tx,
                conversation.id,
                post,
                change.kind(),
                Some(target),
                Some(row),
            )?;
            prune(tx, row, change.kind(), by)?;
            Ok(Taken {
                target_shown: true,
                words_removed: settle(tx, row, events)?,
            })
        }
        Some(Found::Tombstone(row)) => {
            if matches!(change, Change::Delete(_)) {
                insert(
                    tx,
                    conversation.id,
                    post,
                    change.kind(),
                    Some(target),
                    Some(row),
                )?;
            } else {
                scrub(tx, post, Some(target))?;
            }
            Ok(Taken {
                target_shown: true,
                words_removed: false,
            })
        }
        Some(Found::Never) => {
            scrub(tx, post, None)?;
            Ok(Taken::default())
        }
        None => {
            insert(tx, conversation.id, post, change.kind(), Some(target), None)?;
            prune_waiting(tx, conversation.id, by)?;
            Ok(Taken::default())
        }
    }
}

/// A message is shown from now on: what was said of it before does what it says.
pub(crate) fn arrived(
    tx: &Transaction<'_>,
    conversation: &ConversationRow,
    row: i64,
    message: MessageRef,
    events: &mut Vec<Event>,
) -> Result<Arrived> {
    let came = tx
        .prepare_cached(
            "UPDATE change SET target = ?1 WHERE conversation = ?2 AND target_sender = ?3
                 AND target_id = ?4 AND target IS NULL",
        )?
        .execute((
            row,
            conversation.id,
            message.sender.as_bytes(),
            message.id.as_bytes(),
        ))?;
    if came == 0 {
        return Ok(Arrived::default());
    }
    let mut query = tx.prepare_cached(
        "SELECT m.sender, m.device, m.chain, m.sequence FROM change c JOIN message m ON m.id = c.post
         WHERE c.target = ?1 AND m.state = -2",
    )?;
    let changes = query.query_map([row], |row| {
        let sequence = unsigned(row, 3)?;
        Ok((
            DeviceAddress {
                account: account(row, 0)?,
                device: device(row, 1)?,
            },
            ChainId(bits(row, 2)?),
            checked(3, || Sequence::new(sequence))?,
        ))
    })?;
    let changes = changes.collect::<Result<_, _>>()?;
    Ok(Arrived {
        changes,
        words_removed: settle(tx, row, events)?,
    })
}

/// An own post's stamp moved: if it is a change, others see it at that stamp too.
pub(crate) fn moved(tx: &Transaction<'_>, post: i64, events: &mut Vec<Event>) -> Result<()> {
    let mut query = tx.prepare_cached("SELECT target FROM change WHERE post = ?1")?;
    let target: Option<Option<i64>> = query.query_row([post], |row| row.get(0)).optional()?;
    if let Some(Some(target)) = target {
        settle(tx, target, events)?;
    }
    Ok(())
}

/// Whether the sender of a received post may know that it is here.
pub(crate) fn may_be_confirmed(db: &Connection, post: i64) -> Result<bool> {
    let mut query = db.prepare_cached(
        "SELECT quiet = 0 OR EXISTS (SELECT 1 FROM change WHERE post = ?1
             AND state <> 0 AND (target IS NOT NULL OR target_sender IS NULL))
         FROM message WHERE id = ?1",
    )?;
    Ok(query
        .query_row([post], |row| row.get(0))
        .optional()?
        .unwrap_or(false))
}

/// A conversation is deleted here: nothing is left of what was said of its messages.
pub(crate) fn forget_all(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    tx.execute(
        "UPDATE message SET content = x'' WHERE conversation = ?1 AND state IN (-2, -3)
             AND id IN (SELECT post FROM change WHERE conversation = ?1 AND target_sender IS NOT NULL)",
        [conversation],
    )?;
    tx.execute(
        "DELETE FROM change WHERE conversation = ?1 AND target_sender IS NOT NULL",
        [conversation],
    )?;
    tx.execute(
        "DELETE FROM quote WHERE message IN (SELECT id FROM message WHERE conversation = ?1)",
        [conversation],
    )?;
    tx.execute(
        "UPDATE message SET shown = NULL, starred_ms = NULL, pinned_ms = NULL, edited_ms = NULL,
             changed = 0, expires_ms = NULL
         WHERE conversation = ?1 AND state > 0",
        [conversation],
    )?;
    Ok(())
}

/// A message that a change names.
enum Found {
    /// It can be changed.
    Shown(i64),
    /// It was deleted for everyone.
    Tombstone(i64),
    /// It was deleted here, or is itself a change.
    Never,
}

/// `None`: it has not come, or is held back.
fn find(db: &Connection, conversation: i64, target: MessageRef) -> Result<Option<Found>> {
    let mut query = db.prepare_cached(
        "SELECT id, state, quiet, content FROM message
         WHERE sender = ?1 AND message_id = ?2 AND conversation = ?3",
    )?;
    let found: Option<(i64, i8, bool, Vec<u8>)> = query
        .query_row(
            (target.sender.as_bytes(), target.id.as_bytes(), conversation),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    Ok(match found {
        None | Some((_, 0, false, _)) => None,
        Some((_, _, true, _) | (_, ..0, false, _)) => Some(Found::Never),
        Some((row, _, _, content)) if Content::decode(&content) == Ok(Content::Deleted) => {
            Some(Found::Tombstone(row))
        }
        Some((row, ..)) => Some(Found::Shown(row)),
    })
}

fn insert(
    tx: &Transaction<'_>,
    conversation: i64,
    post: i64,
    kind: u8,
    target: Option<MessageRef>,
    row: Option<i64>,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO change (post, conversation, kind, target_sender, target_id, target)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        post,
        conversation,
        kind,
        target.map(|target| *target.sender.as_bytes()),
        target.map(|target| *target.id.as_bytes()),
        row,
    ))?;
    Ok(())
}

/// The oldest of too many go. What is kept is the same in whatever order they came.
fn prune(tx: &Transaction<'_>, target: i64, of_kind: u8, by: AccountId) -> Result<()> {
    let most = if of_kind == kind::EDIT {
        MAX_EDITS
    } else {
        MAX_REPEATS
    };
    drop_oldest(
        tx,
        "c.target = ?1 AND c.kind = ?2 AND m.sender = ?3",
        (target, of_kind, by.as_bytes(), most),
    )
}

fn prune_waiting(tx: &Transaction<'_>, conversation: i64, by: AccountId) -> Result<()> {
    drop_oldest(
        tx,
        "c.conversation = ?1 AND c.target IS NULL AND c.target_sender IS NOT NULL
             AND c.kind <> ?2 AND m.sender = ?3",
        (conversation, kind::TIMER, by.as_bytes(), MAX_WAITING),
    )
}

/// Own changes stay: they may be asked for, and nobody fills this device but its user.
fn drop_oldest(
    tx: &Transaction<'_>,
    which: &str,
    parameters: (i64, u8, &[u8; 16], usize),
) -> Result<()> {
    let mut query = tx.prepare_cached(&format!(
        "SELECT c.post FROM change c JOIN message m ON m.id = c.post WHERE {which} AND m.state = -2
         ORDER BY m.stamp DESC, m.device DESC, m.sequence DESC, m.message_id DESC
         LIMIT -1 OFFSET ?4"
    ))?;
    let posts: Vec<i64> = query
        .query_map(parameters, |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for post in posts {
        tx.prepare_cached("DELETE FROM change WHERE post = ?1")?
            .execute([post])?;
        scrub(tx, post, None)?;
    }
    Ok(())
}

/// The conversation's timer is what the last of all changes of it says.
fn set_timer(
    tx: &Transaction<'_>,
    conversation: &ConversationRow,
    by: AccountId,
    events: &mut Vec<Event>,
) -> Result<Taken> {
    drop_oldest(
        tx,
        "c.conversation = ?1 AND c.target_sender IS NULL AND c.kind = ?2 AND m.sender = ?3",
        (conversation.id, kind::TIMER, by.as_bytes(), MAX_REPEATS),
    )?;
    let last: Option<Vec<u8>> = tx
        .prepare_cached(
            "SELECT m.content FROM change c JOIN message m ON m.id = c.post
             WHERE c.conversation = ?1 AND c.target_sender IS NULL
             ORDER BY m.stamp DESC, m.sender DESC, m.device DESC, m.sequence DESC, m.message_id DESC
             LIMIT 1",
        )?
        .query_row([conversation.id], |row| row.get(0))
        .optional()?;
    if let Some(Ok(Said::Quiet(Change::Timer(seconds)))) = last.map(|last| Said::decode(&last)) {
        tx.execute(
            "UPDATE conversation SET timer_s = ?2 WHERE id = ?1",
            (conversation.id, seconds),
        )?;
    }
    events.push(Event::ConversationChanged {
        conversation: conversation.conversation_id,
    });
    Ok(Taken {
        target_shown: true,
        words_removed: false,
    })
}
