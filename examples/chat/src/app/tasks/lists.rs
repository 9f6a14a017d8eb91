//! Lists of messages to go to, and what is known of one.

use hushpost::{Client, ConversationId, Message, MessageRef, Result};

use crate::model::{Hit, size};
use crate::text::{clean_line, counted};
use crate::update::{Info, Update};

/// Entries of a list.
const MOST: usize = 200;

pub(super) async fn search(
    client: &Client,
    words: String,
    within: Option<ConversationId>,
) -> Result<Update> {
    let found = match within {
        Some(id) => client.conversation(id).search(&words, 0, MOST).await?,
        None => client.search(&words, 0, MOST).await?,
    };
    let mut hits = Vec::with_capacity(found.len());
    for hit in found {
        let conversation = client.conversation(hit.message.conversation);
        // Deleted meanwhile, perhaps.
        if let Ok(summary) = conversation.summary().await {
            hits.push(Hit::new(&hit, &summary));
        }
    }
    let words = clean_line(&words);
    Ok(Update::Hits {
        title: format!("{} found for: {words}", hits.len()),
        hits,
    })
}

pub(super) async fn starred(client: &Client) -> Result<Update> {
    let found = client.starred(None, MOST).await?;
    let hits = listed(client, found).await;
    Ok(Update::Hits {
        title: format!("{} with a star", hits.len()),
        hits,
    })
}

pub(super) async fn pinned(client: &Client, id: ConversationId) -> Result<Update> {
    let found = client.conversation(id).pinned_messages().await?;
    let hits = listed(client, found).await;
    Ok(Update::Hits {
        title: format!("{} held up here", hits.len()),
        hits,
    })
}

async fn listed(client: &Client, messages: Vec<Message>) -> Vec<Hit> {
    let mut hits = Vec::with_capacity(messages.len());
    for message in messages {
        let conversation = client.conversation(message.conversation);
        if let Ok(summary) = conversation.summary().await {
            hits.push(Hit::listed(&message, &summary, None));
        }
    }
    hits
}

/// The conversation's files, the newest first.
pub(super) async fn files(client: &Client, id: ConversationId) -> Result<Update> {
    let conversation = client.conversation(id);
    let page = conversation.media(None, &[], MOST).await?;
    let summary = conversation.summary().await?;
    let mut hits = Vec::with_capacity(page.items.len());
    for item in page.items {
        if let Some(message) = client.message(item.message).await? {
            let name = clean_line(item.attachment.file_name());
            let line = format!("{name}, {}", size(item.attachment.size()));
            hits.push(Hit::listed(&message, &summary, Some(line)));
        }
    }
    let more = if page.more { ", the newest" } else { "" };
    Ok(Update::Hits {
        title: format!("{}{more}", counted(hits.len(), "file")),
        hits,
    })
}

pub(super) async fn info(
    client: &Client,
    id: ConversationId,
    message: MessageRef,
) -> Result<Update> {
    let conversation = client.conversation(id);
    let found = client.message(message).await?;
    Ok(Update::Info(Box::new(Info {
        message: found.ok_or(hushpost::Error::NotFound("message"))?,
        receipts: conversation.receipts(message).await?,
        versions: conversation.versions(message).await?,
    })))
}
