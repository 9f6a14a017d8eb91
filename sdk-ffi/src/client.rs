//! The way in: one client for one account on this device.

use std::sync::Arc;

use futures_util::StreamExt as _;

use crate::conversation::count;
use crate::ids::{AccountId, ConversationId};
use crate::{
    Config, ConnectionState, ConnectionStateFeed, Contacts, Conversation, ConversationListFeed,
    ConversationSummary, EventFeed, Group, InviteLink, LinkPreview, Media, Message, MessageRef,
    NewGroup, Registration, Result, SearchHit, Trouble, runtime,
};

/// An account on this device. Local things work offline. Safe to use from any thread, and from several at once.
///
/// It stays connected until it is shut down, even if nobody holds it any more.
#[derive(Debug, uniffi::Object)]
pub struct Client(hushpost::Client);

/// Opening, connecting, closing.
#[uniffi::export]
impl Client {
    /// Opens the database, or makes it. Nothing is sent.
    ///
    /// # Errors
    /// `Store`: the wrong key, damage, and a newer version's database are
    /// told apart, and nothing is ever deleted; `Invalid` for a URL that is
    /// none.
    #[uniffi::constructor]
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        let config = hushpost::Config::try_from(config)?;
        let client = runtime::run(hushpost::Client::open(config)).await?;
        Ok(Arc::new(Self(client)))
    }

    /// Makes an account, if this device has none yet, and registers it at the relay. May be called again after any failure:
    /// the keys are made once.
    ///
    /// # Errors
    /// `Network`,
    /// `Refused`,
    /// `Store`.
    pub async fn register(&self, registration: Registration) -> Result<AccountId> {
        let client = self.0.clone();
        Ok(
            runtime::run(async move { client.register(registration.into()).await })
                .await?
                .into(),
        )
    }

    /// This account; none before one was made.
    ///
    /// # Errors
    /// `Store`.
    pub async fn account_id(&self) -> Result<Option<AccountId>> {
        let client = self.0.clone();
        Ok(runtime::run(async move { client.account_id().await })
            .await?
            .map(Into::into))
    }

    /// Connects, now and whenever the connection is lost, until `disconnect`. Returns at once. Called again it tries at once
    /// instead of waiting: when the network is back, or the app comes to the front.
    ///
    /// # Errors
    /// `Internal`.
    pub fn connect(&self) -> Result<()> {
        let _inside = runtime::handle()?.enter();
        self.0.connect();
        Ok(())
    }

    /// Ends the connection: when the app goes to the background. Everything that was accepted is kept, and goes on at the
    /// next `connect`.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn disconnect(&self) -> Result<()> {
        let client = self.0.clone();
        runtime::run(async move {
            client.disconnect().await;
            Ok::<_, hushpost::Error>(())
        })
        .await
    }

    /// Ends the connection, waits for what is being written, and closes the database. Streams end; every later call fails
    /// with the code `closed`.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn shut_down(&self) -> Result<()> {
        let client = self.0.clone();
        runtime::run(async move {
            client.close().await;
            Ok::<_, hushpost::Error>(())
        })
        .await
    }

    /// Whether there is a connection.
    ///
    /// # Errors
    /// None today.
    pub fn connection_state(&self) -> Result<ConnectionState> {
        Ok(self.0.connection_state().into())
    }

    /// The connection's state now, and every change.
    ///
    /// # Errors
    /// None today.
    pub fn connection_state_stream(&self) -> Result<Arc<ConnectionStateFeed>> {
        let states = self.0.connection_states().map(Into::into);
        Ok(Arc::new(ConnectionStateFeed::new(states.boxed())))
    }

    /// What happens from now on.
    ///
    /// # Errors
    /// None today.
    pub fn event_stream(&self) -> Result<Arc<EventFeed>> {
        let events = self.0.events().map(Into::into);
        Ok(Arc::new(EventFeed::new(events.boxed())))
    }

    /// Removes the account from the relay, with all that waits there. What is on this device stays.
    ///
    /// # Errors
    /// `Network`,
    /// `Refused`.
    pub async fn delete_account(&self) -> Result<()> {
        let client = self.0.clone();
        runtime::run(async move { client.delete_account().await }).await
    }
}

/// People, conversations, groups.
#[uniffi::export]
impl Client {
    /// The people this device knows.
    ///
    /// # Errors
    /// None today.
    pub fn contacts(&self) -> Result<Arc<Contacts>> {
        Ok(Arc::new(Contacts(self.0.contacts())))
    }

    /// Takes a user name at the relay: 3 to 32 of `a-z`, `0-9`, `_`, `.`, beginning with a letter. Empty gives it up.
    ///
    /// # Errors
    /// `Network`,
    /// `Refused` if it is taken or not allowed.
    pub async fn set_user_name(&self, name: String) -> Result<()> {
        let client = self.0.clone();
        runtime::run(async move { client.set_user_name(&name).await }).await
    }

    /// This account's user name; none: it has none.
    ///
    /// # Errors
    /// `NotAllowed` before registration,
    /// `Store`.
    pub async fn user_name(&self) -> Result<Option<String>> {
        let client = self.0.clone();
        runtime::run(async move { client.user_name().await }).await
    }

    /// The 1:1 conversation with somebody, opened if there is none. Works offline: whether there is such an account shows
    /// when the first message is sent.
    ///
    /// # Errors
    /// `Invalid` for one's own account,
    /// `NotAllowed` before registration,
    /// `Store`.
    pub async fn conversation_with(&self, account: AccountId) -> Result<Arc<Conversation>> {
        let (client, account) = (self.0.clone(), account.read()?);
        let found = runtime::run(async move { client.conversation_with(account).await }).await?;
        Ok(Arc::new(Conversation(found)))
    }

    /// A conversation by its id. That there is one shows when it is used.
    ///
    /// # Errors
    /// `Invalid` if it is no id.
    pub fn conversation(&self, id: ConversationId) -> Result<Arc<Conversation>> {
        Ok(Arc::new(Conversation(self.0.conversation(id.read()?))))
    }

    /// Entries of the list in order: pinned ones first, then by their last message. At most 10,000.
    ///
    /// # Errors
    /// `Store`.
    pub async fn conversations(
        &self,
        archived: bool,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<ConversationSummary>> {
        let list = self.0.conversations();
        let page =
            runtime::run(async move { list.list(archived, count(skip), count(limit)).await })
                .await?;
        Ok(page.into_iter().map(Into::into).collect())
    }

    /// The list and all its changes.
    ///
    /// # Errors
    /// None today.
    pub fn conversation_list_stream(&self, archived: bool) -> Result<Arc<ConversationListFeed>> {
        let changes = self.0.conversations().observe(archived).map(Into::into);
        Ok(Arc::new(ConversationListFeed::new(changes.boxed())))
    }

    /// Unread messages in all conversations that are neither archived nor silent: for a badge.
    ///
    /// # Errors
    /// `Store`.
    pub async fn unread(&self) -> Result<u64> {
        let list = self.0.conversations();
        runtime::run(async move { list.unread().await }).await
    }

    /// Makes a group. Its members are told as soon as they can be; until they accept, it is a request to those who do not
    /// know this account.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or too long, or too many members,
    /// `NotAllowed` before registration,
    /// `Store`.
    pub async fn create_group(&self, group: NewGroup) -> Result<Arc<Group>> {
        let (client, group) = (self.0.clone(), group.try_into()?);
        let made = runtime::run(async move { client.create_group(group).await }).await?;
        Ok(Arc::new(Group(made)))
    }

    /// A group by its id. That there is one shows when it is used.
    ///
    /// # Errors
    /// `Invalid` if it is no id.
    pub fn group(&self, id: ConversationId) -> Result<Arc<Group>> {
        Ok(Arc::new(Group(self.0.group(id.read()?))))
    }

    /// Asks to be let into a group. Works offline; the group shows up once an admin's device has answered.
    ///
    /// # Errors
    /// `NotAllowed` before registration,
    /// `Store`.
    pub async fn join_group(&self, link: Arc<InviteLink>) -> Result<()> {
        let client = self.0.clone();
        runtime::run(async move { client.join_group(&link.0).await }).await
    }
}

/// Messages and files, wherever they are.
#[uniffi::export]
impl Client {
    /// Files: uploading, fetching, saving.
    ///
    /// # Errors
    /// None today.
    pub fn media(&self) -> Result<Arc<Media>> {
        Ok(Arc::new(Media(self.0.media())))
    }

    /// A message, as it is now; none if it is not shown here.
    ///
    /// # Errors
    /// `Store`.
    pub async fn message(&self, message: MessageRef) -> Result<Option<Message>> {
        let (client, message) = (self.0.clone(), message.read()?);
        let found = runtime::run(async move { client.message(message).await }).await?;
        Ok(found.map(Into::into))
    }

    /// Searches all conversations, the newest hits first, at most 200: words in any script, at least two characters in all;
    /// the last letters of a word may be missing.
    ///
    /// # Errors
    /// `Invalid` for a shorter query,
    /// `Store`.
    pub async fn search(&self, query: String, skip: u32, limit: u32) -> Result<Vec<SearchHit>> {
        let client = self.0.clone();
        let hits =
            runtime::run(async move { client.search(&query, count(skip), count(limit)).await })
                .await?;
        Ok(hits.into_iter().map(Into::into).collect())
    }

    /// The messages that were marked with a star, the last one marked first: after `before` in that list, or from its
    /// beginning. At most 500.
    ///
    /// # Errors
    /// `NotFound` if `before` is not marked any more,
    /// `Store`.
    pub async fn starred(&self, before: Option<MessageRef>, limit: u32) -> Result<Vec<Message>> {
        let client = self.0.clone();
        let before = before.as_ref().map(MessageRef::read).transpose()?;
        let all = runtime::run(async move { client.starred(before, count(limit)).await }).await?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// What did not decrypt, what is missing and what was put aside.
    ///
    /// # Errors
    /// `Store`.
    pub async fn troubles(&self) -> Result<Vec<Trouble>> {
        let client = self.0.clone();
        let all = runtime::run(async move { client.troubles().await }).await?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// What a link leads to: title, description and picture of the page, to be sent along. The page is fetched from this
    /// device, so its server sees this device's address: ask the user first. 10 seconds at most, and never an address of
    /// this machine or its network.
    ///
    /// # Errors
    /// `Media`.
    pub async fn link_preview(&self, url: String) -> Result<LinkPreview> {
        let client = self.0.clone();
        let preview = runtime::run(async move { client.link_preview(&url).await }).await?;
        Ok((&preview).into())
    }
}
