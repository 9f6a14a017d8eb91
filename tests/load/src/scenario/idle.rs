//! As many connections as the file limit allows, all silent: what does each cost the server's memory?

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::bounded;
use crate::error::LoadError;
use crate::figure::{Figure, Figures};
use crate::link::Link;
use crate::target::{Receives, Target};

/// From one source address. Ports of an address are few, and a relay limits them.
const PER_ADDRESS: usize = 4_000;
/// Connections that are being opened at the same time.
const OPENING: usize = 64;
const LIMIT: Duration = Duration::from_secs(240);

/// One round, on a server that has just started.
pub async fn idle<T: Target>(target: &Arc<T>, connections: usize) -> Result<Figures, LoadError> {
    bounded("idle", LIMIT, play(target, connections)).await
}

async fn play<T: Target>(target: &Arc<T>, connections: usize) -> Result<Figures, LoadError> {
    let (awake, sleeping) = watch::channel(false);
    let mut holding = JoinSet::new();
    let mut opening = JoinSet::new();
    let before = target.footprint().await?;
    let begun = Instant::now();
    let mut sources = (0..connections).map(source);
    loop {
        while opening.len() < OPENING
            && let Some(from) = sources.next()
        {
            let target = Arc::clone(target);
            opening.spawn(async move { target.idler(from?).await });
        }
        let Some(opened) = opening.join_next().await else {
            break;
        };
        holding.spawn(hold(opened??, sleeping.clone()));
    }
    let opening = begun.elapsed();
    let after = target.footprint().await?;
    // The receivers of this channel are all in tasks that hold a connection.
    awake.send_replace(true);
    let mut answered = 0;
    while let Some(done) = holding.join_next().await {
        done??;
        answered += 1;
    }
    if answered != connections {
        return Err(LoadError::Unexpected("connections that no longer answer"));
    }
    let grown = after.resident.saturating_sub(before.resident) as f64;
    Ok(Figures::new(vec![
        (Figure::IdleBytes, grown / connections as f64),
        (Figure::IdleConnections, connections as f64),
        (
            Figure::IdleOpening,
            connections as f64 / opening.as_secs_f64(),
        ),
    ]))
}

/// Where a connection comes from: 127.0.0.2 and up.
fn source(connection: usize) -> Result<IpAddr, LoadError> {
    u8::try_from(2 + connection / PER_ADDRESS)
        .map(|last| Ipv4Addr::new(127, 0, 0, last).into())
        .map_err(|_| LoadError::Unexpected("more connections than addresses"))
}

/// Answers the server's pings, and at the end asks whether it is still there.
async fn hold<R: Receives>(
    mut link: Link<R>,
    mut sleeping: watch::Receiver<bool>,
) -> Result<(), LoadError> {
    let mut received = Vec::new();
    loop {
        tokio::select! {
            read = link.fill() => read?,
            woken = sleeping.wait_for(|awake| *awake) => {
                woken.map_err(|_| LoadError::Ended)?;
                break;
            }
        }
        link.take_messages(&mut received).await?;
    }
    link.ping().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_spread() {
        assert_eq!(source(3_999).unwrap(), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(source(4_000).unwrap(), Ipv4Addr::new(127, 0, 0, 3));
        assert!(source(usize::MAX / 2).is_err());
    }
}
