//! The transport that apps have unless they bring one: TCP, and TLS where the URL says so.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::RelayUrl;
use super::tls::{Certificates, Trust, client_config};
use super::transport::{ByteStream, Connecting, Transport};

/// For the name's addresses and TCP; and again for TLS.
const PATIENCE: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// The next address is tried after this time without a connection (RFC 8305 §5): on many networks IPv6
/// is offered and leads nowhere.
const HEAD_START: Duration = Duration::from_millis(250);

/// TCP, and TLS 1.3 for `wss`.
///
/// Trusts what the operating system trusts, unless told otherwise. On Android the app must initialise
/// `rustls-platform-verifier` first, with its `Context`.
#[derive(Debug)]
pub struct NetworkTransport {
    trust: Trust,
    tls: OnceCell<Tls>,
}

/// Made on first use: it may read from the disk, and a relay without TLS does not need it.
#[derive(Clone)]
struct Tls(TlsConnector);

impl core::fmt::Debug for Tls {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Tls")
    }
}

impl NetworkTransport {
    /// Trusts what the operating system trusts.
    #[must_use]
    pub fn new() -> Self {
        Self::trusting(Trust::Platform)
    }

    /// Trusts these root certificates as well: a relay of one's own beside public ones.
    #[must_use]
    pub fn with_extra_roots(roots: Certificates) -> Self {
        Self::trusting(Trust::PlatformAnd(roots))
    }

    /// Trusts these root certificates and no others.
    #[must_use]
    pub fn with_only_roots(roots: Certificates) -> Self {
        Self::trusting(Trust::Only(roots))
    }

    fn trusting(trust: Trust) -> Self {
        Self {
            trust,
            tls: OnceCell::new(),
        }
    }

    async fn open(&self, url: &RelayUrl) -> io::Result<Box<dyn ByteStream>> {
        let tcp = in_time(dial(url)).await?;
        if !url.is_secure() {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(url.host())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let Tls(connector) = self.tls.get_or_try_init(|| prepare(&self.trust)).await?;
        let stream = in_time(connector.connect(name, tcp)).await?;
        Ok(Box::new(stream))
    }
}

impl Default for NetworkTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for NetworkTransport {
    fn connect<'a>(&'a self, url: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(self.open(url))
    }
}

async fn prepare(trust: &Trust) -> io::Result<Tls> {
    let trust = trust.clone();
    let config = spawn_blocking(move || client_config(&trust))
        .await?
        .map_err(io::Error::other)?;
    Ok(Tls(Arc::new(config).into()))
}

async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, step)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Tries the host's addresses in turn, each with a head start on the next; the first that answers is it.
async fn dial(url: &RelayUrl) -> io::Result<TcpStream> {
    let addresses = lookup_host((url.host(), url.port())).await?;
    let mut tries: FuturesUnordered<_> = (0_u32..)
        .zip(alternate(addresses))
        .map(|(place, address)| async move {
            sleep(HEAD_START.saturating_mul(place)).await;
            TcpStream::connect(address).await
        })
        .collect();
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    while let Some(tried) = tries.next().await {
        match tried {
            Ok(stream) => {
                // Frames are small and somebody waits for each.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The resolver's order, but the families alternate, so that a dead one costs one head start.
fn alternate(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut first = Vec::new();
    let mut second = Vec::new();
    for address in addresses.take(MAX_ADDRESSES) {
        let of_the_first = first
            .first()
            .is_none_or(|other: &SocketAddr| other.is_ipv4() == address.is_ipv4());
        if of_the_first {
            first.push(address);
        } else {
            second.push(address);
        }
    }
    let mut second = second.into_iter();
    let mut order = Vec::with_capacity(MAX_ADDRESSES);
    for address in first {
        order.push(address);
        order.extend(second.next());
    }
    order.extend(second);
    order
}

#[cfg(test)]
mod tests;
