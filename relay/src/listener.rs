//! Accepting connections: from the socket to a request in a router.
//!
//! An accept loop of our own, because `axum::serve` has no TLS, no limit on connections and no time limit
//! on a request's head. It must never exit because of what a peer or the kernel does, never hold
//! more than the configured number of connections, and never log an address.
//!
//! - `connection`: one connection, from TLS to its requests
//! - `limits`: how many connections there may be, in all and from one address
//! - `client_address`: whose connection it is, also behind a proxy
//! - `tls` and `certificate`: TLS 1.3 with a certificate that may be replaced while running
//!
//! # Limits behind a proxy
//! A direct peer is held to its address's limit when it connects, before TLS. All connections of a trusted
//! proxy come from one address and may carry requests of several clients in turn, so there the limit is
//! applied to the client of each *request*: until its response has been sent, or, for a request that
//! becomes a WebSocket, until that WebSocket ends. A request over the limit is answered with 429. A
//! proxy's idle connections therefore count towards `max_connections` alone.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

mod certificate;
mod client_address;
mod connection;
mod counted_stream;
mod limits;
#[cfg(test)]
mod tests;
mod tls;

pub use client_address::ClientAddress;
pub use limits::{ConnectionGuard, Connections};
pub use tls::{Tls, TlsError, TlsSettings};

use client_address::TrustedProxies;
use connection::{Peer, Server};
use limits::Refused;

/// Connections that the kernel completes before we accept them. Linux cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// First pause after the kernel refused to give us a connection.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What to listen on and what to allow.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// Where to listen; port 0 takes any free one.
    pub address: SocketAddr,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time from one IPv4 address or one IPv6 /64.
    pub max_connections_per_address: usize,
    /// How long the TLS handshake may take, then each request's head; also how long a connection
    /// may idle between two requests.
    pub handshake_timeout: Duration,
    /// How long bytes that we sent may stay unacknowledged, or the peer's window closed.
    pub write_timeout: Duration,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// The address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// Where.
    address: SocketAddr,
    /// Why.
    source: io::Error,
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    connections: Connections,
    settings: ListenerSettings,
}

impl Listener {
    /// Binds the socket. From here on the kernel queues connections; nothing answers them before
    /// [`serve`](Self::serve). Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`ListenError`] when the address is not ours, in use, or not permitted.
    pub fn bind(settings: ListenerSettings) -> Result<Self, ListenError> {
        let address = settings.address;
        let failed = |source| ListenError { address, source };
        let socket = bound_socket(address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let connections = Connections::new(
            settings.max_connections,
            settings.max_connections_per_address,
        );
        Ok(Self {
            socket,
            address,
            connections,
            settings,
        })
    }

    /// The bound address, with its real port.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// A handle on the number of open connections, also those that became a WebSocket.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Accepts connections and serves `router` on them until `shutdown`, then waits up to `drain` for
    /// the requests under way, and cuts off the rest. What became a WebSocket outlives it: whoever runs
    /// that ends it (see [`Connections::all_closed`]).
    ///
    /// Every request carries a [`ClientAddress`] and a [`ConnectionGuard`] in its extensions.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<Tls>,
        shutdown: CancellationToken,
        drain: Duration,
    ) {
        let tasks = TaskTracker::new();
        let cut_off = CancellationToken::new();
        let acceptor = tls.as_ref().map(Tls::acceptor);
        if let Some(tls) = tls {
            tasks.spawn(tls.follow_files(shutdown.clone()));
        }
        let server = Arc::new(Server {
            router,
            tls: acceptor,
            http: connection::http_builder(self.settings.handshake_timeout),
            handshake_timeout: self.settings.handshake_timeout,
            proxies: TrustedProxies::new(self.settings.trusted_proxies),
            connections: self.connections,
            shutdown: shutdown.clone(),
            cut_off: cut_off.clone(),
        });

        let mut last_pause = Duration::ZERO;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    last_pause = Duration::ZERO;
                    admit(&server, &tasks, stream, peer, self.settings.write_timeout);
                }
                Err(error) => {
                    let Some(pause) = pause_after(&error, last_pause) else {
                        continue;
                    };
                    warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections");
                    last_pause = pause;
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }

        // New clients must be refused while the old ones finish.
        drop(self.socket);
        tasks.close();
        if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
            cut_off.cancel();
            tasks.wait().await;
        }
    }
}

/// Gives the connection a place and a task, or closes it by dropping it.
fn admit(
    server: &Arc<Server>,
    tasks: &TaskTracker,
    stream: TcpStream,
    peer: SocketAddr,
    write_timeout: Duration,
) {
    let peer = if server.proxies.trusts(peer.ip()) {
        Peer::Proxy(ClientAddress::new(peer.ip()))
    } else {
        Peer::Client(ClientAddress::new(peer.ip()))
    };
    let limited = match peer {
        Peer::Client(address) => Some(address),
        Peer::Proxy(_) => None,
    };
    let guard = match server.connections.admit(limited) {
        Ok(guard) => guard,
        Err(refused) => return count_refused(refused),
    };
    // A peer that is already gone makes these fail.
    if set_options(&stream, write_timeout).is_ok() {
        tasks.spawn(connection::run(Arc::clone(server), stream, peer, guard));
    }
}

/// Counts a connection or request that was refused for a limit.
fn count_refused(refused: Refused) {
    let limit = match refused {
        Refused::Total => "total",
        Refused::Address => "address",
    };
    metrics::counter!("hushpost_connections_refused_total", "limit" => limit).increment(1);
}

fn bound_socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // Otherwise a restart has to wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn set_options(stream: &TcpStream, write_timeout: Duration) -> io::Result<()> {
    // Frames are small and each is written whole: Nagle would only delay them.
    stream.set_nodelay(true)?;
    // A peer that never reads leaves our bytes in the kernel's send buffer for as long as it answers
    // window probes. With this option the kernel resets the connection once data stayed unacknowledged,
    // or the window shut, for that long: every such socket ends, with no timer of ours for each.
    // A peer that reads one byte now and then opens its window and is *not* caught by it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SockRef::from(stream).set_tcp_user_timeout(Some(write_timeout))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (SockRef::from(stream), write_timeout);
    Ok(())
}

/// How long to wait before accepting again: not at all when only that one connection failed, longer and
/// longer when the machine is short of descriptors or memory (the connection stays queued, so an
/// immediate retry would spin).
fn pause_after(error: &io::Error, last_pause: Duration) -> Option<Duration> {
    let that_connection_only = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    (!that_connection_only).then(|| {
        last_pause
            .saturating_mul(2)
            .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    })
}
