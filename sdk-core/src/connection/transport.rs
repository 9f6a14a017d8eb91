//! What carries the bytes. An app may bring its own: a proxy, Tor, memory.
//!
//! Nothing else in this room may touch a socket.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use super::RelayUrl;

/// Bytes there and back, in order; encrypted already where the URL says `wss`.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection in the making.
pub type Connecting<'a> =
    Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + 'a>>;

/// Opens byte streams to a relay.
///
/// For a [`RelayUrl`] that [is secure](RelayUrl::is_secure) the transport must do TLS and check the relay's
/// certificate. Dropping the future must give up the attempt.
///
/// ```
/// use hushpost::connection::{ByteStream, Connecting, RelayUrl, Transport};
/// use tokio::io::{DuplexStream, duplex};
/// use tokio::sync::mpsc::UnboundedSender;
///
/// /// To a relay in the same process.
/// struct InMemory {
///     relay: UnboundedSender<DuplexStream>,
/// }
///
/// impl Transport for InMemory {
///     fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
///         Box::pin(async {
///             let (ours, theirs) = duplex(64 * 1024);
///             self.relay.send(theirs).map_err(std::io::Error::other)?;
///             Ok(Box::new(ours) as Box<dyn ByteStream>)
///         })
///     }
/// }
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Opens a stream to the relay.
    fn connect<'a>(&'a self, url: &'a RelayUrl) -> Connecting<'a>;
}
