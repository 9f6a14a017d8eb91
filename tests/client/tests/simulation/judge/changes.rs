//! What must hold of edits, reactions and deletions for everyone: all to whom a message and all its changes are owed
//! show the same of it, and that is what was said last: by its author, and by each who put an emoji on it. Where
//! phones' clocks are wild, what was last is the clocks' to say; that it is the same is asked all the same.

use std::collections::{BTreeMap, BTreeSet};

use hushpost::{AccountId, Content, Emoji, Message, MessageRef, Reaction};

use crate::changes::{Changed, What};
use crate::world::World;

/// What is shown of a message.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// `None`: deleted for everyone.
    text: Option<String>,
    edited: bool,
    reactions: Vec<(AccountId, String)>,
}

impl Look {
    fn of(message: &Message) -> Self {
        Self {
            text: match &message.content {
                Content::Text(text) => Some(text.body().to_owned()),
                Content::Deleted => None,
                other => Some(format!("{other:?}")),
            },
            edited: message.edited_ms.is_some(),
            reactions: reactions(&message.reactions),
        }
    }
}

fn reactions(reactions: &[Reaction]) -> Vec<(AccountId, String)> {
    let pairs = reactions.iter();
    pairs
        .map(|reaction| (reaction.account, reaction.emoji.as_str().to_owned()))
        .collect()
}

impl World {
    /// Messages that do not look as they should to everybody.
    pub async fn unfinished_changes(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        let at_the_end = self.members_at_the_end().await;
        let targets: BTreeSet<MessageRef> =
            self.changes.iter().map(|change| change.target).collect();
        for target in targets {
            let mut looks: Vec<(usize, Look)> = Vec::new();
            for who in 0..self.people.len() {
                if !self.all_is_owed(target, who, &at_the_end) {
                    continue;
                }
                if let Some(message) = self.people[who].open().await.message(target).await.unwrap()
                {
                    looks.push((who, Look::of(&message)));
                }
            }
            let Some((first, reference)) = looks.first() else {
                continue;
            };
            for (who, look) in &looks {
                if look != reference {
                    faults.push(format!("{first} sees {reference:?}, {who} sees {look:?}"));
                }
            }
            let expected = self.expected(target);
            if !self.wild_clocks && looks.len() > 1 && !fits(reference, &expected) {
                faults.push(format!("{reference:?} should be {expected:?}"));
            }
        }
        faults
    }

    /// Whether somebody must have a message and all that was said of it.
    fn all_is_owed(&self, target: MessageRef, who: usize, at_the_end: &[BTreeSet<usize>]) -> bool {
        let mut said = self.said.iter();
        if let Some(said) = said.find(|said| said.message == target) {
            return said.from == who || said.to == who;
        }
        let mut posts = self.groups.posts.iter();
        let posted = posts.find(|post| post.message == Some(target));
        posted.is_some_and(|post| self.is_owed(post, who, at_the_end))
            && self.of(target).all(|change| {
                let post = change.post.map(|post| &self.groups.posts[post]);
                post.is_none_or(|post| self.is_owed(post, who, at_the_end))
            })
    }

    fn of(&self, target: MessageRef) -> impl Iterator<Item = &Changed> {
        let all = self.changes.iter();
        all.filter(move |change| change.target == target)
    }

    /// What was said last.
    fn expected(&self, target: MessageRef) -> Look {
        let (mut text, mut edited) = (None, false);
        let mut emoji: BTreeMap<AccountId, Option<Emoji>> = BTreeMap::new();
        for change in self.of(target) {
            match &change.what {
                What::Deleted => {
                    return Look {
                        text: None,
                        edited: false,
                        reactions: Vec::new(),
                    };
                }
                What::Text(body) => (text, edited) = (Some(body.clone()), true),
                What::Emoji(chosen) => {
                    emoji.insert(self.people[change.by].account, chosen.clone());
                }
            }
        }
        let chosen = emoji.into_iter();
        let chosen = chosen.filter_map(|(account, emoji)| {
            Some(Reaction {
                account,
                emoji: emoji?,
            })
        });
        Look {
            text: Some(text.unwrap_or_default()),
            edited,
            reactions: reactions(&chosen.collect::<Vec<_>>()),
        }
    }
}

/// A text that nobody edited is whatever it was.
fn fits(look: &Look, expected: &Look) -> bool {
    look.edited == expected.edited
        && look.reactions == expected.reactions
        && match (&look.text, &expected.text) {
            (None, None) => true,
            (Some(text), Some(wanted)) => !expected.edited || text == wanted,
            _ => false,
        }
}
