//! What an operator sees: logs without identities, metrics, health. On a listener of its own, loopback
//! unless the configuration insists.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};
use crate::relay::Relay;

/// What our own modules' log lines begin their target with.
const OURS: &str = "hushpost_relay";

/// Upper ends of the buckets of durations, seconds: a commit is some 0.3 ms, a bad disk takes a second.
const SECONDS: [f64; 12] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0,
];

/// Starts logging to standard error.
pub fn start_logging(settings: &Log) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text => lines.boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(filter_fn(|line| {
            may_be_logged(line.target(), *line.level())
        }))
        .with(filter)
        .with(lines)
        .try_init();
    // A host program that logs already keeps its own.
    drop(started);
}

/// Libraries at "debug" and "trace" write out what passes through them: whole frames, with account ids,
/// tokens and ciphertext. The configuration cannot make them.
fn may_be_logged(target: &str, level: Level) -> bool {
    level <= Level::INFO
        || target
            .strip_prefix(OURS)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Starts metrics. Only one relay in a process can have them.
///
/// # Errors
/// When metrics were started before.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("hushpost_connections", "Open WebSocket connections");
    describe_gauge!("hushpost_store_log_bytes", "Bytes of the write-ahead log");
    describe_gauge!(
        "hushpost_store_disk_free_bytes",
        "Bytes free on the data disk"
    );
    describe_gauge!(
        "hushpost_journal_bytes",
        "Bytes of messages not settled yet"
    );
    describe_gauge!("hushpost_journal_rows", "Commits not settled yet");
    describe_gauge!("hushpost_mailboxes_in_memory", "Mailboxes in memory");
    describe_counter!(
        "hushpost_store_commits_total",
        "Transactions made durable, one fsync each"
    );
    describe_counter!(
        "hushpost_store_failed_commits_total",
        "Transactions that failed"
    );
    describe_histogram!(
        "hushpost_store_commit_seconds",
        "From the first operation of a group to its end"
    );
    describe_counter!("hushpost_sent_total", "Device copies answered as sent");
    describe_counter!(
        "hushpost_delivered_total",
        "Messages pushed to devices, repeats included"
    );
    describe_histogram!("hushpost_delivery_seconds", "From acceptance to the push");
    describe_counter!("hushpost_refused_total", "Requests refused, by error code");
    describe_counter!("hushpost_limited_total", "Refusals by each rate limiter");
    describe_counter!("hushpost_cut_total", "Connections cut off, by reason");
    describe_counter!(
        "hushpost_connections_refused_total",
        "Connections refused, by the limit they would have exceeded"
    );
    describe_counter!(
        "hushpost_tls_handshakes_failed_total",
        "TLS handshakes that failed or took too long"
    );
    describe_counter!(
        "hushpost_expired_mailboxes_total",
        "Mailboxes in which messages expired"
    );
}

/// What the second listener serves: `/metrics`, `/health/live`, `/health/ready`.
pub fn router(relay: Arc<Relay>, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/metrics", get(render))
        .route("/health/live", get(|| async { "alive\n" }))
        .route("/health/ready", get(ready))
        .with_state(Observed { relay, metrics })
}

#[derive(Clone)]
struct Observed {
    relay: Arc<Relay>,
    metrics: PrometheusHandle,
}

async fn render(State(observed): State<Observed>) -> impl IntoResponse {
    observed.metrics.run_upkeep();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        observed.metrics.render(),
    )
}

async fn ready(State(observed): State<Observed>) -> Response {
    let health = observed.relay.store.health();
    if observed.relay.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    } else if health.is_low() {
        (StatusCode::SERVICE_UNAVAILABLE, "the disk is nearly full\n").into_response()
    } else if health.is_ready() {
        "ready\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store refuses writes\n",
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_say_little_and_we_say_what_is_asked_for() {
        for target in ["hushpost_relay", "hushpost_relay::connection::task"] {
            assert!(may_be_logged(target, Level::TRACE), "{target}");
        }
        for target in [
            "tungstenite::protocol",
            "hyper::proto",
            "hushpost_relay_of_somebody_else",
            "",
        ] {
            assert!(!may_be_logged(target, Level::TRACE), "{target}");
            assert!(!may_be_logged(target, Level::DEBUG), "{target}");
            assert!(may_be_logged(target, Level::INFO), "{target}");
            assert!(may_be_logged(target, Level::ERROR), "{target}");
        }
    }
}
