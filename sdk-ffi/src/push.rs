//! What a notification extension or a background worker calls.

use std::thread;
use std::time::Duration;

use hushpost::StoreThreads;
use tokio::sync::oneshot;

use crate::{Config, HushpostError, Message, Result};

/// What came while the app was not connected.
#[derive(Debug, Clone, uniffi::Record)]
pub struct PushResult {
    /// What to show, in the history's order: at most the 64 newest, none of a conversation that is silent or archived.
    pub messages: Vec<PushedMessage>,
    /// Unread messages in all conversations, for the badge.
    pub unread: u64,
    /// How it ended.
    pub end: PushEnd,
}

/// A message to show.
#[derive(Clone, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct PushedMessage {
    /// The message.
    pub message: Message,
    /// What it says in one line; empty for kinds without text.
    pub preview: String,
    /// The contact's or the group's name, if there is one.
    pub title: Option<String>,
    /// Whether it is a stranger's request.
    pub requested: bool,
}

/// Says nothing that a user wrote.
impl core::fmt::Debug for PushedMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PushedMessage")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PushEnd {
    /// Everything that waited at the relay is here.
    CaughtUp,
    /// The time was over first: more may wait. Show "you may have new messages".
    OutOfTime,
    /// The app is connected, or came to the front meanwhile: it has, or shows, everything itself.
    AppIsConnected,
}

/// Fetches what waits at the relay, within a time, and says what to show: for a notification extension or a background
/// worker. 20 seconds are a good budget; it is kept between 1 second and 10 minutes. Safe beside the running app, on the
/// same database, if both set `many_processes`. Uses one thread of its own and no other part of this library, so that it
/// stays within 12 MB. May be cut off at any point: nothing is lost.
///
/// # Errors
/// `NotAllowed` if nobody is registered, `Store`, `Refused` if the relay
/// does not take this account any more.
#[uniffi::export]
pub async fn process_push(config: Config, budget: Duration) -> Result<PushResult> {
    let config = hushpost::Config::try_from(config)?.store_threads(StoreThreads::Inline);
    let (answer, result) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(async {
                hushpost::process_push(config, budget)
                    .await
                    .map_err(HushpostError::from)
            }),
            Err(_) => Err(HushpostError::internal(
                "no_threads",
                "no runtime can be made",
            )),
        };
        // Nobody may wait any more.
        drop(answer.send(done));
    };
    thread::Builder::new()
        .name("hushpost-push".to_owned())
        .spawn(work)
        .map_err(|_| HushpostError::internal("no_threads", "no thread can be started"))?;
    let pushed = result.await.map_err(|_| {
        HushpostError::internal("panic", "a fault of the library; please report it")
    })??;
    Ok(PushResult {
        messages: pushed.messages.into_iter().map(Into::into).collect(),
        unread: pushed.unread,
        end: match pushed.end {
            hushpost::PushEnd::CaughtUp => PushEnd::CaughtUp,
            hushpost::PushEnd::AppIsConnected => PushEnd::AppIsConnected,
            hushpost::PushEnd::OutOfTime => PushEnd::OutOfTime,
        },
    })
}

impl From<hushpost::PushedMessage> for PushedMessage {
    fn from(pushed: hushpost::PushedMessage) -> Self {
        Self {
            preview: pushed.message.content.preview(),
            message: pushed.message.into(),
            title: pushed.title,
            requested: pushed.requested,
        }
    }
}
