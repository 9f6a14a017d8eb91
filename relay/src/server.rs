//! Starts a relay and stops it: opens the store, binds both listeners, says that it is ready, and on
//! SIGTERM or SIGINT drains.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::accounts::registration::Registration;
use crate::accounts::registration_token::{
    KeySource, RegistrationTokens, SigningAlgorithm, TokenSettings, TokenSettingsError,
};
use crate::blobs::{BlobSettings, Blobs};
use crate::config::{Config, RegistrationMode, TokenAlgorithm, TokenKeys};
use crate::connection::{reaper, upgrade};
use crate::listener::{ListenError, Listener, ListenerSettings, Tls, TlsError, TlsSettings};
use crate::relay::Relay;
use crate::store::{OpenError, Store, StoreSettings};
use crate::{maintenance, observe};

/// How long clients have to close after they were told to, within the drain.
const GOODBYE: Duration = Duration::from_secs(3);

/// Uploads at once, and downloads at once: about 1 MiB of memory each.
const BLOB_TRANSFERS: usize = 64;

/// Why a relay does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The keys that registration tokens are checked with.
    #[error(transparent)]
    Tokens(#[from] TokenSettingsError),
    /// Metrics.
    #[error("metrics cannot start: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The system.
    #[error("the system refused: {0}")]
    System(#[from] std::io::Error),
}

/// Serves until it is told to stop. Writes one line to `out` when it is ready:
/// `READY ws=ADDRESS admin=ADDRESS`.
///
/// # Errors
/// [`StartError`], before it was ready.
pub async fn serve(config: Config, out: &mut (impl Write + Send)) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    raise_file_limit();
    let metrics = observe::start_metrics()?;
    let store = Store::open(&config.data_dir, store_settings(&config))?;
    let registration = registration(&config)?;
    let blobs = Blobs::open(store.clone(), blob_settings(&config))?;
    let tls = config
        .tls
        .as_ref()
        .map(tls_settings)
        .map(Tls::open)
        .transpose()?;
    let listener = Listener::bind(listener_settings(&config))?;
    let admin = Listener::bind(ListenerSettings {
        address: config.listen.admin_address,
        ..listener_settings(&config)
    })?;
    let (address, admin_address) = (listener.local_address(), admin.local_address());
    let drain = config.drain.timeout;
    let relay = Arc::new(Relay::new(config, store, registration, blobs));

    let router = Router::new()
        .route("/v1/ws", get(upgrade::upgrade))
        .with_state(Arc::clone(&relay))
        .merge(relay.blobs.router());
    let stop = CancellationToken::new();
    let admin_stop = CancellationToken::new();
    let connections = listener.connections();
    let serving = tokio::spawn(listener.serve(router, tls, stop.clone(), drain));
    let observing = tokio::spawn(admin.serve(
        observe::router(Arc::clone(&relay), metrics),
        None,
        admin_stop.clone(),
        Duration::from_secs(1),
    ));
    let reaping = tokio::spawn(reaper::run(Arc::clone(&relay), admin_stop.clone()));
    let maintaining = tokio::spawn(maintenance::run(Arc::clone(&relay), admin_stop.clone()));
    writeln!(out, "READY ws={address} admin={admin_address}")?;
    out.flush()?;
    tracing::info!(%address, %admin_address, "ready");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    relay.drain();
    stop.cancel();
    // Clients that do not close by themselves are dropped with the process; they were told.
    let closed = tokio::time::timeout(drain.min(GOODBYE), connections.all_closed()).await;
    if closed.is_err() {
        tracing::info!(
            left = relay.registry.len(),
            "some clients did not close in time"
        );
        // Cut off, so that what they left to be said after their end is said.
        for session in relay.registry.all() {
            session.cut();
        }
        let _some_may_be_stuck = tokio::time::timeout(GOODBYE, connections.all_closed()).await;
    }
    drop(serving.await);
    admin_stop.cancel();
    for task in [observing, reaping, maintaining] {
        drop(task.await);
    }
    relay.store.writer().close().await;
    tracing::info!("stopped");
    Ok(())
}

fn store_settings(config: &Config) -> StoreSettings {
    let queue = config.limits.queue_messages;
    StoreSettings {
        queue_messages: queue,
        stranger_messages: share(queue, config.limits.stranger_share),
        journal_memory: usize::try_from(config.storage.journal_memory).unwrap_or(usize::MAX),
        min_free_disk: config.storage.min_free_disk,
        readers: config.storage.reader_threads,
    }
}

/// A part of a whole number; checked to be from 0 to 1 by the configuration.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a queue is far below 2^53, and the part is between 0 and 1"
)]
fn share(whole: u64, part: f64) -> u64 {
    (whole as f64 * part) as u64
}

fn registration(config: &Config) -> Result<Registration, TokenSettingsError> {
    match (config.registration.mode, &config.registration.token) {
        (RegistrationMode::Token, Some(token)) => {
            let settings = TokenSettings {
                algorithm: match token.algorithm {
                    TokenAlgorithm::ES256 => SigningAlgorithm::Es256,
                    TokenAlgorithm::EdDSA => SigningAlgorithm::EdDsa,
                    TokenAlgorithm::RS256 => SigningAlgorithm::Rs256,
                    TokenAlgorithm::HS256 => SigningAlgorithm::Hs256,
                },
                issuer: token.issuer.clone(),
                audience: token.audience.clone(),
                leeway: token.leeway,
                keys: match &token.keys {
                    TokenKeys::File(path) => KeySource::File(path.clone()),
                    TokenKeys::Jwks(url) => KeySource::Jwks {
                        url: url.as_url().to_string(),
                        cache: token.jwks_cache,
                    },
                },
            };
            Ok(Registration::Token(RegistrationTokens::open(settings)?))
        }
        // Token mode without its table is refused by the configuration.
        _ => Ok(Registration::Open(config.registration.invite_codes.clone())),
    }
}

fn blob_settings(config: &Config) -> BlobSettings {
    BlobSettings {
        folder: config.data_dir.join("blobs"),
        max_bytes: config.limits.blob_bytes,
        ttl: config.limits.blob_ttl,
        quota_bytes: config.limits.blob_quota_bytes,
        upload_timeout: config.limits.upload_timeout,
        transfers: BLOB_TRANSFERS,
    }
}

fn tls_settings(tls: &crate::config::Tls) -> TlsSettings {
    TlsSettings {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        reload_interval: tls.reload_interval,
    }
}

fn listener_settings(config: &Config) -> ListenerSettings {
    ListenerSettings {
        address: config.listen.address,
        max_connections: config.listen.max_connections,
        max_connections_per_address: config.listen.max_connections_per_address,
        handshake_timeout: config.listen.handshake_timeout,
        write_timeout: config.listen.write_timeout,
        trusted_proxies: config.listen.trusted_proxies.clone(),
    }
}

/// Each connection is an open file, and the usual soft limit is 1024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
