//! Questions to the relay.

use hushpost::{AccountId, Error, Registration, Result};
use tokio::sync::watch;

use super::{Context, messages};
use crate::effect::{Gathering, Relay};
use crate::update::Update;

pub(super) async fn ask(context: Context, question: Relay, list_again: watch::Sender<()>) {
    let client = &context.client;
    let update = match question {
        Relay::Connect => {
            client.connect();
            return;
        }
        Relay::Register(invite) => match client.register(registration(&context, invite)).await {
            Ok(account) => {
                client.connect();
                Update::Registered(account)
            }
            Err(error) => Update::NotRegistered {
                why: error.to_string(),
                again: error.is_retryable(),
            },
        },
        Relay::SetUserName(name) => set_user_name(&context, name).await,
        Relay::Gather { known, names, then } => {
            let gathered = gather(&context, known, &names, then).await;
            list_again.send_replace(());
            gathered
        }
        Relay::Link {
            conversation,
            url,
            text,
        } => match messages::link(&context, conversation, &url, text).await {
            Some(update) => update,
            None => return,
        },
        Relay::Find(name) => match find(&context, &name).await {
            Ok((account, before)) => {
                list_again.send_replace(());
                Update::Found {
                    name,
                    account,
                    before,
                }
            }
            Err(Error::NotFound(_)) => Update::Failed(format!("nobody is called {name}")),
            Err(error) => Update::Failed(format!("{name} was not looked up: {error}")),
        },
    };
    context.say(update).await;
}

fn registration(context: &Context, invite: Option<String>) -> Registration {
    if let Some(code) = invite.or_else(|| context.options.invite.clone()) {
        Registration::with_invite_code(code)
    } else if let Some(token) = &context.options.token {
        Registration::with_token(token.clone())
    } else {
        Registration::open()
    }
}

async fn set_user_name(context: &Context, name: String) -> Update {
    let set = context.client.set_user_name(&name).await;
    let kept = match set {
        Ok(()) => context.folder.keep_user_name(&name),
        Err(error) => {
            return Update::NotNamed {
                name,
                why: error.to_string(),
                again: error.is_retryable(),
            };
        }
    };
    match kept {
        Ok(()) => Update::Named(name),
        Err(error) => Update::Failed(format!("the name is yours, but not noted: {error}")),
    }
}

/// All of these people, or why not.
async fn gather(
    context: &Context,
    mut accounts: Vec<AccountId>,
    names: &[String],
    then: Gathering,
) -> Update {
    for name in names {
        match context.client.contacts().find_by_user_name(name).await {
            Ok(account) => accounts.push(account),
            Err(Error::NotFound(_)) => return Update::Failed(format!("nobody is called {name}")),
            Err(error) => return Update::Failed(format!("{name} was not looked up: {error}")),
        }
    }
    accounts.sort_unstable();
    accounts.dedup();
    Update::Gathered { accounts, then }
}

/// Whom a name means, and whom it meant before, if that was somebody else.
async fn find(context: &Context, name: &str) -> Result<(AccountId, Option<AccountId>)> {
    let contacts = context.client.contacts();
    let known = contacts.list().await?;
    let before = known
        .iter()
        .find(|contact| contact.user_name.as_deref() == Some(name))
        .map(|contact| contact.account);
    let account = contacts.find_by_user_name(name).await?;
    Ok((account, before.filter(|before| *before != account)))
}
