//! Writes about single messages, and kinds of messages that are no plain text.

use hushpost::{ConversationId, Error, Mention, MessageRef, Poll, Reply, Result, Text};

use super::{Context, explain};
use crate::effect::{MessageWrite, Wording};
use crate::model::Quote;
use crate::update::Update;

pub(super) async fn send(
    context: &Context,
    conversation: ConversationId,
    wording: Wording,
    reply: Option<Quote>,
) -> Option<Update> {
    let sent = match text_of(&wording) {
        Ok(text) => {
            let ready = match &reply {
                Some(quote) => text.in_reply_to(Reply {
                    to: quote.to,
                    excerpt: quote.text.clone(),
                }),
                None => text,
            };
            context.client.conversation(conversation).send(ready).await
        }
        Err(error) => Err(error),
    };
    sent.err().map(|error| Update::NotSent {
        conversation,
        text: wording.text,
        reply,
        instead_of: None,
        why: explain(&error),
    })
}

/// What is to be told when it is done, or was not.
pub(super) async fn change(
    context: &Context,
    conversation: ConversationId,
    message: MessageRef,
    write: MessageWrite,
) -> Result<Option<Update>> {
    let here = context.client.conversation(conversation);
    match write {
        MessageWrite::React(emoji) => here.react(message, emoji).await?,
        MessageWrite::DeleteForMe => here.delete_for_me(message).await?,
        MessageWrite::DeleteForAll => here.delete_for_everyone(message).await?,
        MessageWrite::Star(starred) => here.star(message, starred).await?,
        MessageWrite::Pin(pinned) => here.pin_message(message, pinned).await?,
        MessageWrite::Vote(options) => here.vote(message, &options).await?,
        MessageWrite::Edit(wording) => {
            let edited = match text_of(&wording) {
                Ok(text) => here.edit(message, text).await,
                Err(error) => Err(error),
            };
            return Ok(edited.err().map(|error| Update::NotSent {
                conversation,
                text: wording.text,
                reply: None,
                instead_of: Some(message),
                why: explain(&error),
            }));
        }
    }
    Ok(None)
}

pub(super) async fn poll(
    context: &Context,
    conversation: ConversationId,
    question: String,
    (options, several): (Vec<String>, bool),
) -> Result<()> {
    let mut poll = Poll::new(question, options)?;
    if several {
        poll = poll.with_several_answers();
    }
    context.client.conversation(conversation).send(poll).await?;
    Ok(())
}

/// Fetches what a link leads to, and sends it along.
pub(super) async fn link(
    context: &Context,
    conversation: ConversationId,
    url: &str,
    text: String,
) -> Option<Update> {
    let sent = async {
        let preview = context.client.link_preview(url).await?;
        let text = Text::new(text.as_str())?.with_link_preview(preview)?;
        context.client.conversation(conversation).send(text).await
    };
    let sent: Result<MessageRef, Error> = sent.await;
    sent.err().map(|error| Update::NotSent {
        conversation,
        text,
        reply: None,
        instead_of: None,
        why: explain(&error),
    })
}

fn text_of(wording: &Wording) -> Result<Text> {
    let mentions = wording.mentions.iter().map(|(account, range)| Mention {
        account: *account,
        range: range.clone(),
    });
    Ok(Text::new(wording.text.as_str())?.mentioning(mentions.collect())?)
}
