//! What a conversation can do with messages that are there: edit, react, delete, star, pin, forward, vote; and its
//! timer.
//!
//! Must never: say what the user may not say. The other side would ignore it, and the two would see different
//! things.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

use crate::account::LocalDevice;
use crate::client::Core;
use crate::content::{Change, Content, ConversationId, Emoji, Text};
use crate::conversation::changes::{self, TextVersion};
use crate::conversation::handle::Conversation;
use crate::conversation::rows::{self as messages, COLUMNS, ConversationRow, Kind, read};
use crate::conversation::send::send;
use crate::conversation::{expiry, history, remove};
use crate::event::{Event, MessageRef};
use crate::message::{Message, MessageState};
use crate::store::Transaction;
use crate::store::columns::signed;
use crate::{Error, Result};

/// Most messages that are pinned or starred in one answer.
const MAX_LISTED: usize = 500;

impl Conversation {
    /// Puts another text in place of an own message's, or of its files' caption. What it answers stays; every version is kept, for
    /// [`versions`](Self::versions).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless it is an own message with a text; otherwise as [`send`](Self::send).
    pub async fn edit(&self, message: MessageRef, text: Text) -> Result<()> {
        self.say(move |tx, local, conversation| {
            let found = shown(tx, conversation, message)?;
            if message.sender != local.account() || found.content.text().is_none() {
                return Err(Error::InvalidInput("only own texts can be edited"));
            }
            Ok(Change::Edit(message, text))
        })
        .await?;
        self.core().housekeeping.words_removed();
        Ok(())
    }

    /// The texts that a message had and has, oldest first; one if it was never edited, none if it is no text.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn versions(&self, message: MessageRef) -> Result<Vec<TextVersion>> {
        let id = self.id();
        self.core()
            .store
            .read(move |db| {
                let conversation = messages::find(db, id)?.ok_or(Error::NotFound("message"))?;
                shown(db, &conversation, message)?;
                let row = messages::row_of(db, message)?.ok_or(Error::NotFound("message"))?;
                changes::versions(db, row)
            })
            .await
    }

    /// Puts an emoji on a message, in place of the one that was there; `None` takes it away.
    ///
    /// # Errors
    /// [`Error::NotFound`]; otherwise as [`send`](Self::send).
    pub async fn react(&self, message: MessageRef, emoji: Option<Emoji>) -> Result<()> {
        self.say(move |tx, _, conversation| {
            alive(shown(tx, conversation, message)?)?;
            Ok(Change::React(message, emoji))
        })
        .await
    }

    /// Deletes a message on all devices of everybody, within an hour of sending it. A tombstone stays:
    /// [`Content::Deleted`]. Whoever read it has read it.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for somebody else's, or after an hour; otherwise as [`send`](Self::send).
    pub async fn delete_for_everyone(&self, message: MessageRef) -> Result<()> {
        let now_ms = self.core().corrected_now().await?;
        self.say(move |tx, local, conversation| {
            let found = alive(shown(tx, conversation, message)?)?;
            let us = local.account();
            if message.sender != us {
                if !changes::may_delete_for_others(
                    tx,
                    (conversation.id, conversation.kind),
                    us,
                    None,
                )? {
                    return Err(Error::InvalidInput("only own messages can be deleted"));
                }
            } else if now_ms > found.sent_ms.saturating_add(changes::DELETE_WITHIN_MS) {
                return Err(Error::InvalidInput("it was sent more than an hour ago"));
            }
            Ok(Change::Delete(message))
        })
        .await?;
        self.core().housekeeping.words_removed();
        Ok(())
    }

    /// Deletes a message on this device alone; nobody is told.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn delete_for_me(&self, message: MessageRef) -> Result<()> {
        self.change(
            |core| core.housekeeping.words_removed(),
            move |tx, conversation| {
                shown(tx, conversation, message)?;
                let row = messages::row_of(tx, message)?.ok_or(Error::NotFound("message"))?;
                let mut events = Vec::new();
                remove::remove(tx, row, false, &mut events)?;
                Ok(events)
            },
        )
        .await
    }

    /// Marks a message on this device, or takes the mark away; nobody is told. See
    /// [`Client::starred`](crate::Client::starred).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn star(&self, message: MessageRef, starred: bool) -> Result<()> {
        let since = starred.then(|| signed(self.core().clock.now_ms()));
        self.change(
            |_| {},
            move |tx, conversation| {
                alive(shown(tx, conversation, message)?)?;
                tx.execute(
                    "UPDATE message SET starred_ms = ?3 WHERE sender = ?1 AND message_id = ?2",
                    (message.sender.as_bytes(), message.id.as_bytes(), since),
                )?;
                Ok(vec![Event::MessageChanged {
                    conversation: conversation.conversation_id,
                    message,
                }])
            },
        )
        .await
    }

    /// Holds a message up for everybody in the conversation, or no longer.
    ///
    /// # Errors
    /// [`Error::NotFound`]; otherwise as [`send`](Self::send).
    pub async fn pin_message(&self, message: MessageRef, pinned: bool) -> Result<()> {
        self.say(move |tx, _, conversation| {
            alive(shown(tx, conversation, message)?)?;
            Ok(Change::Pin(message, pinned))
        })
        .await
    }

    /// The messages that are held up, the last one pinned first; at most 500.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn pinned_messages(&self) -> Result<Vec<Message>> {
        let id = self.id();
        self.core().store.read(move |db| pinned(db, id)).await
    }

    /// Sends a message of another conversation, or of this one, here. It says that it was forwarded and how often,
    /// and neither who wrote it nor what it answered.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidInput`] for what cannot be forwarded; otherwise as
    /// [`send`](Self::send).
    pub async fn forward(&self, message: MessageRef) -> Result<MessageRef> {
        let found = self
            .core()
            .store
            .read(move |db| history::one(db, message))
            .await?;
        let found = found.ok_or(Error::NotFound("message"))?;
        let forwards = found.forwards.saturating_add(1);
        let content = found
            .content
            .forwarded()
            .ok_or(Error::InvalidInput("this cannot be forwarded"))?;
        self.send_encoded(content.encode_forwarded(forwards)).await
    }

    /// Chooses answers of a poll, by their places in it from 0, in place of what was chosen before; none takes the
    /// vote back.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for an answer that is not there, or several where one is allowed;
    /// [`Error::NotFound`]; otherwise as [`send`](Self::send).
    pub async fn vote(&self, poll: MessageRef, options: &[u32]) -> Result<()> {
        let options: std::collections::BTreeSet<u32> = options.iter().copied().collect();
        let options: Vec<u32> = options.into_iter().collect();
        self.say(move |tx, _, conversation| {
            match shown(tx, conversation, poll)?.content {
                Content::Poll(asked) if asked.takes(&options) => {}
                Content::Poll(_) => return Err(Error::InvalidInput("no such answer")),
                _ => return Err(Error::InvalidInput("it is no poll")),
            }
            Ok(Change::vote(poll, options)?)
        })
        .await
    }

    /// Lets messages that are sent from now on, by anybody, disappear so long after they were read; `None`: they
    /// stay. Whole seconds, at most 366 days. (A group's timer is one of its settings.)
    ///
    /// # Errors
    /// [`Error::Content`] for less than a second or more than 366 days, [`Error::InvalidInput`] in a group;
    /// otherwise as [`send`](Self::send).
    pub async fn set_disappearing(&self, after: Option<Duration>) -> Result<()> {
        let change = Change::timer(after)?;
        self.say(move |_, _, conversation| match conversation.kind {
            Kind::Direct(_) => Ok(change),
            Kind::Group => Err(Error::InvalidInput(
                "a group's timer is one of its settings",
            )),
        })
        .await
    }

    /// How long messages stay after they were read; `None`: for ever.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn disappearing(&self) -> Result<Option<Duration>> {
        let id = self.id();
        self.core()
            .store
            .read(move |db| {
                let found = messages::find(db, id)?.ok_or(Error::NotFound("conversation"))?;
                let seconds = expiry::timer(db, &found)?;
                Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())))
            })
            .await
    }

    /// Sends a change: a post that is not shown.
    async fn say(
        &self,
        make: impl FnOnce(&Transaction<'_>, &LocalDevice, &ConversationRow) -> Result<Change>
        + Send
        + 'static,
    ) -> Result<()> {
        let (now_ms, rng) = (self.core().clock.now_ms(), self.core().rng.clone());
        self.change(
            |core| {
                core.wake_outbox.notify_one();
                core.wake_receipts.notify_one();
            },
            move |tx, conversation| {
                let local = LocalDevice::load(tx)?;
                let content = make(tx, &local, conversation)?.encode();
                let mut events = Vec::new();
                let id = conversation.conversation_id;
                send(tx, id, &content, now_ms, &rng, &mut events)?;
                Ok(events)
            },
        )
        .await
    }
}

/// The messages of a conversation that are held up.
pub(crate) fn pinned(db: &Connection, conversation: ConversationId) -> Result<Vec<Message>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM message m JOIN conversation c ON c.id = m.conversation
         WHERE m.conversation = (SELECT id FROM conversation WHERE conversation_id = ?1)
             AND m.pinned_ms IS NOT NULL AND m.state > 0
         ORDER BY m.pinned_ms DESC, m.stamp DESC, m.sender, m.sequence DESC LIMIT ?2"
    ))?;
    let rows = query.query_map((conversation.as_bytes(), MAX_LISTED), read)?;
    changes::complete(db, rows.collect::<Result<_, _>>()?)
}

/// Marked messages of all conversations, the last one marked first, before a message of the list.
pub(crate) async fn starred(
    core: &Arc<Core>,
    before: Option<MessageRef>,
    limit: usize,
) -> Result<Vec<Message>> {
    let limit = limit.min(MAX_LISTED);
    core.store
        .read(move |db| {
            let from = match before {
                Some(before) => starred_at(db, before)?.ok_or(Error::NotFound("message"))?,
                None => (i64::MAX, i64::MAX),
            };
            let mut query = db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM message m JOIN conversation c ON c.id = m.conversation
                 WHERE m.starred_ms IS NOT NULL AND m.state > 0 AND (m.starred_ms, m.id) < (?1, ?2)
                 ORDER BY m.starred_ms DESC, m.id DESC LIMIT ?3"
            ))?;
            let rows = query.query_map((from.0, from.1, limit), read)?;
            changes::complete(db, rows.collect::<Result<_, _>>()?)
        })
        .await
}

fn starred_at(db: &Connection, message: MessageRef) -> Result<Option<(i64, i64)>> {
    let mut query = db.prepare_cached(
        "SELECT starred_ms, id FROM message
         WHERE sender = ?1 AND message_id = ?2 AND starred_ms IS NOT NULL",
    )?;
    let key = (message.sender.as_bytes(), message.id.as_bytes());
    Ok(query
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// A message of this conversation that is shown here.
fn shown(db: &Connection, conversation: &ConversationRow, message: MessageRef) -> Result<Message> {
    history::one(db, message)?
        .filter(|found| found.conversation == conversation.conversation_id)
        .ok_or(Error::NotFound("message"))
}

/// What was deleted, or never reached anybody, is not to be changed.
fn alive(message: Message) -> Result<Message> {
    if message.content == Content::Deleted || matches!(message.state, MessageState::Failed(_)) {
        return Err(Error::NotFound("message"));
    }
    Ok(message)
}
