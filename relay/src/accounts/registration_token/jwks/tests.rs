//! Key sets from a real server on loopback. Time is an argument, so no test waits for it.

use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::accounts::registration_token::tests::{Backend, now, settings};
use crate::accounts::registration_token::{KeySource, RegistrationTokens, TokenSettingsError};

const CACHE: Duration = Duration::from_secs(600);

/// The backend's key server.
struct KeyServer {
    address: std::net::SocketAddr,
    shared: Arc<Answers>,
    task: JoinHandle<()>,
}

struct Answers {
    answer: StdMutex<(StatusCode, String)>,
    fetches: AtomicUsize,
    /// One permit lets one fetch through.
    gate: Semaphore,
}

async fn answer(State(shared): State<Arc<Answers>>) -> Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    shared.gate.acquire().await.unwrap().forget();
    let (status, body) = shared
        .answer
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut headers = HeaderMap::new();
    headers.insert("location", "/elsewhere".parse().unwrap());
    (status, headers, body).into_response()
}

impl KeyServer {
    async fn start(keys: &[Value]) -> Self {
        let server = Self::start_closed(keys).await;
        server.shared.gate.add_permits(1000);
        server
    }

    /// Answers nothing yet.
    async fn start_closed(keys: &[Value]) -> Self {
        let shared = Arc::new(Answers {
            answer: StdMutex::new((StatusCode::OK, json!({ "keys": keys }).to_string())),
            fetches: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        });
        let router = Router::new()
            .route("/keys", get(answer))
            .route("/elsewhere", get(answer))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            task,
        }
    }

    fn publish(&self, keys: &[Value]) {
        self.say(StatusCode::OK, &json!({ "keys": keys }).to_string());
    }

    fn say(&self, status: StatusCode, body: &str) {
        *self.shared.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// Afterwards nobody listens.
    async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    fn relay(&self, algorithm: SigningAlgorithm) -> RegistrationTokens {
        let url = format!("http://{}/keys", self.address);
        RegistrationTokens::open(settings(algorithm, KeySource::Jwks { url, cache: CACHE }))
            .unwrap()
    }
}

async fn check(
    relay: &RegistrationTokens,
    token: &str,
    instant: Instant,
) -> Result<(), RejectReason> {
    let claims = relay.verify_at(token, now(), instant).await;
    claims.map(|_| ()).map_err(|error| error.reason)
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

const PUBLIC: [SigningAlgorithm; 3] = [
    SigningAlgorithm::Es256,
    SigningAlgorithm::EdDsa,
    SigningAlgorithm::Rs256,
];

#[tokio::test]
async fn keys_of_every_public_algorithm_are_found_and_kept() {
    let start = Instant::now();
    for algorithm in PUBLIC {
        let backend = Backend::new(algorithm);
        let others = PUBLIC.map(|other| Backend::new(other).jwk(Some("other")));
        let server = KeyServer::start(&[&others[..], &[backend.jwk(Some("k"))]].concat()).await;
        let relay = server.relay(algorithm);
        for _ in 0..3 {
            let token = backend.token(Some("k"));
            assert_eq!(check(&relay, &token, start + seconds(599)).await, Ok(()));
        }
        // A name selects one key; the others are not tried.
        let token = backend.token(Some("other"));
        assert_eq!(
            check(&relay, &token, start).await,
            Err(RejectReason::Signature)
        );
        assert_eq!(server.fetches(), 1);
    }
}

#[tokio::test]
async fn a_token_without_a_key_id_means_the_only_key() {
    let start = Instant::now();
    let backend = Backend::new(SigningAlgorithm::Es256);
    let server = KeyServer::start(&[backend.jwk(Some("k"))]).await;
    let relay = server.relay(backend.algorithm);
    assert_eq!(check(&relay, &backend.token(None), start).await, Ok(()));

    let second = Backend::new(SigningAlgorithm::Es256);
    server.publish(&[backend.jwk(Some("k")), second.jwk(None)]);
    let later = start + CACHE;
    let refused = check(&relay, &backend.token(None), later).await;
    assert_eq!(refused, Err(RejectReason::UnknownKey));
    assert_eq!(
        check(&relay, &backend.token(Some("k")), later).await,
        Ok(())
    );
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_a_minute() {
    let start = Instant::now();
    let backend = Backend::new(SigningAlgorithm::Es256);
    let server = KeyServer::start(&[backend.jwk(Some("old"))]).await;
    let relay = server.relay(backend.algorithm);
    assert_eq!(
        check(&relay, &backend.token(Some("old")), start).await,
        Ok(())
    );

    let rotated = Backend::new(SigningAlgorithm::Es256);
    server.publish(&[rotated.jwk(Some("new"))]);
    for (after, outcome, fetches) in [
        (0, Err(RejectReason::UnknownKey), 1),
        (59, Err(RejectReason::UnknownKey), 1),
        (60, Ok(()), 2),
        (61, Ok(()), 2),
    ] {
        let token = rotated.token(Some("new"));
        assert_eq!(
            check(&relay, &token, start + seconds(after)).await,
            outcome,
            "{after}"
        );
        assert_eq!(server.fetches(), fetches, "{after}");
    }
    // The old key is gone with the old set.
    for id in [
        "old",
        "' OR '1'='1",
        "../../keys",
        "http://evil.example/keys",
        "",
    ] {
        let token = backend.token(Some(id));
        let refused = check(&relay, &token, start + seconds(62)).await;
        assert_eq!(refused, Err(RejectReason::UnknownKey), "{id}");
    }
    assert_eq!(server.fetches(), 2);
    let token = backend.token(Some("old"));
    let refused = check(&relay, &token, start + seconds(120)).await;
    assert_eq!(refused, Err(RejectReason::UnknownKey));
    assert_eq!(server.fetches(), 3);
}

#[tokio::test]
async fn a_revoked_key_ends_with_the_cache() {
    let start = Instant::now();
    let backend = Backend::new(SigningAlgorithm::EdDsa);
    let server = KeyServer::start(&[backend.jwk(Some("k"))]).await;
    let relay = server.relay(backend.algorithm);
    let token = backend.token(Some("k"));
    assert_eq!(check(&relay, &token, start).await, Ok(()));
    server.publish(&[]);
    assert_eq!(check(&relay, &token, start + seconds(599)).await, Ok(()));
    let refused = check(&relay, &token, start + CACHE).await;
    assert_eq!(refused, Err(RejectReason::UnknownKey));
}

#[tokio::test]
async fn while_the_server_is_down_old_keys_are_good_for_twelve_times_the_cache() {
    let start = Instant::now();
    let backend = Backend::new(SigningAlgorithm::Es256);
    let server = KeyServer::start(&[backend.jwk(Some("k"))]).await;
    let relay = server.relay(backend.algorithm);
    let token = backend.token(Some("k"));
    assert_eq!(check(&relay, &token, start).await, Ok(()));
    server.stop().await;
    for age in [CACHE, CACHE * 2, seconds(600 * 12 - 1)] {
        assert_eq!(check(&relay, &token, start + age).await, Ok(()), "{age:?}");
    }
    for age in [CACHE * 12, CACHE * 100] {
        let refused = check(&relay, &token, start + age).await;
        assert_eq!(refused, Err(RejectReason::KeysUnavailable), "{age:?}");
    }
}

#[tokio::test]
async fn without_any_key_tokens_are_refused_until_the_server_answers_well() {
    let mut instant = Instant::now();
    let backend = Backend::new(SigningAlgorithm::Es256);
    let jwk = backend.jwk(Some("k"));
    let server = KeyServer::start(&[]).await;
    let relay = server.relay(backend.algorithm);
    let token = backend.token(Some("k"));
    let good = json!({ "keys": [jwk] }).to_string();
    let many = json!({ "keys": vec![json!({}); 65] }).to_string();
    let long = format!("{good}{}", " ".repeat(MAX_DOCUMENT_LEN));
    for (status, body) in [
        (StatusCode::NOT_FOUND, &*good),
        (StatusCode::INTERNAL_SERVER_ERROR, &*good),
        // Followed, it would lead to the same answer with another status and fail all the same; the
        // count of fetches below shows that it is not followed.
        (StatusCode::FOUND, &*good),
        (StatusCode::OK, "nonsense"),
        (StatusCode::OK, "[]"),
        (StatusCode::OK, "{}"),
        (StatusCode::OK, "{\"keys\":{}}"),
        (StatusCode::OK, &*many),
        (StatusCode::OK, &*long),
    ] {
        server.say(status, body);
        let before = server.fetches();
        let refused = check(&relay, &token, instant).await;
        assert_eq!(refused, Err(RejectReason::KeysUnavailable), "{status}");
        // Too early for another fetch.
        let refused = check(&relay, &token, instant + seconds(9)).await;
        assert_eq!(refused, Err(RejectReason::KeysUnavailable), "{status}");
        assert_eq!(server.fetches(), before + 1, "{status}");
        instant += RETRY_PAUSE;
    }
    server.say(StatusCode::OK, &good);
    assert_eq!(check(&relay, &token, instant).await, Ok(()));
}

#[tokio::test]
async fn many_tokens_at_once_cause_one_fetch() {
    let start = Instant::now();
    let backend = Backend::new(SigningAlgorithm::Es256);
    let server = KeyServer::start(&[backend.jwk(Some("k"))]).await;
    let relay = server.relay(backend.algorithm);
    let token = backend.token(Some("k"));
    let checks = (0..20).map(|_| check(&relay, &token, start));
    for outcome in futures_util::future::join_all(checks).await {
        assert_eq!(outcome, Ok(()));
    }
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_the_fetch() {
    let start = Instant::now();
    let backend = Backend::new(SigningAlgorithm::Es256);
    let server = KeyServer::start_closed(&[backend.jwk(Some("k"))]).await;
    let relay = server.relay(backend.algorithm);
    let token = backend.token(Some("k"));
    {
        let mut hung_up = std::pin::pin!(check(&relay, &token, start));
        while server.fetches() == 0 {
            tokio::select! {
                biased;
                _ = &mut hung_up => panic!("the server has not answered yet"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    server.shared.gate.add_permits(1);
    assert_eq!(check(&relay, &token, start).await, Ok(()));
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn keys_that_do_not_fit_do_not_exist() {
    let start = Instant::now();
    for algorithm in PUBLIC {
        let backend = Backend::new(algorithm);
        let good = backend.jwk(Some("k"));
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[name] = value;
            jwk
        };
        let mut unfit = vec![
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("HS256")),
            with("alg", json!("RS384")),
            with("kty", json!("oct")),
            with("kty", json!("other")),
            json!({ "kty": "oct", "kid": "k", "k": "AAAA" }),
            json!("k"),
        ];
        if algorithm == SigningAlgorithm::Rs256 {
            // 1024 bits, the second time with zeros in front.
            unfit.push(with("n", json!(format!("{}8", "_".repeat(170)))));
            let zeros = "A".repeat(172);
            unfit.push(with("n", json!(format!("{zeros}{}w", "_".repeat(169)))));
        } else {
            unfit.push(with("crv", json!("P-384")));
            unfit.push(with("x", json!("AAAA")));
            unfit.push(with("x", json!("!")));
        }
        for jwk in unfit {
            let server = KeyServer::start(std::slice::from_ref(&jwk)).await;
            let relay = server.relay(algorithm);
            let refused = check(&relay, &backend.token(Some("k")), start).await;
            assert_eq!(refused, Err(RejectReason::UnknownKey), "{jwk}");
            // Beside an unfit one, a good key is found.
            server.publish(&[jwk, good.clone()]);
            let found = check(&relay, &backend.token(Some("k")), start + CACHE).await;
            assert_eq!(found, Ok(()));
        }
    }
}

#[tokio::test]
async fn only_addresses_that_nobody_can_change_on_the_way_are_taken() {
    let open = |url: &str, algorithm, cache| {
        let url = url.to_owned();
        match RegistrationTokens::open(settings(algorithm, KeySource::Jwks { url, cache })) {
            Ok(_) => None,
            Err(TokenSettingsError::Jwks(error)) => Some(error),
            Err(error) => panic!("{error}"),
        }
    };
    let open_es = |url| open(url, SigningAlgorithm::Es256, CACHE);
    for good in [
        "https://backend.example/keys",
        "http://localhost:1/keys",
        "http://127.0.0.2/keys",
        "http://[::1]:8080/keys",
    ] {
        assert!(open_es(good).is_none(), "{good}");
    }
    for bad in [
        "http://backend.example/keys",
        "http://localhost.evil.example/keys",
        "http://127.0.0.1.evil.example/keys",
        "http://10.0.0.1/keys",
        "http://[::ffff:127.0.0.1]/keys",
        "http://0.0.0.0/keys",
        "file:///etc/passwd",
        "data:text/plain,x",
        "ftp://127.0.0.1/keys",
    ] {
        assert!(matches!(open_es(bad), Some(JwksError::Insecure)), "{bad}");
    }
    assert!(matches!(open_es("keys"), Some(JwksError::NotAUrl)));
    for url in [
        "https://user@backend.example/",
        "https://:pass@backend.example/",
    ] {
        assert!(matches!(open_es(url), Some(JwksError::Credentials)));
    }
    let url = "https://backend.example/keys";
    let secret = open(url, SigningAlgorithm::Hs256, CACHE);
    assert!(matches!(secret, Some(JwksError::Secret)));
    let short = open(url, SigningAlgorithm::Es256, seconds(59));
    assert!(matches!(short, Some(JwksError::CacheTooShort)));
}
