//! One connection: TLS, then HTTP/1.1 requests, perhaps an upgrade.
//!
//! It runs in one task that ends with the upgrade: an idle WebSocket must not pay for the buffers and
//! timers of HTTP. HTTP/2 is not spoken, and with it goes a family of floods.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::debug;

use super::client_address::{ClientAddress, TrustedProxies};
use super::counted_stream::CountedStream;
use super::limits::{ConnectionGuard, Connections, Refused};

/// Bytes of a request's head, and of what hyper buffers for a connection. Longer heads get a 431.
const MAX_HEAD_LEN: usize = 16 * 1024;

/// What all connections of a listener share.
pub(super) struct Server {
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) http: http1::Builder,
    pub(super) handshake_timeout: Duration,
    pub(super) proxies: TrustedProxies,
    pub(super) connections: Connections,
    /// Finish what is under way.
    pub(super) shutdown: CancellationToken,
    /// Stop at once.
    pub(super) cut_off: CancellationToken,
}

/// Who is at the other end of the socket.
#[derive(Clone, Copy)]
pub(super) enum Peer {
    /// A client.
    Client(ClientAddress),
    /// A trusted proxy, which names the client of each request.
    Proxy(ClientAddress),
}

/// How HTTP is spoken.
pub(super) fn http_builder(head_timeout: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_HEAD_LEN)
        .keep_alive(true);
    builder
}

/// Serves one connection until it ends, is upgraded, or is cut off.
pub(super) async fn run(
    server: Arc<Server>,
    stream: TcpStream,
    peer: Peer,
    guard: ConnectionGuard,
) {
    let cut_off = server.cut_off.clone();
    let work = async move {
        let stream = CountedStream::new(stream, guard.clone());
        let Some(acceptor) = server.tls.clone() else {
            return serve_http(server, stream, peer, guard).await;
        };
        match tokio::time::timeout(server.handshake_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(server, stream, peer, guard).await,
            Ok(Err(error)) => count_failed_handshake(&error.to_string()),
            Err(_) => count_failed_handshake("too slow"),
        }
    };
    tokio::select! {
        () = cut_off.cancelled() => {}
        () = work => {}
    }
}

fn count_failed_handshake(why: &str) {
    metrics::counter!("hushpost_tls_handshakes_failed_total").increment(1);
    debug!(why, "TLS handshake failed");
}

async fn serve_http<S>(server: Arc<Server>, stream: S, peer: Peer, guard: ConnectionGuard)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shutdown = server.shutdown.clone();
    let http = server.http.clone();
    let service = service_fn(move |request| {
        let (server, guard) = (Arc::clone(&server), guard.clone());
        async move { Ok::<_, Infallible>(answer(&server, request, peer, &guard).await) }
    });
    let mut connection = pin!(
        http.serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
}

async fn answer(
    server: &Server,
    request: Request<Incoming>,
    peer: Peer,
    guard: &ConnectionGuard,
) -> Response {
    let mut request = request.map(Body::new);
    let (client, place) = match peer {
        Peer::Client(client) => (client, None),
        Peer::Proxy(proxy) => {
            // A request that the proxy itself makes, such as a health check, names nobody.
            let client = server.proxies.client(request.headers()).unwrap_or(proxy);
            let Some(place) = server.connections.take_address(client) else {
                super::count_refused(Refused::Address);
                return StatusCode::TOO_MANY_REQUESTS.into_response();
            };
            (client, Some(place))
        }
    };
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(guard.clone());
    let response = server
        .router
        .clone()
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    match place {
        None => response,
        Some(place) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            guard.keep(place);
            response
        }
        // The client's place is taken until the last byte of the body has been handed to the socket.
        Some(place) => response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held = &place;
                frame
            }))
        }),
    }
}
