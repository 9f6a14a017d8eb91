//! Reads the part of a history that the screen wants.

use hushpost::{Client, Conversation, ConversationId, MAX_PAGE, MessageState};

use crate::effect::Place;
use crate::model::Item;
use crate::state::history::PAGE;
use crate::update::Part;

/// Messages before the first that was not read.
const CONTEXT: usize = PAGE / 3;

pub(super) async fn load(
    client: &Client,
    id: ConversationId,
    place: Place,
) -> hushpost::Result<Part> {
    let conversation = client.conversation(id);
    match place {
        Place::Newest => {
            let page = conversation.messages_before(None, PAGE).await?;
            Ok(Part {
                more_before: page.more,
                items: items(&page.messages),
                ..Part::default()
            })
        }
        Place::Before(cursor) => {
            let page = conversation.messages_before(Some(cursor), PAGE).await?;
            Ok(Part {
                more_before: page.more,
                items: items(&page.messages),
                ..Part::default()
            })
        }
        Place::Oldest => {
            let page = conversation.messages_after(None, PAGE).await?;
            Ok(Part {
                more_after: page.more,
                items: items(&page.messages),
                ..Part::default()
            })
        }
        Place::After(cursor) => {
            let page = conversation.messages_after(Some(cursor), PAGE).await?;
            Ok(Part {
                more_after: page.more,
                items: items(&page.messages),
                ..Part::default()
            })
        }
        Place::Around(cursor, message) => {
            let before = conversation.messages_before(Some(cursor), PAGE).await?;
            let after = conversation.messages_after(Some(cursor), PAGE).await?;
            let mut all = items(&before.messages);
            all.extend(client.message(message).await?.as_ref().map(Item::from));
            all.extend(items(&after.messages));
            Ok(Part {
                items: all,
                more_before: before.more,
                more_after: after.more,
                first_unread: None,
            })
        }
        Place::Unread(count) => unread(&conversation, count).await,
    }
}

/// From a little before the first that was not read. `count` is how many there are.
async fn unread(conversation: &Conversation, count: u64) -> hushpost::Result<Part> {
    let mut left = count;
    let mut first = None;
    let mut before = None;
    loop {
        let page = conversation.messages_before(before, MAX_PAGE).await?;
        for message in page.messages.iter().rev() {
            if left > 0 && message.state == MessageState::Unread {
                left = left.saturating_sub(1);
                first = Some((message.cursor, message.id));
            }
        }
        before = page.messages.first().map(|message| message.cursor);
        if left == 0 || !page.more || before.is_none() {
            break;
        }
    }
    let Some((cursor, message)) = first else {
        let page = conversation.messages_before(None, PAGE).await?;
        return Ok(Part {
            more_before: page.more,
            items: items(&page.messages),
            ..Part::default()
        });
    };
    let context = conversation.messages_before(Some(cursor), CONTEXT).await?;
    let beginning = context.messages.last().map(|message| message.cursor);
    let rest = conversation.messages_after(beginning, PAGE).await?;
    let mut all = items(&context.messages);
    all.extend(items(&rest.messages));
    Ok(Part {
        items: all,
        more_before: context.more,
        more_after: rest.more,
        first_unread: Some(message),
    })
}

fn items(messages: &[hushpost::Message]) -> Vec<Item> {
    messages.iter().map(Item::from).collect()
}
