//! The backend's key set: fetched from one configured address, kept, fetched again.
//!
//! A token may cause a fetch, never choose its address, and no token can cause many. While the backend
//! is down the keys at hand stay good for a while; then every token is refused.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jsonwebtoken::DecodingKey;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use thiserror::Error;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::{info, warn};

use super::RejectReason;
use super::key::SigningAlgorithm;
use super::key_set::{KeySet, NotAKeySet};

#[cfg(test)]
mod tests;

/// Time for a whole fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a key set.
const MAX_DOCUMENT_LEN: usize = 256 * 1024;
/// Pause after a fetch before a token with an unknown key may cause another.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(60);
/// Pause after a fetch before missing or old keys may cause another.
const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// The shortest time to keep a set.
const MIN_CACHE: Duration = Duration::from_secs(60);
/// While the address is down a set is good for this many times as long.
const CACHES_WHILE_DOWN: u32 = 12;

/// The key set's address or its settings cannot be used.
#[derive(Debug, Error)]
pub enum JwksError {
    /// Not a URL.
    #[error("the key set's address is not a URL")]
    NotAUrl,
    /// Anybody on the way could put a key in.
    #[error("the key set's address must be https, or http on this very machine")]
    Insecure,
    /// User name or password in the URL: they would end up in logs.
    #[error("the key set's address must not hold a user name or password")]
    Credentials,
    /// A secret does not belong at an address.
    #[error("HS256 needs a key file: its secret must not be published")]
    Secret,
    /// The set would be fetched all the time.
    #[error("a key set is kept for at least {} seconds", MIN_CACHE.as_secs())]
    CacheTooShort,
    /// The HTTP client could not be made.
    #[error("the client for the key set cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// A fetch failed. The address is not repeated: it is in the operator's configuration.
#[derive(Debug, Error)]
enum FetchError {
    #[error("no answer: {0}")]
    NoAnswer(#[source] reqwest::Error),
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer is longer than {MAX_DOCUMENT_LEN} bytes")]
    TooLong,
    #[error(transparent)]
    Document(#[from] NotAKeySet),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::NoAnswer(error.without_url())
    }
}

/// The key set at an address.
pub(super) struct Jwks(Arc<Shared>);

struct Shared {
    client: Client,
    url: Url,
    algorithm: SigningAlgorithm,
    cache: Duration,
    cached: ArcSwapOption<Cached>,
    /// When the last fetch began. Locked during a fetch, so there is one at a time.
    last_fetch: Arc<Mutex<Option<Instant>>>,
}

struct Cached {
    keys: KeySet,
    fetched: Instant,
}

impl Cached {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.fetched)
    }
}

impl Jwks {
    /// Checks the address; fetches nothing yet.
    pub(super) fn new(
        url: &str,
        cache: Duration,
        algorithm: SigningAlgorithm,
    ) -> Result<Self, JwksError> {
        if algorithm == SigningAlgorithm::Hs256 {
            return Err(JwksError::Secret);
        }
        if cache < MIN_CACHE {
            return Err(JwksError::CacheTooShort);
        }
        let url = Url::parse(url).map_err(|_| JwksError::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(JwksError::Credentials);
        }
        // reqwest falls back to its own provider where the process has none, so nobody has to install
        // one first.
        let builder = Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(Policy::none());
        let builder = match url.scheme() {
            "https" => builder.https_only(true),
            // Neither a proxy nor a certificate store has a part in a fetch inside this machine.
            "http" if is_loopback(&url) => builder.no_proxy().tls_certs_only([]),
            _ => return Err(JwksError::Insecure),
        };
        Ok(Self(Arc::new(Shared {
            client: builder.build().map_err(JwksError::Client)?,
            url,
            algorithm,
            cache,
            cached: ArcSwapOption::empty(),
            last_fetch: Arc::new(Mutex::new(None)),
        })))
    }

    /// The key that a token names, fetched if need be.
    pub(super) async fn key(
        &self,
        key_id: Option<&str>,
        now: Instant,
    ) -> Result<DecodingKey, RejectReason> {
        let at_hand = self.0.cached.load_full();
        if let Some(cached) = &at_hand
            && cached.age(now) < self.0.cache
            && let Some(key) = cached.keys.find(key_id)
        {
            return Ok(key.clone());
        }
        self.refresh(at_hand, now).await;
        let cached = self.0.cached.load_full();
        let usable = self.0.cache.saturating_mul(CACHES_WHILE_DOWN);
        let cached = cached
            .filter(|cached| cached.age(now) < usable)
            .ok_or(RejectReason::KeysUnavailable)?;
        let key = cached.keys.find(key_id).ok_or(RejectReason::UnknownKey)?;
        Ok(key.clone())
    }

    /// Fetches the set anew, unless somebody just did or it is too early.
    async fn refresh(&self, at_hand: Option<Arc<Cached>>, now: Instant) {
        let mut last_fetch = Arc::clone(&self.0.last_fetch).lock_owned().await;
        let newest = self.0.cached.load_full();
        if newest.as_ref().map(Arc::as_ptr) != at_hand.as_ref().map(Arc::as_ptr) {
            return;
        }
        let is_fresh = newest.is_some_and(|cached| cached.age(now) < self.0.cache);
        let pause = if is_fresh {
            UNKNOWN_KEY_PAUSE
        } else {
            RETRY_PAUSE
        };
        if last_fetch.is_some_and(|last| now.saturating_duration_since(last) < pause) {
            return;
        }
        *last_fetch = Some(now);
        // In a task of its own: a client that hangs up must not cancel the fetch, or one that does so
        // again and again would keep the keys from ever being renewed.
        let fetch = tokio::spawn(fetch_and_keep(Arc::clone(&self.0), last_fetch, now));
        // It fails only when the runtime is shutting down.
        let _ = fetch.await;
    }
}

async fn fetch_and_keep(
    shared: Arc<Shared>,
    _one_at_a_time: OwnedMutexGuard<Option<Instant>>,
    now: Instant,
) {
    match fetch(&shared).await {
        Ok(keys) => {
            info!(usable_keys = keys.len(), "key set fetched");
            // Also a set without usable keys: a backend may revoke the last one.
            let cached = Cached { keys, fetched: now };
            shared.cached.store(Some(Arc::new(cached)));
        }
        Err(error) => warn!(%error, "key set not fetched, the old one stays in use"),
    }
}

async fn fetch(shared: &Shared) -> Result<KeySet, FetchError> {
    let mut response = shared.client.get(shared.url.clone()).send().await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > MAX_DOCUMENT_LEN.saturating_sub(document.len()) {
            return Err(FetchError::TooLong);
        }
        document.extend_from_slice(&chunk);
    }
    Ok(KeySet::parse(&document, shared.algorithm)?)
}

/// Whether the host is this machine by its address or by the name `localhost`.
fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
