//! Contacts, as the app sees them.

use std::sync::Arc;

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Found, LookUpName, NameKind};

use crate::account::contacts::{ContactRow, ensure, find, rows};
use crate::account::safety::{self, ContactSafetyNumber};
use crate::client::Core;
use crate::connection::RequestError;
use crate::conversation::rows as messages;
use crate::event::Event;
use crate::store::Transaction;
use crate::{Error, Result};

/// Longest local name, in bytes.
const MAX_NAME_LEN: usize = 256;

/// A person, as known on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contact {
    /// Their account.
    pub account: AccountId,
    /// The name this device's user gave them.
    pub name: Option<String>,
    /// The user name they were found by.
    pub user_name: Option<String>,
    /// Whether their safety number was compared.
    pub verified: bool,
    /// Verified, but their devices changed since: nothing is sent until that is accepted.
    pub change_pending: bool,
    /// Nothing they send is shown.
    pub blocked: bool,
}

impl From<ContactRow> for Contact {
    fn from(row: ContactRow) -> Self {
        Self {
            account: row.account,
            change_pending: row.waits_for_verification(),
            name: row.name,
            user_name: row.user_name,
            verified: row.verified,
            blocked: row.blocked,
        }
    }
}

/// The people this device knows: [`Client::contacts`](crate::Client::contacts).
#[derive(Clone)]
pub struct Contacts(Arc<Core>);

impl core::fmt::Debug for Contacts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Contacts")
    }
}

impl Contacts {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn get(&self, account: AccountId) -> Result<Option<Contact>> {
        self.0
            .store
            .read(move |db| Ok(find(db, account)?.map(Contact::from)))
            .await
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list(&self) -> Result<Vec<Contact>> {
        self.0
            .store
            .read(|db| Ok(rows::all(db)?.into_iter().map(Contact::from).collect()))
            .await
    }

    /// Names somebody on this device; `None` takes the name away.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a name over 256 bytes, [`Error::Store`].
    pub async fn set_name(&self, account: AccountId, name: Option<String>) -> Result<()> {
        if name.as_ref().is_some_and(|name| name.len() > MAX_NAME_LEN) {
            return Err(Error::InvalidInput("a name has at most 256 bytes"));
        }
        self.change(account, move |tx| {
            tx.execute(
                "UPDATE contact SET name = ?2 WHERE account = ?1",
                (account.as_bytes(), name),
            )?;
            Ok(())
        })
        .await
    }

    /// Finds the account behind a user name. A name that meant another account before is told by
    /// [`Event::NameMoved`], and that contact is no longer known by it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotConnected`], [`Error::Relay`].
    pub async fn find_by_user_name(&self, name: &str) -> Result<AccountId> {
        let name = name.to_owned();
        let request = Request::LookUpName(LookUpName {
            kind: NameKind::UserName.into(),
            name: name.clone(),
        });
        let Body::NameLookedUp(answer) = self.0.link()?.request(request).await? else {
            return Err(RequestError::Unexpected.into());
        };
        if answer.found() != Found::Yes {
            return Err(Error::NotFound("user name"));
        }
        let account = AccountId::from_slice(&answer.account)
            .map_err(|_| Error::Untrusted("an account id"))?;
        let core = Arc::clone(&self.0);
        self.0
            .store
            .write_then(
                move |tx| {
                    ensure(tx, account)?;
                    let before = rows::by_user_name(tx, &name)?.filter(|before| *before != account);
                    rows::set_user_name(tx, account, &name)?;
                    let mut events = shown_anew(tx, account)?;
                    if let Some(from) = before {
                        events.extend(shown_anew(tx, from)?);
                        let to = account;
                        events.push(Event::NameMoved { name, from, to });
                    }
                    Ok(events)
                },
                move |events| core.events.emit_all(events),
            )
            .await?;
        Ok(account)
    }

    /// Shows nothing of what they send from now on, and sends them no receipts. They are not told.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn block(&self, account: AccountId) -> Result<()> {
        self.set_blocked(account, true).await
    }

    /// Undoes [`block`](Self::block). What they sent meanwhile stays unseen.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn unblock(&self, account: AccountId) -> Result<()> {
        self.set_blocked(account, false).await
    }

    /// The safety number with somebody: the same on both sides if, and only if, nobody stands between.
    ///
    /// # Errors
    /// [`Error::NotFound`] if nothing was exchanged with them yet, [`Error::NotRegistered`].
    pub async fn safety_number(&self, account: AccountId) -> Result<ContactSafetyNumber> {
        self.0
            .store
            .read(move |db| safety::between(db, account))
            .await
    }

    /// Says that the safety number was compared: from now on a change of their devices stops sending until
    /// it is accepted.
    ///
    /// # Errors
    /// [`Error::NotFound`] if nothing was exchanged with them yet.
    pub async fn set_verified(&self, account: AccountId, verified: bool) -> Result<()> {
        self.change(account, move |tx| {
            if verified && find(tx, account)?.is_none_or(|contact| contact.account_key.is_none()) {
                return Err(Error::NotFound("device list of that contact"));
            }
            tx.execute(
                "UPDATE contact SET verified = ?2, changed = 0 WHERE account = ?1",
                (account.as_bytes(), verified),
            )?;
            Ok(())
        })
        .await
    }

    /// Accepts a verified contact's new devices: what waits is encrypted to them and sent.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn accept_change(&self, account: AccountId) -> Result<()> {
        self.change(account, move |tx| {
            tx.execute(
                "UPDATE contact SET changed = 0 WHERE account = ?1",
                [account.as_bytes()],
            )?;
            Ok(())
        })
        .await
    }

    async fn set_blocked(&self, account: AccountId, blocked: bool) -> Result<()> {
        self.change(account, move |tx| {
            tx.execute(
                "UPDATE contact SET blocked = ?2 WHERE account = ?1",
                (account.as_bytes(), blocked),
            )?;
            Ok(())
        })
        .await
    }

    async fn change(
        &self,
        account: AccountId,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let core = Arc::clone(&self.0);
        self.0
            .store
            .write_then(
                move |tx| {
                    ensure(tx, account)?;
                    work(tx)?;
                    shown_anew(tx, account)
                },
                move |events| {
                    core.events.emit_all(events);
                    core.wake_outbox.notify_one();
                },
            )
            .await
    }
}

/// What is shown of somebody changed: their entry in the list, if there is one.
fn shown_anew(tx: &Transaction<'_>, account: AccountId) -> Result<Vec<Event>> {
    let conversation = messages::with_peer(tx, account)?;
    let changed = conversation.map(|conversation| Event::ConversationChanged {
        conversation: conversation.conversation_id,
    });
    Ok(changed.into_iter().collect())
}
