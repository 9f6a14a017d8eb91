//! One conversation, as the app uses it.

use std::sync::Arc;
use std::time::Duration;

use hushpost_wire::Send;
use hushpost_wire::client_frame::Request;

use crate::client::Core;
use crate::content::{
    Activity, Attachment, AttachmentKind, Attachments, Content, ConversationId, Text,
};
use crate::conversation::history::{self, MAX_PAGE, Page};
use crate::conversation::list::{self, ConversationSummary};
use crate::conversation::media::{self, MediaCursor, MediaPage};
use crate::conversation::rows::{self as messages, ConversationRow};
use crate::conversation::search::{self, SearchHit};
use crate::conversation::{activity, changes, expiry, send};
use crate::event::{Event, MessageRef};
use crate::group::{self, MessageReceipts};
use crate::inbox::receipts;
use crate::media::cache;
use crate::message::{Cursor, FailureReason, Message};
use crate::store::Transaction;
use crate::store::columns::signed;
use crate::{Error, Result};

/// Longest draft, in bytes.
const MAX_DRAFT_LEN: usize = 64 * 1024;

/// A conversation. Cheap to clone; made by [`Client::conversation_with`](crate::Client::conversation_with) and
/// [`Client::conversation`](crate::Client::conversation).
#[derive(Clone)]
pub struct Conversation {
    core: Arc<Core>,
    id: ConversationId,
}

impl core::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Conversation({})", self.id)
    }
}

impl Conversation {
    pub(crate) const fn new(core: Arc<Core>, id: ConversationId) -> Self {
        Self { core, id }
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Its id, the same on both sides.
    #[must_use]
    pub const fn id(&self) -> ConversationId {
        self.id
    }

    /// Its entry in the list.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn summary(&self) -> Result<ConversationSummary> {
        let id = self.id;
        let found = self
            .core
            .store
            .read(move |db| list::summary(db, id))
            .await?;
        found.ok_or(Error::NotFound("conversation"))
    }

    /// A message of this conversation, as it is now; `None` if it is not shown here.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn message(&self, message: MessageRef) -> Result<Option<Message>> {
        let id = self.id;
        self.core
            .store
            .read(move |db| {
                let found = history::one(db, message)?;
                Ok(found.filter(|found| found.conversation == id))
            })
            .await
    }

    /// Sends a text, a place, a contact card or a poll. When this returns, the message is in the history and on the
    /// disk, encrypted for everyone there is a session with; it is delivered as soon as it can be, whatever
    /// happens to this process. Answering a request accepts it.
    ///
    /// # Errors
    /// [`Error::Blocked`], [`Error::VerificationNeeded`] if a verified contact changed,
    /// [`Error::NotFound`], [`Error::NotRegistered`], [`Error::InvalidInput`] for what is not said but found
    /// ([`Content::Deleted`], [`Content::Unknown`]), [`Error::Store`].
    pub async fn send(
        &self,
        content: impl Into<Content> + core::marker::Send,
    ) -> Result<MessageRef> {
        let content = content.into();
        if content.clone().forwarded().is_none() {
            return Err(Error::InvalidInput("this cannot be sent"));
        }
        self.send_encoded(content.encode()).await
    }

    /// Sends files that were uploaded, 1 to 32, perhaps with a caption. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    /// As there, and [`Error::Content`] for no file, more than 32, or more than fits in one message.
    pub async fn send_attachments(
        &self,
        attachments: Vec<Attachment>,
        caption: Option<Text>,
    ) -> Result<MessageRef> {
        let attachments = Attachments::new(attachments, caption)?;
        self.send_encoded(Content::Attachments(attachments).encode())
            .await
    }

    pub(crate) async fn send_encoded(&self, content: Vec<u8>) -> Result<MessageRef> {
        let (id, now_ms, rng) = (self.id, self.core.clock.now_ms(), self.core.rng.clone());
        let core = Arc::clone(&self.core);
        self.core
            .store
            .write_then(
                move |tx| {
                    let mut events = Vec::new();
                    let message = send::send(tx, id, &content, now_ms, &rng, &mut events)?;
                    Ok((message, events, expiry::has_deadline(tx, message)?))
                },
                move |(message, events, deadline)| {
                    core.events.emit_all(events);
                    core.wake_outbox.notify_one();
                    core.wake_receipts.notify_one();
                    if deadline {
                        core.housekeeping.deadline_set();
                    }
                    message
                },
            )
            .await
    }

    /// Tries a failed message again.
    ///
    /// # Errors
    /// [`Error::NotFound`] unless it is a failed message of this conversation.
    pub async fn retry(&self, message: MessageRef) -> Result<()> {
        let (now_ms, rng) = (self.core.clock.now_ms(), self.core.rng.clone());
        self.change(
            |core| core.wake_outbox.notify_one(),
            move |tx, conversation| {
                send::again(tx, conversation, message, now_ms, &rng)?;
                Ok(vec![Event::MessageChanged {
                    conversation: conversation.conversation_id,
                    message,
                }])
            },
        )
        .await
    }

    /// Takes a message back that has not left yet.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is not one, or the relay has it already.
    pub async fn cancel(&self, message: MessageRef) -> Result<()> {
        self.change(
            |_| {},
            move |tx, conversation| {
                let row = messages::row_of(tx, message)?.ok_or(Error::NotFound("message"))?;
                let moved = tx.execute(
                    "UPDATE message SET state = 14, failure = ?3
                 WHERE id = ?1 AND conversation = ?2 AND state = 10",
                    (row, conversation.id, FailureReason::Cancelled.number()),
                )?;
                if moved == 0 {
                    return Err(Error::NotFound("message that waits"));
                }
                tx.execute("DELETE FROM outbox WHERE message = ?1", [row])?;
                tx.execute("DELETE FROM group_outbox WHERE message = ?1", [row])?;
                Ok(vec![Event::MessageChanged {
                    conversation: conversation.conversation_id,
                    message,
                }])
            },
        )
        .await
    }

    /// Says that everything up to and with a message was read here. Its sender learns it, unless the app
    /// switched read receipts off.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn mark_read(&self, through: Cursor) -> Result<()> {
        let receipts_on = self.core.settings.read_receipts;
        let now_ms = self.core.corrected_now().await?;
        let clock_ms = self.core.clock.now_ms();
        self.change(
            |core| {
                core.wake_receipts.notify_one();
                core.housekeeping.deadline_set();
            },
            move |tx, conversation| {
                let stamp = signed(through.stamp.to_bits());
                if receipts_on && conversation.accepted {
                    receipts::owe_read(tx, conversation.id, stamp)?;
                }
                expiry::begin_read(tx, conversation.id, stamp, clock_ms)?;
                let read = tx.execute(
                    "UPDATE message SET state = 2, read_ms = ?3
                 WHERE conversation = ?1 AND state = 1 AND stamp <= ?2",
                    (conversation.id, stamp, signed(now_ms)),
                )?;
                if read == 0 {
                    return Ok(Vec::new());
                }
                messages::refresh(tx, conversation.id)?;
                Ok(vec![Event::ConversationChanged {
                    conversation: conversation.conversation_id,
                }])
            },
        )
        .await
    }

    /// Tells the other that the user is typing, or stopped. Not stored, not repeated, and only while both
    /// are connected; at most one in 3 seconds goes out, so it may be called for every key.
    ///
    /// # Errors
    /// [`Error::NotAccepted`], [`Error::Blocked`], [`Error::NotFound`], [`Error::Store`].
    pub async fn set_activity(&self, activity: Activity) -> Result<()> {
        let Ok(link) = self.core.link() else {
            return Ok(());
        };
        if !self.core.may_show_activity(self.id, activity) {
            return Ok(());
        }
        let (id, now_ms) = (self.id, self.core.clock.now_ms());
        let envelope_id = self.core.rng.message_id()?;
        let recipient = self
            .core
            .store
            .write(move |tx| activity::seal(tx, id, activity, now_ms))
            .await?;
        if let Some(recipient) = recipient {
            // Whether it arrives is nobody's concern.
            drop(link.start(Request::Send(Send {
                message_id: envelope_id.as_bytes().to_vec().into(),
                shared_ciphertext: None,
                recipients: vec![recipient],
                ephemeral: true,
            })));
        }
        Ok(())
    }

    /// Accepts a stranger's request: receipts are sent from now on, for what came before too.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn accept(&self) -> Result<()> {
        let receipts_on = self.core.settings.read_receipts;
        self.change(
            |core| core.wake_receipts.notify_one(),
            move |tx, conversation| {
                if receipts_on && !conversation.accepted {
                    receipts::owe_all_read(tx, conversation.id)?;
                }
                send::accept(tx, conversation)
            },
        )
        .await
    }

    /// Deletes the conversation and its history on this device. Who writes again opens it again, as a request.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn delete(&self) -> Result<()> {
        self.change(|_| {}, |tx, conversation| {
            tx.execute(
                "DELETE FROM search WHERE rowid IN (SELECT id FROM message WHERE conversation = ?1)",
                [conversation.id],
            )?;
            changes::forget_all(tx, conversation.id)?;
            // The rows stay without content: ids that were seen are known for ever, and chains go on.
            tx.execute(
                "UPDATE message SET content = x'', state = -1 WHERE conversation = ?1 AND state > 0",
                [conversation.id],
            )?;
            tx.execute(
                "UPDATE conversation SET hidden = 1, unread = 0, last_message = NULL, draft = NULL
                 WHERE id = ?1",
                [conversation.id],
            )?;
            Ok(vec![Event::ConversationDeleted {
                conversation: conversation.conversation_id,
            }])
        })
        .await?;
        search::forget_deleted(&self.core).await?;
        cache::forget_deleted(&self.core).await
    }

    /// Keeps what was typed and not sent; empty removes it.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] over 64 KiB, [`Error::NotFound`], [`Error::Store`].
    pub async fn set_draft(&self, draft: &str) -> Result<()> {
        if draft.len() > MAX_DRAFT_LEN {
            return Err(Error::InvalidInput("a draft has at most 64 KiB"));
        }
        let draft = (!draft.is_empty()).then(|| draft.to_owned());
        self.set("draft", draft).await
    }

    /// Moves the conversation to the archive, or back.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn set_archived(&self, archived: bool) -> Result<()> {
        self.set("archived", archived).await
    }

    /// Silences it for a while; `None` ends that.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn mute_for(&self, time: Option<Duration>) -> Result<()> {
        let until = match time {
            Some(time) => {
                let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                self.core.clock.now_ms().saturating_add(ms)
            }
            None => 0,
        };
        self.set("muted_until_ms", signed(until)).await
    }

    /// Puts it above the others, or back among them.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub async fn set_pinned(&self, pinned: bool) -> Result<()> {
        let since = if pinned {
            self.core.clock.now_ms().max(1)
        } else {
            0
        };
        self.set("pinned_ms", signed(since)).await
    }

    /// Messages before a place in the history, or the newest ones: at most [`MAX_PAGE`], oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn messages_before(&self, before: Option<Cursor>, limit: usize) -> Result<Page> {
        let (id, limit) = (self.id, limit.min(MAX_PAGE));
        self.core
            .store
            .read(move |db| history::before(db, id, before, limit))
            .await
    }

    /// Messages after a place in the history, or the oldest ones: at most [`MAX_PAGE`], oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn messages_after(&self, after: Option<Cursor>, limit: usize) -> Result<Page> {
        let (id, limit) = (self.id, limit.min(MAX_PAGE));
        self.core
            .store
            .read(move |db| history::after(db, id, after, limit))
            .await
    }

    /// Who of a group has an own message, and who has read it; `None` for any other message.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn receipts(&self, message: MessageRef) -> Result<Option<MessageReceipts>> {
        self.core
            .store
            .read(move |db| group::receipts::of(db, message))
            .await
    }

    /// Files of this conversation, the newest first, at most [`MAX_PAGE`]: of these kinds, or of all if none is named,
    /// before a place that an earlier page gave.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn media(
        &self,
        before: Option<MediaCursor>,
        kinds: &[AttachmentKind],
        limit: usize,
    ) -> Result<MediaPage> {
        let (id, limit, kinds) = (self.id, limit.min(MAX_PAGE), kinds.to_vec());
        self.core
            .store
            .read(move |db| media::before(db, id, before, &kinds, limit))
            .await
    }

    /// Searches this conversation: see [`Client::search`](crate::Client::search).
    ///
    /// # Errors
    /// As there.
    pub async fn search(&self, query: &str, skip: usize, limit: usize) -> Result<Vec<SearchHit>> {
        search::run(&self.core, query, Some(self.id), skip, limit).await
    }

    async fn set(
        &self,
        column: &'static str,
        value: impl rusqlite::ToSql + core::marker::Send + 'static,
    ) -> Result<()> {
        self.change(
            |_| {},
            move |tx, conversation| {
                tx.execute(
                    &format!("UPDATE conversation SET {column} = ?2 WHERE id = ?1"),
                    (conversation.id, value),
                )?;
                Ok(vec![Event::ConversationChanged {
                    conversation: conversation.conversation_id,
                }])
            },
        )
        .await
    }

    pub(crate) async fn change(
        &self,
        wake: impl FnOnce(&Core) + core::marker::Send + 'static,
        work: impl FnOnce(&mut Transaction<'_>, &ConversationRow) -> Result<Vec<Event>>
        + core::marker::Send
        + 'static,
    ) -> Result<()> {
        let id = self.id;
        let core = Arc::clone(&self.core);
        self.core
            .store
            .write_then(
                move |tx| {
                    let row = messages::find(tx, id)?.ok_or(Error::NotFound("conversation"))?;
                    work(tx, &row)
                },
                move |events| {
                    core.events.emit_all(events);
                    wake(&core);
                },
            )
            .await
    }
}
