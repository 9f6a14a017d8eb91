//! 100 pairs online, window 1: each sender sends its next message when the last one was answered. What a
//! server does under full load when nobody pipelines.

use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// Beyond the measured seconds: connecting, and what is in flight at the end.
const GRACE: Duration = Duration::from_secs(60);

/// One round.
pub async fn online<T: Target>(target: &T, seconds: u64) -> Result<Figures, LoadError> {
    let measured = Duration::from_secs(seconds);
    bounded("online", measured + GRACE, play(target, measured)).await
}

async fn play<T: Target>(target: &T, measured: Duration) -> Result<Figures, LoadError> {
    let ready = Arc::new(Barrier::new(2 * PAIRS));
    let mut senders = JoinSet::new();
    let mut receivers = JoinSet::new();
    let before = target.footprint().await?;
    for sender in 0..PAIRS {
        let (tell, told) = oneshot::channel();
        let link = target.receiver(partner(sender)).await?;
        receivers.spawn(receive(link, partner(sender), Arc::clone(&ready), told));
        let link = target.sender(sender).await?;
        senders.spawn(send(link, sender, Arc::clone(&ready), measured, tell));
    }
    let mut answered = Samples::default();
    let mut count = 0;
    let mut longest = Duration::ZERO;
    while let Some(done) = senders.join_next().await {
        let (sent, took, samples) = done??;
        count += sent;
        longest = longest.max(took);
        answered.merge(&samples);
    }
    let mut delivered = Samples::default();
    while let Some(done) = receivers.join_next().await {
        delivered.merge(&done??);
    }
    let after = target.footprint().await?;
    let [ack_50, ack_95, ack_99] = answered.percentiles_ms([50, 95, 99]);
    let [got_50, got_95, got_99] = delivered.percentiles_ms([50, 95, 99]);
    let mut figures = Figures::new(vec![
        (Figure::OnlineRate, f64::from(count) / longest.as_secs_f64()),
        (Figure::OnlineSent50, ack_50),
        (Figure::OnlineSent95, ack_95),
        (Figure::OnlineSent99, ack_99),
        (Figure::OnlineDelivered50, got_50),
        (Figure::OnlineDelivered95, got_95),
        (Figure::OnlineDelivered99, got_99),
    ]);
    figures.add_commits(Figure::OnlineCommits, before, after, count);
    Ok(figures)
}

async fn send<S: Sends>(
    mut link: Link<S>,
    sender: usize,
    ready: Arc<Barrier>,
    measured: Duration,
    tell: oneshot::Sender<u32>,
) -> Result<(u32, Duration, Samples), LoadError> {
    let mut payload = payload::random();
    let mut samples = Samples::with_capacity(4096);
    let mut answered = Vec::new();
    let mut number = 0;
    ready.wait().await;
    let begun = Instant::now();
    while begun.elapsed() < measured {
        let due = now();
        let stamp = Stamp {
            due,
            sender: u32::try_from(sender).unwrap_or(u32::MAX),
            number,
        };
        stamp.write(&mut payload);
        link.peer
            .send(&mut link.output, partner(sender), &payload, number.into());
        link.flush().await?;
        link.next_answers(&mut answered).await?;
        samples.record(now() - due);
        number += 1;
    }
    let took = begun.elapsed();
    tell.send(number).map_err(|_| LoadError::Ended)?;
    Ok((number, took, samples))
}
