//! A conversation by a script, that a process can be killed in at any point and begun again.
//!
//! What was sent before is found in the own history by its text, so beginning again sends what is missing and
//! nothing twice: just what an app would do that keeps nothing of its own.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::StreamExt as _;
use hushpost::connection::{ByteStream, Connecting, NetworkTransport, RelayUrl, Transport};
use hushpost::{
    AccountId, Client, Config, Content, Conversation, DatabaseKey, Event, FaultHook, Message,
    MessageState, Text,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::{EventLog, PATIENCE, TestError};

/// Messages of each side.
pub const EACH: usize = 25;
/// The scripted person's database key.
const KEY: [u8; 32] = [9; 32];
/// The database, in the scripted person's folder.
const DATABASE: &str = "hushpost.db";
/// The log of events, beside it.
const LOG: &str = "events";

/// Counts the points at which the process may die, and kills it at one of them.
#[derive(Debug, Clone, Default)]
pub struct Doom {
    reached: Arc<AtomicU64>,
    kill_at: u64,
}

impl Doom {
    /// Dies at the point of this number, from 1; never at 0.
    #[must_use]
    pub fn at(kill_at: u64) -> Self {
        Self {
            reached: Arc::default(),
            kill_at,
        }
    }

    /// How many points there were.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.reached.load(Ordering::SeqCst)
    }

    fn is_now(&self) -> bool {
        let before = self.reached.fetch_add(1, Ordering::SeqCst);
        before.checked_add(1) == Some(self.kill_at)
    }

    fn point(&self) {
        if self.is_now() {
            std::process::abort();
        }
    }
}

/// A network on which every write is two points: before it, and with half of it written.
struct DoomedNetwork {
    network: NetworkTransport,
    doom: Doom,
}

impl Transport for DoomedNetwork {
    fn connect<'a>(&'a self, url: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(async {
            let stream = self.network.connect(url).await?;
            let doom = self.doom.clone();
            Ok(Box::new(DoomedStream { stream, doom }) as Box<dyn ByteStream>)
        })
    }
}

struct DoomedStream {
    stream: Box<dyn ByteStream>,
    doom: Doom,
}

impl AsyncRead for DoomedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for DoomedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.doom.point();
        if self.doom.is_now() {
            let (half, _) = bytes.split_at(bytes.len() / 2);
            let _torn = ready!(Pin::new(&mut self.stream).poll_write(context, half));
            std::process::abort();
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Opens the scripted person's client.
///
/// # Errors
/// [`TestError`].
pub async fn open(folder: &Path, relay: SocketAddr, doom: &Doom) -> Result<Client, TestError> {
    let url = format!("ws://{relay}")
        .parse::<RelayUrl>()?
        .with_relay_name(hushpost_harness::RELAY_NAME)?;
    let network = DoomedNetwork {
        network: NetworkTransport::new(),
        doom: doom.clone(),
    };
    let doom = doom.clone();
    let config = Config::new(folder.join(DATABASE), DatabaseKey::new(KEY), url)
        .pre_key_stock(1)
        .transport(network)
        .fault_hook(FaultHook::new(move |_| doom.point()));
    Ok(Client::open(config).await?)
}

/// The scripted person's log of events.
///
/// # Errors
/// The file system's.
pub fn event_log(folder: &Path) -> io::Result<EventLog> {
    EventLog::open(&folder.join(LOG))
}

/// Says whatever of the script was not said yet, and returns when all of it was delivered and everything the
/// other says is here.
///
/// # Errors
/// [`TestError`].
pub async fn perform(client: &Client, peer: AccountId, mut log: EventLog) -> Result<(), TestError> {
    let mut events = client.events();
    let listening = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::MessageAdded { message, .. } = event {
                log.added(message)?;
            }
        }
        io::Result::Ok(())
    });
    let conversation = client.conversation_with(peer).await?;
    client.connect();
    for number in 0..EACH {
        let line = line("alice", number);
        let said =
            own(&history(&conversation).await?).any(|message| body(message) == Some(line.as_str()));
        if !said {
            conversation.send(Text::new(&*line)?).await?;
        }
        // Two at once, then wait for the answers: chains of both lengths, and ratchets that turn.
        if number % 2 == 1 {
            heard(client, &conversation, number).await?;
        }
    }
    heard(client, &conversation, EACH - 1).await?;
    until(client, "everything to be delivered", || async {
        let history = history(&conversation).await?;
        Ok(own(&history).all(|message| message.state == MessageState::Delivered))
    })
    .await?;
    client.close().await;
    match timeout(PATIENCE, listening).await {
        Ok(Ok(logged)) => Ok(logged?),
        _ => Err(silent("the events to end")),
    }
}

async fn heard(
    client: &Client,
    conversation: &Conversation,
    number: usize,
) -> Result<(), TestError> {
    let line = line("bob", number);
    until(client, &line, || async {
        let history = history(conversation).await?;
        Ok(history
            .iter()
            .any(|message| !message.is_own() && body(message) == Some(line.as_str())))
    })
    .await
}

/// What somebody says as their message of a number.
#[must_use]
pub fn line(who: &str, number: usize) -> String {
    format!("{who} {number}")
}

/// Everything shown of a conversation, in order.
///
/// # Errors
/// [`TestError`].
pub async fn history(conversation: &Conversation) -> Result<Vec<Message>, TestError> {
    let page = conversation
        .messages_after(None, hushpost::MAX_PAGE)
        .await?;
    Ok(page.messages)
}

/// The text of a message.
#[must_use]
pub fn body(message: &Message) -> Option<&str> {
    match &message.content {
        Content::Text(text) => Some(text.body()),
        _ => None,
    }
}

fn own(history: &[Message]) -> impl Iterator<Item = &Message> {
    history.iter().filter(|message| message.is_own())
}

async fn until<F>(client: &Client, what: &str, look: impl Fn() -> F) -> Result<(), TestError>
where
    F: Future<Output = Result<bool, TestError>>,
{
    let mut events = client.events();
    let waiting = async {
        while !look().await? {
            if events.next().await.is_none() {
                return Err(silent(what));
            }
        }
        Ok(())
    };
    timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| Err(silent(what)))
}

fn silent(what: &str) -> TestError {
    TestError::Silent {
        who: "the scripted person".to_owned(),
        what: what.to_owned(),
    }
}
