//! A relay that does what a test says, and the transport that leads to it.

use std::io;
use std::sync::{Mutex, PoisonError};

use futures_util::{SinkExt as _, StreamExt as _};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    ClientFrame, Deliveries, Delivery, LookUpName, Ok as Done, RelayLimits, SUBPROTOCOL,
    ServerFrame, Welcome, frame,
};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as Asked, Response,
};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::connection::{
    ByteStream, Connecting, Link, OpenError, Pushes, RelayUrl, Transport, open,
};

pub(super) const RELAY: &str = "relay.example";

/// Leads to one stream, once.
pub(super) struct OneStream(Mutex<Option<DuplexStream>>);

impl Transport for OneStream {
    fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async {
            let stream = stream.ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}

pub(super) fn stream(buffer: usize) -> (OneStream, DuplexStream) {
    let (ours, theirs) = duplex(buffer);
    (OneStream(Mutex::new(Some(ours))), theirs)
}

pub(super) fn url() -> RelayUrl {
    format!("wss://{RELAY}").parse().unwrap()
}

pub(super) fn welcome() -> Welcome {
    Welcome {
        oldest_version: 1,
        newest_version: 1,
        relay_name: RELAY.to_owned(),
        nonce: vec![7; 32].into(),
        storage_epoch: vec![9; 16].into(),
        limits: Some(RelayLimits {
            delivery_window: 64,
            message_bytes: 65_536,
            idle_timeout_s: 90,
            ..RelayLimits::default()
        }),
        ..Welcome::default()
    }
}

pub(super) struct ScriptedRelay {
    pub(super) socket: WebSocketStream<DuplexStream>,
}

impl ScriptedRelay {
    pub(super) async fn accept(stream: DuplexStream) -> Self {
        #[expect(clippy::result_large_err)]
        #[expect(clippy::unnecessary_wraps, reason = "the library wants a result")]
        fn confirm(asked: &Asked, mut answer: Response) -> Result<Response, ErrorResponse> {
            assert_eq!(asked.uri().path(), "/v1/ws");
            let offered = asked.headers().get(SEC_WEBSOCKET_PROTOCOL);
            assert_eq!(offered.unwrap(), SUBPROTOCOL);
            assert!(asked.headers().get("sec-websocket-extensions").is_none());
            answer.headers_mut().insert(
                SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(SUBPROTOCOL),
            );
            Ok(answer)
        }
        // Writes at once, so that a test sees when the client does not read.
        let config = WebSocketConfig::default().write_buffer_size(0);
        let socket = accept_hdr_async_with_config(stream, confirm, Some(config)).await;
        Self {
            socket: socket.unwrap(),
        }
    }

    pub(super) async fn say(&mut self, id: u64, body: Body) {
        let frame = ServerFrame {
            id,
            body: Some(body),
        };
        self.send(Message::Binary(frame::encode(&frame))).await;
    }

    pub(super) async fn push(&mut self, body: Body) {
        self.say(0, body).await;
    }

    pub(super) async fn done(&mut self, id: u64) {
        self.say(id, Body::Ok(Done {})).await;
    }

    pub(super) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub(super) async fn next(&mut self) -> (u64, Request) {
        let (id, request) = self.next_if_any().await.unwrap();
        (id, request)
    }

    /// `None` once the client has gone.
    pub(super) async fn next_if_any(&mut self) -> Option<(u64, Request)> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let frame: ClientFrame = frame::decode(bytes).unwrap();
                    return Some((frame.id, frame.request.unwrap()));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// A link and the relay at its other end.
pub(super) async fn connected() -> (Link, Pushes, ScriptedRelay) {
    connected_over(64 * 1024).await
}

/// The same, with so many bytes between them.
pub(super) async fn connected_over(buffer: usize) -> (Link, Pushes, ScriptedRelay) {
    let (opened, relay) = welcomed(welcome(), buffer).await;
    let (link, pushes, _) = opened.unwrap();
    (link, pushes, relay)
}

/// What comes of this welcome.
pub(super) async fn welcomed(
    welcome: Welcome,
    buffer: usize,
) -> (Result<(Link, Pushes, Welcome), OpenError>, ScriptedRelay) {
    let (transport, theirs) = stream(buffer);
    let url = url();
    tokio::join!(open(&transport, &url), async {
        let mut relay = ScriptedRelay::accept(theirs).await;
        relay.push(Body::Welcome(welcome)).await;
        relay
    })
}

/// A request that tests tell apart by its name.
pub(super) fn ask(name: impl Into<String>) -> Request {
    Request::LookUpName(LookUpName {
        name: name.into(),
        ..LookUpName::default()
    })
}

pub(super) fn name_of(request: &Request) -> &str {
    match request {
        Request::LookUpName(asked) => &asked.name,
        _ => "",
    }
}

pub(super) fn delivery(sequence: u64, len: usize) -> Body {
    Body::Deliveries(Deliveries {
        deliveries: vec![Delivery {
            sequence,
            ciphertext: vec![1; len].into(),
            ..Delivery::default()
        }],
    })
}

/// The first sequence number of a push of deliveries, or 0.
pub(super) fn sequence_of(push: &Body) -> u64 {
    match push {
        Body::Deliveries(list) => list.deliveries.first().map_or(0, |first| first.sequence),
        _ => 0,
    }
}
