//! What comes in for a group: posts, keys, logs, requests.
//!
//! Must never: show a post whose sender the log does not know, or believe a list of members.

use hushpost_wire::DeviceAddress;

use crate::Result;
use crate::content::{
    Body, Content, ConversationId, GroupLog, GroupLogRequest, JoinRequest, Post, SenderKey,
};
use crate::conversation::changes::roles_changed;
use crate::conversation::rows::{self as messages, ConversationRow, Kind};
use crate::event::Event;
use crate::group::change::{Action, Change, SignedChange};
use crate::group::changes::{self, Bearer, Taken};
use crate::group::log::Log;
use crate::group::rows::{self, MemberRow};
use crate::group::{GroupChangeMessage, invite, sender_keys};
use crate::inbox::batch::{Batch, Received};
use crate::outbox::rows::{self as outbox, NewRow};
use crate::store::Transaction;
use crate::store::columns::signed;

/// How often one group's missing changes are asked for.
const ASK_EVERY_MS: u64 = 10_000;
/// Groups that strangers may have put us into, until the user decides.
const MAX_REQUESTED: i64 = 256;
/// Keys of one account.
const MAX_KEYS: i64 = 512;

/// Where a post belongs.
pub(crate) enum Place {
    /// In this conversation.
    Here(ConversationRow),
    /// Something is missing that will come: it is to be sent again.
    NotYet(&'static str),
    /// Nowhere.
    Never(&'static str),
}

/// Finds the group of a post, and whether its sender may say that there.
pub(crate) fn place(batch: &mut Batch<'_, '_>, received: &Received, post: &Post) -> Result<Place> {
    let from = received.from;
    let Some(conversation) = messages::find(batch.tx, post.conversation)? else {
        return Ok(Place::NotYet("unknown_group"));
    };
    if conversation.kind != Kind::Group {
        return Ok(Place::Never("wrong_conversation"));
    }
    // What the relay had before somebody was taken out counts, on every device; for this account as well.
    let in_time = |member: &MemberRow| {
        let left = member.left_ms;
        left.is_none_or(|left| received.accepted_ms <= left)
    };
    let ours = rows::member(batch.tx, conversation.id, batch.local.account())?;
    if !ours.is_some_and(|ours| in_time(&ours)) {
        return Ok(Place::Never("not_a_member"));
    }
    let mut unknown = false;
    for head in &post.group_heads {
        unknown |= !rows::has_change(batch.tx, conversation.id, *head)?;
    }
    let member = rows::member(batch.tx, conversation.id, from.account)?;
    if unknown && member.is_some() {
        // Of somebody who is out as well: they may be in again by it, or it will never come as a post.
        ask_for_changes(batch, from, &conversation)?;
    }
    let member = match member {
        Some(member) if !in_time(&member) => {
            match overtaken(batch.tx, from, &conversation, post)? {
                Overtaken::Yes => Some(member),
                Overtaken::NotYet => return Ok(Place::NotYet("left")),
                Overtaken::No => None,
            }
        }
        member => member,
    };
    let Some(member) = member else {
        return Ok(if unknown {
            Place::NotYet("unknown_member")
        } else {
            Place::Never("not_a_member")
        });
    };
    if !member.admin && !is_change(post) {
        let since = rows::admins_send_ms(batch.tx, conversation.id)?;
        if since.is_some_and(|since| received.accepted_ms > since) {
            return Ok(Place::Never("admins_only"));
        }
    }
    begin_chain(batch.tx, from, &conversation, post)?;
    Ok(Place::Here(conversation))
}

/// What to do with a post of somebody who left by themselves and whose leaving overtook it.
enum Overtaken {
    /// The leaving stands after it in their chain, or is what it brings: it is taken.
    Yes,
    /// The leaving is known from a log alone, not where it stands: it is on its way.
    NotYet,
    No,
}

fn overtaken(
    tx: &Transaction<'_>,
    from: DeviceAddress,
    conversation: &ConversationRow,
    post: &Post,
) -> Result<Overtaken> {
    let brings = match Content::decode(&post.content) {
        Ok(Content::GroupChange(GroupChangeMessage(signed))) => Some(signed),
        _ => None,
    };
    let mut query = tx.prepare_cached(
        "SELECT g.change, g.signature, m.id IS NOT NULL,
             m.device = ?2 AND m.chain = ?3 AND m.sequence > ?4
         FROM group_change g LEFT JOIN message m ON m.id = g.message WHERE g.conversation = ?1",
    )?;
    let known = query.query_map(
        (
            conversation.id,
            from.device.get(),
            post.chain.0.cast_signed(),
            signed(post.sequence.get()),
        ),
        |row| {
            let signed = SignedChange {
                change: row.get(0)?,
                signature: row.get(1)?,
            };
            Ok((signed, row.get(2)?, row.get::<_, Option<bool>>(3)?))
        },
    )?;
    let mut overtaken = Overtaken::No;
    for known in known {
        let (signed, is_placed, is_later): (_, bool, _) = known?;
        let left = matches!(
            signed.read_verified(),
            Ok(change) if change.action == Action::Leave && change.author == from.account
        );
        if !left {
            continue;
        }
        if is_later == Some(true) || !is_placed && brings.as_ref() == Some(&signed) {
            return Ok(Overtaken::Yes);
        }
        if !is_placed {
            overtaken = Overtaken::NotYet;
        }
    }
    Ok(overtaken)
}

fn is_change(post: &Post) -> bool {
    matches!(Content::decode(&post.content), Ok(Content::GroupChange(_)))
}

/// What was said before we came is not missing.
fn begin_chain(
    tx: &Transaction<'_>,
    from: DeviceAddress,
    conversation: &ConversationRow,
    post: &Post,
) -> Result<()> {
    let chain = post.chain.0.cast_signed();
    let first = sender_keys::first_of(tx, from, conversation.conversation_id, chain)?;
    let Some(before) = first
        .and_then(|first| first.checked_sub(1))
        .filter(|before| *before > 0)
    else {
        return Ok(());
    };
    let moved = tx
        .prepare_cached(
            "INSERT INTO sender_chain (conversation, sender, device, chain, shown_through)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (conversation, sender, device, chain)
             DO UPDATE SET shown_through = excluded.shown_through
                 WHERE excluded.shown_through > shown_through",
        )?
        .execute((
            conversation.id,
            from.account.as_bytes(),
            from.device.get(),
            chain,
            signed(before),
        ))?;
    if moved > 0 {
        tx.execute(
            "DELETE FROM gap WHERE conversation = ?1 AND sender = ?2 AND device = ?3 AND chain = ?4
                 AND last <= ?5",
            (
                conversation.id,
                from.account.as_bytes(),
                from.device.get(),
                chain,
                signed(before),
            ),
        )?;
    }
    Ok(())
}

/// A change that a post brought; checked before the post was stored. Says whether there is anything to show.
pub(crate) fn change(
    batch: &mut Batch<'_, '_>,
    received: &Received,
    conversation: &ConversationRow,
    (signed, change): (&SignedChange, &Change),
    message: i64,
) -> Result<bool> {
    let by = Bearer {
        from: received.from,
        message: Some(message),
        accepted_ms: received.accepted_ms,
    };
    let id = conversation.id;
    let taken = changes::take(batch, id, (signed, change), by)?;
    match taken {
        Taken::New => {
            changes::take_early(batch, id, change.group)?;
            let events = &mut batch.effects.events;
            batch.effects.tidy |= roles_changed(batch.tx, id, events)?;
            invite::forget_answered(batch.tx, id)?;
        }
        Taken::Early => ask_for_changes(batch, received.from, conversation)?,
        Taken::Known | Taken::Refused => {}
    }
    changes::is_told(batch.tx, message)
}

/// Asks a member for what it has seen and we have not.
fn ask_for_changes(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    conversation: &ConversationRow,
) -> Result<()> {
    let now = signed(batch.now_ms);
    let due = batch
        .tx
        .prepare_cached(
            "UPDATE group_info SET asked_ms = ?2 WHERE conversation = ?1 AND abs(?2 - asked_ms) >= ?3",
        )?
        .execute((conversation.id, now, signed(ASK_EVERY_MS)))?;
    if due == 0 {
        return Ok(());
    }
    let body = Body::GroupLogRequest(GroupLogRequest {
        conversation: conversation.conversation_id,
        heads: rows::heads(batch.tx, conversation.id)?,
    })
    .encode()?;
    put_out(batch, from, &body)
}

/// Puts something for one device into the outbox, unless the same waits there.
fn put_out(batch: &mut Batch<'_, '_>, to: DeviceAddress, body: &[u8]) -> Result<()> {
    let row = NewRow {
        recipient: to.account,
        message: None,
        only_device: Some(to.device),
        replaces: &[],
        body,
    };
    if !outbox::waits(batch.tx, &row)? {
        outbox::insert(batch.tx, &row, batch.now_ms, &batch.rng)?;
    }
    batch.effects.outbox = true;
    Ok(())
}

/// A member's key.
pub(crate) fn key(batch: &mut Batch<'_, '_>, from: DeviceAddress, key: &SenderKey) -> Result<()> {
    let kept: i64 = batch
        .tx
        .prepare_cached("SELECT count(*) FROM sender_key WHERE account = ?1")?
        .query_row([from.account.as_bytes()], |row| row.get(0))?;
    if kept < MAX_KEYS {
        sender_keys::take(batch.tx, from, key, batch.now_ms)?;
    }
    Ok(())
}

/// Changes that somebody gave us: of a group that we are in, or that we were taken into.
pub(crate) fn log(batch: &mut Batch<'_, '_>, received: &Received, log: &GroupLog) -> Result<()> {
    let from = received.from;
    let mut checked = Vec::with_capacity(log.changes.len());
    for signed in &log.changes {
        match signed.verify() {
            Ok(change) if change.group == log.conversation => checked.push((signed, change)),
            _ => return batch.quarantine(received, "bad_group_change", &[]),
        }
    }
    let known = messages::find(batch.tx, log.conversation)?;
    if known
        .as_ref()
        .is_some_and(|known| known.kind != Kind::Group)
    {
        return batch.quarantine(received, "wrong_conversation", &[]);
    }
    let by = Bearer {
        from,
        message: None,
        accepted_ms: received.accepted_ms,
    };
    if let Some(known) = known {
        for (signed, change) in &checked {
            changes::take(batch, known.id, (signed, change), by)?;
        }
        changes::take_early(batch, known.id, log.conversation)?;
        let events = &mut batch.effects.events;
        batch.effects.tidy |= roles_changed(batch.tx, known.id, events)?;
        invite::forget_answered(batch.tx, known.id)?;
        batch.touched.insert((known.id, log.conversation));
        return Ok(());
    }
    for (signed, change) in &checked {
        changes::keep_aside(batch.tx, change, signed, by)?;
    }
    enter(batch, by, log.conversation)
}

/// Enters a group if what was given to us says that we are in it.
fn enter(batch: &mut Batch<'_, '_>, by: Bearer, group: ConversationId) -> Result<()> {
    let ours = batch.local.account();
    let mut waiting = changes::early(batch.tx, group)?;
    let mut log = Log::default();
    let mut entered = Vec::new();
    loop {
        let before = waiting.len();
        let mut rest = Vec::new();
        for (signed, bearer) in waiting {
            let change = signed.read_verified();
            match change.as_ref().ok().map(|change| log.allows(change)) {
                Some(Some(Ok(()))) => {
                    if let Ok(change) = change {
                        entered.push((signed, change.id));
                        log.add(change);
                    }
                }
                Some(None) => rest.push((signed, bearer)),
                Some(Some(Err(_))) | None => {}
            }
        }
        waiting = rest;
        if waiting.len() == before || waiting.is_empty() {
            break;
        }
    }
    let outcome = log.outcome();
    let Some(member) = outcome.state.members.get(&ours) else {
        return Ok(());
    };
    let accepted = invite::was_asked_for(batch.tx, group)?
        || messages::with_peer(batch.tx, by.from.account)?.is_some_and(|found| found.accepted);
    if !accepted && requested(batch.tx)? >= MAX_REQUESTED {
        return Ok(());
    }
    let conversation = rows::open(batch.tx, group, accepted, member.since)?;
    for (place, (signed, id)) in entered.iter().enumerate() {
        rows::insert(batch.tx, conversation, signed, *id, place, None)?;
    }
    let (state, heads) = (&outcome.state, log.heads());
    rows::save(batch.tx, conversation, state, &heads, false, by.accepted_ms)?;
    batch.tx.execute(
        "DELETE FROM group_change_early WHERE conversation_id = ?1",
        [group.as_bytes()],
    )?;
    batch.clock.observe(member.since.effective(batch.now_ms));
    invite::forget_wish(batch.tx, group)?;
    batch.effects.events.push(Event::GroupChanged { group });
    batch.effects.events.push(Event::ConversationChanged {
        conversation: group,
    });
    Ok(())
}

fn requested(tx: &Transaction<'_>) -> Result<i64> {
    Ok(tx.query_row(
        "SELECT count(*) FROM conversation WHERE peer IS NULL AND standing = 0",
        [],
        |row| row.get(0),
    )?)
}

/// A member asks for what it has not seen.
pub(crate) fn log_request(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    request: &GroupLogRequest,
) -> Result<()> {
    let found = messages::find(batch.tx, request.conversation)?;
    let Some(conversation) = found.filter(|found| found.kind == Kind::Group) else {
        return Ok(());
    };
    // Whoever was taken out may learn just that.
    if rows::member(batch.tx, conversation.id, from.account)?.is_none() {
        return Ok(());
    }
    let (now_ms, rng) = (batch.now_ms, batch.rng.clone());
    changes::give_log(
        batch.tx,
        conversation.id,
        &[from.account],
        &request.heads,
        now_ms,
        &rng,
    )?;
    batch.effects.outbox = true;
    Ok(())
}

/// Somebody shows an invite link's secret.
pub(crate) fn join_request(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    request: &JoinRequest,
) -> Result<()> {
    let found = messages::find(batch.tx, request.conversation)?;
    let Some(conversation) = found.filter(|found| found.kind == Kind::Group) else {
        return Ok(());
    };
    invite::asked(batch, from, &conversation, request)
}
