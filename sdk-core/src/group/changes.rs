//! Making a change and taking one.
//!
//! A change travels as a post of the group, so it has the delivery, the gaps and the re-sends that messages have;
//! newcomers are given the whole log. Whoever meets a change that builds on unknown ones keeps it aside and asks
//! the sender for the rest.

use std::collections::BTreeSet;

use hushpost_wire::{AccountId, DeviceAddress};
use rusqlite::OptionalExtension as _;

use crate::account::LocalDevice;
use crate::content::{Body, Content, ConversationId, GroupLog};
use crate::event::{Event, MessageRef};
use crate::group::change::{Action, Change, ChangeId, SignedChange};
use crate::group::log::Log;
use crate::group::outbox::{self as group_outbox};
use crate::group::{GroupChangeMessage, invite, rows};
use crate::inbox::batch::Batch;
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::{self, account, device, message_id, unsigned};
use crate::{Error, Result};

/// Changes of one group. Far more than people make; a bound for those who do it on purpose.
const MAX_CHANGES: usize = 4096;
/// Changes by one author who is no admin.
const MAX_CHANGES_OF_A_MEMBER: usize = 100;
/// Changes kept aside for one group.
const MAX_EARLY: i64 = 4096;
/// Bytes kept aside for all groups.
const MAX_EARLY_LEN: i64 = 16 << 20;
/// And of what one account brought.
const MAX_EARLY_LEN_OF_ONE: i64 = 2 << 20;
/// How many make room when there is none.
const DROPPED_AT_ONCE: usize = 64;
/// Bytes of changes in one message.
const LOG_PAGE: usize = 45_000;

/// What became of a change that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It stands in the log now.
    New,
    /// It stood there before.
    Known,
    /// What it builds on is not here yet.
    Early,
    /// Its author may not.
    Refused,
}

/// Who brought a change, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bearer {
    pub(crate) from: DeviceAddress,
    /// The post that it came in.
    pub(crate) message: Option<i64>,
    /// When the relay took it.
    pub(crate) accepted_ms: u64,
}

/// Creates a group: the log begins, and everybody in it is given it.
pub(crate) fn create(
    tx: &mut Transaction<'_>,
    action: &Action,
    now_ms: u64,
    rng: &Randomness,
) -> Result<(ConversationId, Vec<Event>)> {
    let local = LocalDevice::load(tx)?;
    let mut clock = local.clock;
    let stamp = clock.tick(now_ms);
    LocalDevice::save_clock(tx, &clock)?;
    let key = local.account_key.signing_key();
    let (signed, change) = SignedChange::sign(None, &[], stamp, action, &key)?;
    let group = change.group;
    let conversation = rows::open(tx, group, true, stamp)?;
    rows::insert(tx, conversation, &signed, change.id, 0, None)?;
    settle(tx, conversation, false, clock.corrected(now_ms))?;
    let ours = local.account();
    let others: Vec<AccountId> = members(tx, conversation)?
        .into_iter()
        .filter(|account| *account != ours)
        .collect();
    give_log(tx, conversation, &others, &[], now_ms, rng)?;
    let events = vec![Event::ConversationChanged {
        conversation: group,
    }];
    Ok((group, events))
}

/// Changes a group: signs, applies, and tells everybody.
pub(crate) fn make(
    tx: &mut Transaction<'_>,
    group: ConversationId,
    action: &Action,
    now_ms: u64,
    rng: &Randomness,
    events: &mut Vec<Event>,
) -> Result<MessageRef> {
    let local = LocalDevice::load(tx)?;
    let conversation = conversation_of(tx, group)?;
    let mut log = rows::log(tx, conversation)?;
    let mut clock = local.clock;
    let stamp = clock.tick(now_ms);
    LocalDevice::save_clock(tx, &clock)?;
    let mut parents = log.heads();
    parents.truncate(super::change::MAX_PARENTS);
    let key = local.account_key.signing_key();
    let (signed, change) = SignedChange::sign(Some(group), &parents, stamp, action, &key)?;
    match log.allows(&change) {
        Some(Ok(())) => {}
        Some(Err(refused)) => return Err(Error::Group(refused)),
        None => return Err(Error::NotFound("group")),
    }
    if log.len() >= MAX_CHANGES {
        return Err(Error::InvalidInput("the group was changed too often"));
    }
    // Whoever goes is told too: the message is for those who are in before the change.
    let before = members(tx, conversation)?;
    let content = Content::GroupChange(GroupChangeMessage(signed.clone())).encode();
    let message = group_outbox::send(tx, &local, conversation, &content, now_ms, rng, events)?;
    let row = crate::conversation::rows::row_of(tx, message)?;
    rows::insert(tx, conversation, &signed, change.id, log.len(), row)?;
    log.add(change);
    settle(tx, conversation, false, clock.corrected(now_ms))?;
    let after = members(tx, conversation)?;
    let new: Vec<AccountId> = after.difference(&before).copied().collect();
    give_log(tx, conversation, &new, &[], now_ms, rng)?;
    invite::forget_answered(tx, conversation)?;
    events.push(Event::GroupChanged { group });
    events.push(Event::ConversationChanged {
        conversation: group,
    });
    Ok(message)
}

/// Takes a change that somebody gave us.
pub(crate) fn take(
    batch: &mut Batch<'_, '_>,
    conversation: i64,
    (signed, change): (&SignedChange, &Change),
    by: Bearer,
) -> Result<Taken> {
    let tx = &*batch.tx;
    if rows::has_change(tx, conversation, change.id)? {
        if let Some(message) = by.message {
            // It came before, in a log: this is its place in the history.
            tx.execute(
                "UPDATE group_change SET message = ?3
                 WHERE conversation = ?1 AND id = ?2 AND message IS NULL",
                (conversation, change.id.0, message),
            )?;
            settle_told(
                tx,
                conversation,
                false,
                by,
                change.group,
                &mut batch.effects.events,
            )?;
        }
        return Ok(Taken::Known);
    }
    let mut log = rows::log(tx, conversation)?;
    match log.allows(change) {
        None => {
            keep_aside(tx, change, signed, by)?;
            return Ok(Taken::Early);
        }
        Some(Err(refused)) => {
            tracing::debug!(%refused, "a group change was refused");
            return Ok(Taken::Refused);
        }
        Some(Ok(())) => {}
    }
    let admin = rows::member(tx, conversation, change.author)?.is_some_and(|member| member.admin);
    if log.len() >= MAX_CHANGES
        || (!admin && changes_by(tx, conversation, change.author)? >= MAX_CHANGES_OF_A_MEMBER)
    {
        return Ok(Taken::Refused);
    }
    rows::insert(tx, conversation, signed, change.id, log.len(), by.message)?;
    let forked = log.add(change.clone()).unwrap_or(false);
    let group = change.group;
    settle_told(
        tx,
        conversation,
        forked,
        by,
        group,
        &mut batch.effects.events,
    )?;
    if forked {
        pass_on(batch, conversation, &log, (signed, change))?;
    }
    let events = &mut batch.effects.events;
    if forked {
        events.push(Event::GroupForked {
            group,
            author: change.author,
        });
    }
    events.push(Event::GroupChanged { group });
    events.push(Event::ConversationChanged {
        conversation: group,
    });
    Ok(Taken::New)
}

/// A change that was made beside one of ours that took people in is not for them, as its author knows: they have
/// it from us.
fn pass_on(
    batch: &mut Batch<'_, '_>,
    conversation: i64,
    log: &Log,
    (signed, change): (&SignedChange, &Change),
) -> Result<()> {
    let mut added = log.added_beside(change.id, batch.local.account());
    added.remove(&change.author);
    for newcomer in added {
        let body = Body::GroupLog(GroupLog {
            conversation: rows::group_id(batch.tx, conversation)?,
            changes: vec![signed.clone()],
        });
        let row = NewRow {
            recipient: newcomer,
            message: None,
            only_device: None,
            replaces: &[],
            body: &body.encode()?,
        };
        outbox::insert(batch.tx, &row, batch.now_ms, &batch.rng)?;
        batch.effects.outbox = true;
    }
    Ok(())
}

/// Takes what was kept aside for a group, as long as something fits.
pub(crate) fn take_early(
    batch: &mut Batch<'_, '_>,
    conversation: i64,
    group: ConversationId,
) -> Result<()> {
    loop {
        let mut any = false;
        for (signed, by) in early(batch.tx, group)? {
            let Ok(change) = signed.verify() else {
                continue;
            };
            match take(batch, conversation, (&signed, &change), by)? {
                Taken::Early => {}
                Taken::New | Taken::Known | Taken::Refused => {
                    batch.tx.execute(
                        "DELETE FROM group_change_early WHERE conversation_id = ?1 AND id = ?2",
                        (group.as_bytes(), change.id.0),
                    )?;
                    any = true;
                }
            }
        }
        if !any {
            return Ok(());
        }
    }
}

/// Writes down what the log amounts to, with a change that a post brought: one that was early, and so not shown, is
/// shown now if it has an effect.
fn settle_told(
    tx: &Transaction<'_>,
    conversation: i64,
    forked: bool,
    by: Bearer,
    group: ConversationId,
    events: &mut Vec<Event>,
) -> Result<()> {
    let hidden = tx.execute(
        "UPDATE message SET notice = 1, state = CASE WHEN state = -2 THEN 2 ELSE state END
         WHERE id = ?1 AND notice = 2",
        [by.message],
    )?;
    settle(tx, conversation, forked, by.accepted_ms)?;
    if hidden > 0
        && let Some(message) = by.message
    {
        events.extend(shown(tx, message, group)?);
    }
    Ok(())
}

/// Whether a post brought a change that has an effect. What is early has none yet, and may never have one; what came
/// by another post is told by that.
pub(crate) fn is_told(tx: &Transaction<'_>, message: i64) -> Result<bool> {
    let mut query = tx.prepare_cached(
        "SELECT notice <> 2 AND EXISTS (SELECT 1 FROM group_change g
             WHERE g.conversation = m.conversation AND g.message = m.id)
         FROM message m WHERE id = ?1",
    )?;
    Ok(query.query_row([message], |row| row.get(0))?)
}

/// That a post is shown now, if it is.
fn shown(tx: &Transaction<'_>, message: i64, group: ConversationId) -> Result<Option<Event>> {
    let found = tx
        .query_row(
            "SELECT sender, message_id FROM message WHERE id = ?1 AND state > 0",
            [message],
            |row| {
                Ok(MessageRef {
                    sender: account(row, 0)?,
                    id: message_id(row, 1)?,
                })
            },
        )
        .optional()?;
    Ok(found.map(|message| Event::MessageAdded {
        conversation: group,
        message,
    }))
}

/// Writes down what the log amounts to.
fn settle(tx: &Transaction<'_>, conversation: i64, forked: bool, accepted_ms: u64) -> Result<()> {
    let log = rows::log(tx, conversation)?;
    let outcome = log.outcome();
    let (state, heads) = (&outcome.state, log.heads());
    rows::save(tx, conversation, state, &heads, forked, accepted_ms)?;
    // A change without effect is not told as one.
    let mut query = tx.prepare_cached(
        "SELECT id, message FROM group_change WHERE conversation = ?1 AND message IS NOT NULL",
    )?;
    let told = query.query_map([conversation], |row| {
        Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)?))
    })?;
    let told: Vec<([u8; 32], i64)> = told.collect::<Result<_, _>>()?;
    if !outcome.void.is_empty() {
        for (id, message) in told {
            if outcome.void.contains(&ChangeId(id)) {
                tx.execute(
                    "UPDATE message SET notice = 2,
                         state = CASE WHEN state IN (1, 2) THEN -2 ELSE state END
                     WHERE id = ?1",
                    [message],
                )?;
            }
        }
    }
    Ok(())
}

fn members(tx: &Transaction<'_>, conversation: i64) -> Result<BTreeSet<AccountId>> {
    let members = rows::members(tx, conversation)?;
    Ok(members.iter().map(|member| member.account).collect())
}

/// Puts the changes that some lack into the outbox for them.
pub(crate) fn give_log(
    tx: &Transaction<'_>,
    conversation: i64,
    to: &[AccountId],
    known: &[ChangeId],
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    if to.is_empty() {
        return Ok(());
    }
    let group = rows::group_id(tx, conversation)?;
    let log = rows::log(tx, conversation)?;
    let mut lacking: BTreeSet<ChangeId> = log.unseen_by(known).into_iter().collect();
    for one in to {
        if !rows::is_member(tx, conversation, *one)? {
            let told = log.told_to_departed(*one);
            lacking.retain(|change| told.contains(change));
        }
    }
    let mut page = Vec::new();
    let mut len = 0usize;
    let all = rows::changes(tx, conversation)?;
    let mut lacking = all
        .into_iter()
        .filter(|(_, change)| lacking.contains(&change.id))
        .peekable();
    while let Some((signed, _)) = lacking.next() {
        len = len.saturating_add(signed.change.len()).saturating_add(80);
        page.push(signed);
        let next = lacking
            .peek()
            .map_or(LOG_PAGE, |(signed, _)| signed.change.len());
        let full = len.saturating_add(next) > LOG_PAGE
            || page.len() >= crate::content::group::MAX_LOG_CHANGES;
        if full || lacking.peek().is_none() {
            len = 0;
            let body = Body::GroupLog(GroupLog {
                conversation: group,
                changes: core::mem::take(&mut page),
            });
            let (body, envelope) = (body.encode()?, rng.message_id()?);
            for recipient in to {
                let row = NewRow {
                    recipient: *recipient,
                    message: None,
                    only_device: None,
                    replaces: &[],
                    body: &body,
                };
                outbox::insert_as(tx, &row, envelope, now_ms)?;
            }
        }
    }
    Ok(())
}

/// The row of a group's conversation.
pub(crate) fn conversation_of(tx: &Transaction<'_>, group: ConversationId) -> Result<i64> {
    let found: Option<i64> = tx
        .query_row(
            "SELECT id FROM conversation WHERE conversation_id = ?1 AND peer IS NULL",
            [group.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    found.ok_or(Error::NotFound("group"))
}

fn changes_by(tx: &Transaction<'_>, conversation: i64, author: AccountId) -> Result<usize> {
    let changes = rows::changes(tx, conversation)?;
    Ok(changes
        .iter()
        .filter(|(_, change)| change.author == author)
        .count())
}

fn drop_oldest(tx: &Transaction<'_>, which: &str, group: ConversationId) -> Result<()> {
    tx.execute(
        &format!(
            "DELETE FROM group_change_early WHERE (conversation_id, id) IN
                 (SELECT conversation_id, id FROM group_change_early WHERE {which}
                  ORDER BY accepted_ms LIMIT {DROPPED_AT_ONCE})"
        ),
        [group.as_bytes()],
    )?;
    Ok(())
}

/// Keeps a change whose predecessors are missing.
pub(crate) fn keep_aside(
    tx: &Transaction<'_>,
    change: &Change,
    signed: &SignedChange,
    by: Bearer,
) -> Result<()> {
    let (of_group, of_sender, of_all): (i64, i64, i64) = tx.query_row(
        "SELECT count(*) FILTER (WHERE conversation_id = ?1),
             coalesce(sum(length(change)) FILTER (WHERE sender = ?2), 0),
             coalesce(sum(length(change)), 0)
         FROM group_change_early",
        (change.group.as_bytes(), by.from.account.as_bytes()),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    if of_sender >= MAX_EARLY_LEN_OF_ONE {
        return Ok(());
    }
    // Anybody may fill this up with what never comes to anything: what is oldest makes room.
    if of_group >= MAX_EARLY {
        drop_oldest(tx, "conversation_id = ?1", change.group)?;
    } else if of_all >= MAX_EARLY_LEN {
        drop_oldest(tx, "?1 IS NOT NULL", change.group)?;
    }
    tx.execute(
        "INSERT OR IGNORE INTO group_change_early
             (conversation_id, id, change, signature, sender, device, message, accepted_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            change.group.as_bytes(),
            change.id.0,
            &signed.change,
            &signed.signature,
            by.from.account.as_bytes(),
            by.from.device.get(),
            by.message,
            columns::signed(by.accepted_ms),
        ),
    )?;
    Ok(())
}

/// The changes kept aside for a group, and who brought them.
pub(crate) fn early(
    tx: &Transaction<'_>,
    group: ConversationId,
) -> Result<Vec<(SignedChange, Bearer)>> {
    let mut query = tx.prepare_cached(
        "SELECT change, signature, sender, device, message, accepted_ms FROM group_change_early
         WHERE conversation_id = ?1",
    )?;
    let rows = query.query_map([group.as_bytes()], |row| {
        let signed = SignedChange {
            change: row.get(0)?,
            signature: row.get(1)?,
        };
        let from = DeviceAddress {
            account: account(row, 2)?,
            device: device(row, 3)?,
        };
        let by = Bearer {
            from,
            message: row.get(4)?,
            accepted_ms: unsigned(row, 5)?,
        };
        Ok((signed, by))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
