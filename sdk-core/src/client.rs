//! The façade: one [`Client`] for one account on this device.
//!
//! Local things work offline; what needs the relay says [`Error::NotConnected`]. All handles are cheap to
//! clone, and speak of the same client.
//!
//! - [`core`]: what the rooms share; [`engine`]: connects, and connects again; [`begin`]: from the welcome to delivery;
//!   [`registration`]: who may; [`upkeep`]: pre-keys
//! - [`push`]: catching up in the background, for a while; [`lease`]: which of several processes is connected

mod begin;
pub(crate) mod core;
pub(crate) mod engine;
pub(crate) mod lease;
mod push;
pub(crate) mod registration;
mod trouble;
pub(crate) mod upkeep;
mod user_name;

pub use core::ConnectionState;
pub(crate) use core::Core;
pub use push::{MAX_PUSHED, PushEnd, PushResult, PushedMessage, process_push};
pub use registration::Registration;
pub use trouble::{Trouble, TroubleKind};

use ::core::fmt;
use std::sync::Arc;

use futures_util::Stream;
use hushpost_wire::AccountId;
use hushpost_wire::DeleteAccount;
use hushpost_wire::client_frame::Request;

use crate::account::{Contacts, LocalDevice};
use crate::config::Config;
use crate::content::{ConversationId, LinkPreview};
use crate::conversation::rows as messages;
use crate::conversation::{Conversation, ConversationList, SearchHit, features, search};
use crate::event::{Event, Events, MessageRef};
use crate::group::{Group, InviteLink, NewGroup, invite};
use crate::media::{Media, link_preview};
use crate::message::Message;
use crate::{Error, Result};

/// An account on this device. See the [crate page](crate) for an example.
#[derive(Clone)]
pub struct Client(Arc<Core>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({:?})", self.connection_state())
    }
}

impl Client {
    /// Opens the database, or makes it. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Store`]: the wrong key, damage, and a newer version's database are told apart, and nothing
    /// is ever deleted.
    pub async fn open(config: Config) -> Result<Self> {
        Ok(Self(Core::open(config).await?))
    }

    /// Makes an account, if this device has none yet, and registers it at the relay. May be called again after
    /// any failure: the keys are made once.
    ///
    /// # Errors
    /// [`Error::Relay`] if the relay refuses or is not there, [`Error::Store`].
    pub async fn register(&self, registration: Registration) -> Result<AccountId> {
        registration::register(&self.0, registration).await
    }

    /// This account; `None` before one was made.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn account_id(&self) -> Result<Option<AccountId>> {
        self.0
            .store
            .read(|db| Ok(LocalDevice::find(db)?.map(|local| local.account())))
            .await
    }

    /// Connects, now and whenever the connection is lost, until [`disconnect`](Self::disconnect). Returns at
    /// once. Called again it tries at once instead of waiting: when the network is back, or the app comes to the
    /// front. Must be called on a Tokio runtime.
    pub fn connect(&self) {
        engine::start(&self.0);
    }

    /// Ends the connection. Everything that was accepted is kept, and goes on at the next
    /// [`connect`](Self::connect).
    pub async fn disconnect(&self) {
        engine::stop(&self.0).await;
    }

    /// Ends the connection, waits for what is being written, and closes the database.
    pub async fn close(&self) {
        self.0.media.stop();
        self.disconnect().await;
        self.0.store.close().await;
        self.0.events.close();
        self.0.closed.cancel();
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn connection_state(&self) -> ConnectionState {
        self.0.state.borrow().clone()
    }

    /// The connection's state now, and every change; ends when the client is closed.
    pub fn connection_states(&self) -> impl Stream<Item = ConnectionState> + Send + Unpin + use<> {
        self.0.connection_states()
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.events.subscribe()
    }

    /// The people this device knows.
    #[must_use]
    pub fn contacts(&self) -> Contacts {
        Contacts::new(Arc::clone(&self.0))
    }

    /// Files: uploading, fetching, saving.
    #[must_use]
    pub fn media(&self) -> Media {
        Media::new(Arc::clone(&self.0))
    }

    /// What a link leads to: title, description and picture of the page, to be sent along. The page is fetched from this
    /// device, directly and not by the relay's transport, so its server sees this device's address: ask the user first.
    /// Only who sends a link does this; who receives one never fetches anything.
    ///
    /// `http` and `https`; 10 seconds, 512 KiB of page, 5 MiB of picture, 5 redirects at most; never an address
    /// of this machine, its network or another special range, whatever a name resolves to.
    ///
    /// # Errors
    /// [`MediaError::Link`](crate::MediaError::Link).
    pub async fn link_preview(&self, url: &str) -> Result<LinkPreview> {
        Ok(link_preview(url).await?)
    }

    /// The 1:1 conversation with somebody, opened if there is none. Works offline: whether there is such an
    /// account shows when the first message is sent.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for one's own account, [`Error::NotRegistered`], [`Error::Store`].
    pub async fn conversation_with(&self, account: AccountId) -> Result<Conversation> {
        let (now_ms, told) = (self.0.clock.now_ms(), Arc::clone(&self.0));
        let id = self
            .0
            .store
            .write_then(
                move |tx| {
                    let local = LocalDevice::load(tx)?;
                    if account == local.account() {
                        return Err(Error::InvalidInput("nobody writes to their own account"));
                    }
                    let stamp = crate::clock::Stamp::at(local.clock.corrected(now_ms));
                    let row = messages::open_with(tx, local.account(), account, true, stamp)?;
                    Ok(row.conversation_id)
                },
                move |conversation| {
                    told.events
                        .emit(Event::ConversationChanged { conversation });
                    conversation
                },
            )
            .await?;
        Ok(self.conversation(id))
    }

    /// Makes a group. Its members are told as soon as they can be; until they accept, it is a request to those who do
    /// not know this account.
    ///
    /// # Errors
    /// [`Error::Content`] for a name that is empty or too long, or too many members, [`Error::NotRegistered`],
    /// [`Error::Store`].
    pub async fn create_group(&self, group: NewGroup) -> Result<Group> {
        Group::create(&self.0, group).await
    }

    /// A group by its id. That there is one shows when it is used.
    #[must_use]
    pub fn group(&self, id: ConversationId) -> Group {
        Group::new(Arc::clone(&self.0), id)
    }

    /// Asks to be let into a group. Works offline; the group shows up once an admin's device has answered.
    ///
    /// # Errors
    /// [`Error::NotRegistered`], [`Error::Store`].
    pub async fn join_group(&self, link: &InviteLink) -> Result<()> {
        let (link, now_ms, rng) = (link.clone(), self.0.clock.now_ms(), self.0.rng.clone());
        let told = Arc::clone(&self.0);
        self.0
            .store
            .write_then(
                move |tx| {
                    let ours = LocalDevice::load(tx)?.account();
                    invite::ask(tx, &link, ours, now_ms, &rng)
                },
                move |()| told.wake_outbox.notify_one(),
            )
            .await
    }

    /// A conversation by its id. That there is one shows when it is used.
    #[must_use]
    pub fn conversation(&self, id: ConversationId) -> Conversation {
        Conversation::new(Arc::clone(&self.0), id)
    }

    /// All conversations.
    #[must_use]
    pub fn conversations(&self) -> ConversationList {
        ConversationList::new(Arc::clone(&self.0))
    }

    /// A message.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn message(&self, message: MessageRef) -> Result<Option<Message>> {
        self.0
            .store
            .read(move |db| crate::conversation::history::one(db, message))
            .await
    }

    /// Searches all conversations, the newest hits first. `query` is words in any script, at least two
    /// characters in all; the last letters of a word may be missing.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a shorter query, [`Error::Store`].
    pub async fn search(&self, query: &str, skip: usize, limit: usize) -> Result<Vec<SearchHit>> {
        search::run(&self.0, query, None, skip, limit).await
    }

    /// The messages that were marked with a star, in all conversations, the last one marked first: after `before`
    /// in that list, or from its beginning. At most 500.
    ///
    /// # Errors
    /// [`Error::NotFound`] if `before` is not marked any more, [`Error::Store`].
    pub async fn starred(&self, before: Option<MessageRef>, limit: usize) -> Result<Vec<Message>> {
        features::starred(&self.0, before, limit).await
    }

    /// What did not decrypt, what is missing and what was put aside.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn troubles(&self) -> Result<Vec<Trouble>> {
        self.0.store.read(trouble::all).await
    }

    /// Takes a user name at the relay: 3 to 32 of `a-z`, `0-9`, `_`, `.`, beginning with a letter. Empty gives
    /// it up. A relay that lost its store is given it again; if somebody else has it by then,
    /// [`Event::UserNameLost`](crate::Event::UserNameLost) says so.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::Relay`] if it is taken or not allowed.
    pub async fn set_user_name(&self, name: &str) -> Result<()> {
        user_name::set(&self.0, name).await
    }

    /// This account's user name; `None`: it has none.
    ///
    /// # Errors
    /// [`Error::NotRegistered`], [`Error::Store`].
    pub async fn user_name(&self) -> Result<Option<String>> {
        user_name::get(&self.0).await
    }

    /// Removes the account from the relay, with all that waits there. What is on this device stays.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::Relay`].
    pub async fn delete_account(&self) -> Result<()> {
        let link = self.0.link()?;
        link.request(Request::DeleteAccount(DeleteAccount {}))
            .await?;
        self.disconnect().await;
        self.0
            .store
            .write(|tx| {
                tx.execute(
                    "UPDATE local_device SET registered = 0, storage_epoch = NULL, user_name = NULL",
                    [],
                )?;
                Ok(())
            })
            .await
    }
}
