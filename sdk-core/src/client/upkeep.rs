//! Pre-keys kept in stock: when connected, when the relay says they are low, and every few hours for what is to
//! be rotated.

use std::sync::Arc;
use std::time::Duration;

use hushpost_wire::PreKeyCounts;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;

use crate::Result;
use crate::account::LocalDevice;
use crate::account::pre_keys::{self, InStock};
use crate::client::Core;
use crate::connection::{Link, RequestError};
use crate::outbox::rows as outbox;

/// How often is looked after what is to be rotated.
const EVERY: Duration = Duration::from_secs(6 * 3600);
/// After something went wrong.
const AGAIN: Duration = Duration::from_secs(30);
/// Uploads in one go; two are enough for a full stock.
const UPLOADS: usize = 4;

/// Keeps the stock until the link is closed.
pub(crate) async fn run(core: Arc<Core>, link: Link) {
    loop {
        let next = match count_and_refill(&core, &link).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::debug!(code = error.code(), "pre-keys could not be published");
                AGAIN
            }
        };
        tokio::select! {
            biased;
            () = core.wake_upkeep.notified() => {}
            () = tokio::time::sleep(next) => {}
            _ = link.closed() => return,
        }
    }
}

async fn count_and_refill(core: &Arc<Core>, link: &Link) -> Result<()> {
    let now_ms = core.clock.now_ms();
    core.store
        .write(move |tx| outbox::forget_old(tx, now_ms))
        .await?;
    let count = Request::CountPreKeys(hushpost_wire::CountPreKeys {});
    let Body::PreKeyCounts(counts) = link.request(count).await? else {
        return Err(RequestError::Unexpected.into());
    };
    refill(core, link, counts).await
}

/// Publishes what is due.
pub(crate) async fn refill(core: &Arc<Core>, link: &Link, counts: PreKeyCounts) -> Result<()> {
    let mut counts = counts;
    for _ in 0..UPLOADS {
        let in_stock = InStock {
            one_time: counts.one_time_pre_keys,
            one_time_kem: counts.one_time_kem_pre_keys,
        };
        let (stock, now_ms) = (core.settings.pre_key_stock, core.clock.now_ms());
        let mut rng = core.rng.clone();
        let upload = core
            .store
            .write(move |tx| {
                let local = LocalDevice::load(tx)?;
                pre_keys::refill(tx, &local, in_stock, stock, now_ms, &mut rng)
            })
            .await?;
        let Some(upload) = upload else {
            return Ok(());
        };
        let request = Request::UploadPreKeys(upload.clone());
        let Body::PreKeyCounts(answer) = link.request(request).await? else {
            return Err(RequestError::Unexpected.into());
        };
        counts = answer;
        core.store
            .write(move |tx| pre_keys::uploaded(tx, &upload))
            .await?;
    }
    Ok(())
}
