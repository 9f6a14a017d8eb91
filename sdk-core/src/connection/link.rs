//! One connection as the rest of the SDK sees it: ask, be answered, take what is pushed.
//!
//! A [`Link`] is a handle; one task owns the socket and ends when the last handle is gone. Here nothing
//! touches the socket, and nothing that the relay sends can grow without bound.

mod budget;
mod in_flight;
mod pushes;
mod task;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hushpost_wire::client_frame::Request;
use hushpost_wire::limits::MAX_FRAME_LEN;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{ClientFrame, Closing, RelayLimits};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_tungstenite::WebSocketStream;

use super::activity::{Activity, Watched};
use super::transport::ByteStream;
use super::{Ending, LinkError, RequestError};
use budget::{Accounted, Budget};
use in_flight::Answer;
pub use pushes::{Push, Pushes};

/// Requests of one link that may wait for their answers.
pub const MAX_IN_FLIGHT: usize = 1024;
/// What an id takes of a frame, at most: one byte of tag and ten of number.
const MAX_ID_LEN: usize = 11;

/// The WebSocket under a link.
pub(super) type Socket = WebSocketStream<Watched<Box<dyn ByteStream>>>;

/// A connection to a relay. Cheap to clone; the connection is closed when the last clone is dropped, whatever
/// still waits for an answer.
#[derive(Clone)]
pub struct Link {
    commands: mpsc::UnboundedSender<Command>,
    room: Arc<Semaphore>,
    ending: watch::Receiver<Option<Ending>>,
}

/// A request on its way to the socket.
struct Command {
    /// Its id is given when it is written.
    frame: ClientFrame,
    answer: oneshot::Sender<Answer>,
    /// `None` for the link's own.
    room: Option<OwnedSemaphorePermit>,
}

/// An answer to come. Dropping it leaves the request as it is: what is on its way is not taken back.
#[must_use = "an answer that nobody waits for is lost"]
pub struct PendingAnswer(Result<oneshot::Receiver<Answer>, RequestError>);

impl Link {
    /// Starts the task that owns the socket. Must be called on a Tokio runtime.
    pub(super) fn start_task(
        socket: Socket,
        activity: Activity,
        limits: Option<&RelayLimits>,
    ) -> (Self, Pushes) {
        let (commands, queue) = mpsc::unbounded_channel();
        let (ended, ending) = watch::channel(None);
        let (sender, pushes) = pushes::channel();
        let task = task::LinkTask {
            socket,
            activity,
            queue,
            pinger: commands.downgrade(),
            pushed: sender,
            budget: Budget::for_limits(limits),
            ping_every: task::ping_period(limits),
        };
        tokio::spawn(task.run(ended));
        let link = Self {
            commands,
            room: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            ending,
        };
        (link, pushes)
    }

    /// Asks one thing and waits for the answer; before that for room, if [`MAX_IN_FLIGHT`] requests wait
    /// already. Dropping the future does not take the request back.
    ///
    /// # Errors
    /// [`RequestError`], never [`Busy`](RequestError::Busy).
    pub async fn request(&self, request: Request) -> Result<Body, RequestError> {
        let room = self.room.clone().acquire_owned().await;
        let room = room.map_err(|_| RequestError::Disconnected)?;
        enqueue(&self.commands, request, Some(room)).await
    }

    /// Puts a request in line and returns at once. Requests leave in the order in which they were started. If
    /// [`MAX_IN_FLIGHT`] wait already, the answer is [`RequestError::Busy`].
    pub fn start(&self, request: Request) -> PendingAnswer {
        match self.room.clone().try_acquire_owned() {
            Ok(room) => enqueue(&self.commands, request, Some(room)),
            Err(_) => PendingAnswer(Err(RequestError::Busy)),
        }
    }

    /// Waits until the link has ended, and says how.
    pub async fn closed(&self) -> Ending {
        let mut ending = self.ending.clone();
        let ended = ending.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|ending| ending.clone())
            .unwrap_or_else(|| Ending::new(None, Some(LinkError::Stopped)))
    }

    /// Whether the link has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closed() { "ended" } else { "open" };
        write!(f, "Link({state})")
    }
}

fn enqueue(
    commands: &mpsc::UnboundedSender<Command>,
    request: Request,
    room: Option<OwnedSemaphorePermit>,
) -> PendingAnswer {
    let frame = ClientFrame {
        id: 0,
        request: Some(request),
    };
    if frame.encoded_len().saturating_add(MAX_ID_LEN) > MAX_FRAME_LEN {
        return PendingAnswer(Err(RequestError::TooLarge));
    }
    let (answer, pending) = oneshot::channel();
    let command = Command {
        frame,
        answer,
        room,
    };
    // If the task is gone the other half is dropped with the command, and the answer says so.
    drop(commands.send(command));
    PendingAnswer(Ok(pending))
}

impl Future for PendingAnswer {
    type Output = Result<Body, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.0 {
            Ok(pending) => ready!(Pin::new(pending).poll(cx)),
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        // A channel must not be asked again once it answered.
        self.0 = Err(RequestError::Disconnected);
        Poll::Ready(match answer {
            Ok(Ok(body)) => match Accounted::take(body) {
                Body::Error(refusal) => Err(refusal.into()),
                body => Ok(body),
            },
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RequestError::Disconnected),
        })
    }
}

impl fmt::Debug for PendingAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingAnswer")
    }
}

/// What the relay said before it closes, as the task keeps it.
type Said = std::sync::OnceLock<Closing>;
