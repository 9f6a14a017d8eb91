//! The people this device knows.

use std::sync::Arc;

use crate::ids::AccountId;
use crate::{Contact, Result, SafetyNumber, runtime};

/// The people this device knows.
#[derive(Debug, uniffi::Object)]
pub struct Contacts(pub(crate) hushpost::Contacts);

#[uniffi::export]
impl Contacts {
    /// One of them; none if nothing is known.
    ///
    /// # Errors
    /// `Store`.
    pub async fn get(&self, account: AccountId) -> Result<Option<Contact>> {
        let (contacts, account) = (self.0.clone(), account.read()?);
        let found = runtime::run(async move { contacts.get(account).await }).await?;
        Ok(found.map(Into::into))
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list(&self) -> Result<Vec<Contact>> {
        let contacts = self.0.clone();
        let all = runtime::run(async move { contacts.list().await }).await?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// Names somebody on this device; none takes the name away. At most 256 bytes.
    ///
    /// # Errors
    /// `Invalid` for a longer name,
    /// `Store`.
    pub async fn set_name(&self, account: AccountId, name: Option<String>) -> Result<()> {
        let (contacts, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { contacts.set_name(account, name).await }).await
    }

    /// Finds the account behind a user name. A name that meant another account before is told by an event.
    ///
    /// # Errors
    /// `NotFound`,
    /// `Network`,
    /// `Refused`.
    pub async fn find_by_user_name(&self, name: String) -> Result<AccountId> {
        let contacts = self.0.clone();
        Ok(
            runtime::run(async move { contacts.find_by_user_name(&name).await })
                .await?
                .into(),
        )
    }

    /// Shows nothing of what they send from now on, and sends them no receipts. They are not told.
    ///
    /// # Errors
    /// `Store`.
    pub async fn block(&self, account: AccountId) -> Result<()> {
        let (contacts, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { contacts.block(account).await }).await
    }

    /// Undoes `block`. What they sent meanwhile stays unseen.
    ///
    /// # Errors
    /// `Store`.
    pub async fn unblock(&self, account: AccountId) -> Result<()> {
        let (contacts, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { contacts.unblock(account).await }).await
    }

    /// The safety number with somebody.
    ///
    /// # Errors
    /// `NotFound` if nothing was exchanged with them yet,
    /// `NotAllowed` before registration.
    pub async fn safety_number(&self, account: AccountId) -> Result<Arc<SafetyNumber>> {
        let (contacts, account) = (self.0.clone(), account.read()?);
        let number = runtime::run(async move { contacts.safety_number(account).await }).await?;
        Ok(Arc::new(SafetyNumber(number)))
    }

    /// Says that the safety number was compared: from now on a change of their devices stops sending until it is
    /// accepted.
    ///
    /// # Errors
    /// `NotFound` if nothing was exchanged with them yet.
    pub async fn set_verified(&self, account: AccountId, verified: bool) -> Result<()> {
        let (contacts, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { contacts.set_verified(account, verified).await }).await
    }

    /// Accepts a verified contact's new devices: what waits is encrypted to them and sent.
    ///
    /// # Errors
    /// `Store`.
    pub async fn accept_change(&self, account: AccountId) -> Result<()> {
        let (contacts, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { contacts.accept_change(account).await }).await
    }
}
