//! Ends connections that are silent, stuck in a write, or never said who they are. One task for all, so
//! that an idle connection needs no timer of its own.

use std::sync::Arc;
use std::time::Duration;

use hushpost_wire::CloseReason;
use tokio_util::sync::CancellationToken;

use super::Session;
use crate::config::Listen;
use crate::relay::Relay;

/// How often all connections are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a client may take to close after it was told why.
const GOODBYE: u32 = 5;

/// Looks after all connections until `stopped`.
pub async fn run(relay: Arc<Relay>, stopped: CancellationToken) {
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = stopped.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = relay.registry.now();
        for session in relay.registry.all() {
            look(&session, now, &relay.config.listen);
        }
    }
}

fn look(session: &Session, now: u32, settings: &Listen) {
    let seconds = |limit: Duration| u32::try_from(limit.as_secs().max(1)).unwrap_or(u32::MAX);
    let writing = session.writing();
    if writing != 0 && now.saturating_sub(writing) > seconds(settings.write_timeout) {
        metrics::counter!("hushpost_cut_total", "why" => "slow_reader").increment(1);
        return session.cut();
    }
    let silent = now.saturating_sub(session.heard());
    if session.closing().is_some() {
        if now.saturating_sub(session.closing_since(now)) > GOODBYE {
            session.cut();
        }
    } else if !session.is_proven()
        // Since it opened, not since it last spoke: pings would keep it for ever.
        && now.saturating_sub(session.opened()) > seconds(settings.handshake_timeout)
    {
        session.close(CloseReason::HandshakeTimeout, Duration::ZERO);
    } else if silent > seconds(settings.idle_timeout) {
        session.close(CloseReason::IdleTimeout, Duration::ZERO);
    }
}
