//! Writes, in the order that they were asked for.

use core::time::Duration;

use hushpost::{AccountId, Result};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::{Context, explain, groups, messages};
use crate::effect::Write;
use crate::update::Update;

pub(super) async fn write_all(
    context: Context,
    mut writes: UnboundedReceiver<(Write, watch::Sender<()>)>,
) {
    while let Some((write, list_again)) = writes.recv().await {
        if let Some(update) = write_one(&context, write, &list_again).await {
            context.say(update).await;
        }
    }
}

async fn write_one(
    context: &Context,
    write: Write,
    list_again: &watch::Sender<()>,
) -> Option<Update> {
    let done = match write {
        Write::Send {
            conversation,
            text,
            reply,
        } => return messages::send(context, conversation, text, reply).await,
        Write::Message(id, message, write) => {
            return answered(messages::change(context, id, message, write).await);
        }
        Write::Group(id, write) => return answered(groups::change(context, id, write).await),
        Write::MakeGroup { name, members } => {
            return answered(groups::make(context, name, members).await.map(Some));
        }
        Write::Activity(id, activity) => {
            // Whether anybody sees it is nobody's concern.
            drop(context.client.conversation(id).set_activity(activity).await);
            return None;
        }
        Write::Open(account) => match open(context, account).await {
            Ok(update) => {
                list_again.send_replace(());
                return Some(update);
            }
            Err(error) => Err(error),
        },
        Write::Block(..) | Write::Verified(..) | Write::AcceptChange(_) | Write::Rename(..) => {
            person(context, write, list_again).await
        }
        other => conversation(context, other).await,
    };
    match done {
        Ok(Some(said)) => Some(Update::Done(said.to_owned())),
        Ok(None) => None,
        Err(error) => Some(Update::Failed(explain(&error))),
    }
}

/// What a write says by itself, or why it was not done.
fn answered(done: Result<Option<Update>>) -> Option<Update> {
    done.unwrap_or_else(|error| Some(Update::Failed(explain(&error))))
}

/// What is to be said when it is done.
type Said = Option<&'static str>;

/// What is about a conversation.
async fn conversation(context: &Context, write: Write) -> Result<Said> {
    let of = |id| context.client.conversation(id);
    match write {
        Write::Retry(id, message) => of(id).retry(message).await?,
        Write::Cancel(id, message) => of(id).cancel(message).await?,
        Write::MarkRead(id, through) => of(id).mark_read(through).await?,
        Write::Draft(id, draft) => of(id).set_draft(&draft).await?,
        Write::Pin(id, pinned) => of(id).set_pinned(pinned).await?,
        Write::Accept(id) => of(id).accept().await?,
        Write::Timer(id, seconds) => groups::set_timer(context, id, seconds).await?,
        Write::Poll {
            conversation,
            question,
            options,
            several,
        } => messages::poll(context, conversation, question, (options, several)).await?,
        Write::Forward(id, message) => {
            of(id).forward(message).await?;
            return Ok(Some("forwarded"));
        }
        Write::Join(link) => {
            context.client.join_group(&link).await?;
            return Ok(Some(
                "asked: the group shows up once an admin's device has answered",
            ));
        }
        Write::Archive(id, archived) => {
            of(id).set_archived(archived).await?;
            return Ok(Some(if archived {
                "moved to the archive: /archived shows it"
            } else {
                "back from the archive"
            }));
        }
        Write::Mute(id, hours) => {
            let time = Duration::from_secs(u64::from(hours).saturating_mul(60 * 60));
            of(id).mute_for((hours > 0).then_some(time)).await?;
            return Ok(Some(if hours > 0 {
                "muted"
            } else {
                "no longer muted"
            }));
        }
        Write::Delete(id) => {
            of(id).delete().await?;
            return Ok(Some("deleted on this device"));
        }
        // About people, or done above.
        _ => {}
    }
    Ok(None)
}

/// What is about a person: the list and the screen are to show it.
async fn person(context: &Context, write: Write, list_again: &watch::Sender<()>) -> Result<Said> {
    let contacts = context.client.contacts();
    let (account, said) = match write {
        Write::Block(account, true) => {
            contacts.block(account).await?;
            (account, Some("blocked: find them again with /contacts"))
        }
        Write::Block(account, false) => {
            contacts.unblock(account).await?;
            (account, Some("no longer blocked"))
        }
        Write::Verified(account, verified) => {
            contacts.set_verified(account, verified).await?;
            (account, None)
        }
        Write::AcceptChange(account) => {
            contacts.accept_change(account).await?;
            (account, Some("accepted: what waited is sent"))
        }
        Write::Rename(account, name) => {
            contacts.set_name(account, name).await?;
            (account, None)
        }
        _ => return Ok(None),
    };
    list_again.send_replace(());
    let looked = super::look(&context.client, account).await?;
    context.say(looked).await;
    Ok(said)
}

async fn open(context: &Context, account: AccountId) -> Result<Update> {
    let conversation = context.client.conversation_with(account).await?;
    let contact = context.client.contacts().get(account).await?;
    let name = contact.and_then(|contact| contact.name.or(contact.user_name));
    let name = crate::model::name(name.as_deref(), account);
    Ok(Update::Opened(conversation.id(), account, name))
}
