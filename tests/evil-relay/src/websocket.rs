//! Both ends of a WebSocket that carries frames, over any byte stream.

use hushpost_wire::SUBPROTOCOL;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

use crate::EvilError;

/// Where relays speak WebSocket.
pub(crate) const PATH: &str = "/v1/ws";

/// The client's end: asks `host` for the frames' subprotocol.
pub(crate) async fn connect<S>(host: &str, stream: S) -> Result<WebSocketStream<S>, EvilError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("ws://{host}{PATH}").into_client_request()?;
    request.headers_mut().insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(client_async(request, stream).await?.0)
}

/// The relay's end: confirms the subprotocol where it is offered.
pub(crate) async fn accept<S>(stream: S) -> Result<WebSocketStream<S>, EvilError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Ok(accept_hdr_async(stream, confirm).await?)
}

#[expect(
    clippy::result_large_err,
    clippy::unnecessary_wraps,
    reason = "the library's signature"
)]
fn confirm(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
    if offered.is_some_and(|offered| offered.as_bytes() == SUBPROTOCOL.as_bytes()) {
        response.headers_mut().insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
    }
    Ok(response)
}
