//! A person with a phone.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use hushpost::{
    AccountId, Client, Config, ConnectionState, Content, Conversation, DatabaseKey, Event, Events,
    Message, MessageRef, MessageState, Registration, RelayUrl, Text,
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{PATIENCE, TestError};

/// Every test database's key.
const KEY: [u8; 32] = [7; 32];

/// A person with one device.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub name: String,
    /// The account; only once registered.
    pub account: AccountId,
    /// The client.
    pub client: Client,
    options: PersonOptions,
    folder: TempDir,
    relay: SocketAddr,
}

/// How a person's client is set up.
#[derive(Debug, Clone, Copy)]
pub struct PersonOptions {
    /// Changes the client's configuration.
    pub configure: fn(Config) -> Config,
}

impl Default for PersonOptions {
    fn default() -> Self {
        Self {
            configure: |config| config.pre_key_stock(10),
        }
    }
}

/// A text that is one.
///
/// # Errors
/// If it is empty or too long.
pub fn text(body: &str) -> Result<Text, TestError> {
    Ok(Text::new(body)?)
}

impl Person {
    /// Registers somebody, connected from then on.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn registered(name: &str, relay: SocketAddr) -> Result<Self, TestError> {
        Self::with_options(name, relay, PersonOptions::default()).await
    }

    /// The same with a client set up another way.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn with_options(
        name: &str,
        relay: SocketAddr,
        options: PersonOptions,
    ) -> Result<Self, TestError> {
        let folder = tempfile::tempdir()?;
        let client = open(folder.path(), relay, options).await?;
        let account = client.register(Registration::open()).await?;
        client.connect();
        Ok(Self {
            name: name.to_owned(),
            account,
            client,
            options,
            folder,
            relay,
        })
    }

    /// Where the database lies.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("hushpost.db")
    }

    /// How this person's client is set up: for another one on the same database.
    ///
    /// # Errors
    /// [`TestError`].
    pub fn config(&self) -> Result<Config, TestError> {
        config(self.folder.path(), self.relay, self.options)
    }

    /// Closes the client, and opens it again, offline.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn reopen(&mut self) -> Result<(), TestError> {
        self.client.close().await;
        self.client = open(self.folder.path(), self.relay, self.options).await?;
        Ok(())
    }

    /// Another client on the same database: another process's, as far as the database can tell.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn second_client(&self) -> Result<Client, TestError> {
        self.second_client_with(self.options).await
    }

    /// The same, set up another way.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn second_client_with(&self, options: PersonOptions) -> Result<Client, TestError> {
        open(self.folder.path(), self.relay, options).await
    }

    /// Speaks to a relay at another address from the next [`reopen`](Self::reopen) on.
    pub fn move_to(&mut self, relay: SocketAddr) {
        self.relay = relay;
    }

    /// The conversation with somebody.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn with(&self, other: &Self) -> Result<Conversation, TestError> {
        Ok(self.client.conversation_with(other.account).await?)
    }

    /// Sends somebody a text.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn say(&self, to: &Self, body: &str) -> Result<MessageRef, TestError> {
        Ok(self.with(to).await?.send(text(body)?).await?)
    }

    /// Accepts what somebody wrote, once it is there.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn accept(&self, from: &Self) -> Result<(), TestError> {
        Ok(self.with(from).await?.accept().await?)
    }

    /// Everything shown of the conversation with somebody, in order.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn history(&self, other: &Self) -> Result<Vec<Message>, TestError> {
        let conversation = self.with(other).await?;
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = conversation
                .messages_after(after, hushpost::MAX_PAGE)
                .await?;
            after = page.messages.last().map(|message| message.cursor);
            all.extend(page.messages);
            if !page.more {
                return Ok(all);
            }
        }
    }

    /// The texts shown of the conversation with somebody, in order.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn texts(&self, other: &Self) -> Result<Vec<String>, TestError> {
        let history = self.history(other).await?;
        Ok(history
            .into_iter()
            .filter_map(|message| body(&message))
            .collect())
    }

    /// Waits until a message is shown here; its text.
    ///
    /// # Errors
    /// [`TestError::Silent`].
    pub async fn until_shown(&self, message: MessageRef) -> Result<String, TestError> {
        let found = self
            .until("a message", || async {
                Ok(self.client.message(message).await?)
            })
            .await?;
        Ok(body(&found).unwrap_or_default())
    }

    /// Waits until an own message is that far.
    ///
    /// # Errors
    /// [`TestError::Silent`].
    pub async fn until_state(
        &self,
        message: MessageRef,
        state: MessageState,
    ) -> Result<Message, TestError> {
        self.until(&format!("a message to be {state:?}"), || async {
            let found = self.client.message(message).await?;
            Ok(found.filter(|found| found.state == state))
        })
        .await
    }

    /// Waits until everything that waited at the relay is here.
    ///
    /// # Errors
    /// [`TestError::Silent`].
    pub async fn until_online(&self) -> Result<(), TestError> {
        self.until_connection(ConnectionState::Online).await
    }

    /// Waits for a state of the connection.
    ///
    /// # Errors
    /// [`TestError::Silent`].
    pub async fn until_connection(&self, state: ConnectionState) -> Result<(), TestError> {
        let mut states = self.client.connection_states();
        let reached = timeout(PATIENCE, async {
            while let Some(now) = states.next().await {
                if now == state {
                    return true;
                }
            }
            false
        });
        match reached.await {
            Ok(true) => Ok(()),
            _ => Err(self.silent(&format!("the connection to be {state:?}"))),
        }
    }

    /// Waits until `look` finds something: it looks again after every event.
    ///
    /// # Errors
    /// [`TestError::Silent`].
    pub async fn until<T, F>(&self, what: &str, look: impl Fn() -> F) -> Result<T, TestError>
    where
        F: Future<Output = Result<Option<T>, TestError>>,
    {
        let mut events = self.client.events();
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(found) = look().await? {
                    return Ok(Some(found));
                }
                if events.next().await.is_none() {
                    return Ok(None);
                }
            }
        });
        match found.await {
            Ok(Ok(Some(found))) => Ok(found),
            Ok(Err(error)) => Err(error),
            _ => Err(self.silent(what)),
        }
    }

    /// Waits for an event on a stream that was opened before.
    ///
    /// # Errors
    /// [`TestError::Silent`].
    pub async fn until_event(
        &self,
        events: &mut Events,
        what: &str,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event, TestError> {
        let found = timeout(PATIENCE, async {
            while let Some(event) = events.next().await {
                if wanted(&event) {
                    return Some(event);
                }
            }
            None
        });
        match found.await {
            Ok(Some(event)) => Ok(event),
            _ => Err(self.silent(what)),
        }
    }

    fn silent(&self, what: &str) -> TestError {
        TestError::Silent {
            who: self.name.clone(),
            what: what.to_owned(),
        }
    }
}

async fn open(
    folder: &Path,
    relay: SocketAddr,
    options: PersonOptions,
) -> Result<Client, TestError> {
    Ok(Client::open(config(folder, relay, options)?).await?)
}

fn config(folder: &Path, relay: SocketAddr, options: PersonOptions) -> Result<Config, TestError> {
    let url = format!("ws://{relay}")
        .parse::<RelayUrl>()?
        .with_relay_name(hushpost_harness::RELAY_NAME)?;
    let config = Config::new(folder.join("hushpost.db"), DatabaseKey::new(KEY), url);
    Ok((options.configure)(config))
}

pub(crate) fn body(message: &Message) -> Option<String> {
    match &message.content {
        Content::Text(text) => Some(text.body().to_owned()),
        _ => None,
    }
}
