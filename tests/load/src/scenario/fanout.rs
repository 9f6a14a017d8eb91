//! One message to 1,000 connected accounts: a large group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::latch::Latch;
use super::{FANOUT, bounded};
use crate::error::LoadError;
use crate::figure::{Figure, Figures};
use crate::link::Link;
use crate::payload::{self, Stamp, now};
use crate::samples::median;
use crate::target::{Reading, Receives, Sends as _, Target};

const REPEATS: u32 = 10;
const LIMIT: Duration = Duration::from_secs(120);
const SENDER: usize = 0;

/// One round of several messages; their medians.
pub async fn fanout<T: Target>(target: &T) -> Result<Figures, LoadError> {
    bounded("fanout", LIMIT, play(target)).await
}

async fn play<T: Target>(target: &T) -> Result<Figures, LoadError> {
    let received = Arc::new(Latch::default());
    let settled = Arc::new(Latch::default());
    settled.close(FANOUT.len());
    let mut receivers = JoinSet::new();
    for recipient in FANOUT {
        let link = target.receiver(recipient).await?;
        receivers.spawn(receive(
            link,
            recipient,
            Arc::clone(&received),
            Arc::clone(&settled),
        ));
    }
    let sending = send(target, &received, &settled);
    tokio::select! {
        figures = sending => figures,
        // Receivers go on for ever, so this one failed.
        Some(ended) = receivers.join_next() => {
            ended??;
            Err(LoadError::Ended)
        }
    }
}

async fn send<T: Target>(
    target: &T,
    received: &Latch,
    settled: &Latch,
) -> Result<Figures, LoadError> {
    let mut link = target.sender(SENDER).await?;
    let mut payload = payload::random();
    let mut answered = Vec::new();
    let mut until_answered = Vec::new();
    let mut until_received = Vec::new();
    // Everybody listens.
    settled.opened().await;
    let before = target.footprint().await?;
    for number in 0..REPEATS {
        received.close(FANOUT.len());
        settled.close(FANOUT.len());
        let begun = Instant::now();
        Stamp {
            due: now(),
            sender: 0,
            number,
        }
        .write(&mut payload);
        link.peer
            .send_to_all(&mut link.output, FANOUT, &payload, number.into())?;
        let milliseconds = || begun.elapsed().as_secs_f64() * 1e3;
        let answering = async {
            link.flush().await?;
            link.next_answers(&mut answered).await?;
            until_answered.push(milliseconds());
            Ok::<(), LoadError>(())
        };
        let receiving = async {
            received.opened().await;
            until_received.push(milliseconds());
            Ok(())
        };
        tokio::try_join!(answering, receiving)?;
        settled.opened().await;
    }
    let after = target.footprint().await?;
    let mut figures = Figures::new(vec![
        (Figure::FanoutSent, median(&until_answered)),
        (Figure::FanoutReceived, median(&until_received)),
    ]);
    figures.add_commits(Figure::FanoutCommits, before, after, REPEATS);
    Ok(figures)
}

async fn receive<R: Receives>(
    mut link: Link<R>,
    recipient: usize,
    all_received: Arc<Latch>,
    all_settled: Arc<Latch>,
) -> Result<(), LoadError> {
    link.peer.start(&mut link.output, Reading::Follow);
    link.flush().await?;
    let mut received = Vec::new();
    let mut next = 0;
    // Listening counts as settled once, too.
    let mut unsettled = 1;
    loop {
        if unsettled > 0 && link.peer.is_settled() {
            all_settled.count(unsettled);
            unsettled = 0;
        }
        link.fill().await?;
        link.take_messages(&mut received).await?;
        for stamp in &received {
            if stamp.number != next {
                return Err(LoadError::Wrong {
                    recipient,
                    problem: format!("message {} instead of {next}", stamp.number),
                });
            }
            next += 1;
        }
        unsettled += received.len();
        all_received.count(received.len());
    }
}
