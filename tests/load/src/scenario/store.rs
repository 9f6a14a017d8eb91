//! 50,000 messages for 500 recipients who are not there, then all of them come at once and take what
//! waits: the morning after a night without network.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::bounded;
use crate::error::LoadError;
use crate::figure::{Figure, Figures};
use crate::link::Link;
use crate::payload::{self, Stamp, now};
use crate::target::{Reading, Receives, Sends, Target};

const SENDERS: usize = 10;
/// Messages of one sender that are not answered yet.
const WINDOW: usize = 200;
const RECIPIENTS: Range<usize> = SENDERS..SENDERS + 500;
/// Messages of one sender to one recipient.
const EACH: u32 = 10;
/// All together.
const MESSAGES: u32 = 50_000;
const _: () =
    assert!(EACH as usize * SENDERS * (RECIPIENTS.end - RECIPIENTS.start) == MESSAGES as usize);
const LIMIT: Duration = Duration::from_secs(180);

/// One round of both.
pub async fn store<T: Target>(target: &T) -> Result<Figures, LoadError> {
    let before = target.footprint().await?;
    let took = bounded("store", LIMIT, store_all(target)).await?;
    let stored = target.footprint().await?;
    let (connecting, draining) = bounded("drain", LIMIT, drain_all(target)).await?;
    let drained = target.footprint().await?;

    let per_second = |took: Duration| f64::from(MESSAGES) / took.as_secs_f64();
    let mut figures = Figures::new(vec![
        (Figure::StoreRate, per_second(took)),
        (Figure::DrainRate, per_second(draining)),
        (
            Figure::DrainConnect,
            RECIPIENTS.len() as f64 / connecting.as_secs_f64(),
        ),
    ]);
    figures.add_commits(Figure::StoreCommits, before, stored, MESSAGES);
    figures.add_disk(Figure::StoreDisk, before, stored, MESSAGES);
    figures.add_commits(Figure::DrainCommits, stored, drained, MESSAGES);
    Ok(figures)
}

async fn store_all<T: Target>(target: &T) -> Result<Duration, LoadError> {
    let ready = Arc::new(Barrier::new(SENDERS + 1));
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let link = target.sender(sender).await?;
        senders.spawn(send(link, sender, Arc::clone(&ready)));
    }
    ready.wait().await;
    let begun = Instant::now();
    while let Some(done) = senders.join_next().await {
        done??;
    }
    Ok(begun.elapsed())
}

async fn send<S: Sends>(
    mut link: Link<S>,
    sender: usize,
    ready: Arc<Barrier>,
) -> Result<(), LoadError> {
    let mut payload = payload::random();
    let mut answered = Vec::new();
    // Each sender begins elsewhere, so that they do not all write to the same recipient.
    let first = RECIPIENTS.len() / SENDERS * sender;
    let mut round = (0..EACH).flat_map(|number| {
        let order = RECIPIENTS.cycle_from(first);
        order.map(move |recipient| (recipient, number))
    });
    let mut left = EACH as usize * RECIPIENTS.len();
    let mut in_flight = 0;
    let mut ticket = 0;
    ready.wait().await;
    while left > 0 {
        while in_flight < WINDOW
            && let Some((recipient, number)) = round.next()
        {
            let stamp = Stamp {
                due: now(),
                sender: u32::try_from(sender).unwrap_or(u32::MAX),
                number,
            };
            stamp.write(&mut payload);
            link.peer
                .send(&mut link.output, recipient, &payload, ticket);
            ticket += 1;
            in_flight += 1;
        }
        link.flush().await?;
        link.next_answers(&mut answered).await?;
        in_flight -= answered.len();
        left -= answered.len();
    }
    Ok(())
}

/// Walks a range from somewhere in it.
trait CycleFrom {
    fn cycle_from(&self, offset: usize) -> impl Iterator<Item = usize> + use<Self>;
}

impl CycleFrom for Range<usize> {
    fn cycle_from(&self, offset: usize) -> impl Iterator<Item = usize> + use<> {
        let middle = self.start + offset;
        (middle..self.end).chain(self.start..middle)
    }
}

/// How long it took to connect and prove who is who, and then to receive and acknowledge everything.
async fn drain_all<T: Target>(target: &T) -> Result<(Duration, Duration), LoadError> {
    let ready = Arc::new(Barrier::new(RECIPIENTS.len() + 1));
    let mut receivers = JoinSet::new();
    let begun = Instant::now();
    for recipient in RECIPIENTS {
        let link = target.receiver(recipient).await?;
        receivers.spawn(drain(link, recipient, Arc::clone(&ready)));
    }
    let connecting = begun.elapsed();
    ready.wait().await;
    let begun = Instant::now();
    while let Some(done) = receivers.join_next().await {
        done??;
    }
    Ok((connecting, begun.elapsed()))
}

async fn drain<R: Receives>(
    mut link: Link<R>,
    recipient: usize,
    ready: Arc<Barrier>,
) -> Result<(), LoadError> {
    ready.wait().await;
    link.peer.start(&mut link.output, Reading::Drain);
    link.flush().await?;
    let mut received = Vec::new();
    let mut next = [0; SENDERS];
    let mut left = EACH as usize * SENDERS;
    while left > 0 || !link.peer.is_settled() {
        link.fill().await?;
        link.take_messages(&mut received).await?;
        for stamp in &received {
            let expected = usize::try_from(stamp.sender)
                .ok()
                .and_then(|sender| next.get_mut(sender))
                .filter(|expected| **expected == stamp.number && stamp.number < EACH);
            let Some(expected) = expected else {
                return Err(LoadError::Wrong {
                    recipient,
                    problem: format!(
                        "message {} of sender {} is lost, repeated or out of order",
                        stamp.number, stamp.sender
                    ),
                });
            };
            *expected += 1;
            left -= 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_meets_everybody_once() {
        let walked: Vec<usize> = (3..8).cycle_from(2).collect();
        assert_eq!(walked, [5, 6, 7, 3, 4]);
    }
}
