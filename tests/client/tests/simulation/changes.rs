//! Changes of messages in the simulation: edits, reactions and deletions for everyone, also of what was not
//! delivered yet, in 1:1 conversations and in groups.

use hushpost::{Content, ConversationId, Emoji, Error, Message, MessageRef, Text};

use crate::step::{Place, Rewrite};
use crate::world::World;

/// Emoji that people use.
const EMOJI: [&str; 3] = ["👍", "😂", "🎉"];

/// A change that was made.
pub struct Changed {
    pub by: usize,
    pub target: MessageRef,
    pub what: What,
    /// In a group: its number among the posts.
    pub post: Option<usize>,
}

pub enum What {
    Text(String),
    Emoji(Option<Emoji>),
    Deleted,
}

impl World {
    /// Somebody changes one of the last messages that are shown to them.
    pub async fn rewrite(&mut self, by: usize, place: Place, rewrite: Rewrite) {
        let (id, post) = match place {
            Place::With(other) => {
                let (ours, theirs) = (self.people[by].account, self.people[other].account);
                (ConversationId::between(ours, theirs), None)
            }
            Place::Group(group) => match self.begin_post(group, by).await {
                Some((id, post)) => (id, Some(post)),
                None => return,
            },
        };
        let ours = self.people[by].account;
        let history = self.people[by].history_of(id).await;
        let may = |message: &&Message| {
            let own = message.id.sender == ours;
            matches!(message.content, Content::Text(_)) && (own || !rewrite.is_of_own())
        };
        let choice: Vec<MessageRef> = history
            .iter()
            .rev()
            .filter(may)
            .take(4)
            .map(|message| message.id)
            .collect();
        let Some(target) = choice.get(rewrite.pick() % choice.len().max(1)).copied() else {
            return;
        };
        let conversation = self.people[by].open().await.conversation(id);
        let number = self.changes.len();
        let (what, made) = match rewrite {
            Rewrite::Edit(_) => {
                let body = format!("edit {number}");
                let text = Text::new(body.as_str()).unwrap();
                (What::Text(body), conversation.edit(target, text).await)
            }
            Rewrite::React(_, emoji) => {
                let emoji = EMOJI.get(emoji).map(|emoji| Emoji::new(*emoji).unwrap());
                let made = conversation.react(target, emoji.clone()).await;
                (What::Emoji(emoji), made)
            }
            Rewrite::Delete(_) => {
                let made = conversation.delete_for_everyone(target).await;
                (What::Deleted, made)
            }
        };
        match made {
            Ok(()) => {}
            // It failed and waits to be tried again, or by this phone's clock it was sent too long ago.
            Err(Error::NotFound(_) | Error::InvalidInput(_)) => return,
            Err(error) => panic!("{by} changes a message: {error}"),
        }
        self.note(&format!("{by} did that"));
        let post = post.map(|post| {
            self.groups.posts.push(post);
            self.groups.posts.len() - 1
        });
        self.changes.push(Changed {
            by,
            target,
            what,
            post,
        });
    }
}
