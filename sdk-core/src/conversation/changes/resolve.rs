//! What a message's changes amount to: a pure function of the set of them.
//!
//! The last writer wins, by the order that travels: stamp, sender, device, sequence, and the random id where a
//! liar made even those the same.

use std::collections::BTreeMap;

use hushpost_wire::{AccountId, MessageId};

use crate::content::{Change, Content, Emoji, Text};
use crate::message::{Cursor, Reaction};

/// How long after sending it a sender may delete a message for everyone, milliseconds.
pub(crate) const DELETE_WITHIN_MS: u64 = 3600 * 1000;

/// A change, by whom, and its place.
pub(crate) struct Made {
    pub(crate) at: Cursor,
    pub(crate) id: MessageId,
    pub(crate) change: Change,
    /// When the relay accepted it; an own one may not have been yet.
    pub(crate) accepted_ms: Option<u64>,
}

/// What they amount to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// It was deleted for everyone; then there is nothing else.
    pub(crate) deleted: bool,
    /// The text in place of the original one, and when it was written.
    pub(crate) edit: Option<(Text, u64)>,
    /// Held up for all, since.
    pub(crate) pinned_ms: Option<u64>,
    pub(crate) reactions: Vec<Reaction>,
    /// Of a poll: by answer.
    pub(crate) votes: Vec<Vec<AccountId>>,
}

/// Works it out for a message that was sent at a time with this content. Whoever may not edit or delete at all was
/// left out before.
pub(crate) fn resolve(sent: Cursor, content: &Content, mut changes: Vec<Made>) -> Outcome {
    changes.sort_by_key(|made| (made.at, made.id));
    let mut outcome = Outcome::default();
    let mut reactions: BTreeMap<AccountId, Option<Emoji>> = BTreeMap::new();
    let mut votes: BTreeMap<AccountId, Vec<u32>> = BTreeMap::new();
    for made in changes {
        let by = made.at.sender;
        match made.change {
            Change::Edit(_, text) => {
                if let Some(original) = content.text()
                    && by == sent.sender
                {
                    let text = text.answering(original.reply_to().cloned());
                    outcome.edit = Some((text, made.at.stamp.ms()));
                }
            }
            Change::Delete(_) => {
                let in_time =
                    made.at.stamp.ms() <= sent.stamp.ms().saturating_add(DELETE_WITHIN_MS);
                if by != sent.sender || in_time {
                    return Outcome {
                        deleted: true,
                        ..Outcome::default()
                    };
                }
            }
            Change::React(_, emoji) => {
                reactions.insert(by, emoji);
            }
            Change::Pin(_, pinned) => outcome.pinned_ms = pinned.then_some(made.at.stamp.ms()),
            Change::Vote(_, options) => {
                if let Content::Poll(poll) = content
                    && poll.takes(&options)
                {
                    votes.insert(by, options);
                }
            }
            Change::Timer(_) => {}
        }
    }
    outcome.reactions = reactions
        .into_iter()
        .filter_map(|(account, emoji)| {
            Some(Reaction {
                account,
                emoji: emoji?,
            })
        })
        .collect();
    if let Content::Poll(poll) = content {
        outcome.votes = (0..)
            .zip(poll.options())
            .map(|(option, _)| {
                let chosen = votes
                    .iter()
                    .filter(|(_, options)| options.contains(&option));
                chosen.map(|(account, _)| *account).collect()
            })
            .collect();
    }
    outcome
}
