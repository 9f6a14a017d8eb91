//! One conversation.

use std::time::Duration;

use hushpost::{AttachmentKind as CoreKind, Emoji};

use crate::ids::{ConversationId, Cursor, MediaCursor};
use crate::{
    Activity, Attachment, AttachmentKind, Content, ConversationSummary, MediaPage, Message,
    MessageReceipts, MessageRef, Page, Result, SearchHit, Text, TextVersion, runtime,
};

/// A conversation: with one other account, or a group's. That there is one shows when it is used.
#[derive(Debug, uniffi::Object)]
pub struct Conversation(pub(crate) hushpost::Conversation);

/// A number of entries or a place among them.
pub(crate) fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A message of a conversation, as what is answered.
async fn quote(
    conversation: &hushpost::Conversation,
    to: hushpost::MessageRef,
) -> hushpost::Result<hushpost::Reply> {
    let found = conversation.message(to).await?;
    let found = found.ok_or(hushpost::Error::NotFound("message"))?;
    Ok(hushpost::Reply {
        to,
        excerpt: found.content.preview(),
    })
}

/// Sending, and what is done to a message.
#[uniffi::export]
impl Conversation {
    /// Its id, the same on all its members' devices.
    ///
    /// # Errors
    /// None today.
    pub fn id(&self) -> Result<ConversationId> {
        Ok(self.0.id().into())
    }

    /// Its entry in the list.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn summary(&self) -> Result<ConversationSummary> {
        let conversation = self.0.clone();
        let entry = runtime::run(async move { conversation.summary().await }).await?;
        Ok(entry.into())
    }

    /// Sends a text, perhaps in answer to a message of this conversation. When this returns, the message is in the history
    /// and on the disk, encrypted for everyone there is a session with; it is delivered as soon as it can be, whatever
    /// happens to this process. Answering a request accepts it.
    ///
    /// # Errors
    /// `Invalid` for an empty text or one over 32 KiB; `NotAllowed` if the contact is
    /// blocked, is verified and changed (`verification_needed`), or nobody is registered here;
    /// `NotFound`, `Store`.
    #[uniffi::method(default(reply_to = None))]
    pub async fn send_text(
        &self,
        body: String,
        reply_to: Option<MessageRef>,
    ) -> Result<MessageRef> {
        let conversation = self.0.clone();
        let reply_to = reply_to.as_ref().map(MessageRef::read).transpose()?;
        let sent = async move {
            let mut text = hushpost::Text::new(body)?;
            if let Some(to) = reply_to {
                text = text.in_reply_to(quote(&conversation, to).await?);
            }
            conversation.send(text).await
        };
        Ok(runtime::run(sent).await?.into())
    }

    /// Sends a text with mentions or a link's preview, a place, a contact card, a poll or files. Otherwise as
    /// `send_text`.
    ///
    /// # Errors
    /// As `send_text`; `Invalid` for what is out of its limits, or cannot be sent.
    pub async fn send(&self, content: Content) -> Result<MessageRef> {
        let conversation = self.0.clone();
        let content = hushpost::Content::try_from(content)?;
        let sent = runtime::run(async move { conversation.send(content).await }).await?;
        Ok(sent.into())
    }

    /// Sends files that were uploaded, 1 to 32, perhaps with a caption. Otherwise as `send_text`.
    ///
    /// # Errors
    /// As `send`.
    #[uniffi::method(default(caption = None))]
    pub async fn send_attachments(
        &self,
        files: Vec<Attachment>,
        caption: Option<Text>,
    ) -> Result<MessageRef> {
        self.send(Content::Attachments { files, caption }).await
    }

    /// Sends a message of another conversation, or of this one, here. It says that it was forwarded and how often, and
    /// neither who wrote it nor what it answered.
    ///
    /// # Errors
    /// `NotFound`; as `send`.
    pub async fn forward(&self, message: MessageRef) -> Result<MessageRef> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        let sent = runtime::run(async move { conversation.forward(message).await }).await?;
        Ok(sent.into())
    }

    /// Tries a failed message again.
    ///
    /// # Errors
    /// `NotFound` unless it is a failed message of this conversation.
    pub async fn retry(&self, message: MessageRef) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        runtime::run(async move { conversation.retry(message).await }).await
    }

    /// Takes a message back that has not left yet.
    ///
    /// # Errors
    /// `NotFound` if it is not one, or the relay has it already.
    pub async fn cancel(&self, message: MessageRef) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        runtime::run(async move { conversation.cancel(message).await }).await
    }

    /// Puts another text in place of an own message's, or of its files' caption. Every version is kept.
    ///
    /// # Errors
    /// `Invalid` unless it is an own message with a text; otherwise as `send`.
    pub async fn edit(&self, message: MessageRef, text: Text) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        let text = text.try_into()?;
        runtime::run(async move { conversation.edit(message, text).await }).await
    }

    /// Puts an emoji on a message, in place of the one that was there; none takes it away.
    ///
    /// # Errors
    /// `Invalid` if it is not one emoji; otherwise as `send`.
    pub async fn react(&self, message: MessageRef, emoji: Option<String>) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        let emoji = emoji.map(Emoji::new).transpose()?;
        runtime::run(async move { conversation.react(message, emoji).await }).await
    }

    /// Chooses answers of a poll, by their places in it from 0, in place of what was chosen before; none takes the vote
    /// back.
    ///
    /// # Errors
    /// `Invalid` for an answer that is not there, or several where one is allowed; otherwise as `send`.
    pub async fn vote(&self, poll: MessageRef, options: Vec<u32>) -> Result<()> {
        let (conversation, poll) = (self.0.clone(), poll.read()?);
        runtime::run(async move { conversation.vote(poll, &options).await }).await
    }

    /// Deletes a message on all devices of everybody, within an hour of sending it. A tombstone stays. Whoever read it has
    /// read it.
    ///
    /// # Errors
    /// `Invalid` for somebody else's, or after an hour; otherwise as `send`.
    pub async fn delete_for_everyone(&self, message: MessageRef) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        runtime::run(async move { conversation.delete_for_everyone(message).await }).await
    }

    /// Deletes a message on this device alone; nobody is told.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn delete_for_me(&self, message: MessageRef) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        runtime::run(async move { conversation.delete_for_me(message).await }).await
    }

    /// Marks a message with a star on this device, or takes it away; nobody is told.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn star(&self, message: MessageRef, starred: bool) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        runtime::run(async move { conversation.star(message, starred).await }).await
    }

    /// Holds a message up for everybody in the conversation, or no longer.
    ///
    /// # Errors
    /// `NotFound`; otherwise as `send`.
    pub async fn pin_message(&self, message: MessageRef, pinned: bool) -> Result<()> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        runtime::run(async move { conversation.pin_message(message, pinned).await }).await
    }
}

/// Reading.
#[uniffi::export]
impl Conversation {
    /// Messages before a place in the history, or the newest ones: at most 500, oldest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn messages_before(&self, before: Option<Cursor>, limit: u32) -> Result<Page> {
        let conversation = self.0.clone();
        let before = before.as_ref().map(Cursor::read).transpose()?;
        let page =
            runtime::run(async move { conversation.messages_before(before, count(limit)).await })
                .await?;
        Ok(page.into())
    }

    /// Messages after a place in the history, or the oldest ones: at most 500, oldest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn messages_after(&self, after: Option<Cursor>, limit: u32) -> Result<Page> {
        let conversation = self.0.clone();
        let after = after.as_ref().map(Cursor::read).transpose()?;
        let page =
            runtime::run(async move { conversation.messages_after(after, count(limit)).await })
                .await?;
        Ok(page.into())
    }

    /// The texts that a message had and has, oldest first; one if it was never edited, none if it is no text.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn versions(&self, message: MessageRef) -> Result<Vec<TextVersion>> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        let all = runtime::run(async move { conversation.versions(message).await }).await?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// The messages that are held up, the last one pinned first; at most 500.
    ///
    /// # Errors
    /// `Store`.
    pub async fn pinned_messages(&self) -> Result<Vec<Message>> {
        let conversation = self.0.clone();
        let all = runtime::run(async move { conversation.pinned_messages().await }).await?;
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// Who of a group has an own message, and who has read it; none for any other message.
    ///
    /// # Errors
    /// `Store`.
    pub async fn receipts(&self, message: MessageRef) -> Result<Option<MessageReceipts>> {
        let (conversation, message) = (self.0.clone(), message.read()?);
        let found = runtime::run(async move { conversation.receipts(message).await }).await?;
        Ok(found.map(Into::into))
    }

    /// Files of this conversation, the newest first, at most 500: of these kinds, or of all if none is named, before a place
    /// that an earlier page gave.
    ///
    /// # Errors
    /// `Store`.
    pub async fn media(
        &self,
        before: Option<MediaCursor>,
        kinds: Vec<AttachmentKind>,
        limit: u32,
    ) -> Result<MediaPage> {
        let conversation = self.0.clone();
        let before = before.as_ref().map(MediaCursor::read).transpose()?;
        let kinds: Vec<CoreKind> = kinds.into_iter().map(Into::into).collect();
        let page =
            runtime::run(async move { conversation.media(before, &kinds, count(limit)).await })
                .await?;
        Ok(page.into())
    }

    /// Searches this conversation, the newest hits first, at most 200: words in any script, at least two characters in all;
    /// the last letters of a word may be missing.
    ///
    /// # Errors
    /// `Invalid` for a shorter query, `Store`.
    pub async fn search(&self, query: String, skip: u32, limit: u32) -> Result<Vec<SearchHit>> {
        let conversation = self.0.clone();
        let hits =
            runtime::run(
                async move { conversation.search(&query, count(skip), count(limit)).await },
            )
            .await?;
        Ok(hits.into_iter().map(Into::into).collect())
    }
}

/// The conversation itself.
#[uniffi::export]
impl Conversation {
    /// Says that everything up to and with a message was read here. Its sender learns it, unless the app switched read
    /// receipts off.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn mark_read(&self, through: Cursor) -> Result<()> {
        let (conversation, through) = (self.0.clone(), through.read()?);
        runtime::run(async move { conversation.mark_read(through).await }).await
    }

    /// Tells the other that the user is typing, or stopped. Not stored, not repeated, and only while both are connected; at
    /// most one in 3 seconds goes out, so it may be called for every key.
    ///
    /// # Errors
    /// `NotAllowed`, `NotFound`, `Store`.
    pub async fn set_activity(&self, activity: Activity) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.set_activity(activity.into()).await }).await
    }

    /// Accepts a stranger's request: receipts are sent from now on, for what came before too.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn accept(&self) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.accept().await }).await
    }

    /// Deletes the conversation and its history on this device. Who writes again opens it again, as a request.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn delete(&self) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.delete().await }).await
    }

    /// Keeps what was typed and not sent, at most 64 KiB; empty removes it.
    ///
    /// # Errors
    /// `Invalid` for more, `NotFound`, `Store`.
    pub async fn set_draft(&self, draft: String) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.set_draft(&draft).await }).await
    }

    /// Moves it to the archive, or back.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn set_archived(&self, archived: bool) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.set_archived(archived).await }).await
    }

    /// Silences it for a while; none ends that.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn mute_for(&self, time: Option<Duration>) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.mute_for(time).await }).await
    }

    /// Puts it above the others, or back among them.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn set_pinned(&self, pinned: bool) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.set_pinned(pinned).await }).await
    }

    /// Lets messages that are sent from now on, by anybody, disappear so long after they were read; none: they stay. Whole
    /// seconds, at most 366 days. (A group's timer is one of its settings.)
    ///
    /// # Errors
    /// `Invalid` for less than a second, more than 366 days, or in a group; otherwise as `send`.
    pub async fn set_disappearing(&self, after: Option<Duration>) -> Result<()> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.set_disappearing(after).await }).await
    }

    /// How long messages stay after they were read; none: for ever.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn disappearing(&self) -> Result<Option<Duration>> {
        let conversation = self.0.clone();
        runtime::run(async move { conversation.disappearing().await }).await
    }
}
