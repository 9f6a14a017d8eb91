//! The way to a relay: a TCP connection from a chosen address of this machine, and the HTTP request that
//! makes it a WebSocket.

use std::net::{IpAddr, SocketAddr};

use hushpost_wire::SUBPROTOCOL;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

use crate::{HarnessError, PATIENCE};

/// Where the relay speaks WebSocket.
pub(crate) const PATH: &str = "/v1/ws";

/// Connects, from `local` where given.
pub(crate) async fn open(
    local: Option<IpAddr>,
    address: SocketAddr,
) -> Result<TcpStream, HarnessError> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = timeout(PATIENCE, socket.connect(address))
        .await
        .map_err(|_| HarnessError::Silent("TCP connection"))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The request an honest client upgrades with.
pub(crate) fn request(address: SocketAddr) -> Result<Request, HarnessError> {
    let mut request = format!("ws://{address}{PATH}").into_client_request()?;
    request.headers_mut().insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(request)
}
