//! Asking for what is missing, or did not decrypt.
//!
//! One device is asked at once for all that is wrong with it, then after waits that double. Only when a first
//! request did not help is a fresh session made for the next one, and that at most once an hour for each
//! device: whoever injects garbage cannot make us drain somebody's pre-keys.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use hushpost_wire::{AccountId, DeviceAddress, MessageId};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::time::Instant;

use crate::Result;
use crate::account::LocalDevice;
use crate::client::Core;
use crate::connection::Link;
use crate::content::control::{MAX_ENVELOPES, MAX_RANGES};
use crate::content::{Body, ChainId, ConversationId, ResendRequest, Sequence, SequenceRange};
use crate::event::Event;
use crate::group;
use crate::outbox::rows::{self as outbox, NewRow};
use crate::outbox::sessions_needed::{self, Start};
use crate::random::Randomness;
use crate::store::columns::{account, bits, checked, device, message_id, signed, unsigned};
use crate::store::{StoreError, Transaction};

/// First and longest wait before the next request to one device.
const WAIT: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(600));
/// How often a fresh session may be made to heal one device's.
const RESET_EVERY_MS: u64 = 3600 * 1000;

/// Whose messages, and of which conversation: what did not decrypt counts to the 1:1 one.
type Whom = (DeviceAddress, ConversationId);

/// What is wrong with one device's messages in a conversation.
#[derive(Default)]
struct Wrong {
    ranges: Vec<SequenceRange>,
    envelopes: Vec<MessageId>,
    asked: u32,
}

/// Asks until the link is closed.
pub(crate) async fn run(core: Arc<Core>, link: Link) {
    let mut waits: BTreeMap<Whom, (Instant, u32)> = BTreeMap::new();
    loop {
        match core.store.read(wrong).await {
            Ok(wrong) => {
                waits.retain(|whom, _| wrong.contains_key(whom));
                for (whom, wrong) in wrong {
                    let due = waits
                        .get(&whom)
                        .is_none_or(|(next, _)| *next <= Instant::now());
                    if due && let Err(error) = ask(&core, &link, whom, wrong).await {
                        tracing::debug!(code = error.code(), "a repair did not go out");
                    }
                    if due {
                        let times = waits.get(&whom).map_or(0, |(_, times)| *times);
                        let wait = WAIT.0.saturating_mul(1 << times.min(8)).min(WAIT.1);
                        let next = Instant::now().checked_add(wait);
                        let next = next.unwrap_or_else(Instant::now);
                        waits.insert(whom, (next, times.saturating_add(1)));
                    }
                }
            }
            Err(error) => tracing::warn!(code = error.code(), "repairs could not be read"),
        }
        let next = waits.values().map(|(next, _)| *next).min();
        tokio::select! {
            biased;
            () = core.wake_repair.notified() => {}
            () = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => core::future::pending().await,
                }
            } => {}
            _ = link.closed() => return,
        }
    }
}

async fn ask(core: &Arc<Core>, link: &Link, whom: Whom, wrong: Wrong) -> Result<()> {
    let (to, conversation) = whom;
    let now_ms = core.clock.now_ms();
    if wrong.asked > 0
        && !wrong.envelopes.is_empty()
        && core
            .store
            .write(move |tx| may_reset(tx, to, now_ms))
            .await?
    {
        sessions_needed::fetch(core, link, to.account, Start::Anew(to.device)).await?;
    }
    let rng = core.rng.clone();
    core.store
        .write(move |tx| {
            let body = Body::ResendRequest(ResendRequest {
                conversation,
                ranges: wrong.ranges,
                envelopes: wrong.envelopes,
            });
            request(tx, whom, &body.encode()?, now_ms, &rng)
        })
        .await?;
    core.wake_outbox.notify_one();
    Ok(())
}

/// Puts a request into the outbox, unless the same one still waits there: for a contact on hold it may wait long.
fn request(
    tx: &mut Transaction<'_>,
    (to, conversation): Whom,
    body: &[u8],
    now_ms: u64,
    rng: &Randomness,
) -> Result<()> {
    let (account, device) = (to.account.as_bytes(), to.device.get());
    tx.execute(
        "UPDATE gap SET asked = asked + 1 WHERE sender = ?1 AND device = ?2 AND gone = 0
             AND conversation = (SELECT id FROM conversation WHERE conversation_id = ?3)",
        (account, device, conversation.as_bytes()),
    )?;
    if conversation == ConversationId::between(LocalDevice::load(tx)?.account(), to.account) {
        tx.execute(
            "UPDATE undecryptable SET asked = asked + 1
             WHERE account = ?1 AND device = ?2 AND gone = 0",
            (account, device),
        )?;
    }
    let row = NewRow {
        recipient: to.account,
        message: None,
        only_device: Some(to.device),
        replaces: &[],
        body,
    };
    if !outbox::waits(tx, &row)? {
        outbox::insert(tx, &row, now_ms, rng)?;
    }
    Ok(())
}

/// Nobody answers for this account: its devices are not asked any more.
pub(crate) fn give_up(
    tx: &Transaction<'_>,
    account: AccountId,
    events: &mut Vec<Event>,
) -> Result<()> {
    let ours = LocalDevice::load(tx)?.account();
    let mut given_up = 0usize;
    for (table, who) in [("gap", "sender"), ("undecryptable", "account")] {
        let given_up_here = tx.execute(
            &format!("UPDATE {table} SET gone = 1 WHERE gone = 0 AND {who} = ?1"),
            [account.as_bytes()],
        )?;
        given_up = given_up.saturating_add(given_up_here);
    }
    if given_up > 0 {
        events.push(Event::GapGone {
            conversation: ConversationId::between(ours, account),
            sender: account,
        });
    }
    Ok(())
}

/// Whether a fresh session may be made now; if so, not again for an hour. A clock that was set back waits no
/// longer than that either.
fn may_reset(tx: &mut Transaction<'_>, device: DeviceAddress, now_ms: u64) -> Result<bool> {
    let address = (device.account.as_bytes(), device.device.get());
    let last: Option<u64> = tx
        .query_row(
            "SELECT reset_ms FROM repair WHERE account = ?1 AND device = ?2",
            address,
            |row| unsigned(row, 0),
        )
        .optional()?;
    if last.is_some_and(|last| now_ms.abs_diff(last) < RESET_EVERY_MS) {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO repair (account, device, reset_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (account, device) DO UPDATE SET reset_ms = excluded.reset_ms",
        (address.0, address.1, signed(now_ms)),
    )?;
    Ok(true)
}

/// All that is wrong, by device.
fn wrong(db: &Connection) -> Result<BTreeMap<Whom, Wrong>> {
    let mut wrong: BTreeMap<Whom, Wrong> = BTreeMap::new();
    let Some(local) = LocalDevice::find(db)? else {
        return Ok(wrong);
    };
    let address = |account: AccountId, device| DeviceAddress { account, device };
    let mut query = db.prepare_cached(&format!(
        "SELECT g.sender, g.device, g.chain, g.first, g.last, g.asked, c.conversation_id
         FROM gap g JOIN conversation c ON c.id = g.conversation
         WHERE g.gone = 0 AND {} AND NOT EXISTS
             (SELECT 1 FROM contact WHERE account = g.sender AND blocked = 1)
         ORDER BY g.id",
        group::rows::NOT_LEFT
    ))?;
    let rows = query.query_map([], |row| {
        let (first, last) = (unsigned(row, 3)?, unsigned(row, 4)?);
        let range = SequenceRange {
            device: device(row, 1)?,
            chain: ChainId(bits(row, 2)?),
            first: checked(3, || Sequence::new(first))?,
            last: checked(4, || Sequence::new(last))?,
        };
        let conversation: [u8; 16] = row.get(6)?;
        let conversation = checked(6, || {
            ConversationId::from_slice(&conversation)
                .ok_or(StoreError::Corrupted("a conversation id"))
        })?;
        let whom = (address(account(row, 0)?, range.device), conversation);
        Ok((whom, range, row.get::<_, u32>(5)?))
    })?;
    for row in rows {
        let (whom, range, asked) = row?;
        let wrong = wrong.entry(whom).or_default();
        wrong.asked = wrong.asked.max(asked);
        if wrong.ranges.len() < MAX_RANGES {
            wrong.ranges.push(range);
        }
    }
    let mut query = db.prepare_cached(
        "SELECT account, device, envelope_id, asked FROM undecryptable
         WHERE gone = 0 AND NOT EXISTS
             (SELECT 1 FROM contact c WHERE c.account = undecryptable.account AND c.blocked = 1)
         ORDER BY id",
    )?;
    let rows = query.query_map([], |row| {
        let device = address(account(row, 0)?, device(row, 1)?);
        Ok((device, message_id(row, 2)?, row.get::<_, u32>(3)?))
    })?;
    for row in rows {
        let (device, envelope, asked) = row?;
        let direct = ConversationId::between(local.account(), device.account);
        let wrong = wrong.entry((device, direct)).or_default();
        wrong.asked = wrong.asked.max(asked);
        if wrong.envelopes.len() < MAX_ENVELOPES {
            wrong.envelopes.push(envelope);
        }
    }
    Ok(wrong)
}
