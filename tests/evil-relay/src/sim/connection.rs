//! One connection of the simulated relay: frames wait out their latency, then are done or written, unless
//! the dice say otherwise.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{ClientFrame, CloseReason, ErrorCode, ServerFrame, frame};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::faults::FaultPlan;
use super::relay::Shared;
use crate::websocket;

/// The connection is over.
struct Over;

/// What a connection's task knows.
struct Connection<S> {
    shared: Arc<Shared>,
    socket: WebSocketStream<S>,
    session: u64,
    bell: Arc<Notify>,
    dice: ChaCha8Rng,
    /// Requests on their way here.
    arriving: VecDeque<(Instant, ClientFrame)>,
    /// Frames on their way to the client, by when they arrive and in which order.
    leaving: BTreeMap<(Instant, u64), ServerFrame>,
    last_arrival: Instant,
    last_leaving: Instant,
    counted: u64,
    heard: Instant,
}

pub(super) async fn run<S>(shared: Arc<Shared>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (session, dice) = {
        let mut model = shared.model();
        model.open(shared.now_ms())
    };
    let ends = {
        let model = shared.model();
        let session = model.sessions.get(&session);
        session.map(|session| (Arc::clone(&session.bell), Arc::clone(&session.cut)))
    };
    if let Some((bell, cut)) = ends {
        let serving = async {
            let Ok(socket) = websocket::accept(stream).await else {
                return;
            };
            let now = Instant::now();
            let mut connection = Connection {
                shared: Arc::clone(&shared),
                socket,
                session,
                bell,
                dice,
                arriving: VecDeque::new(),
                leaving: BTreeMap::new(),
                last_arrival: now,
                last_leaving: now,
                counted: 0,
                heard: now,
            };
            while connection.turn().await.is_ok() {}
        };
        tokio::select! {
            biased;
            () = cut.notified() => {}
            () = serving => {}
        }
    }
    shared.model().closed(session);
    shared.changed();
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Does what is due, then waits for one thing.
    async fn turn(&mut self) -> Result<(), Over> {
        let faults = self.shared.model().faults.clone();
        self.handle_arrived(&faults)?;
        self.collect(&faults);
        self.write_due(&faults).await?;
        let idle_at = self.idle_at();
        let arrival = self.arriving.front().map(|(due, _)| *due);
        let leaving = self.leaving.first_key_value().map(|((due, _), _)| *due);
        let due = [arrival, leaving]
            .into_iter()
            .flatten()
            .fold(idle_at, Instant::min);
        tokio::select! {
            biased;
            () = self.bell.notified() => {}
            message = self.socket.next() => match message {
                Some(Ok(message)) => self.read(message, &faults)?,
                _ => return Err(Over),
            },
            () = sleep_until(due) => {
                if Instant::now() >= idle_at {
                    self.close(CloseReason::IdleTimeout);
                }
            }
        }
        Ok(())
    }

    fn idle_at(&self) -> Instant {
        let limit = self.shared.model().options.idle_timeout_s;
        later(self.heard, Duration::from_secs(limit.into()))
    }

    fn close(&mut self, reason: CloseReason) {
        // A goodbye that is on its way already is not said twice.
        self.heard = Instant::now();
        if let Some(session) = self.shared.model().sessions.get_mut(&self.session) {
            session.close(reason);
        }
    }

    fn read(&mut self, message: Message, faults: &FaultPlan) -> Result<(), Over> {
        self.heard = Instant::now();
        match message {
            Message::Binary(bytes) => match frame::decode::<ClientFrame>(bytes) {
                Ok(frame) if frame.id != 0 => {
                    let due = later(Instant::now(), faults.latency(&mut self.dice));
                    self.last_arrival = self.last_arrival.max(due);
                    self.arriving.push_back((self.last_arrival, frame));
                }
                _ => self.close(CloseReason::ProtocolViolation),
            },
            Message::Text(_) => self.close(CloseReason::ProtocolViolation),
            Message::Close(_) => return Err(Over),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    fn handle_arrived(&mut self, faults: &FaultPlan) -> Result<(), Over> {
        while let Some((due, _)) = self.arriving.front()
            && *due <= Instant::now()
        {
            let Some((_, frame)) = self.arriving.pop_front() else {
                break;
            };
            if faults.cut.strikes(&mut self.dice) {
                return Err(Over);
            }
            let refused = !introduces(&frame) && faults.refuse.strikes(&mut self.dice);
            {
                let mut model = self.shared.model();
                if refused {
                    let busy = ErrorCode::Busy.because("the dice say so").retry_after(50);
                    if let Some(session) = model.sessions.get_mut(&self.session) {
                        session.say(frame.id, Body::Error(busy));
                    }
                } else {
                    model.handle(self.session, frame, self.shared.now_ms());
                }
            }
            self.shared.changed();
            if !refused && faults.lose_answer.strikes(&mut self.dice) {
                return Err(Over);
            }
        }
        Ok(())
    }

    /// Sends answers and pushes on their way.
    fn collect(&mut self, faults: &FaultPlan) {
        loop {
            let frame = {
                let mut model = self.shared.model();
                let Some(session) = model.sessions.get_mut(&self.session) else {
                    return;
                };
                match session.outbox.pop_front() {
                    Some(frame) => frame,
                    None => match model.next_delivery(self.session) {
                        Some(body) => ServerFrame {
                            id: 0,
                            body: Some(body),
                        },
                        None => return,
                    },
                }
            };
            self.send_off(frame, faults);
        }
    }

    fn send_off(&mut self, mut frame: ServerFrame, faults: &FaultPlan) {
        if let Some(Body::Deliveries(batch)) = &mut frame.body {
            let deliveries = core::mem::take(&mut batch.deliveries);
            batch.deliveries = faults.disturb(deliveries, &mut self.dice);
        }
        let due = later(Instant::now(), faults.latency(&mut self.dice));
        self.last_leaving = self.last_leaving.max(due);
        let mut due = self.last_leaving;
        if frame.id != 0 && faults.late_answer.strikes(&mut self.dice) {
            due = later(due, Duration::from_millis(faults.late_by_ms));
        }
        self.counted = self.counted.saturating_add(1);
        self.leaving.insert((due, self.counted), frame);
    }

    async fn write_due(&mut self, faults: &FaultPlan) -> Result<(), Over> {
        let mut wrote = false;
        while let Some(first) = self.leaving.first_entry()
            && first.key().0 <= Instant::now()
        {
            let frame = first.remove();
            if faults.cut.strikes(&mut self.dice) {
                return Err(Over);
            }
            let last = matches!(frame.body, Some(Body::Closing(_)));
            let message = Message::Binary(frame::encode(&frame));
            self.socket.feed(message).await.map_err(|_| Over)?;
            wrote = true;
            if last {
                // The client's close frame or its end; after that nobody is left to tell.
                self.socket.close(None).await.map_err(|_| Over)?;
                while let Some(Ok(_)) = self.socket.next().await {}
                return Err(Over);
            }
        }
        if wrote {
            self.socket.flush().await.map_err(|_| Over)?;
        }
        Ok(())
    }
}

/// Whether a request says who the connection speaks for: refusing that is no fault worth trying.
const fn introduces(frame: &ClientFrame) -> bool {
    matches!(
        frame.request,
        Some(Request::Anonymous(_) | Request::Authenticate(_) | Request::Register(_))
    )
}

fn later(moment: Instant, by: Duration) -> Instant {
    moment.checked_add(by).unwrap_or(moment)
}
