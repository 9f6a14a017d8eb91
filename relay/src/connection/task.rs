//! A connection's own task: it alone reads and writes the socket.
//!
//! Each turn writes what is ready (answers, pushes, mail), in one system call where it fits, then waits for
//! a frame or the bell. While too many requests are unanswered it reads no more: a client that floods waits
//! for itself.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::{FutureExt, SinkExt, StreamExt};
use hushpost_wire::server_frame::Body;
use hushpost_wire::{ClientFrame, CloseReason, Closing, ErrorCode, ServerFrame, frame};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::delivery::Delivery;
use super::handshake::{self, Identity};
use super::{Session, requests};
use crate::listener::ConnectionGuard;
use crate::mailbox::Opened;
use crate::presence::{Published, Topic};
use crate::refusal::Refusal;
use crate::relay::Relay;

/// Frames handled before answers are written.
const TURN: usize = 64;

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What a connection's task knows.
pub(super) struct Connection {
    pub(super) relay: Arc<Relay>,
    pub(super) session: Arc<Session>,
    pub(super) address: IpAddr,
    pub(super) nonce: [u8; 32],
    pub(super) identity: Identity,
    /// Of the device that the connection speaks for.
    pub(super) mailbox: Option<Opened>,
    pub(super) delivery: Delivery,
    /// Whether the answer to a WebSocket ping waits in the socket's buffer.
    pong_due: bool,
    pub(super) wills: Vec<Published>,
    pub(super) topics: Vec<Topic>,
}

/// The connection is over.
pub(super) struct Over;

/// Runs a connection from its welcome to its end.
pub(super) async fn run(
    relay: Arc<Relay>,
    mut socket: Socket,
    address: IpAddr,
    guard: ConnectionGuard,
) {
    let session = relay.registry.open();
    metrics::gauge!("hushpost_connections").increment(1.0);
    let mut connection = Connection {
        nonce: relay.random(),
        identity: Identity::Unknown,
        mailbox: None,
        delivery: Delivery::default(),
        pong_due: false,
        wills: Vec::new(),
        topics: Vec::new(),
        relay,
        session,
        address,
    };
    let welcome = handshake::welcome(&connection);
    connection.session.push(Body::Welcome(welcome));
    while connection.turn(&mut socket).await.is_ok() {}
    Box::pin(connection.end()).await;
    metrics::gauge!("hushpost_connections").decrement(1.0);
    drop(socket);
    drop(guard);
}

impl Connection {
    /// Writes what is ready, then waits for one thing and does it.
    ///
    /// What handles a frame or writes one is boxed: it is there only while there is something to do, and an
    /// idle connection's task stays small.
    async fn turn(&mut self, socket: &mut Socket) -> Result<(), Over> {
        if self.session.take_mail() {
            self.delivery.look();
        }
        if self.pong_due || self.session.has_frames() || self.delivery.is_due() {
            Box::pin(self.write_ready(socket)).await?;
        }
        if self.session.is_cut() {
            return Err(Over);
        }
        if self.session.closing().is_some() {
            return Box::pin(self.say_goodbye(socket)).await;
        }
        let may_read = self.session.pending() < self.relay.config.limits.pending_requests;
        tokio::select! {
            biased;
            () = self.session.rung() => Ok(()),
            message = socket.next(), if may_read => {
                Box::pin(self.read(socket, message)).await
            }
        }
    }

    /// Handles a frame, and those that have arrived with it.
    async fn read(
        &mut self,
        socket: &mut Socket,
        first: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), Over> {
        let mut next = Some(first);
        let mut left = TURN;
        while let Some(message) = next {
            let message = message.ok_or(Over)?.map_err(|_| Over)?;
            self.session.mark_heard(self.relay.registry.now());
            self.handle(message).await?;
            left = left.saturating_sub(1);
            let go_on = left > 0
                && self.session.closing().is_none()
                && self.session.pending() < self.relay.config.limits.pending_requests;
            next = if go_on {
                socket.next().now_or_never()
            } else {
                None
            };
        }
        Ok(())
    }

    async fn handle(&mut self, message: Message) -> Result<(), Over> {
        // Pings and stray text count too: a flood of them is a flood.
        let limiter = &self.relay.limits.requests_per_connection;
        let admitted = limiter.admit(&self.session.id());
        match message {
            Message::Binary(bytes) => {
                let Ok(request) = frame::decode::<ClientFrame>(bytes) else {
                    self.violated();
                    return Ok(());
                };
                if request.id == 0 {
                    self.violated();
                    return Ok(());
                }
                let id = request.id;
                match admitted {
                    Err(refusal) => self.refuse(id, refusal),
                    Ok(()) => requests::handle(self, request).await,
                }
                Ok(())
            }
            Message::Ping(_) | Message::Pong(_) => {
                self.pong_due |= matches!(message, Message::Ping(_));
                admitted.map_err(|_| Over)
            }
            Message::Text(_) => {
                self.violated();
                Ok(())
            }
            Message::Close(_) | Message::Frame(_) => Err(Over),
        }
    }

    /// Refuses a request.
    pub(super) fn refuse(&self, id: u64, refusal: Refusal) {
        metrics::counter!("hushpost_refused_total", "code" => refusal.code().as_str_name())
            .increment(1);
        self.session.answer(id, Body::Error(refusal.into_frame()));
    }

    fn violated(&self) {
        self.refuse(
            0,
            Refusal::new(
                ErrorCode::BadRequest,
                "not a frame: binary messages of a ClientFrame with an id other than 0",
            ),
        );
        self.session
            .close(CloseReason::ProtocolViolation, core::time::Duration::ZERO);
    }

    /// Writes answers, pushes and mail until nothing is ready.
    async fn write_ready(&mut self, socket: &mut Socket) -> Result<(), Over> {
        // The library answers pings into its buffer, which has no end: unless they are written before the
        // next are read, a client that pings and never reads fills the memory.
        let mut wrote = core::mem::take(&mut self.pong_due);
        loop {
            while let Some(frame) = self.session.take() {
                self.feed(socket, &frame).await?;
                wrote = true;
            }
            if self.session.take_mail() {
                self.delivery.look();
            }
            let Some(frame) = self.next_delivery().await? else {
                break;
            };
            self.feed(socket, &frame).await?;
            wrote = true;
        }
        if wrote {
            self.session.mark_writing(self.relay.registry.now());
            let flushed = self.unless_cut(socket.flush()).await;
            self.session.mark_writing(0);
            flushed?;
        }
        Ok(())
    }

    async fn feed(&self, socket: &mut Socket, frame: &ServerFrame) -> Result<(), Over> {
        let message = Message::Binary(frame::encode(frame));
        self.session.mark_writing(self.relay.registry.now());
        let fed = self.unless_cut(socket.feed(message)).await;
        self.session.mark_writing(0);
        fed
    }

    /// Waits for a write, unless the reaper finds that it takes too long.
    async fn unless_cut<T, E>(&self, write: impl Future<Output = Result<T, E>>) -> Result<T, Over> {
        let mut write = core::pin::pin!(write);
        let mut rung = false;
        let result = loop {
            tokio::select! {
                biased;
                written = write.as_mut() => break written.map_err(|_| Over),
                () = self.session.rung() => {
                    if self.session.is_cut() {
                        break Err(Over);
                    }
                    rung = true;
                }
            }
        };
        if rung {
            // The bell was for the next turn.
            self.session.ring();
        }
        result
    }

    async fn next_delivery(&mut self) -> Result<Option<ServerFrame>, Over> {
        let Some(mailbox) = self.mailbox.as_ref().filter(|_| self.delivery.is_due()) else {
            return Ok(None);
        };
        let body = self
            .delivery
            .next(&self.relay, mailbox)
            .await
            .map_err(|refusal| {
                tracing::error!(
                    code = refusal.code().as_str_name(),
                    "a mailbox cannot be read"
                );
                Over
            })?;
        Ok(body.map(|body| ServerFrame {
            id: 0,
            body: Some(body),
        }))
    }

    async fn say_goodbye(&self, socket: &mut Socket) -> Result<(), Over> {
        if let Some((reason, reconnect_after_ms)) = self.session.closing() {
            let closing = ServerFrame {
                id: 0,
                body: Some(Body::Closing(Closing {
                    reason: reason.into(),
                    reconnect_after_ms,
                })),
            };
            self.feed(socket, &closing).await?;
            self.session.mark_writing(self.relay.registry.now());
            self.unless_cut(socket.close(None)).await?;
            // The client's close frame, or its end, or the reaper.
            while let Some(Ok(_)) = self.unless_cut(socket.next().map(Ok::<_, Over>)).await? {}
        }
        Err(Over)
    }

    /// Gives up all that the connection held.
    async fn end(&mut self) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.detach(self.session.id());
        }
        self.relay
            .presence
            .unsubscribe(self.session.id(), &self.topics);
        for will in self.wills.drain(..) {
            let published = self.relay.presence.publish_will(self.session.id(), will);
            if let Err(refusal) = published.await {
                tracing::warn!(code = refusal.code().as_str_name(), "a last will is lost");
            }
        }
        self.relay.registry.closed(self.session.id());
    }
}
