//! The loop that receives: batches into transactions, acknowledges, tells the app.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, Acknowledge, Deliveries, Delivery, DeviceAddress, DeviceId, Ephemeral, MessageId,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::account::{LocalDevice, contacts};
use crate::client::Core;
use crate::connection::{Link, Push, Pushes, RequestError};
use crate::content;
use crate::conversation::rows::{self as messages, Kind};
use crate::event::Event;
use crate::inbox::batch::{BATCH, Batch, ChainKey, Effects, Received};
use crate::inbox::open::{Opening, open};
use crate::inbox::posts;
use crate::store::Transaction;
use crate::{Error, Result};

/// How soon a relay that did not take an acknowledgement is told again.
const ACKNOWLEDGE_AGAIN: Duration = Duration::from_millis(250);

/// Receives until the link is closed.
pub(crate) async fn run(core: Arc<Core>, link: Link, pushes: Pushes) {
    let (stored, due) = watch::channel(0);
    tokio::select! {
        biased;
        () = receive(&core, pushes, &stored) => {}
        never = acknowledge(&link, due) => match never {},
    }
}

async fn receive(core: &Arc<Core>, mut pushes: Pushes, stored: &watch::Sender<u64>) {
    let mut held = Held(BTreeMap::new());
    held.find(core).await;
    loop {
        tokio::select! {
            // What is shown late already goes first.
            biased;
            key = held.due() => {
                if let Err(error) = release(core, key, &mut held).await {
                    tracing::warn!(code = error.code(), "held messages could not be shown");
                    return;
                }
            }
            () = core.wake_inbox.notified() => held.find(core).await,
            push = pushes.next() => {
                let Some(push) = push else { return };
                if let Err(error) = take(core, stored, push, &mut held).await {
                    // Nothing was acknowledged: on the next connection it comes again.
                    tracing::warn!(code = error.code(), "received messages could not be stored");
                    return;
                }
            }
        }
    }
}

enum Never {}

/// Acknowledges what is stored, the newest number counts for all before it. A relay that is busy is asked again:
/// it delivers only so far ahead of what is acknowledged, so one that was not told would stop.
async fn acknowledge(link: &Link, mut due: watch::Receiver<u64>) -> Never {
    loop {
        if due.changed().await.is_err() {
            return core::future::pending().await;
        }
        loop {
            let through_sequence = *due.borrow_and_update();
            let request = Request::Acknowledge(Acknowledge { through_sequence });
            let wait = match link.request(request).await {
                Err(RequestError::Refused {
                    retryable: true,
                    retry_after,
                    ..
                }) => retry_after,
                // On the next connection it comes again.
                Err(RequestError::Disconnected) => return core::future::pending().await,
                Err(error) if error.is_retryable() => None,
                Ok(_) | Err(_) => break,
            };
            tokio::time::sleep(wait.unwrap_or_default().max(ACKNOWLEDGE_AGAIN)).await;
        }
    }
}

/// Chains that hold something back, and until when.
struct Held(BTreeMap<ChainKey, Instant>);

impl Held {
    /// Adds what was held back before, or by another process.
    async fn find(&mut self, core: &Core) {
        let chains = core.store.read(posts::chains_holding).await;
        self.add(core, chains.unwrap_or_default());
    }

    fn until(core: &Core) -> Instant {
        let now = Instant::now();
        now.checked_add(core.settings.hold_back).unwrap_or(now)
    }

    fn add(&mut self, core: &Core, keys: impl IntoIterator<Item = ChainKey>) {
        let until = Self::until(core);
        for key in keys {
            self.0.entry(key).or_insert(until);
        }
    }

    async fn due(&self) -> ChainKey {
        match self.0.iter().min_by_key(|(_, until)| **until) {
            Some((key, until)) => {
                tokio::time::sleep_until(*until).await;
                *key
            }
            None => core::future::pending().await,
        }
    }
}

async fn take(
    core: &Arc<Core>,
    stored: &watch::Sender<u64>,
    push: Push,
    held: &mut Held,
) -> Result<()> {
    match push {
        Body::Deliveries(deliveries) => take_deliveries(core, stored, deliveries, held).await,
        Body::Ephemeral(ephemeral) => take_ephemeral(core, ephemeral).await,
        Body::CaughtUp(_) => {
            core.events.emit(Event::CaughtUp);
            core.set_online();
            Ok(())
        }
        Body::PreKeysLow(_) => {
            core.wake_upkeep.notify_one();
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn take_deliveries(
    core: &Arc<Core>,
    stored: &watch::Sender<u64>,
    deliveries: Deliveries,
    held: &mut Held,
) -> Result<()> {
    let mut deliveries = deliveries.deliveries;
    while !deliveries.is_empty() {
        let rest = deliveries.split_off(deliveries.len().min(BATCH));
        let batch = core::mem::replace(&mut deliveries, rest);
        let now_ms = core.clock.now_ms();
        let rng = core.rng.clone();
        let told = Arc::clone(core);
        let work = move |tx: &mut Transaction<'_>| {
            let mut state = Batch::new(tx, now_ms, rng)?;
            let mut through = state.local.received_through;
            for delivery in batch {
                // Whatever its number: a relay that counts wrong would silence everybody. Repeats are known.
                through = through.max(delivery.sequence);
                if let Some(received) = check(delivery) {
                    state.receive(&received)?;
                }
            }
            LocalDevice::save_position(state.tx, through)?;
            Ok((through, state.finish()?))
        };
        let then = move |(through, effects)| (through, tell(&told, effects));
        let (through, new) = core.store.write_then(work, then).await?;
        stored.send_replace(through);
        held.add(core, new);
    }
    Ok(())
}

async fn take_ephemeral(core: &Arc<Core>, ephemeral: Ephemeral) -> Result<()> {
    let Some(from) = ephemeral
        .sender
        .as_ref()
        .and_then(|sender| address(&sender.account, sender.device))
    else {
        return Ok(());
    };
    let now_ms = core.clock.now_ms();
    let rng = core.rng.clone();
    let told = Arc::clone(core);
    let work = move |tx: &mut Transaction<'_>| {
        let contact = contacts::find(tx, from.account)?;
        if contact.is_none_or(|contact| contact.blocked) {
            return Ok(Vec::new());
        }
        let mut batch = Batch::new(tx, now_ms, rng)?;
        let opening = open(&mut batch, from, &ephemeral.ciphertext)?;
        let said = match opening {
            Opening::Said(said) => Some(said.body),
            _ => None,
        };
        let Some(content::Body::Typing(typing)) = said else {
            // What is to be stored comes as a delivery. Opened here it would be lost: nothing is changed.
            return Err(Error::Untrusted("a push of what is to be stored"));
        };
        if messages::find(batch.tx, typing.conversation)?
            .is_some_and(|found| found.accepted && found.kind == Kind::Direct(from.account))
        {
            batch.effects.events.push(Event::Typing {
                conversation: typing.conversation,
                account: from.account,
                activity: typing.activity,
            });
        }
        Ok(batch.finish()?.events)
    };
    let then = move |events: Vec<_>| told.events.emit_all(events);
    match core.store.write_then(work, then).await {
        Err(Error::Untrusted(_)) => Ok(()),
        done => done,
    }
}

async fn release(core: &Arc<Core>, key: ChainKey, held: &mut Held) -> Result<()> {
    held.0.remove(&key);
    let now_ms = core.clock.now_ms();
    let rng = core.rng.clone();
    let told = Arc::clone(core);
    let work = move |tx: &mut Transaction<'_>| {
        let mut batch = Batch::new(tx, now_ms, rng)?;
        posts::release(&mut batch, key)?;
        batch.finish()
    };
    let then = move |effects| tell(&told, effects);
    let new = core.store.write_then(work, then).await?;
    held.add(core, new);
    Ok(())
}

/// After the commit, whatever became of the link: the app is told, and the tasks that have something to do. Gives
/// the chains that hold something back.
fn tell(core: &Core, effects: Effects) -> BTreeSet<ChainKey> {
    core.events.emit_all(effects.events);
    if effects.outbox {
        core.wake_outbox.notify_one();
    }
    if effects.receipts {
        core.wake_receipts.notify_one();
    }
    if effects.repair {
        core.wake_repair.notify_one();
    }
    if effects.tidy {
        core.housekeeping.words_removed();
    }
    effects.held
}

/// Checks a delivery's fields. What names nobody cannot be opened, or asked for again.
fn check(delivery: Delivery) -> Option<Received> {
    let sender = delivery.sender.as_ref()?;
    Some(Received {
        envelope_id: MessageId::from_slice(&delivery.message_id).ok()?,
        from: address(&sender.account, sender.device)?,
        accepted_ms: delivery.accepted_ms,
        ciphertext: delivery.ciphertext,
    })
}

fn address(account: &[u8], device: u32) -> Option<DeviceAddress> {
    Some(DeviceAddress {
        account: AccountId::from_slice(account).ok()?,
        device: DeviceId::new(device).ok()?,
    })
}
