//! What is done every so often beside the traffic: limits tidied, presence and blobs and messages expired,
//! the operator's requests carried out, figures taken.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::mailbox::{Acknowledgement, DeviceKey, expiry};
use crate::refusal::Refusal;
use crate::relay::Relay;
use crate::store::now_ms;

/// Limits and presence.
const OFTEN: Duration = Duration::from_secs(5);
/// The operator's requests.
const OPERATOR: Duration = Duration::from_millis(500);
/// Blobs and unfetched messages.
const SELDOM: Duration = Duration::from_secs(600);
/// Mailboxes looked at in one read.
const SLICE: usize = 1000;

/// Runs until `stopped`.
pub async fn run(relay: Arc<Relay>, stopped: CancellationToken) {
    let mut often = tokio::time::interval(OFTEN);
    let mut operator = tokio::time::interval(OPERATOR);
    let mut seldom = tokio::time::interval(SELDOM);
    for ticks in [&mut often, &mut operator, &mut seldom] {
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        tokio::select! {
            () = stopped.cancelled() => return,
            _ = often.tick() => {
                relay.limits.tidy();
                report("presence", relay.presence.expire().await);
            }
            _ = operator.tick() => report("admin", admin::carry_out(&relay).await),
            _ = seldom.tick() => {
                report("messages", expire_messages(&relay).await);
                if let Err(error) = relay.blobs.sweep().await {
                    tracing::warn!(%error, "blobs were not swept");
                }
            }
        }
    }
}

fn report(what: &str, result: Result<(), Refusal>) {
    if let Err(refusal) = result {
        tracing::warn!(
            what,
            code = refusal.code().as_str_name(),
            "maintenance failed"
        );
    }
}

async fn expire_messages(relay: &Relay) -> Result<(), Refusal> {
    let ttl = u64::try_from(relay.config.limits.message_ttl.as_millis()).unwrap_or(u64::MAX);
    let before = now_ms().saturating_sub(ttl);
    let mut from = Some(DeviceKey(0));
    while let Some(start) = from {
        let (expired, next) = relay
            .store
            .read(move |store| -> Result<_, Refusal> {
                Ok(expiry::find(store, start, before, SLICE)?)
            })
            .await?;
        for (device, through) in expired {
            metrics::counter!("hushpost_expired_mailboxes_total").increment(1);
            relay.store.writer().acknowledge(Acknowledgement {
                device,
                through,
                answer: Box::new(|_| {}),
            });
        }
        from = next;
    }
    Ok(())
}
