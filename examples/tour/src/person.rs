//! Somebody with a phone: a client, and waiting for what should happen.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use hushpost::{
    AccountId, Client, Config, Content, Conversation, DatabaseKey, Message, MessageRef,
    MessageState, Registration, RelayUrl, Text,
};

use crate::relay::NAME;
use crate::story::{Failure, fail};

/// Longest wait for anything: past it something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) account: AccountId,
    pub(crate) client: Client,
}

impl Person {
    /// Makes a database, an account, and a connection.
    pub(crate) async fn arrive(
        name: &'static str,
        folder: &Path,
        relay: SocketAddr,
    ) -> Result<Self, Failure> {
        let url = format!("ws://{relay}")
            .parse::<RelayUrl>()?
            .with_relay_name(NAME)?;
        let key = DatabaseKey::generate()?;
        let client = Client::open(Config::new(folder.join(name), key, url)).await?;
        let account = client.register(Registration::open()).await?;
        client.connect();
        Ok(Self {
            name,
            account,
            client,
        })
    }

    pub(crate) async fn with(&self, other: &Self) -> Result<Conversation, Failure> {
        Ok(self.client.conversation_with(other.account).await?)
    }

    pub(crate) async fn say(&self, to: &Self, body: &str) -> Result<MessageRef, Failure> {
        Ok(self.with(to).await?.send(Text::new(body)?).await?)
    }

    /// The texts of a conversation, in the order they are shown.
    pub(crate) async fn texts(&self, other: &Self) -> Result<Vec<String>, Failure> {
        let page = self.with(other).await?.messages_before(None, 500).await?;
        Ok(page.messages.iter().map(body).collect())
    }

    /// Waits until a message is shown here, and gives its text.
    pub(crate) async fn reads(&self, message: MessageRef) -> Result<String, Failure> {
        let look = || async { Ok(self.client.message(message).await?) };
        Ok(body(&self.until("a message", look).await?))
    }

    /// Waits until an own message is that far.
    pub(crate) async fn sees(
        &self,
        message: MessageRef,
        state: MessageState,
    ) -> Result<bool, Failure> {
        let look = || async {
            let found = self.client.message(message).await?;
            Ok(found.filter(|found| found.state == state))
        };
        self.until(&format!("{state:?}"), look).await?;
        Ok(true)
    }

    /// Looks, and looks again after every event.
    pub(crate) async fn until<T, F>(&self, what: &str, look: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<Option<T>, Failure>>,
    {
        let mut events = self.client.events();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                if events.next().await.is_none() {
                    return fail("the client was closed");
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => fail(&format!("{} waited in vain for {what}", self.name)),
        }
    }
}

pub(crate) fn body(message: &Message) -> String {
    match &message.content {
        Content::Text(text) => text.body().to_owned(),
        _ => String::new(),
    }
}
