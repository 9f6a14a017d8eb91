//! A group, as the app uses it.

use std::sync::Arc;
use std::time::Duration;

use hushpost_wire::AccountId;
use zeroize::Zeroizing;

use crate::account::LocalDevice;
use crate::client::Core;
use crate::content::ConversationId;
use crate::conversation::Conversation;
use crate::conversation::changes::roles_changed;
use crate::group::change::{Action, Details, Invite, Rules};
use crate::group::{changes, invite, rows, shared_history};
use crate::store::Transaction;
use crate::{Error, InviteLink, Result};

/// A group to be made.
#[derive(Debug, Clone, Default)]
pub struct NewGroup {
    name: String,
    description: Option<String>,
    icon: Option<Vec<u8>>,
    members: Vec<AccountId>,
    settings: GroupSettings,
}

impl NewGroup {
    /// A group of this name, 1 to 256 bytes, with these members beside the account that makes it: up to 1023.
    #[must_use]
    pub fn new(name: impl Into<String>, members: impl IntoIterator<Item = AccountId>) -> Self {
        Self {
            name: name.into(),
            members: members.into_iter().collect(),
            ..Self::default()
        }
    }

    /// What it is about: at most 2048 bytes.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// A small picture: JPEG, PNG or WebP, at most 16 KiB.
    #[must_use]
    pub fn icon(mut self, icon: Vec<u8>) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Who may do what.
    #[must_use]
    pub const fn settings(mut self, settings: GroupSettings) -> Self {
        self.settings = settings;
        self
    }
}

/// Who may do what in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupSettings {
    /// Only admins may send.
    pub only_admins_send: bool,
    /// Only admins may change name, description, picture and timer.
    pub only_admins_edit: bool,
    /// How long after it was read a message disappears; at most 366 days, in whole seconds.
    pub disappearing: Option<Duration>,
}

impl GroupSettings {
    fn rules(self) -> Result<Rules> {
        let seconds = self.disappearing.unwrap_or_default().as_secs();
        let timer_s = u32::try_from(seconds).ok();
        let timer_s = timer_s.filter(|seconds| *seconds <= crate::group::change::MAX_TIMER_S);
        Ok(Rules {
            admins_send: Some(self.only_admins_send),
            admins_edit: Some(self.only_admins_edit),
            timer_s: Some(timer_s.ok_or(Error::InvalidInput("a timer has at most 366 days"))?),
        })
    }
}

/// What a group is now.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// Which.
    pub id: ConversationId,
    /// Its name.
    pub name: String,
    /// What it is about; may be empty.
    pub description: String,
    /// Its picture.
    pub icon: Option<Vec<u8>>,
    /// Who is in, by account; empty once this account is not.
    pub members: Vec<GroupMember>,
    /// Who may do what.
    pub settings: GroupSettings,
    /// Whether there is an invite link that opens it.
    pub has_invite: bool,
    /// How often two changed it side by side. The result is the same on every device.
    pub forks: u64,
}

impl core::fmt::Debug for GroupInfo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "GroupInfo({}, {} members)", self.id, self.members.len())
    }
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMember {
    /// Who.
    pub account: AccountId,
    /// Whether they may change members and settings.
    pub admin: bool,
    /// Since when they are in, in milliseconds since the Unix epoch.
    pub since_ms: u64,
}

/// A group. Cheap to clone; made by [`Client::create_group`](crate::Client::create_group) and
/// [`Client::group`](crate::Client::group). What is said in it is its [`conversation`](Self::conversation).
#[derive(Clone)]
pub struct Group {
    core: Arc<Core>,
    id: ConversationId,
}

impl core::fmt::Debug for Group {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Group({})", self.id)
    }
}

impl Group {
    pub(crate) const fn new(core: Arc<Core>, id: ConversationId) -> Self {
        Self { core, id }
    }

    /// Makes a group and puts it on its way to its members.
    pub(crate) async fn create(core: &Arc<Core>, new: NewGroup) -> Result<Self> {
        let action = Action::Create {
            nonce: core.rng.array()?,
            members: new.members,
            details: Details {
                name: Some(new.name),
                description: new.description,
                icon: new.icon,
            },
            rules: new.settings.rules()?,
        };
        let (now_ms, rng, told) = (core.clock.now_ms(), core.rng.clone(), Arc::clone(core));
        let id = core
            .store
            .write_then(
                move |tx| changes::create(tx, &action, now_ms, &rng),
                move |(id, events)| {
                    told.events.emit_all(events);
                    told.wake_outbox.notify_one();
                    id
                },
            )
            .await?;
        Ok(Self::new(Arc::clone(core), id))
    }

    /// Its id: the same for all members.
    #[must_use]
    pub const fn id(&self) -> ConversationId {
        self.id
    }

    /// What is said in it.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        Conversation::new(Arc::clone(&self.core), self.id)
    }

    /// What it is now.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn info(&self) -> Result<GroupInfo> {
        let id = self.id;
        self.core.store.read(move |db| info(db, id)).await
    }

    /// Takes people in. They read what is said from now on.
    ///
    /// # Errors
    /// [`Error::Group`] unless this account is an admin and there is room, [`Error::NotFound`],
    /// [`Error::Store`].
    pub async fn add(&self, accounts: impl IntoIterator<Item = AccountId>) -> Result<()> {
        self.change(Action::Add(accounts.into_iter().collect()))
            .await
    }

    /// Takes people out. They read nothing that is said from now on.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn remove(&self, accounts: impl IntoIterator<Item = AccountId>) -> Result<()> {
        self.change(Action::Remove(accounts.into_iter().collect()))
            .await
    }

    /// Tells a member what was said before they came: the newest messages that this device shows, at most so many
    /// (and at most [`MAX_SHARED_MESSAGES`](crate::MAX_SHARED_MESSAGES)). Nobody is told anything unless a member calls this. Says how many go
    /// out.
    ///
    /// Left out are messages that disappear, that were deleted, and changes of the group. The newcomer sees who told
    /// them ([`Message::shared_by`](crate::Message::shared_by)): it is this account's word that the others wrote
    /// them.
    ///
    /// # Errors
    /// [`Error::Group`] unless both are members, [`Error::NotFound`], [`Error::Store`].
    pub async fn share_history(&self, with: AccountId, messages: usize) -> Result<usize> {
        let (id, now_ms, rng) = (self.id, self.core.clock.now_ms(), self.core.rng.clone());
        let told = Arc::clone(&self.core);
        self.core
            .store
            .write_then(
                move |tx| shared_history::give(tx, id, with, messages, now_ms, &rng),
                move |count| {
                    told.wake_outbox.notify_one();
                    count
                },
            )
            .await
    }

    /// Leaves. The history stays on this device. If no admin is left, whoever was in longest becomes one.
    ///
    /// # Errors
    /// [`Error::Group`], [`Error::NotFound`], [`Error::Store`].
    pub async fn leave(&self) -> Result<()> {
        self.change(Action::Leave).await
    }

    /// Makes a member an admin.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn promote(&self, account: AccountId) -> Result<()> {
        let admin = true;
        self.change(Action::Role { account, admin }).await
    }

    /// Makes an admin a member like others.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn demote(&self, account: AccountId) -> Result<()> {
        let admin = false;
        self.change(Action::Role { account, admin }).await
    }

    /// Gives it another name: 1 to 256 bytes.
    ///
    /// # Errors
    /// [`Error::Content`] for a name that is empty or too long; [`Error::Group`], [`Error::NotFound`],
    /// [`Error::Store`].
    pub async fn set_name(&self, name: impl Into<String>) -> Result<()> {
        self.change(Action::Details(Details {
            name: Some(name.into()),
            ..Details::default()
        }))
        .await
    }

    /// Says what it is about: at most 2048 bytes.
    ///
    /// # Errors
    /// As [`set_name`](Self::set_name).
    pub async fn set_description(&self, description: impl Into<String>) -> Result<()> {
        self.change(Action::Details(Details {
            description: Some(description.into()),
            ..Details::default()
        }))
        .await
    }

    /// Gives it a picture, JPEG, PNG or WebP, at most 16 KiB; `None` takes it away.
    ///
    /// # Errors
    /// As [`set_name`](Self::set_name).
    pub async fn set_icon(&self, icon: Option<Vec<u8>>) -> Result<()> {
        self.change(Action::Details(Details {
            icon: Some(icon.unwrap_or_default()),
            ..Details::default()
        }))
        .await
    }

    /// Says who may do what.
    ///
    /// # Errors
    /// As [`add`](Self::add); [`Error::InvalidInput`] for a longer timer.
    pub async fn set_settings(&self, settings: GroupSettings) -> Result<()> {
        self.change(Action::Rules(settings.rules()?)).await
    }

    /// Makes an invite link; an earlier one opens nothing from now on. It is good for so long, or until it is
    /// revoked; with `approval` an admin lets people in one by one. This device lets them in while it is
    /// connected.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn make_invite(
        &self,
        good_for: Option<Duration>,
        approval: bool,
    ) -> Result<InviteLink> {
        let secret = Zeroizing::new(self.core.rng.array::<32>()?);
        let now_ms = self.core.corrected_now().await?;
        let expires_ms = good_for.map_or(0, |time| {
            let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            now_ms.saturating_add(time).max(1)
        });
        let ours = self.core.store.read(LocalDevice::load).await?.account();
        let link = InviteLink::new(self.id, secret.clone(), vec![ours]);
        let invite = Invite {
            secret_hash: link.secret_hash(),
            expires_ms,
            approval,
        };
        self.change_and(Action::Invite(Some(invite)), move |tx, conversation| {
            tx.execute(
                "UPDATE group_info SET invite_secret = ?2 WHERE conversation = ?1",
                (conversation, secret.as_slice()),
            )?;
            Ok(())
        })
        .await?;
        Ok(link)
    }

    /// The link opens nothing from now on.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn revoke_invite(&self) -> Result<()> {
        self.change_and(Action::Invite(None), |tx, conversation| {
            tx.execute(
                "UPDATE group_info SET invite_secret = NULL WHERE conversation = ?1",
                [conversation],
            )?;
            Ok(())
        })
        .await
    }

    /// Who asks to be let in, oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn join_requests(&self) -> Result<Vec<AccountId>> {
        let id = self.id;
        self.core
            .store
            .read(move |db| {
                let found = crate::conversation::rows::find(db, id)?;
                invite::waiting(db, found.ok_or(Error::NotFound("group"))?.id)
            })
            .await
    }

    /// Says no to somebody who asks to be let in; they are not told. (Yes is [`add`](Self::add).)
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn refuse_join(&self, account: AccountId) -> Result<()> {
        let id = self.id;
        self.core
            .store
            .write(move |tx| {
                let conversation = changes::conversation_of(tx, id)?;
                invite::refuse(tx, conversation, account)
            })
            .await
    }

    async fn change(&self, action: Action) -> Result<()> {
        self.change_and(action, |_, _| Ok(())).await
    }

    async fn change_and(
        &self,
        action: Action,
        also: impl FnOnce(&Transaction<'_>, i64) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (now_ms, rng) = (self.core.clock.now_ms(), self.core.rng.clone());
        let (id, told) = (self.id, Arc::clone(&self.core));
        self.core
            .store
            .write_then(
                move |tx| {
                    let mut events = Vec::new();
                    changes::make(tx, id, &action, now_ms, &rng, &mut events)?;
                    let conversation = changes::conversation_of(tx, id)?;
                    also(tx, conversation)?;
                    let words_removed = roles_changed(tx, conversation, &mut events)?;
                    Ok((events, words_removed))
                },
                move |(events, words_removed)| {
                    told.events.emit_all(events);
                    told.wake_outbox.notify_one();
                    if words_removed {
                        told.housekeeping.words_removed();
                    }
                },
            )
            .await
    }
}

/// Reads what a group is.
fn info(db: &rusqlite::Connection, id: ConversationId) -> Result<GroupInfo> {
    let found = crate::conversation::rows::find(db, id)?;
    let conversation = found.ok_or(Error::NotFound("group"))?.id;
    let outcome = rows::log(db, conversation)?.outcome();
    let state = outcome.state;
    let forks: i64 = db
        .prepare_cached("SELECT forks FROM group_info WHERE conversation = ?1")?
        .query_row([conversation], |row| row.get(0))
        .map_err(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Error::NotFound("group"),
            error => error.into(),
        })?;
    let timer = Duration::from_secs(state.timer_s.into());
    // Whoever is out hears of no change any more: what the log says of others is old.
    let inside = state
        .members
        .contains_key(&LocalDevice::load(db)?.account());
    let members = state.members.iter().filter(|_| inside);
    let members = members.map(|(account, member)| GroupMember {
        account: *account,
        admin: member.admin,
        since_ms: member.since.ms(),
    });
    Ok(GroupInfo {
        id,
        members: members.collect(),
        has_invite: state.invite.is_some(),
        forks: u64::try_from(forks).unwrap_or(0),
        settings: GroupSettings {
            only_admins_send: state.admins_send.is_some(),
            only_admins_edit: state.admins_edit,
            disappearing: (!timer.is_zero()).then_some(timer),
        },
        icon: (!state.icon.is_empty()).then_some(state.icon),
        name: state.name,
        description: state.description,
    })
}
