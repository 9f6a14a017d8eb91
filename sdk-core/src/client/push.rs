//! Catching up in the background: what a notification extension or a worker does when a push woke it.
//!
//! ```text
//!   open ─▶ lease ─▶ connect ─▶ everything is here ─▶ receipts and acknowledgement leave ─▶ close ─▶ what is new
//!             └─ the app has it: nothing to do
//! ```
//!
//! Bounded in time by the caller and in memory by [`MAX_PUSHED`]; pictures are never decoded. The app may connect
//! meanwhile, and then goes on where this stopped.
//!
//! Must never: make a database or an account, end the app's connection if it can be helped, show that the user is
//! there, or leave a connection behind when its future is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hushpost_wire::client_frame::Request;
use hushpost_wire::{Acknowledge, ErrorCode};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::account::LocalDevice;
use crate::client::core::{ConnectionState, Core};
use crate::client::engine;
use crate::config::Config;
use crate::connection::RequestError;
use crate::content::ConversationId;
use crate::conversation::{ConversationList, history};
use crate::event::MessageRef;
use crate::inbox::{posts, receipts};
use crate::message::{Cursor, Message, MessageState};
use crate::store::columns::signed;
use crate::{Error, Result};

/// Most messages that [`process_push`] gives: more than any screen shows.
pub const MAX_PUSHED: usize = 64;

/// As many as a relay keeps for a device.
const MAX_ADDED: usize = 10_000;
const LEAST_BUDGET: Duration = Duration::from_secs(1);
const MOST_BUDGET: Duration = Duration::from_secs(10 * 60);
/// Of the budget, for closing.
const TO_CLOSE: Duration = Duration::from_millis(200);
/// How long receipts may be gathered here, whatever the app chose.
const MOST_GATHERING: Duration = Duration::from_secs(2);
/// The same for what waits for the messages before it: those are not at the relay.
const MOST_HOLDING_BACK: Duration = Duration::from_secs(2);
/// How long that may take, with the writing.
const TO_RELEASE: Duration = Duration::from_secs(3);
/// How long receipts may take to leave. What does not goes with the next connection.
const TO_LEAVE: Duration = Duration::from_secs(3);
/// How soon a relay that did not take the acknowledgement is told again.
const ACKNOWLEDGE_AGAIN: Duration = Duration::from_millis(250);

/// What came of [`process_push`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushResult {
    /// Messages that were added during this run, are still there and unread, and are worth a notification: none of
    /// archived or muted conversations, or of people who are blocked. In the order of the history, all conversations
    /// together; the newest [`MAX_PUSHED`].
    pub messages: Vec<PushedMessage>,
    /// Unread messages in all conversations that are neither archived nor muted: for a badge.
    pub unread: u64,
    /// Why it ended.
    pub end: PushEnd,
}

/// A message to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushedMessage {
    /// The message.
    pub message: Message,
    /// The conversation's name: the contact's, as the user gave it or as it was found by, or the group's. `None`: a
    /// contact without one.
    pub title: Option<String>,
    /// Whether a stranger asks to be let in: the user has not accepted the conversation.
    pub requested: bool,
}

/// Why [`process_push`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushEnd {
    /// Everything that waited at the relay is here.
    CaughtUp,
    /// The budget is used up. The rest comes with the next connection.
    OutOfTime,
    /// The app is connected, or connected meanwhile, or another call of this receives: it gets the rest, and tells the
    /// user of that.
    AppIsConnected,
}

/// Receives what waits at the relay, for at most `budget` (1 second to 10 minutes; 20 seconds are a good choice), and
/// says what there is to tell the user. For a process beside the app: a notification extension on iOS, a worker on
/// Android. Both it and the app open the same database; the app sets [`Processes::Many`](crate::Processes::Many), here it
/// is understood.
///
/// If the app is connected, it returns at once. If the app connects meanwhile, it makes way. What it received is stored
/// and acknowledged, contacts learn that it was delivered, and the app shows it without receiving it again. Nobody
/// sees from it that the user is there.
///
/// The time counts from the call. Opening the database and a lock that another process holds (5 seconds at most) cannot
/// be cut short. Runs on any Tokio runtime; to spare memory, use one of the current thread with
/// [`StoreThreads::Inline`](crate::StoreThreads::Inline). The future may be dropped at any point: the connection ends,
/// and what was received until then is kept.
///
/// ```no_run
/// # use std::time::Duration;
/// use hushpost::{Config, StoreThreads, process_push};
///
/// # async fn woken(config: Config) -> hushpost::Result<()> {
/// let config = config.store_threads(StoreThreads::Inline);
/// let result = process_push(config, Duration::from_secs(20)).await?;
/// for new in &result.messages {
///     println!("{}: {}", new.title.as_deref().unwrap_or("?"), new.message.content.preview());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NotRegistered`] if there is no database, or no account in it; no file is made then.
/// [`Error::Relay`] or [`Error::Untrusted`] if the relay does not take this account or is another one;
/// [`Error::Store`]. That the relay cannot be reached is [`PushEnd::OutOfTime`].
pub async fn process_push(config: Config, budget: Duration) -> Result<PushResult> {
    let budget = budget.clamp(LEAST_BUDGET, MOST_BUDGET);
    let now = Instant::now();
    let until = now.checked_add(budget.saturating_sub(TO_CLOSE));
    let mut config = config;
    config.receipt_delay = config.receipt_delay.min(MOST_GATHERING);
    config.hold_back = config.hold_back.min(MOST_HOLDING_BACK);
    let run = Run(Core::open_for_push(config).await?);
    let end = run.catch_up(until.unwrap_or(now)).await;
    run.stop().await;
    let result = match end {
        Ok(end) => run.result(end).await,
        Err(error) => Err(error),
    };
    run.close().await;
    result
}

/// Ends the connection when it is dropped.
struct Run(Arc<Core>);

impl Drop for Run {
    fn drop(&mut self) {
        engine::cancel(&self.0);
    }
}

impl Run {
    async fn catch_up(&self, until: Instant) -> Result<PushEnd> {
        let core = &self.0;
        let local = core.store.read(LocalDevice::find).await?;
        if !local.is_some_and(|local| local.registered) {
            return Err(Error::NotRegistered);
        }
        let last = core.store.read(last_in_outbox).await?;
        core.events.remember_added(MAX_ADDED);
        engine::start(core);
        let mut end = match timeout_at(until, until_all_is_here(core)).await {
            Ok(end) => end?,
            Err(_) => PushEnd::OutOfTime,
        };
        if end == PushEnd::CaughtUp {
            tokio::select! {
                biased;
                () = until_replaced(core) => end = PushEnd::AppIsConnected,
                settled = timeout_at(until, settle(core, last)) => {
                    if let Ok(Err(error)) = settled {
                        tracing::debug!(code = error.code(), "the rest leaves next time");
                    }
                }
            }
        }
        Ok(end)
    }

    /// From then on nothing is received, so whatever was is in the result: the engine gives up its lease last, behind
    /// all that it was writing.
    async fn stop(&self) {
        engine::stop(&self.0).await;
    }

    async fn result(&self, end: PushEnd) -> Result<PushResult> {
        let core = &self.0;
        let (added, now) = (core.events.take_added(), core.clock.now_ms());
        let new = core.store.read(move |db| new_messages(db, added, now));
        Ok(PushResult {
            messages: new.await?,
            unread: ConversationList::new(Arc::clone(core)).unread().await?,
            end,
        })
    }

    async fn close(&self) {
        self.0.store.close().await;
        self.0.events.close();
    }
}

async fn until_all_is_here(core: &Core) -> Result<PushEnd> {
    let mut states = core.state.subscribe();
    loop {
        match &*states.borrow_and_update() {
            ConnectionState::Online => return Ok(PushEnd::CaughtUp),
            ConnectionState::Replaced => return Ok(PushEnd::AppIsConnected),
            ConnectionState::Refused { code } => return Err(refused(code)),
            _ => {}
        }
        if states.changed().await.is_err() {
            return Ok(PushEnd::OutOfTime);
        }
    }
}

async fn until_replaced(core: &Core) {
    let mut states = core.state.subscribe();
    // The client has the sender: it does not end before.
    let _replaced = states
        .wait_for(|state| *state == ConnectionState::Replaced)
        .await;
}

/// The state's code as an error.
fn refused(code: &str) -> Error {
    let refusal = match code {
        "not_registered" | "device_removed" | "account_deleted" => return Error::NotRegistered,
        "relay_name" => return Error::Untrusted("it goes by another name"),
        "update_needed" => ErrorCode::UnsupportedVersion,
        "account_blocked" => ErrorCode::Blocked,
        code => ErrorCode::from_str_name(&code.to_ascii_uppercase()).unwrap_or_default(),
    };
    RequestError::from(refusal.because("it does not take this account")).into()
}

/// What follows from what came. `last`: in the outbox before.
async fn settle(core: &Arc<Core>, last: i64) -> Result<()> {
    acknowledge(core).await?;
    if let Ok(released) = timeout(TO_RELEASE, until_nothing_is_held_back(core)).await {
        released?;
    }
    if core.store.read(receipts::are_due).await? {
        sleep(core.settings.receipt_delay).await;
        receipts::send_due(core).await?;
    }
    // Late is no failure: they are kept.
    if let Ok(left) = timeout(TO_LEAVE, until_it_left(core, last)).await {
        left?;
    }
    acknowledge(core).await
}

/// Waits until the relay has taken the acknowledgement of everything that is stored.
async fn acknowledge(core: &Core) -> Result<()> {
    loop {
        let local = core.store.read(LocalDevice::load).await?;
        let through_sequence = local.received_through;
        if through_sequence == 0 {
            return Ok(());
        }
        let request = Request::Acknowledge(Acknowledge { through_sequence });
        let wait = match core.link()?.request(request).await {
            Err(RequestError::Refused {
                retryable: true,
                retry_after,
                ..
            }) => retry_after.unwrap_or_default(),
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        sleep(wait.max(ACKNOWLEDGE_AGAIN)).await;
    }
}

/// What waits for messages before it is shown after a while, with an event.
async fn until_nothing_is_held_back(core: &Core) -> Result<()> {
    let mut events = core.events.subscribe();
    while !core.store.read(posts::chains_holding).await?.is_empty() {
        if events.next().await.is_none() {
            break;
        }
    }
    Ok(())
}

fn last_in_outbox(db: &Connection) -> Result<i64> {
    Ok(
        db.query_row("SELECT coalesce(max(id), 0) FROM outbox", [], |row| {
            row.get(0)
        })?,
    )
}

/// Waits until the relay has every receipt and question that was put into the outbox after `last`.
async fn until_it_left(core: &Core, last: i64) -> Result<()> {
    loop {
        // Made before looking: what leaves meanwhile is heard of.
        let looked_at = core.outbox_looked_at.notified();
        let waits = core.store.read(move |db| {
            let mut query = db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM outbox WHERE id > ?1 AND message IS NULL AND state < 2)",
            )?;
            Ok(query.query_row([last], |row| row.get::<_, bool>(0))?)
        });
        if !waits.await? {
            return Ok(());
        }
        looked_at.await;
    }
}

/// A conversation that makes itself heard.
struct Audible {
    title: Option<String>,
    requested: bool,
}

/// What is to be told of what was added.
fn new_messages(
    db: &Connection,
    added: VecDeque<(ConversationId, MessageRef)>,
    now_ms: u64,
) -> Result<Vec<PushedMessage>> {
    let mut conversations = BTreeMap::new();
    let mut newest: BTreeMap<Cursor, PushedMessage> = BTreeMap::new();
    for (id, message) in added {
        let known = match conversations.get(&id) {
            Some(known) => known,
            None => &*conversations.entry(id).or_insert(audible(db, id, now_ms)?),
        };
        let Some(Audible { title, requested }) = known else {
            continue;
        };
        let found = history::one(db, message)?;
        let Some(message) = found.filter(|found| found.state == MessageState::Unread) else {
            continue;
        };
        newest.insert(
            message.cursor,
            PushedMessage {
                message,
                title: title.clone(),
                requested: *requested,
            },
        );
        if newest.len() > MAX_PUSHED {
            newest.pop_first();
        }
    }
    Ok(newest.into_values().collect())
}

fn audible(db: &Connection, id: ConversationId, now_ms: u64) -> Result<Option<Audible>> {
    let mut query = db.prepare_cached(
        "SELECT coalesce(p.name, p.user_name, g.name), c.standing = 0
         FROM conversation c LEFT JOIN contact p ON p.account = c.peer
             LEFT JOIN group_info g ON g.conversation = c.id
         WHERE c.conversation_id = ?1 AND c.archived = 0 AND c.hidden = 0
             AND c.muted_until_ms <= ?2 AND coalesce(p.blocked, 0) = 0",
    )?;
    let found = query.query_row((id.as_bytes(), signed(now_ms)), |row| {
        Ok(Audible {
            title: row.get(0)?,
            requested: row.get(1)?,
        })
    });
    Ok(found.optional()?)
}

#[cfg(test)]
mod tests;
