//! A recipient of `online` and `paced`: takes what comes and stops when it has everything that its sender
//! says it sent.

use std::sync::Arc;

use tokio::sync::{Barrier, oneshot};

use crate::error::LoadError;
use crate::link::Link;
use crate::payload::now;
use crate::samples::Samples;
use crate::target::{Reading, Receives};

/// Receives until as many messages as `total` tells have come, in order, and are acknowledged; returns
/// the time each took from when it was due.
pub async fn receive<R: Receives>(
    mut link: Link<R>,
    recipient: usize,
    ready: Arc<Barrier>,
    mut total: oneshot::Receiver<u32>,
) -> Result<Samples, LoadError> {
    link.peer.start(&mut link.output, Reading::Follow);
    link.flush().await?;
    ready.wait().await;
    let mut samples = Samples::default();
    let mut received = Vec::new();
    let mut count = 0;
    let mut expected = None;
    while expected != Some(count) || !link.peer.is_settled() {
        tokio::select! {
            read = link.fill() => read?,
            told = &mut total, if expected.is_none() => {
                expected = Some(told.map_err(|_| LoadError::Ended)?);
                continue;
            }
        }
        link.take_messages(&mut received).await?;
        let now = now();
        for stamp in &received {
            if stamp.number != count {
                return Err(LoadError::Wrong {
                    recipient,
                    problem: format!("message {} instead of {count}", stamp.number),
                });
            }
            count += 1;
            samples.record(now.saturating_sub(stamp.due));
        }
    }
    Ok(samples)
}
