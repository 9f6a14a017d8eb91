//! Writes about groups.

use core::time::Duration;

use hushpost::{AccountId, ConversationId, Group, GroupSettings, NewGroup, Result};

use super::Context;
use crate::command::Rule;
use crate::effect::GroupWrite;
use crate::model::{About, GroupView};
use crate::update::Update;

pub(super) async fn make(
    context: &Context,
    name: String,
    members: Vec<AccountId>,
) -> Result<Update> {
    let shown = crate::text::clean_line(&name);
    let group = context
        .client
        .create_group(NewGroup::new(name, members))
        .await?;
    Ok(Update::OpenedGroup(group.id(), shown))
}

/// What is to be told when it is done.
pub(super) async fn change(
    context: &Context,
    id: ConversationId,
    write: GroupWrite,
) -> Result<Option<Update>> {
    let group = context.client.group(id);
    let said = match write {
        GroupWrite::Add(who) => {
            group.add(who).await?;
            None
        }
        GroupWrite::Remove(who) => {
            group.remove(who).await?;
            None
        }
        GroupWrite::Promote(who) => {
            group.promote(who).await?;
            None
        }
        GroupWrite::Demote(who) => {
            group.demote(who).await?;
            None
        }
        GroupWrite::Leave => {
            group.leave().await?;
            Some("you left; /delete removes what was said from this device")
        }
        GroupWrite::Name(name) => {
            group.set_name(name).await?;
            None
        }
        GroupWrite::Describe(text) => {
            group.set_description(text).await?;
            None
        }
        GroupWrite::Set(rule, on) => {
            settings(&group, |settings| match rule {
                Rule::AdminsSend => settings.only_admins_send = on,
                Rule::AdminsEdit => settings.only_admins_edit = on,
            })
            .await?;
            None
        }
        GroupWrite::Invite { hours, ask } => {
            let time =
                hours.map(|hours| Duration::from_secs(u64::from(hours).saturating_mul(3600)));
            let link = group.make_invite(time, ask).await?;
            return Ok(Some(Update::Invited(link)));
        }
        GroupWrite::Revoke => {
            group.revoke_invite().await?;
            Some("the link opens nothing any more")
        }
        GroupWrite::Refuse(who) => {
            group.refuse_join(who).await?;
            // No event tells it.
            return Ok(Some(Update::About(id, Some(about(context, id).await?))));
        }
    };
    Ok(said.map(|said| Update::Done(said.to_owned())))
}

/// Lets messages of a conversation disappear so long after they were read.
pub(super) async fn set_timer(context: &Context, id: ConversationId, seconds: u32) -> Result<()> {
    let after = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
    let conversation = context.client.conversation(id);
    if conversation.summary().await?.peer.is_some() {
        return conversation.set_disappearing(after).await;
    }
    let group = context.client.group(id);
    settings(&group, |settings| settings.disappearing = after).await
}

/// Changes one of them and leaves the others.
async fn settings(group: &Group, change: impl FnOnce(&mut GroupSettings)) -> Result<()> {
    let mut settings = group.info().await?.settings;
    change(&mut settings);
    group.set_settings(settings).await
}

/// What the header and the pages tell of a conversation.
pub(super) async fn about(context: &Context, id: ConversationId) -> Result<About> {
    let conversation = context.client.conversation(id);
    let timer = conversation.disappearing().await?;
    let group = if conversation.summary().await?.peer.is_none() {
        let group = context.client.group(id);
        let asking = group.join_requests().await?;
        Some(GroupView::new(&group.info().await?, asking))
    } else {
        None
    };
    Ok(About {
        timer_s: timer.map_or(0, |timer| timer.as_secs()),
        group,
    })
}
