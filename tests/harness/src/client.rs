//! A small client of the frames: requests whose answers are matched by id, and the pushes between them.
//!
//! One task, no background work: it reads only while something is awaited, so a test decides when a client
//! is a slow reader. Requests may be pipelined: [`Client::send`] many, then [`Client::answer`] each.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Anonymous, Authenticated, ClientFrame, Closing, Error, PROTOCOL_VERSION, ServerFrame, Welcome,
    frame,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::{HarnessError, Identity, PATIENCE, upgrade};

/// Thousands of clients live in one test: the library's default is 128 KiB each.
const READ_BUFFER: usize = 4096;

/// A connection to a relay.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    last_id: u64,
    answers: HashMap<u64, Body>,
    pushes: VecDeque<Body>,
}

/// How a connection ended.
pub struct Ending {
    /// What the relay said before it closed, if anything.
    pub closing: Option<Closing>,
    /// The WebSocket close code, if there was a close frame with one.
    pub code: Option<u16>,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Client(after request {})", self.last_id)
    }
}

impl core::fmt::Debug for Ending {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let reason = self
            .closing
            .as_ref()
            .map(|closing| closing.reason().as_str_name());
        write!(f, "Ending({reason:?}, close code {:?})", self.code)
    }
}

impl Client {
    /// Connects and reads the relay's first frame.
    ///
    /// # Errors
    /// [`HarnessError`] if the relay does not take the connection or does not welcome.
    pub async fn connect(address: SocketAddr) -> Result<(Self, Welcome), HarnessError> {
        Self::open(None, address).await
    }

    /// The same, from an address of this machine: any of 127.0.0.0/8.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_from(
        local: IpAddr,
        address: SocketAddr,
    ) -> Result<(Self, Welcome), HarnessError> {
        Self::open(Some(local), address).await
    }

    /// Connects and proves to be device `number` of a registered account.
    ///
    /// # Errors
    /// As [`connect`](Self::connect) and [`authenticate`](Self::authenticate).
    pub async fn connect_as(
        address: SocketAddr,
        identity: &Identity,
        number: u32,
    ) -> Result<(Self, Authenticated), HarnessError> {
        let (mut client, welcome) = Self::connect(address).await?;
        let authenticated = client.authenticate(&welcome, identity, number).await?;
        Ok((client, authenticated))
    }

    async fn open(
        local: Option<IpAddr>,
        address: SocketAddr,
    ) -> Result<(Self, Welcome), HarnessError> {
        let stream = upgrade::open(local, address).await?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let handshake = client_async_with_config(upgrade::request(address)?, stream, Some(config));
        let (socket, _) = patiently("WebSocket handshake", handshake).await??;
        let mut client = Self {
            socket,
            last_id: 0,
            answers: HashMap::new(),
            pushes: VecDeque::new(),
        };
        match client.next_push().await? {
            Body::Welcome(welcome) => Ok((client, welcome)),
            _ => Err(HarnessError::Unexpected("a welcome")),
        }
    }

    /// Creates the account; the connection then speaks for its first device.
    ///
    /// # Errors
    /// [`HarnessError`]; a refusal is [`HarnessError::Refused`].
    pub async fn register(
        &mut self,
        welcome: &Welcome,
        identity: &Identity,
    ) -> Result<Authenticated, HarnessError> {
        let request = Request::Register(identity.register(welcome)?);
        authenticated(self.request(request).await?)
    }

    /// Proves to be device `number`.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn authenticate(
        &mut self,
        welcome: &Welcome,
        identity: &Identity,
        number: u32,
    ) -> Result<Authenticated, HarnessError> {
        let request = Request::Authenticate(identity.authenticate(welcome, number)?);
        authenticated(self.request(request).await?)
    }

    /// Makes this an anonymous connection.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn anonymous(&mut self) -> Result<(), HarnessError> {
        let request = Request::Anonymous(Anonymous {
            version: PROTOCOL_VERSION,
        });
        match self.request(request).await? {
            Body::Ok(_) => Ok(()),
            _ => Err(HarnessError::Unexpected("ok")),
        }
    }

    /// Asks one thing and waits for the answer.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn request(&mut self, request: Request) -> Result<Body, HarnessError> {
        let id = self.send(request).await?;
        self.answer(id).await
    }

    /// Asks for what must be refused and returns the refusal.
    ///
    /// # Errors
    /// [`HarnessError::NotRefused`] if it was done.
    pub async fn request_refused(&mut self, request: Request) -> Result<Error, HarnessError> {
        match self.request(request).await {
            Err(HarnessError::Refused(error)) => Ok(error),
            Err(error) => Err(error),
            Ok(_) => Err(HarnessError::NotRefused),
        }
    }

    /// Sends a request without waiting for the answer; returns its id.
    ///
    /// # Errors
    /// [`HarnessError`] if the connection does not take it.
    pub async fn send(&mut self, request: Request) -> Result<u64, HarnessError> {
        let id = self.feed(request).await?;
        self.flush().await?;
        Ok(id)
    }

    /// Puts a request into the buffer; [`flush`](Self::flush) sends all of them in few writes.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed(&mut self, request: Request) -> Result<u64, HarnessError> {
        let id = self.last_id.saturating_add(1);
        self.last_id = id;
        let frame = frame::encode(&ClientFrame {
            id,
            request: Some(request),
        });
        patiently("room to send", self.socket.feed(Message::Binary(frame))).await??;
        Ok(id)
    }

    /// Sends what was fed.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn flush(&mut self) -> Result<(), HarnessError> {
        patiently("room to send", self.socket.flush()).await??;
        Ok(())
    }

    /// The answer to request `id`, whenever it comes. Others are kept.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn answer(&mut self, id: u64) -> Result<Body, HarnessError> {
        loop {
            match self.answers.remove(&id) {
                Some(Body::Error(error)) => return Err(HarnessError::Refused(error)),
                Some(body) => return Ok(body),
                None => self.read_frame("answer").await?,
            }
        }
    }

    /// The next push. Answers that come meanwhile are kept.
    ///
    /// # Errors
    /// [`HarnessError::Silent`], [`HarnessError::Ended`].
    pub async fn next_push(&mut self) -> Result<Body, HarnessError> {
        loop {
            match self.pushes.pop_front() {
                Some(body) => return Ok(body),
                None => self.read_frame("push").await?,
            }
        }
    }

    /// A push that has come already. Does not read: ask for a `Ping` first, and whatever the relay pushed
    /// before its answer is here.
    pub fn pushed(&mut self) -> Option<Body> {
        self.pushes.pop_front()
    }

    /// Waits until the relay has closed the connection. Answers and pushes that come before are kept
    /// nowhere.
    ///
    /// # Errors
    /// [`HarnessError::Silent`] if it does not.
    pub async fn ended(mut self) -> Result<Ending, HarnessError> {
        let mut ending = Ending {
            closing: None,
            code: None,
        };
        for push in self.pushes.drain(..) {
            if let Body::Closing(closing) = push {
                ending.closing = Some(closing);
            }
        }
        while let Some(message) = self.next_message("end of the connection").await? {
            match message {
                Message::Binary(bytes) => {
                    if let Some(Body::Closing(closing)) = frame::decode::<ServerFrame>(bytes)?.body
                    {
                        ending.closing = Some(closing);
                    }
                }
                Message::Close(close) => ending.code = close.map(|close| close.code.into()),
                _ => {}
            }
        }
        Ok(ending)
    }

    /// Raw mode: sends any WebSocket message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_message(&mut self, message: Message) -> Result<(), HarnessError> {
        patiently("room to send", self.socket.send(message)).await??;
        Ok(())
    }

    /// Raw mode: sends any bytes as one binary message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_bytes(&mut self, bytes: impl Into<Bytes>) -> Result<(), HarnessError> {
        self.send_message(Message::Binary(bytes.into())).await
    }

    /// Raw mode: writes bytes beneath the WebSocket.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn write_raw(&mut self, bytes: &[u8]) -> Result<(), HarnessError> {
        patiently("room to send", self.socket.get_mut().write_all(bytes)).await??;
        Ok(())
    }

    /// Raw mode: the next WebSocket message; `None` once the connection has ended, in order or not.
    ///
    /// # Errors
    /// [`HarnessError::Silent`] naming `what` was waited for.
    pub async fn next_message(
        &mut self,
        what: &'static str,
    ) -> Result<Option<Message>, HarnessError> {
        match patiently(what, self.socket.next()).await? {
            Some(Ok(message)) => Ok(Some(message)),
            None
            | Some(Err(
                SocketError::ConnectionClosed
                | SocketError::AlreadyClosed
                | SocketError::Io(_)
                | SocketError::Protocol(_),
            )) => Ok(None),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Closes in order.
    ///
    /// # Errors
    /// [`HarnessError`] if the relay does not answer the close frame.
    pub async fn close(mut self) -> Result<(), HarnessError> {
        self.send_message(Message::Close(None)).await?;
        while self.next_message("close frame").await?.is_some() {}
        Ok(())
    }

    async fn read_frame(&mut self, what: &'static str) -> Result<(), HarnessError> {
        let bytes = match self.next_message(what).await? {
            Some(Message::Binary(bytes)) => bytes,
            // Answered by the library.
            Some(Message::Ping(_) | Message::Pong(_)) => return Ok(()),
            Some(Message::Close(_)) | None => return Err(HarnessError::Ended(what)),
            Some(_) => return Err(HarnessError::Unexpected("a binary message")),
        };
        let frame: ServerFrame = frame::decode(bytes)?;
        let body = frame.body.ok_or(HarnessError::Unexpected("a known body"))?;
        if frame.id == 0 {
            self.pushes.push_back(body);
        } else if frame.id > self.last_id || self.answers.insert(frame.id, body).is_some() {
            return Err(HarnessError::Unexpected("one answer for one request"));
        }
        Ok(())
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an answer is used up by reading it"
)]
fn authenticated(body: Body) -> Result<Authenticated, HarnessError> {
    match body {
        Body::Authenticated(authenticated) => Ok(authenticated),
        _ => Err(HarnessError::Unexpected("authenticated")),
    }
}

async fn patiently<F: Future>(what: &'static str, future: F) -> Result<F::Output, HarnessError> {
    timeout(PATIENCE, future)
        .await
        .map_err(|_| HarnessError::Silent(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hushpost_wire::{CaughtUp, ErrorCode, Ok as Done, Ping};
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::handshake::server::{Request as Asked, Response};
    use tokio_tungstenite::tungstenite::http::HeaderValue;
    use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

    #[expect(clippy::unnecessary_wraps, clippy::result_large_err)]
    fn confirm(_: &Asked, mut answer: Response) -> Result<Response, ErrorAnswer> {
        answer.headers_mut().insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("hushpost.v1"),
        );
        Ok(answer)
    }
    type ErrorAnswer = tokio_tungstenite::tungstenite::handshake::server::ErrorResponse;

    /// Plays the relay's part: welcomes, reads `requests` requests, then says all of `script`.
    async fn play(requests: usize, script: Vec<(u64, Body)>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_hdr_async(stream, confirm).await.unwrap();
            let say = |id, body| {
                Message::Binary(frame::encode(&ServerFrame {
                    id,
                    body: Some(body),
                }))
            };
            socket
                .send(say(0, Body::Welcome(Welcome::default())))
                .await
                .unwrap();
            for _ in 0..requests {
                socket.next().await.unwrap().unwrap();
            }
            for (id, body) in script {
                socket.send(say(id, body)).await.unwrap();
            }
            socket.close(None).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn answers_are_matched_and_pushes_kept_apart() {
        let push = Body::CaughtUp(CaughtUp {
            through_sequence: 7,
        });
        let refusal = Body::Error(ErrorCode::Busy.because("not now"));
        let closing = Body::Closing(Closing::default());
        let done = Body::Ok(Done {});
        let script = vec![(2, refusal), (0, push), (1, done), (0, closing)];
        let (mut client, _) = Client::connect(play(2, script).await).await.unwrap();
        let first = client.feed(Request::Ping(Ping {})).await.unwrap();
        let second = client.feed(Request::Ping(Ping {})).await.unwrap();
        client.flush().await.unwrap();
        assert!(matches!(client.answer(first).await, Ok(Body::Ok(_))));
        assert!(
            matches!(client.pushed(), Some(Body::CaughtUp(seen)) if seen.through_sequence == 7)
        );
        assert!(client.pushed().is_none());
        let refused = client
            .answer(second)
            .await
            .err()
            .and_then(|error| error.code());
        assert!(refused == Some(ErrorCode::Busy));
        let ending = client.ended().await.unwrap();
        assert!(ending.closing.is_some());
    }

    #[tokio::test]
    async fn an_answer_to_nothing_is_an_error() {
        let address = play(1, vec![(5, Body::Ok(Done {}))]).await;
        let (mut client, _) = Client::connect(address).await.unwrap();
        assert!(matches!(
            client.request(Request::Ping(Ping {})).await,
            Err(HarnessError::Unexpected(_))
        ));
    }

    #[tokio::test]
    async fn an_ended_connection_is_an_error() {
        let (mut client, _) = Client::connect(play(1, vec![]).await).await.unwrap();
        assert!(matches!(
            client.request(Request::Ping(Ping {})).await,
            Err(HarnessError::Ended(_))
        ));
    }
}
