//! The task that owns the socket: it reads, writes, asks now and then whether the relay is there, and gives up
//! what takes too long. Side by side, so that a relay that does not read cannot keep us from reading.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Ping, RelayLimits, ServerFrame, frame};
use tokio::sync::{mpsc, watch};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};

use super::budget::Budget;
use super::in_flight::InFlight;
use super::pushes::Pushed;
use super::{Activity, Command, Ending, LinkError, RequestError, Said, Socket, enqueue};

/// How long a relay may be silent when asked, with no byte moving.
const SILENCE: Duration = Duration::from_secs(20);
/// How long one frame may take to leave.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may take to end in order.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Everything the task owns.
pub(super) struct LinkTask {
    pub(super) socket: Socket,
    pub(super) activity: Activity,
    pub(super) queue: mpsc::UnboundedReceiver<Command>,
    /// Does not keep the link alive.
    pub(super) pinger: mpsc::WeakUnboundedSender<Command>,
    pub(super) pushed: Pushed,
    pub(super) budget: Budget,
    pub(super) ping_every: Duration,
}

/// How often to ask: often enough that one lost question does not end the connection.
pub(super) fn ping_period(limits: Option<&RelayLimits>) -> Duration {
    let idle = limits.map_or(0, |limits| limits.idle_timeout_s);
    let idle = if idle == 0 { 90 } else { idle };
    Duration::from_secs((idle / 3).clamp(5, 60).into())
}

impl LinkTask {
    /// Runs until the link has ended, and says how.
    pub(super) async fn run(self, ended: watch::Sender<Option<Ending>>) {
        let said = Said::new();
        let error = self.serve(&said).await;
        // By now answers and pushes have ended too; who sees that finds the reason here a moment later.
        ended.send_replace(Some(Ending::new(said.get(), error)));
    }

    async fn serve(self, said: &Said) -> Option<LinkError> {
        let (sink, stream) = self.socket.split();
        let in_flight = InFlight::default();
        let reader = Reader {
            stream,
            pushed: self.pushed,
            budget: &self.budget,
            in_flight: &in_flight,
            said,
        };
        let mut reading = pin!(reader.run());
        let writer = Writer {
            sink,
            queue: self.queue,
            budget: &self.budget,
            in_flight: &in_flight,
        };
        tokio::select! {
            // What has come counts before what could not be sent.
            biased;
            ended = &mut reading => ended.err(),
            written = writer.run() => match written {
                Ok(()) => None,
                Err(LinkError::Stuck) => Some(LinkError::Stuck),
                // A relay that closed may have said why.
                Err(error) => match timeout(CLOSE_PATIENCE, reading).await {
                    Ok(Ok(())) => None,
                    _ => Some(error),
                },
            },
            () = keep_asking(&self.pinger, self.ping_every, &self.activity) => {
                Some(LinkError::Silent)
            }
            never = give_up(&in_flight) => match never {},
        }
    }
}

struct Reader<'a> {
    stream: SplitStream<Socket>,
    pushed: Pushed,
    budget: &'a Budget,
    in_flight: &'a InFlight,
    said: &'a Said,
}

impl Reader<'_> {
    /// Reads until the relay has closed.
    async fn run(mut self) -> Result<(), LinkError> {
        loop {
            // Who awaits an answer may be who takes the pushes, so reading never waits while one is to come.
            while self.budget.is_enough() && self.in_flight.is_empty() {
                self.budget.changed().await;
            }
            let Some(message) = self.stream.next().await else {
                return Ok(());
            };
            // A transport that always has more must not keep the runtime from those who take it.
            consume_budget().await;
            match message.map_err(classify)? {
                Message::Binary(bytes) => self.take(&bytes)?,
                // Answered by the library when the socket is next read or written.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                Message::Text(_) => return Err(LinkError::Malformed),
                Message::Close(_) => {
                    self.finish().await;
                    return Ok(());
                }
            }
            if self.said.get().is_some() {
                self.finish().await;
                return Ok(());
            }
        }
    }

    /// Nothing of interest comes any more: lets the two sides close in order, if that is quick.
    async fn finish(&mut self) {
        let rest = async { while let Some(Ok(_)) = self.stream.next().await {} };
        // Whether they managed to or not, it is over.
        drop(timeout(CLOSE_PATIENCE, rest).await);
    }

    fn take(&mut self, bytes: &Bytes) -> Result<(), LinkError> {
        // A copy of its own: otherwise a small frame that is kept keeps the whole read buffer.
        let own = Bytes::copy_from_slice(bytes);
        let frame: ServerFrame = frame::decode(own).map_err(|_| LinkError::Malformed)?;
        match (frame.id, frame.body) {
            // A push of a later version.
            (0, None) => {}
            (0, Some(Body::Closing(closing))) => {
                // The first one counts.
                self.said.get_or_init(|| closing);
            }
            // Was not stored anywhere, and is old by the time that it is taken.
            (0, Some(Body::Ephemeral(_))) if self.budget.is_enough() => {}
            (0, Some(body)) => {
                let body = self.budget.account(body, bytes.len());
                // Nobody listens: it falls.
                drop(self.pushed.send(body.map_err(|_| LinkError::Overrun)?));
            }
            // An answer of a later version.
            (id, None) => self.in_flight.answer(id, Err(RequestError::Unexpected)),
            (id, Some(body)) => {
                let body = self.budget.account(body, bytes.len());
                self.in_flight
                    .answer(id, Ok(body.map_err(|_| LinkError::Overrun)?));
            }
        }
        Ok(())
    }
}

struct Writer<'a> {
    sink: SplitSink<Socket, Message>,
    queue: mpsc::UnboundedReceiver<Command>,
    budget: &'a Budget,
    in_flight: &'a InFlight,
}

impl Writer<'_> {
    /// Writes until every [`Link`](super::Link) is gone, then closes.
    async fn run(mut self) -> Result<(), LinkError> {
        while let Some(command) = self.queue.recv().await {
            self.feed(command).await?;
            // What else waits leaves with it, in few writes.
            while let Ok(command) = self.queue.try_recv() {
                self.feed(command).await?;
            }
            in_time(self.sink.flush()).await?;
        }
        // Whether the relay takes the last word or not, it is over.
        drop(timeout(CLOSE_PATIENCE, self.sink.close()).await);
        Ok(())
    }

    async fn feed(&mut self, command: Command) -> Result<(), LinkError> {
        let mut frame = command.frame;
        frame.id = self.in_flight.add(command.answer, command.room);
        // Its answer is to come, so reading may have to go on.
        self.budget.ring();
        let message = Message::Binary(frame::encode(&frame));
        in_time(self.sink.feed(message)).await
    }
}

async fn in_time(step: impl Future<Output = Result<(), SocketError>>) -> Result<(), LinkError> {
    timeout(WRITE_PATIENCE, step)
        .await
        .map_err(|_| LinkError::Stuck)?
        .map_err(classify)
}

/// Asks the relay now and then; returns when it is silent.
async fn keep_asking(
    pinger: &mpsc::WeakUnboundedSender<Command>,
    every: Duration,
    activity: &Activity,
) {
    loop {
        sleep(every).await;
        let Some(commands) = pinger.upgrade() else {
            // The link is being closed, which has its own patience.
            return std::future::pending().await;
        };
        let asked = Instant::now();
        let mut answer = enqueue(&commands, Request::Ping(Ping {}), None);
        drop(commands);
        loop {
            // A question that waits behind much else, or whose answer does, is no silence.
            let since = activity.last().max(asked);
            let deadline = since.checked_add(SILENCE).unwrap_or(since);
            tokio::select! {
                biased;
                answered = &mut answer => match answered {
                    Err(RequestError::Disconnected | RequestError::Timeout) => return,
                    // A refusal is a sign of life.
                    _ => break,
                },
                () = sleep_until(deadline) => if activity.last() <= since {
                    return;
                },
            }
        }
    }
}

enum Never {}

async fn give_up(in_flight: &InFlight) -> Never {
    loop {
        sleep_until(in_flight.expire(Instant::now())).await;
    }
}

fn classify(error: SocketError) -> LinkError {
    match error {
        SocketError::Io(error) => LinkError::Stream(error.kind()),
        SocketError::Capacity(_) => LinkError::TooLarge,
        SocketError::ConnectionClosed
        | SocketError::AlreadyClosed
        | SocketError::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
        ) => LinkError::Stream(io::ErrorKind::ConnectionReset),
        // Pings that the relay sends without reading the answers fill it, nothing else.
        SocketError::WriteBufferFull(_) => LinkError::Stuck,
        _ => LinkError::WebSocket,
    }
}
