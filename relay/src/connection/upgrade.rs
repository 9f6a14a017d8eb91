//! From an HTTP request to a WebSocket. Refuses what browsers of foreign pages send, and offers no
//! extension: compression would leak lengths and invite bombs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hushpost_wire::{SUBPROTOCOL, limits};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::task;
use crate::listener::{ClientAddress, ConnectionGuard};
use crate::relay::Relay;

/// Bytes of an idle connection's read buffer. A larger frame makes its own room and gives it back.
const READ_BUFFER: usize = 512;
/// Bytes gathered before they are written without being asked to.
const WRITE_BUFFER: usize = 16 * 1024;

/// `GET /v1/ws`.
pub async fn upgrade(State(relay): State<Arc<Relay>>, mut request: Request) -> Response {
    if !is_origin_allowed(&relay, &request) {
        return (StatusCode::FORBIDDEN, "this page may not connect\n").into_response();
    }
    let address = request.extensions().get::<ClientAddress>().copied();
    let guard = request.extensions().get::<ConnectionGuard>().cloned();
    let (Some(address), Some(guard)) = (address, guard) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let address = address.limit_key();
    if let Err(wait) = relay.limits.handshakes_per_address.take(&address) {
        let seconds = wait.as_secs().saturating_add(1).to_string();
        return (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, seconds)],
        )
            .into_response();
    }
    if relay.is_draining() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "5")],
        )
            .into_response();
    }
    let Ok(mut response) = create_response_with_body(&request, Body::empty) else {
        return (
            StatusCode::BAD_REQUEST,
            "this address speaks WebSocket only\n",
        )
            .into_response();
    };
    if offers_subprotocol(&request) {
        response.headers_mut().insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
    }
    let upgraded = hyper::upgrade::on(&mut request);
    // The request must not live on beside the socket.
    drop(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else {
            return;
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(usize::MAX)
            .max_message_size(Some(limits::MAX_FRAME_LEN))
            .max_frame_size(Some(limits::MAX_FRAME_LEN));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config))
                .await;
        task::run(relay, socket, address, guard).await;
    });
    response
}

/// Apps send no `Origin`; browsers do, and a page of somebody else must not speak in its visitor's place.
fn is_origin_allowed(relay: &Relay, request: &Request) -> bool {
    request
        .headers()
        .get_all(header::ORIGIN)
        .iter()
        .all(|origin| {
            relay
                .config
                .listen
                .allowed_origins
                .iter()
                .any(|allowed| allowed.as_bytes() == origin.as_bytes())
        })
}

fn offers_subprotocol(request: &Request) -> bool {
    request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|offered| offered.to_str().ok())
        .flat_map(|offered| offered.split(','))
        .any(|offered| offered.trim() == SUBPROTOCOL)
}
