//! 1,000 messages a second over 100 pairs, on a schedule that waits for nobody: a server that stalls is
//! charged for every message that was due meanwhile (no coordinated omission).

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinSet;

use super::receiver::receive;
use super::{PAIRS, bounded, partner};
use crate::error::LoadError;
use crate::figure::{Figure, Figures};
use crate::link::Link;
use crate::payload::{self, Stamp, now};
use crate::samples::Samples;
use crate::target::{Sends, Target};

/// Between two messages.
const PACE: Duration = Duration::from_millis(1);
const PER_SECOND: u64 = 1_000;
const GRACE: Duration = Duration::from_secs(60);

/// One round.
pub async fn paced<T: Target>(target: &T, seconds: u64) -> Result<Figures, LoadError> {
    let limit = Duration::from_secs(seconds) + GRACE;
    bounded("paced", limit, play(target, seconds * PER_SECOND)).await
}

async fn play<T: Target>(target: &T, messages: u64) -> Result<Figures, LoadError> {
    // Receivers, and the clock of the senders.
    let ready = Arc::new(Barrier::new(PAIRS + 1));
    let mut senders = JoinSet::new();
    let mut receivers = JoinSet::new();
    let mut schedules = Vec::new();
    let before = target.footprint().await?;
    for sender in 0..PAIRS {
        let (tell, told) = oneshot::channel();
        let link = target.receiver(partner(sender)).await?;
        receivers.spawn(receive(link, partner(sender), Arc::clone(&ready), told));
        let link = target.sender(sender).await?;
        let (schedule, due) = unbounded_channel();
        schedules.push(schedule);
        senders.spawn(send(link, sender, due, tell));
    }
    ready.wait().await;
    // A thread of its own: the runtime's timer is a millisecond wide, as wide as the pace.
    let clock = thread::spawn(move || run_clock(&schedules, messages));
    let mut answered = Samples::default();
    while let Some(done) = senders.join_next().await {
        answered.merge(&done??);
    }
    let mut delivered = Samples::default();
    while let Some(done) = receivers.join_next().await {
        delivered.merge(&done??);
    }
    clock
        .join()
        .map_err(|_| LoadError::Unexpected("the clock broke"))?;
    let after = target.footprint().await?;
    let [ack_50, ack_95, ack_99] = answered.percentiles_ms([50, 95, 99]);
    let [got_50, got_95, got_99] = delivered.percentiles_ms([50, 95, 99]);
    let mut figures = Figures::new(vec![
        (Figure::PacedSent50, ack_50),
        (Figure::PacedSent95, ack_95),
        (Figure::PacedSent99, ack_99),
        (Figure::PacedDelivered50, got_50),
        (Figure::PacedDelivered95, got_95),
        (Figure::PacedDelivered99, got_99),
    ]);
    let count = u32::try_from(messages).unwrap_or(u32::MAX);
    figures.add_commits(Figure::PacedCommits, before, after, count);
    Ok(figures)
}

/// Tells each sender in turn when a message is due.
fn run_clock(schedules: &[UnboundedSender<u64>], messages: u64) {
    let begun = Instant::now();
    let zero = now();
    let mut due = Duration::ZERO;
    for (_, schedule) in (0..messages).zip(schedules.iter().cycle()) {
        due += PACE;
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let at = zero + u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
        if schedule.send(at).is_err() {
            // The sender failed, and says so itself.
            return;
        }
    }
}

async fn send<S: Sends>(
    mut link: Link<S>,
    sender: usize,
    mut schedule: UnboundedReceiver<u64>,
    tell: oneshot::Sender<u32>,
) -> Result<Samples, LoadError> {
    let mut payload = payload::random();
    let mut samples = Samples::default();
    let mut answered = Vec::new();
    // By ticket, when it was due.
    let mut sent: Vec<u64> = Vec::new();
    let mut scheduled = true;
    let mut left = 0;
    while scheduled || left > 0 {
        tokio::select! {
            due = schedule.recv(), if scheduled => match due {
                Some(due) => {
                    let number = u32::try_from(sent.len()).unwrap_or(u32::MAX);
                    let sender_number = u32::try_from(sender).unwrap_or(u32::MAX);
                    Stamp { due, sender: sender_number, number }.write(&mut payload);
                    link.peer.send(&mut link.output, partner(sender), &payload, number.into());
                    link.flush().await?;
                    sent.push(due);
                    left += 1;
                }
                None => scheduled = false,
            },
            read = link.fill() => {
                read?;
                answered.clear();
                link.answers(&mut answered)?;
                let now = now();
                for &ticket in &answered {
                    let due = usize::try_from(ticket).ok().and_then(|ticket| sent.get(ticket));
                    let due = due.ok_or(LoadError::Unexpected("an answer to nothing"))?;
                    samples.record(now.saturating_sub(*due));
                    left -= 1;
                }
            }
        }
    }
    tell.send(u32::try_from(sent.len()).unwrap_or(u32::MAX))
        .map_err(|_| LoadError::Ended)?;
    Ok(samples)
}
