//! The listener on real sockets. Everything waits on an event: bytes, a close, or the connection count.

use std::convert::Infallible;
use std::pin::pin;

use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

const LONG: Duration = Duration::from_secs(600);
const GET: &str = "GET / HTTP/1.1\r\nhost: relay\r\n\r\n";
const UPGRADE: &str = "GET /socket HTTP/1.1\r\nhost: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Nothing trusted, no time limit that a test could run into.
pub(super) fn settings() -> ListenerSettings {
    ListenerSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        max_connections: 100,
        max_connections_per_address: 100,
        handshake_timeout: LONG,
        write_timeout: LONG,
        trusted_proxies: Vec::new(),
    }
}

fn behind_proxy() -> ListenerSettings {
    ListenerSettings {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..settings()
    }
}

/// Says who asks.
pub(super) fn router() -> Router {
    let who = |Extension(client): Extension<ClientAddress>| async move { client.ip().to_string() };
    let echo = |upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    };
    Router::new()
        .route("/", get(who))
        .route("/socket", get(echo))
}

/// A listener at work.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) connections: Connections,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Running {
    pub(super) fn start(settings: ListenerSettings, router: Router, tls: Option<Tls>) -> Self {
        Self::start_with_drain(settings, router, tls, LONG)
    }

    fn start_with_drain(
        settings: ListenerSettings,
        router: Router,
        tls: Option<Tls>,
        drain: Duration,
    ) -> Self {
        let listener = Listener::bind(settings).unwrap();
        let shutdown = CancellationToken::new();
        Self {
            address: listener.local_address(),
            connections: listener.connections(),
            shutdown: shutdown.clone(),
            task: tokio::spawn(listener.serve(router, tls, shutdown, drain)),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ask(&self, request: &str) -> (TcpStream, String) {
        let mut stream = self.connect().await;
        let answer = ask(&mut stream, request).await;
        (stream, answer)
    }
}

/// Sends a request and reads the head of the answer and the body it announces.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        answer.push(char::from(stream.read_u8().await.unwrap()));
    }
    let length = answer
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    answer + core::str::from_utf8(&body).unwrap()
}

/// What arrives until the relay closes, gracefully or not.
pub(super) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset is a close too; what came before it is in `all`.
    let _ = stream.read_to_end(&mut all).await;
    all
}

fn forwarded(value: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: relay\r\nx-forwarded-for: {value}\r\n\r\n")
}

#[tokio::test]
async fn requests_are_answered_on_one_connection() {
    let relay = Running::start(settings(), router(), None);
    let (mut stream, first) = relay.ask(GET).await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    assert!(first.ends_with("\r\n\r\n127.0.0.1"), "{first}");
    assert_eq!(
        ask(&mut stream, GET).await.lines().last(),
        Some("127.0.0.1")
    );
    drop(stream);
    relay.connections.all_closed().await;
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let relay = Running::start(settings(), router(), None);
    let mut stream = relay.connect().await;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let answer = rest(&mut stream).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_strangers_forwarded_for_means_nothing() {
    let relay = Running::start(settings(), router(), None);
    let (_stream, answer) = relay.ask(&forwarded("192.0.2.1")).await;
    assert!(answer.ends_with("\r\n127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_of_each_request() {
    let relay = Running::start(behind_proxy(), router(), None);
    let mut stream = relay.connect().await;
    for (header, client) in [
        ("192.0.2.1", "192.0.2.1"),
        ("198.51.100.9, 192.0.2.2, 127.0.0.7", "192.0.2.2"),
        ("::ffff:192.0.2.3", "192.0.2.3"),
        ("nonsense", "127.0.0.1"),
        ("127.0.0.9", "127.0.0.1"),
    ] {
        let answer = ask(&mut stream, &forwarded(header)).await;
        assert_eq!(answer.lines().last(), Some(client), "{header}");
    }
    assert_eq!(
        ask(&mut stream, GET).await.lines().last(),
        Some("127.0.0.1")
    );
}

#[tokio::test]
async fn connections_over_the_cap_of_an_address_are_closed_and_places_come_back() {
    let relay = Running::start(
        ListenerSettings {
            max_connections_per_address: 2,
            ..settings()
        },
        router(),
        None,
    );
    let (first, _) = relay.ask(GET).await;
    let (second, _) = relay.ask(GET).await;
    let mut third = relay.connect().await;
    assert!(rest(&mut third).await.is_empty());
    drop((first, second));
    relay.connections.all_closed().await;
    let (_stream, answer) = relay.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn connections_over_the_total_are_closed_also_from_a_proxy() {
    let relay = Running::start(
        ListenerSettings {
            max_connections: 1,
            ..behind_proxy()
        },
        router(),
        None,
    );
    let (_first, _) = relay.ask(&forwarded("192.0.2.1")).await;
    let mut second = relay.connect().await;
    assert!(rest(&mut second).await.is_empty());
}

#[tokio::test]
async fn behind_a_proxy_the_cap_holds_for_each_client() {
    let relay = Running::start(
        ListenerSettings {
            max_connections_per_address: 1,
            ..behind_proxy()
        },
        router(),
        None,
    );
    let (socket, answer) = relay
        .ask(&format!("{UPGRADE}x-forwarded-for: 192.0.2.1\r\n\r\n"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");

    // The client's only place is its WebSocket's. Another one's is free, on the same connection.
    let (mut stream, answer) = relay.ask(&forwarded("192.0.2.1")).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    for _ in 0..3 {
        let answer = ask(&mut stream, &forwarded("192.0.2.2")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop((socket, stream));
    relay.connections.all_closed().await;
    let (_stream, answer) = relay.ask(&forwarded("192.0.2.1")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_websocket_keeps_its_place_until_it_ends() {
    let relay = Running::start(
        ListenerSettings {
            max_connections: 1,
            ..settings()
        },
        router(),
        None,
    );
    let (mut socket, answer) = relay.ask(&format!("{UPGRADE}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    for byte in *b"abc" {
        // A masked text frame of one byte, with a mask of zeros; the echo has none.
        socket
            .write_all(&[0x81, 0x81, 0, 0, 0, 0, byte])
            .await
            .unwrap();
        let mut echo = [0; 3];
        socket.read_exact(&mut echo).await.unwrap();
        assert_eq!(echo, [0x81, 1, byte]);

        assert_eq!(relay.connections.open(), 1);
        let mut second = relay.connect().await;
        assert!(rest(&mut second).await.is_empty());
    }
    drop(socket);
    relay.connections.all_closed().await;
    let (_stream, answer) = relay.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_handler_that_keeps_the_guard_keeps_the_place() {
    let (send, mut receive) = mpsc::channel(1);
    let router = Router::new().route(
        "/",
        get(
            move |Extension(guard): Extension<ConnectionGuard>| async move {
                send.send(guard).await.unwrap();
            },
        ),
    );
    let relay = Running::start(settings(), router, None);
    let (stream, _) = relay
        .ask("GET / HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")
        .await;
    let guard = receive.recv().await.unwrap();
    relay.shutdown.cancel();
    relay.task.await.unwrap();
    drop(stream);
    assert_eq!(relay.connections.open(), 1);
    drop(guard);
    assert_eq!(relay.connections.open(), 0);
}

#[tokio::test]
async fn a_head_over_16_kib_is_refused() {
    let relay = Running::start(settings(), router(), None);
    let head = |length: usize| {
        let start = "GET / HTTP/1.1\r\nhost: relay\r\nx-filling: ";
        format!("{start}{}", "a".repeat(length - start.len()))
    };
    let (accepted, answer) = relay.ask(&format!("{}\r\n\r\n", head(15 * 1024))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(accepted);

    let mut stream = relay.connect().await;
    stream.write_all(head(16 * 1024).as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 431"),
        "{}",
        answer.escape_ascii()
    );
    relay.connections.all_closed().await;
}

#[tokio::test]
async fn a_slow_head_is_closed() {
    let relay = Running::start(
        ListenerSettings {
            handshake_timeout: Duration::from_millis(50),
            ..settings()
        },
        router(),
        None,
    );
    let mut silent = relay.connect().await;
    assert!(!rest(&mut silent).await.starts_with(b"HTTP/1.1 200"));
    let mut slow = relay.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: re").await.unwrap();
    assert!(!rest(&mut slow).await.starts_with(b"HTTP/1.1 200"));
    // Also between two requests.
    let (mut idle, answer) = relay.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(rest(&mut idle).await.is_empty());
    relay.connections.all_closed().await;
}

/// A body without end.
fn endless() -> Router {
    let body = || async {
        let chunks = futures_util::stream::repeat_with(|| {
            Ok::<_, Infallible>(Bytes::from_static(&[0; 8192]))
        });
        Body::from_stream(chunks)
    };
    Router::new().route("/", get(body))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reader_that_never_reads_is_dropped() {
    let relay = Running::start(
        ListenerSettings {
            write_timeout: Duration::from_millis(200),
            ..settings()
        },
        endless(),
        None,
    );
    let (stream, answer) = relay.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The client stays connected and reads nothing; the kernel gives up on it.
    relay.connections.all_closed().await;
    drop(stream);
}

#[tokio::test]
async fn shutdown_lets_requests_finish_and_closes_idle_connections() {
    let (entered, mut entries) = mpsc::channel(1);
    let release = CancellationToken::new();
    let gate = release.clone();
    let slow = get(move || async move {
        entered.send(()).await.unwrap();
        gate.cancelled().await;
        "done"
    });
    let relay = Running::start(settings(), router().route("/slow", slow), None);
    let (mut idle, _) = relay.ask(GET).await;
    let (socket, _) = relay.ask(&format!("{UPGRADE}\r\n")).await;
    let mut busy = relay.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: relay\r\n\r\n")
        .await
        .unwrap();
    entries.recv().await.unwrap();

    relay.shutdown.cancel();
    assert!(rest(&mut idle).await.is_empty());
    assert!(!relay.task.is_finished());
    release.cancel();
    let answer = rest(&mut busy).await;
    assert!(
        answer.ends_with(b"\r\n\r\ndone"),
        "{}",
        answer.escape_ascii()
    );

    // The WebSocket is its handler's business.
    relay.task.await.unwrap();
    assert_eq!(relay.connections.open(), 1);
    assert!(TcpStream::connect(relay.address).await.is_err());
    drop(socket);
    relay.connections.all_closed().await;
}

#[tokio::test]
async fn shutdown_cuts_off_what_does_not_finish() {
    let relay = Running::start_with_drain(settings(), endless(), None, Duration::from_millis(20));
    let (stream, _) = relay.ask(GET).await;
    relay.shutdown.cancel();
    relay.task.await.unwrap();
    relay.connections.all_closed().await;
    drop(stream);
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let listener = Listener::bind(settings()).unwrap();
    let error = Listener::bind(ListenerSettings {
        address: listener.local_address(),
        ..settings()
    })
    .unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    assert!(
        error
            .to_string()
            .contains(&listener.local_address().to_string())
    );
}

#[tokio::test]
async fn accepted_sockets_have_their_options() {
    let listener = Listener::bind(settings()).unwrap();
    let mut client = pin!(TcpStream::connect(listener.local_address()));
    let (accepted, _client) = tokio::join!(listener.socket.accept(), &mut client);
    let (stream, _) = accepted.unwrap();
    set_options(&stream, Duration::from_secs(7)).unwrap();
    assert!(stream.nodelay().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!(
        SockRef::from(&stream).tcp_user_timeout().unwrap(),
        Some(Duration::from_secs(7))
    );
}

#[test]
fn a_machine_short_of_descriptors_makes_the_loop_wait_longer_and_longer() {
    // EMFILE
    let shortage = io::Error::from_raw_os_error(24);
    let mut pauses = vec![Duration::ZERO];
    for _ in 0..12 {
        pauses.push(pause_after(&shortage, *pauses.last().unwrap()).unwrap());
    }
    assert_eq!(pauses[1], SHORTEST_PAUSE);
    assert_eq!(pauses[2], SHORTEST_PAUSE * 2);
    assert_eq!(pauses[12], LONGEST_PAUSE);
    assert!(pauses.is_sorted());
    let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
    assert_eq!(pause_after(&aborted, LONGEST_PAUSE), None);
}
