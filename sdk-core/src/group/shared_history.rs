//! What was said before somebody came, told by a member who chose to.
//!
//! A newcomer's keys open nothing older than themselves, and the authors' signatures are not kept: so what is told
//! is the teller's word, is marked as theirs, and stands aside of the authors' chains. Nobody waits for it, confirms
//! it or asks for it again.
//!
//! Must never: be told without the teller's app asking for it, take a place that an author's own post needs, or put
//! words of after the newcomer came into anybody's mouth.

use hushpost_wire::AccountId;

use crate::account::LocalDevice;
use crate::clock::Stamp;
use crate::content::{
    Body, ChainId, Content, ConversationId, Said, Sequence, SharedHistory, SharedPost,
};
use crate::conversation::rows::{self as messages, Kind, NewMessage, state};
use crate::conversation::{changes, search};
use crate::error::GroupRefusal;
use crate::event::{Event, MessageRef};
use crate::group::rows;
use crate::inbox::batch::{Batch, Received};
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::{account, checked, device, message_id, signed, unsigned};
use crate::{Error, Result};

/// Messages that one newcomer is told of one group.
pub const MAX_SHARED_MESSAGES: usize = 500;
/// Bytes of posts in one envelope. A post that is larger alone is left out.
const PAGE: usize = 45_000;
/// Bytes that a post has beside its content.
const POST_OVERHEAD: usize = 80;

/// Puts the newest of what is shown here into the outbox, for a member. Says how many.
pub(crate) fn give(
    tx: &mut Transaction<'_>,
    group: ConversationId,
    to: AccountId,
    count: usize,
    now_ms: u64,
    rng: &Randomness,
) -> Result<usize> {
    let found = messages::find(tx, group)?.filter(|found| found.kind == Kind::Group);
    let conversation = found.ok_or(Error::NotFound("group"))?.id;
    let ours = LocalDevice::load(tx)?.account();
    for who in [ours, to] {
        if !rows::is_member(tx, conversation, who)? {
            return Err(Error::Group(GroupRefusal::NotAMember));
        }
    }
    let Some(newcomer) = rows::member(tx, conversation, to)?.filter(|_| to != ours) else {
        return Ok(0);
    };
    let posts = shown_before(
        tx,
        conversation,
        (to, newcomer.since),
        count.min(MAX_SHARED_MESSAGES),
    )?;
    let told = posts.len();
    let (mut page, mut len) = (Vec::new(), 0usize);
    for post in posts {
        let more = post.content.len().saturating_add(POST_OVERHEAD);
        if len.saturating_add(more) > PAGE || page.len() >= crate::content::group::MAX_SHARED_POSTS
        {
            put_out(tx, group, to, core::mem::take(&mut page), now_ms, rng)?;
            len = 0;
        }
        len = len.saturating_add(more);
        page.push(post);
    }
    put_out(tx, group, to, page, now_ms, rng)?;
    Ok(told)
}

/// The newest that are shown here, from before somebody came and not written by them; oldest first.
fn shown_before(
    tx: &Transaction<'_>,
    conversation: i64,
    (newcomer, since): (AccountId, Stamp),
    count: usize,
) -> Result<Vec<SharedPost>> {
    let mut query = tx.prepare_cached(
        "SELECT sender, message_id, device, stamp, sequence, coalesce(shown, content) FROM message
         WHERE conversation = ?1 AND stamp < ?2 AND sender <> ?3 AND quiet = 0 AND notice = 0
             AND expires_after_s = 0 AND (state IN (1, 2) OR state BETWEEN 11 AND 13)
             AND length(coalesce(shown, content)) BETWEEN 1 AND ?4
         ORDER BY stamp DESC, sender DESC, device DESC, sequence DESC LIMIT ?5",
    )?;
    let parameters = (
        conversation,
        signed(since.to_bits()),
        newcomer.as_bytes(),
        PAGE.saturating_sub(POST_OVERHEAD),
        count,
    );
    let posts = query.query_map(parameters, |row| {
        let sequence = unsigned(row, 4)?;
        Ok(SharedPost {
            id: MessageRef {
                sender: account(row, 0)?,
                id: message_id(row, 1)?,
            },
            device: device(row, 2)?,
            stamp: Stamp::from_bits(unsigned(row, 3)?),
            sequence: checked(4, || Sequence::new(sequence))?,
            content: row.get(5)?,
        })
    })?;
    let mut posts = posts.collect::<Result<Vec<_>, _>>()?;
    posts.retain(|post| may_be_told(&post.content));
    posts.reverse();
    Ok(posts)
}

/// Whether content is a message with something in it.
fn may_be_told(content: &[u8]) -> bool {
    match Said::decode(content) {
        Ok(Said::Shown(shown)) => {
            !content.is_empty() && !matches!(shown, Content::Deleted | Content::GroupChange(_))
        }
        _ => false,
    }
}

fn put_out(
    tx: &Transaction<'_>,
    group: ConversationId,
    to: AccountId,
    posts: Vec<SharedPost>,
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    if posts.is_empty() {
        return Ok(());
    }
    let body = Body::SharedHistory(SharedHistory {
        conversation: group,
        posts,
    });
    let row = NewRow {
        recipient: to,
        message: None,
        only_device: None,
        replaces: &[],
        body: &body.encode()?,
    };
    outbox::insert(tx, &row, now_ms, rng)?;
    Ok(())
}

/// Takes what a member tells: what others wrote before this account came, as far as there is room.
pub(crate) fn take(
    batch: &mut Batch<'_, '_>,
    received: &Received,
    history: &SharedHistory,
) -> Result<()> {
    let (by, group) = (received.from.account, history.conversation);
    let Some(conversation) = messages::find(batch.tx, group)? else {
        // The log that lets us in may be on its way from somebody else.
        return batch.undecryptable(received, "unknown_group");
    };
    let ours = batch.local.account();
    let us = match conversation.kind {
        Kind::Group => rows::member(batch.tx, conversation.id, ours)?,
        Kind::Direct(_) => None,
    };
    let us = us.filter(|us| us.left_ms.is_none());
    let (Some(us), true) = (us, rows::is_member(batch.tx, conversation.id, by)?) else {
        return batch.quarantine(received, "not_a_member", &[]);
    };
    // A chain of its own: no post of an author can have the same place.
    let chain = ChainId(u64::from_be_bytes(batch.rng.array()?));
    let mut room = MAX_SHARED_MESSAGES.saturating_sub(told(batch.tx, conversation.id)?);
    let before = room;
    for post in &history.posts {
        if room == 0 {
            break;
        }
        let author = post.id.sender;
        let known = rows::member(batch.tx, conversation.id, author)?.is_some();
        if author == ours || !known || post.stamp >= us.since || !may_be_told(&post.content) {
            continue;
        }
        let message = NewMessage {
            conversation: conversation.id,
            id: post.id,
            device: post.device,
            chain,
            sequence: post.sequence,
            stamp: post.stamp,
            content: &post.content,
            state: state::SEEN,
            quiet: false,
            expires_after_s: 0,
            created_ms: batch.now_ms,
            accepted_ms: None,
        };
        let Some(row) = messages::insert(batch.tx, &message)? else {
            continue;
        };
        batch
            .tx
            .prepare_cached("UPDATE message SET shared_by = ?2 WHERE id = ?1")?
            .execute((row, by.as_bytes()))?;
        room = room.saturating_sub(1);
        let events = &mut batch.effects.events;
        let arrived = changes::arrived(batch.tx, &conversation, row, post.id, events)?;
        batch.effects.tidy |= arrived.words_removed;
    }
    if room < before {
        batch.touched.insert((conversation.id, group));
        batch
            .effects
            .events
            .push(Event::HistoryShared { group, by });
    }
    Ok(())
}

/// How many messages of a group were told to us.
fn told(tx: &Transaction<'_>, conversation: i64) -> Result<usize> {
    let mut query = tx.prepare_cached(
        "SELECT count(*) FROM message WHERE conversation = ?1 AND shared_by IS NOT NULL",
    )?;
    let count: i64 = query.query_row([conversation], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The author's own post has come: what somebody told of it goes. Says whether there was such a thing.
pub(crate) fn give_way(tx: &Transaction<'_>, message: MessageRef) -> Result<bool> {
    // What changed it waits for the author's own.
    tx.prepare_cached(
        "UPDATE change SET target = NULL WHERE target IN
             (SELECT id FROM message WHERE sender = ?1 AND message_id = ?2 AND shared_by IS NOT NULL)",
    )?
    .execute((message.sender.as_bytes(), message.id.as_bytes()))?;
    let removed = tx
        .prepare_cached(
            "DELETE FROM message WHERE sender = ?1 AND message_id = ?2 AND shared_by IS NOT NULL
             RETURNING id",
        )?
        .query_map((message.sender.as_bytes(), message.id.as_bytes()), |row| {
            row.get::<_, i64>(0)
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for row in &removed {
        search::forget(tx, *row)?;
    }
    Ok(!removed.is_empty())
}
