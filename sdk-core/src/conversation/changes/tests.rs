//! Changes in every order, of everything, by everybody.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};

use hushpost_wire::{DeviceId, MessageId};
use proptest::prelude::*;

use super::*;
use crate::clock::Stamp;
use crate::content::{ConversationId, Emoji, Poll, Reply, Text};
use crate::conversation::rows::{self as messages, NewMessage, state};
use crate::conversation::{expiry, features, history, remove};
use crate::message::Message;
use crate::store::{DatabaseKey, Store};
use crate::{Error, StoreThreads};

/// When everything happens, milliseconds.
pub(super) const NOW: u64 = 1_800_000_000_000;
const MINUTE: u64 = 60_000;

/// A post of somebody's.
#[derive(Clone)]
pub(super) struct Post {
    by: u8,
    id: u8,
    at_ms: u64,
    content: Vec<u8>,
}

impl core::fmt::Debug for Post {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let at = self.at_ms - NOW;
        match Said::decode(&self.content) {
            Ok(Said::Quiet(Change::Vote(target, options))) => {
                write!(
                    f,
                    "{}/{} at {at}: {options:?} {:x?}",
                    self.by, self.id, target.id
                )
            }
            Ok(Said::Quiet(change)) => write!(f, "{}/{} at {at}: {change:?}", self.by, self.id),
            _ => write!(f, "{}/{} at {at}", self.by, self.id),
        }
    }
}

pub(super) fn person(number: u8) -> AccountId {
    AccountId::of_key(&[number; 32])
}

pub(super) fn named(by: u8, id: u8) -> MessageRef {
    MessageRef {
        sender: person(by),
        id: MessageId::from_slice(&[id; 16]).unwrap(),
    }
}

pub(super) fn says(by: u8, id: u8, at_ms: u64, content: impl Into<Content>) -> Post {
    let content = content.into().encode();
    Post {
        by,
        id,
        at_ms,
        content,
    }
}

pub(super) fn changes(by: u8, id: u8, at_ms: u64, change: &Change) -> Post {
    let content = change.encode();
    Post {
        by,
        id,
        at_ms,
        content,
    }
}

pub(super) fn text(body: &str) -> Text {
    Text::new(body).unwrap()
}

/// A text, a poll, and an answer that quotes the text.
fn said() -> Vec<Post> {
    let reply = Reply {
        to: named(1, 1),
        excerpt: "the secret word".to_owned(),
    };
    vec![
        says(1, 1, NOW, text("the secret word")),
        says(
            2,
            2,
            NOW + 1,
            Poll::new("when?", ["today", "never"]).unwrap(),
        ),
        says(3, 3, NOW + 2, text("really?").in_reply_to(reply)),
    ]
}

/// What there is to see.
#[derive(Debug, PartialEq, Eq, Default)]
struct View {
    messages: Vec<Message>,
    pinned: Vec<MessageRef>,
    timer_s: u32,
    found: Vec<MessageRef>,
    /// Rows that hold a word that nobody is to find.
    secrets: i64,
}

pub(super) fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let key = DatabaseKey::new([1; 32]);
    let store = Store::open(&folder.path().join("db"), &key, StoreThreads::Inline, None).unwrap();
    (folder, store)
}

/// Does something in a conversation of its own that is not kept.
pub(super) fn in_a_conversation<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Transaction<'_>, &ConversationRow) -> Result<T> + Send + 'static,
) -> T {
    let seen = Arc::new(Mutex::new(None));
    let out = Arc::clone(&seen);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let undone = runtime.unwrap().block_on(store.write(move |tx| {
        let row = messages::open_with(tx, person(1), person(2), true, Stamp::at(NOW))?;
        *out.lock().unwrap() = Some(work(tx, &row)?);
        // Whatever was done is undone.
        Err::<(), _>(Error::NotConnected)
    }));
    assert!(matches!(undone, Err(Error::NotConnected)), "{undone:?}");
    seen.lock().unwrap().take().unwrap()
}

/// A post comes, as the inbox takes it once it is its turn. Says what came of it.
pub(super) fn comes(
    tx: &Transaction<'_>,
    conversation: &ConversationRow,
    post: &Post,
) -> Result<Taken> {
    let quiet = matches!(Said::decode(&post.content).unwrap(), Said::Quiet(_));
    let id = named(post.by, post.id);
    let inserted = messages::insert(
        tx,
        &NewMessage {
            conversation: conversation.id,
            id,
            device: DeviceId::PRIMARY,
            chain: ChainId(0),
            sequence: Sequence::new(u64::from(post.id) + 1).unwrap(),
            stamp: Stamp::at(post.at_ms),
            content: &post.content,
            state: if quiet { state::QUIET } else { state::UNREAD },
            quiet,
            expires_after_s: 0,
            created_ms: NOW,
            accepted_ms: Some(post.at_ms),
        },
    )?;
    let Some(row) = inserted else {
        return Ok(Taken::default());
    };
    let mut events = Vec::new();
    if quiet {
        return take(tx, conversation, row, id.sender, &mut events);
    }
    arrived(tx, conversation, row, id, &mut events)?;
    Ok(Taken::default())
}

fn view(tx: &Transaction<'_>, conversation: &ConversationRow) -> Result<View> {
    let id: ConversationId = conversation.conversation_id;
    let mut found = tx.prepare(
        "SELECT m.sender, m.message_id FROM search s JOIN message m ON m.id = s.rowid
         WHERE search MATCH 'secret OR better OR when' ORDER BY m.stamp, m.sender",
    )?;
    let found = found.query_map([], |row| {
        Ok(MessageRef {
            sender: account(row, 0)?,
            id: crate::store::columns::message_id(row, 1)?,
        })
    })?;
    let secrets = "SELECT count(*) FROM message WHERE instr(content, x'736563726574') > 0
         OR instr(coalesce(shown, x''), x'736563726574') > 0";
    Ok(View {
        messages: history::before(tx, id, None, 100)?.messages,
        pinned: features::pinned(tx, id)?
            .iter()
            .map(|message| message.id)
            .collect(),
        timer_s: expiry::timer(tx, conversation)?,
        found: found.collect::<Result<_, _>>()?,
        secrets: tx.query_row(secrets, [], |row| row.get(0))?,
    })
}

fn seen_after(store: &Store, posts: Vec<Post>) -> View {
    in_a_conversation(store, move |tx, conversation| {
        for post in &posts {
            comes(tx, conversation, post)?;
        }
        view(tx, conversation)
    })
}

fn react(target: MessageRef, emoji: &str) -> Change {
    Change::React(target, Some(Emoji::new(emoji).unwrap()))
}

#[test]
fn each_change_does_what_it_says_before_its_target_or_after() {
    let (_folder, store) = store();
    let made = vec![
        changes(1, 10, NOW + 10, &Change::Edit(named(1, 1), text("better"))),
        changes(2, 11, NOW + 11, &react(named(1, 1), "👍")),
        changes(2, 12, NOW + 12, &react(named(1, 1), "❤️")),
        changes(3, 13, NOW + 13, &react(named(1, 1), "👍")),
        changes(3, 14, NOW + 14, &Change::React(named(1, 1), None)),
        changes(1, 15, NOW + 15, &Change::Vote(named(2, 2), vec![1])),
        changes(3, 16, NOW + 16, &Change::Vote(named(2, 2), vec![1])),
        changes(3, 17, NOW + 17, &Change::Vote(named(2, 2), vec![0, 1])),
        changes(2, 18, NOW + 18, &Change::Pin(named(3, 3), true)),
        changes(2, 19, NOW + 19, &Change::Timer(60)),
    ];
    let after = seen_after(&store, [said(), made.clone()].concat());
    let before = seen_after(&store, [made, said()].concat());
    assert_eq!(after, before);
    let [first, poll, answer] = &after.messages[..] else {
        panic!("{} messages", after.messages.len());
    };
    assert!(first.content == Content::Text(text("better")));
    assert_eq!(first.edited_ms, Some(NOW + 10));
    let reactions: Vec<_> = first
        .reactions
        .iter()
        .map(|one| (one.account, one.emoji.as_str()))
        .collect();
    assert_eq!(reactions, [(person(2), "❤️")]);
    let mut voted = vec![person(1), person(3)];
    voted.sort();
    assert_eq!(poll.votes, [vec![], voted]);
    assert!(answer.pinned && !first.pinned);
    assert_eq!(after.pinned, [named(3, 3)]);
    assert_eq!(after.timer_s, 60);
    // The old text is not found any more; the new one is, and so is the poll.
    assert_eq!(after.found, [named(1, 1), named(2, 2)]);
}

#[test]
fn what_somebody_may_not_do_is_not_done_nor_confirmed() {
    let (_folder, store) = store();
    let forged = [
        changes(2, 10, NOW + 10, &Change::Edit(named(1, 1), text("better"))),
        changes(2, 11, NOW + 11, &Change::Delete(named(1, 1))),
        // Not of a text; of a change; of what never was.
        changes(2, 12, NOW + 12, &react(named(2, 10), "👍")),
        changes(2, 13, NOW + 13, &react(named(1, 99), "👍")),
    ];
    let untouched = seen_after(&store, said());
    let (view, taken) = in_a_conversation(&store, move |tx, conversation| {
        for post in said() {
            comes(tx, conversation, &post)?;
        }
        let mut taken = Vec::new();
        for post in &forged {
            taken.push(comes(tx, conversation, post)?.target_shown);
        }
        Ok((view(tx, conversation)?, taken))
    });
    assert_eq!(taken, [false; 4]);
    assert_eq!(view, untouched);
    // An own poll is no text, and an hour is over.
    let made = vec![
        changes(2, 10, NOW + 10, &Change::Edit(named(2, 2), text("better"))),
        changes(1, 11, NOW + 61 * MINUTE, &Change::Delete(named(1, 1))),
    ];
    assert_eq!(seen_after(&store, [said(), made].concat()), untouched);
}

#[test]
fn nothing_is_left_of_what_was_deleted_for_everyone() {
    let (_folder, store) = store();
    let made = vec![
        changes(
            1,
            10,
            NOW + 10,
            &Change::Edit(named(1, 1), text("secret again")),
        ),
        changes(2, 11, NOW + 11, &react(named(1, 1), "👍")),
        changes(2, 12, NOW + 12, &Change::Pin(named(1, 1), true)),
        changes(1, 13, NOW + MINUTE, &Change::Delete(named(1, 1))),
        changes(
            1,
            14,
            NOW + 2 * MINUTE,
            &Change::Edit(named(1, 1), text("secret once more")),
        ),
    ];
    let seen = seen_after(&store, [said(), made.clone()].concat());
    let deleted = &seen.messages[0];
    assert!(deleted.content == Content::Deleted);
    assert!(deleted.reactions.is_empty() && !deleted.pinned && deleted.edited_ms.is_none());
    assert_eq!(seen.secrets, 0);
    assert_eq!(seen.found, [named(2, 2)]);
    // The answer is still one, and quotes nothing.
    let Content::Text(answer) = &seen.messages[2].content else {
        panic!("no text");
    };
    assert_eq!(answer.reply_to().unwrap().excerpt, "");
    let turned: Vec<Post> = [said(), made].concat().into_iter().rev().collect();
    let turned = seen_after(&store, turned);
    assert!(turned.messages[0].content == Content::Deleted);
    assert_eq!((turned.secrets, turned.found), (0, seen.found));
}

#[test]
fn a_message_that_is_removed_here_takes_everything_with_it() {
    let (_folder, store) = store();
    let view = in_a_conversation(&store, |tx, conversation| {
        for post in said() {
            comes(tx, conversation, &post)?;
        }
        let edit = Change::Edit(named(1, 1), text("secret again"));
        comes(tx, conversation, &changes(1, 10, NOW + 10, &edit))?;
        let row = messages::row_of(tx, named(1, 1))?.unwrap();
        let mut events = Vec::new();
        remove::remove(tx, row, true, &mut events)?;
        assert!(
            matches!(events[0], Event::MessageRemoved { message, .. } if message == named(1, 1))
        );
        // It does not come back, whatever is said of it or how often it is sent.
        for late in [edit, Change::Pin(named(1, 1), true)] {
            let taken = comes(tx, conversation, &changes(1, 20, NOW + 20, &late))?;
            assert!(!taken.target_shown);
        }
        comes(tx, conversation, &said()[0])?;
        view(tx, conversation)
    });
    assert_eq!(view.messages.len(), 2);
    assert_eq!((view.secrets, view.pinned.len()), (0, 0));
}

#[test]
fn changes_of_nothing_do_not_pile_up() {
    let (_folder, store) = store();
    let (waiting, view) = in_a_conversation(&store, |tx, conversation| {
        let count = || -> Result<usize> {
            Ok(tx.query_row("SELECT count(*) FROM change", [], |row| row.get(0))?)
        };
        let react = |number: u16, target: MessageRef| -> Result<()> {
            let content = react(target, "👍").encode();
            let id = [&number.to_be_bytes()[..], &[7; 14]].concat();
            let row = messages::insert(
                tx,
                &NewMessage {
                    conversation: conversation.id,
                    id: MessageRef {
                        sender: person(2),
                        id: MessageId::from_slice(&id).unwrap(),
                    },
                    device: DeviceId::PRIMARY,
                    chain: ChainId(0),
                    sequence: Sequence::new(u64::from(number) + 1).unwrap(),
                    stamp: Stamp::at(NOW + u64::from(number)),
                    content: &content,
                    state: state::QUIET,
                    quiet: true,
                    expires_after_s: 0,
                    created_ms: NOW,
                    accepted_ms: Some(NOW),
                },
            )?;
            take(tx, conversation, row.unwrap(), person(2), &mut Vec::new())?;
            Ok(())
        };
        for number in 0..400 {
            react(number, named(1, 1))?;
        }
        let waiting = count()?;
        comes(tx, conversation, &said()[0])?;
        for number in 400..500 {
            react(number, named(1, 1))?;
        }
        assert_eq!(count()?, MAX_REPEATS);
        Ok((waiting, view(tx, conversation)?))
    });
    assert_eq!(waiting, MAX_WAITING);
    assert_eq!(view.messages[0].reactions.len(), 1);
}

/// A change by anybody, of anything, at about the same time or too late.
fn any_change(id: u8) -> impl Strategy<Value = Post> {
    let target = prop_oneof![
        Just(named(1, 1)),
        Just(named(2, 2)),
        Just(named(3, 3)),
        Just(named(3, 90)),
        Just(named(1, id.saturating_sub(1))),
    ];
    let minutes = prop_oneof![4 => 0..4u64, 1 => 59..62u64];
    (1..4u8, target, 0..7u8, minutes).prop_map(move |(by, target, kind, minutes)| {
        let change = match kind {
            0 | 1 => Change::Edit(target, text(&format!("better {id} secret"))),
            2 => react(target, "👍"),
            3 if id.is_multiple_of(2) => Change::React(target, None),
            3 => react(target, "❤️"),
            4 if id.is_multiple_of(3) => Change::Delete(target),
            4 => Change::Timer(u32::from(id)),
            5 => Change::Pin(target, id.is_multiple_of(2)),
            _ => Change::Vote(target, vec![u32::from(id) % 3]),
        };
        changes(by, id, NOW + minutes * MINUTE, &change)
    })
}

fn any_changes() -> impl Strategy<Value = Vec<Post>> {
    (1..20u8).prop_flat_map(|count| (0..count).map(|n| any_change(10 + n)).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_seen_depends_on_what_was_said_and_not_on_when_it_came(
        (straight, shuffled) in any_changes().prop_flat_map(|changes| {
            let all = [said(), changes].concat();
            // Some come twice.
            let twice = all.iter().step_by(3).cloned().collect();
            (Just(all.clone()), Just([all, twice].concat()).prop_shuffle())
        }),
    ) {
        let (_folder, store) = store();
        let expected = seen_after(&store, straight);
        // What waits for a message that is none is kept, and what came after it was known to be none is not.
        let seen = View { secrets: expected.secrets, ..seen_after(&store, shuffled) };
        prop_assert_eq!(seen, expected);
    }
}
