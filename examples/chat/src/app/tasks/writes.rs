//! Writes, in the order that they were asked for.

use core::time::Duration;

use hushpost::{AccountId, Error, Reply, Result, Text};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::Context;
use crate::effect::Write;
use crate::model::Quote;
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
    let client = &context.client;
    let contacts = client.contacts();
    let done = match write {
        Write::Send {
            conversation,
            text,
            reply,
        } => {
            let sent = match text_of(&text, reply.as_ref()) {
                Ok(ready) => client.conversation(conversation).send(ready).await,
                Err(error) => Err(error),
            };
            return sent.err().map(|error| Update::NotSent {
                conversation,
                text,
                reply,
                why: explain(&error),
            });
        }
        Write::Activity(id, activity) => {
            // Whether anybody sees it is nobody's concern.
            drop(client.conversation(id).set_activity(activity).await);
            return None;
        }
        Write::Open(account) => match open(context, account).await {
            Ok(update) => {
                list_again.send_replace(());
                return Some(update);
            }
            Err(error) => Err(error),
        },
        Write::Retry(id, message) => client.conversation(id).retry(message).await.map(|()| None),
        Write::Cancel(id, message) => client.conversation(id).cancel(message).await.map(|()| None),
        Write::MarkRead(id, through) => client
            .conversation(id)
            .mark_read(through)
            .await
            .map(|()| None),
        Write::Draft(id, draft) => client
            .conversation(id)
            .set_draft(&draft)
            .await
            .map(|()| None),
        Write::Archive(id, archived) => {
            let set = client.conversation(id).set_archived(archived).await;
            set.map(|()| {
                Some(if archived {
                    "moved to the archive: /archived shows it"
                } else {
                    "back from the archive"
                })
            })
        }
        Write::Pin(id, pinned) => client
            .conversation(id)
            .set_pinned(pinned)
            .await
            .map(|()| None),
        Write::Mute(id, hours) => {
            let time =
                (hours > 0).then(|| Duration::from_secs(u64::from(hours).saturating_mul(60 * 60)));
            let muted = client.conversation(id).mute_for(time).await;
            muted.map(|()| {
                Some(if hours > 0 {
                    "muted"
                } else {
                    "no longer muted"
                })
            })
        }
        Write::Accept(id) => client.conversation(id).accept().await.map(|()| None),
        Write::Delete(id) => {
            let deleted = client.conversation(id).delete().await;
            deleted.map(|()| Some("deleted on this device"))
        }
        Write::Block(account, blocked) => {
            let set = if blocked {
                contacts.block(account).await
            } else {
                contacts.unblock(account).await
            };
            let said = if blocked {
                "blocked: find them again with /contacts"
            } else {
                "no longer blocked"
            };
            known(context, account, list_again, set, Some(said)).await
        }
        Write::Verified(account, verified) => {
            let set = contacts.set_verified(account, verified).await;
            known(context, account, list_again, set, None).await
        }
        Write::AcceptChange(account) => {
            let set = contacts.accept_change(account).await;
            known(
                context,
                account,
                list_again,
                set,
                Some("accepted: what waited is sent"),
            )
            .await
        }
        Write::Rename(account, name) => {
            let set = contacts.set_name(account, name).await;
            known(context, account, list_again, set, None).await
        }
    };
    match done {
        Ok(Some(said)) => Some(Update::Done(said.to_owned())),
        Ok(None) => None,
        Err(error) => Some(Update::Failed(explain(&error))),
    }
}

fn text_of(text: &str, reply: Option<&Quote>) -> Result<Text> {
    let text = Text::new(text)?;
    Ok(match reply {
        Some(quote) => text.in_reply_to(Reply {
            to: quote.to,
            excerpt: quote.text.clone(),
        }),
        None => text,
    })
}

async fn open(context: &Context, account: AccountId) -> Result<Update> {
    let conversation = context.client.conversation_with(account).await?;
    let contact = context.client.contacts().get(account).await?;
    let name = contact.and_then(|contact| contact.name.or(contact.user_name));
    let name = crate::model::name(name.as_deref(), account);
    Ok(Update::Opened(conversation.id(), account, name))
}

/// Somebody is known otherwise from now on: the list and the screen are to show it.
async fn known(
    context: &Context,
    account: AccountId,
    list_again: &watch::Sender<()>,
    set: Result<()>,
    said: Option<&'static str>,
) -> Result<Option<&'static str>> {
    set?;
    list_again.send_replace(());
    let peer = super::look(&context.client, account).await?;
    context.say(peer).await;
    Ok(said)
}

/// What to do about it, where something can be done.
fn explain(error: &Error) -> String {
    match error {
        Error::Blocked => "they are blocked here: /unblock first".to_owned(),
        Error::VerificationNeeded => {
            "their devices changed: compare (/verify), then /accept-change".to_owned()
        }
        Error::NotRegistered => "this device is not registered yet".to_owned(),
        other => other.to_string(),
    }
}
