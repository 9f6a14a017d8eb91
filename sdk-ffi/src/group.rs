//! A group.

use std::sync::Arc;
use std::time::Duration;

use crate::conversation::count;
use crate::ids::{AccountId, ConversationId, accounts, read_accounts};
use crate::{Conversation, GroupInfo, GroupSettings, InviteLink, Result, runtime};

/// A group. What is said in it is its conversation.
#[derive(Debug, uniffi::Object)]
pub struct Group(pub(crate) hushpost::Group);

#[uniffi::export]
impl Group {
    /// Its id: the same for all members, and that of its conversation.
    ///
    /// # Errors
    /// None today.
    pub fn id(&self) -> Result<ConversationId> {
        Ok(self.0.id().into())
    }

    /// What is said in it.
    ///
    /// # Errors
    /// None today.
    pub fn conversation(&self) -> Result<Arc<Conversation>> {
        Ok(Arc::new(Conversation(self.0.conversation())))
    }

    /// What it is now.
    ///
    /// # Errors
    /// `NotFound`,
    /// `Store`.
    pub async fn info(&self) -> Result<GroupInfo> {
        let group = self.0.clone();
        Ok(runtime::run(async move { group.info().await })
            .await?
            .into())
    }

    /// Takes people in. They read what is said from now on.
    ///
    /// # Errors
    /// `NotAllowed` unless this account is an admin and there is room,
    /// `NotFound`,
    /// `Store`; the same of all changes below.
    pub async fn add(&self, accounts: Vec<AccountId>) -> Result<()> {
        let (group, accounts) = (self.0.clone(), read_accounts(accounts)?);
        runtime::run(async move { group.add(accounts).await }).await
    }

    /// Takes people out. They read nothing that is said from now on.
    ///
    /// # Errors
    /// As `add`.
    pub async fn remove(&self, accounts: Vec<AccountId>) -> Result<()> {
        let (group, accounts) = (self.0.clone(), read_accounts(accounts)?);
        runtime::run(async move { group.remove(accounts).await }).await
    }

    /// Tells a member what was said before they came: the newest messages that this device shows, at most so many. Says
    /// how many go out.
    ///
    /// # Errors
    /// `NotAllowed` unless both are members; as `add`.
    pub async fn share_history(&self, with: AccountId, messages: u32) -> Result<u32> {
        let (group, with) = (self.0.clone(), with.read()?);
        let told =
            runtime::run(async move { group.share_history(with, count(messages)).await }).await?;
        Ok(u32::try_from(told).unwrap_or(u32::MAX))
    }

    /// Leaves. The history stays on this device. If no admin is left, whoever was in longest becomes one.
    ///
    /// # Errors
    /// As `add`.
    pub async fn leave(&self) -> Result<()> {
        let group = self.0.clone();
        runtime::run(async move { group.leave().await }).await
    }

    /// Makes a member an admin.
    ///
    /// # Errors
    /// As `add`.
    pub async fn promote(&self, account: AccountId) -> Result<()> {
        let (group, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { group.promote(account).await }).await
    }

    /// Makes an admin a member like others.
    ///
    /// # Errors
    /// As `add`.
    pub async fn demote(&self, account: AccountId) -> Result<()> {
        let (group, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { group.demote(account).await }).await
    }

    /// Gives it another name: 1 to 256 bytes.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or too long; as `add`.
    pub async fn set_name(&self, name: String) -> Result<()> {
        let group = self.0.clone();
        runtime::run(async move { group.set_name(name).await }).await
    }

    /// Says what it is about: at most 2048 bytes.
    ///
    /// # Errors
    /// As `set_name`.
    pub async fn set_description(&self, description: String) -> Result<()> {
        let group = self.0.clone();
        runtime::run(async move { group.set_description(description).await }).await
    }

    /// Gives it a picture, JPEG, PNG or WebP, at most 16 KiB; none takes it away.
    ///
    /// # Errors
    /// As `set_name`.
    pub async fn set_icon(&self, icon: Option<Vec<u8>>) -> Result<()> {
        let group = self.0.clone();
        runtime::run(async move { group.set_icon(icon).await }).await
    }

    /// Says who may do what.
    ///
    /// # Errors
    /// As `add`; `Invalid` for a timer over 366 days.
    pub async fn set_settings(&self, settings: GroupSettings) -> Result<()> {
        let group = self.0.clone();
        runtime::run(async move { group.set_settings(settings.into()).await }).await
    }

    /// Makes an invite link; an earlier one opens nothing from now on. It is good for so long, or until it is revoked;
    /// with `approval` an admin lets people in one by one. This device lets them in while it is connected.
    ///
    /// # Errors
    /// As `add`.
    pub async fn make_invite(
        &self,
        good_for: Option<Duration>,
        approval: bool,
    ) -> Result<Arc<InviteLink>> {
        let group = self.0.clone();
        let link = runtime::run(async move { group.make_invite(good_for, approval).await }).await?;
        Ok(Arc::new(InviteLink(link)))
    }

    /// The link opens nothing from now on.
    ///
    /// # Errors
    /// As `add`.
    pub async fn revoke_invite(&self) -> Result<()> {
        let group = self.0.clone();
        runtime::run(async move { group.revoke_invite().await }).await
    }

    /// Who asks to be let in, oldest first. Yes is `add`.
    ///
    /// # Errors
    /// `NotFound`,
    /// `Store`.
    pub async fn join_requests(&self) -> Result<Vec<AccountId>> {
        let group = self.0.clone();
        Ok(accounts(
            runtime::run(async move { group.join_requests().await }).await?,
        ))
    }

    /// Says no to somebody who asks to be let in; they are not told.
    ///
    /// # Errors
    /// As `join_requests`.
    pub async fn refuse_join(&self, account: AccountId) -> Result<()> {
        let (group, account) = (self.0.clone(), account.read()?);
        runtime::run(async move { group.refuse_join(account).await }).await
    }
}
