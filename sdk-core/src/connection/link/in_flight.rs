//! The requests that wait for their answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::RequestError;
use super::budget::Accounted;

/// How long a relay that is there may take for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What comes of a request.
pub(super) type Answer = Result<Accounted, RequestError>;

/// The requests that were written and not answered, by id. Ids rise, so the first is the oldest. An abandoned
/// request stays until it is answered or too old: the relay is still busy with it.
#[derive(Default)]
pub(super) struct InFlight(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    last_id: u64,
    requests: BTreeMap<u64, Request>,
}

struct Request {
    answer: oneshot::Sender<Answer>,
    deadline: Instant,
    /// Makes room for another one when dropped.
    _room: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    /// Registers a request that is about to be written, and gives it its id.
    pub(super) fn add(
        &self,
        answer: oneshot::Sender<Answer>,
        room: Option<OwnedSemaphorePermit>,
    ) -> u64 {
        let now = Instant::now();
        let request = Request {
            answer,
            deadline: now.checked_add(PATIENCE).unwrap_or(now),
            _room: room,
        };
        let mut waiting = self.lock();
        // 2^64 requests do not fit into a link's life; 0 would be a push.
        waiting.last_id = waiting.last_id.saturating_add(1);
        let id = waiting.last_id;
        waiting.requests.insert(id, request);
        id
    }

    /// Gives a request its answer. An answer to nothing, or to who no longer waits, falls.
    pub(super) fn answer(&self, id: u64, answer: Answer) {
        let request = self.lock().requests.remove(&id);
        if let Some(request) = request {
            drop(request.answer.send(answer));
        }
    }

    /// Whether any answer is to come.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().requests.is_empty()
    }

    /// Gives up what waited too long, and says when to look again.
    pub(super) fn expire(&self, now: Instant) -> Instant {
        let mut waiting = self.lock();
        while let Some(oldest) = waiting.requests.first_entry() {
            let deadline = oldest.get().deadline;
            if deadline > now {
                return deadline;
            }
            drop(oldest.remove().answer.send(Err(RequestError::Timeout)));
        }
        // What is added meanwhile is not due before.
        now.checked_add(PATIENCE).unwrap_or(now)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
