//! What can be done with messages that are there, both ways over a real relay: edits, reactions, deletions, stars,
//! pins, forwards, places, cards, polls, mentions; and messages that disappear.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hushpost::{
    Clock, ContactCard, Content, Emoji, Event, LinkPreview, Location, Mention, Message, MessageRef,
    MessageState, Poll, Reaction, Reply, SystemClock, Text,
};
use hushpost_client_tests::{Pair, Person, PersonOptions, TestError, text};
use hushpost_harness::RelayProcess;

type Result = core::result::Result<(), TestError>;

const DAY_MS: i64 = 24 * 3_600_000;

/// Waits until somebody sees a message as it should be.
async fn until_seen(
    person: &Person,
    message: MessageRef,
    what: &str,
    is_so: impl Fn(&Message) -> bool,
) -> core::result::Result<Message, TestError> {
    person
        .until(what, || async {
            let found = person.client.message(message).await?;
            Ok(found.filter(|found| is_so(found)))
        })
        .await
}

fn says(message: &Message, body: &str) -> bool {
    matches!(&message.content, Content::Text(text) if text.body() == body)
}

fn emoji(emoji: &str) -> core::result::Result<Emoji, TestError> {
    Ok(Emoji::new(emoji)?)
}

async fn found(person: &Person, query: &str) -> core::result::Result<usize, TestError> {
    Ok(person.client.search(query, 0, 10).await?.len())
}

#[tokio::test]
async fn an_edit_is_seen_found_and_remembered_and_the_star_stays() -> Result {
    let relay = RelayProcess::start()?;
    let mut pair = Pair::meet(relay.address()).await?;
    let message = pair.alice_says("meet me at the libary").await?;
    pair.bob.until_shown(message).await?;
    let (hers, his) = (
        pair.alice.with(&pair.bob).await?,
        pair.bob.with(&pair.alice).await?,
    );
    his.star(message, true).await?;
    hers.edit(message, text("meet me at the library")?).await?;
    hers.edit(message, text("meet me at the harbour")?).await?;
    let seen = until_seen(&pair.bob, message, "the edit", |found| {
        says(found, "meet me at the harbour")
    })
    .await?;
    assert!(seen.starred && seen.edited_ms.is_some_and(|at| at >= seen.sent_ms));
    for person in [&pair.alice, &pair.bob] {
        assert_eq!(found(person, "libary").await?, 0);
        assert_eq!(found(person, "harbour").await?, 1);
        // Neither shown by itself nor counted.
        let other = if person.name == "alice" {
            &pair.bob
        } else {
            &pair.alice
        };
        let conversation = person.with(other).await?;
        assert_eq!(person.history(other).await?.len(), 3);
        assert_eq!(
            conversation.summary().await?.preview(),
            "meet me at the harbour"
        );
        let versions = conversation.versions(message).await?;
        let versions: Vec<_> = versions.iter().map(|one| one.text.body()).collect();
        assert_eq!(
            versions,
            [
                "meet me at the libary",
                "meet me at the library",
                "meet me at the harbour"
            ]
        );
    }
    assert_eq!(his.summary().await?.unread, 2);
    // What is another's is not edited; nor is what is no text.
    let refused = his.edit(message, text("never")?).await;
    assert_eq!(refused.unwrap_err().code(), "invalid_input");
    let starred = pair.bob.client.starred(None, 10).await?;
    assert_eq!(starred.len(), 1);
    assert_eq!(starred[0].id, message);
    his.star(message, false).await?;
    assert!(pair.bob.client.starred(None, 10).await?.is_empty());
    // Said and confirmed like everything else.
    pair.judge("edits").await
}

#[tokio::test]
async fn reactions_pins_and_votes_are_the_same_on_both_sides_and_after_a_restart() -> Result {
    let relay = RelayProcess::start()?;
    let mut pair = Pair::meet(relay.address()).await?;
    let message = pair.alice_says("shall we?").await?;
    pair.bob.until_shown(message).await?;
    let (hers, his) = (
        pair.alice.with(&pair.bob).await?,
        pair.bob.with(&pair.alice).await?,
    );
    let poll = hers
        .send(Poll::new("when?", ["today", "tomorrow"])?)
        .await?;
    pair.alice_said([poll]);
    pair.bob.until_shown(poll).await?;
    his.react(message, Some(emoji("👍")?)).await?;
    his.react(message, Some(emoji("❤️")?)).await?;
    hers.react(message, Some(emoji("🎉")?)).await?;
    hers.react(message, None).await?;
    his.vote(poll, &[1]).await?;
    hers.vote(poll, &[0]).await?;
    hers.vote(poll, &[1]).await?;
    his.pin_message(poll, true).await?;
    his.pin_message(message, true).await?;
    // Who has not seen the pin yet may speak of the time before it.
    until_seen(&pair.alice, message, "the pin", |found| found.pinned).await?;
    hers.pin_message(message, false).await?;
    for wrong in [&[2][..], &[0, 1]] {
        let refused = hers.vote(poll, wrong).await;
        assert_eq!(refused.unwrap_err().code(), "invalid_input");
    }
    let heart = [Reaction {
        account: pair.bob.account,
        emoji: emoji("❤️")?,
    }];
    let mut both = vec![pair.alice.account, pair.bob.account];
    both.sort();
    for person in [&pair.alice, &pair.bob] {
        let shown = until_seen(person, message, "the heart", |found| {
            found.reactions == heart && !found.pinned
        });
        shown.await?;
        let asked = until_seen(person, poll, "the votes", |found| {
            found.votes == [vec![], both.clone()] && found.pinned
        });
        asked.await?;
    }
    pair.judge("reactions").await?;
    for person in [&mut pair.alice, &mut pair.bob] {
        person.reopen().await?;
    }
    for (person, other) in [(&pair.alice, &pair.bob), (&pair.bob, &pair.alice)] {
        let pinned = person.with(other).await?.pinned_messages().await?;
        assert_eq!(pinned.len(), 1);
        assert_eq!(pinned[0].id, poll);
        assert_eq!(pinned[0].votes, [vec![], both.clone()]);
        let found = person.client.message(message).await?.unwrap();
        assert_eq!(found.reactions, heart);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_deleted_for_everyone_is_gone_from_both_and_its_quote_too() -> Result {
    let relay = RelayProcess::start()?;
    let mut pair = Pair::meet(relay.address()).await?;
    let message = pair.alice_says("the pin is 4711").await?;
    pair.bob.until_shown(message).await?;
    let (hers, his) = (
        pair.alice.with(&pair.bob).await?,
        pair.bob.with(&pair.alice).await?,
    );
    let reply = Reply {
        to: message,
        excerpt: "the pin is 4711".to_owned(),
    };
    let answer = his.send(text("careful")?.in_reply_to(reply)).await?;
    pair.alice.until_shown(answer).await?;
    his.react(message, Some(emoji("😱")?)).await?;
    let refused = his.delete_for_everyone(message).await;
    assert_eq!(refused.unwrap_err().code(), "invalid_input");
    hers.delete_for_everyone(message).await?;
    for person in [&pair.alice, &pair.bob] {
        let gone = until_seen(person, message, "the tombstone", |found| {
            found.content == Content::Deleted
        });
        assert!(gone.await?.reactions.is_empty());
        assert_eq!(found(person, "4711").await?, 0);
        let quote = person.client.message(answer).await?.unwrap();
        let Content::Text(quote) = quote.content else {
            panic!("no text");
        };
        assert_eq!(quote.reply_to().unwrap().excerpt, "");
    }
    let refused = hers.edit(message, text("the pin is 4711")?).await;
    assert_eq!(refused.unwrap_err().code(), "invalid_input");
    // On one device alone.
    his.delete_for_me(answer).await?;
    assert!(pair.bob.client.message(answer).await?.is_none());
    assert!(pair.alice.client.message(answer).await?.is_some());
    assert_eq!(pair.bob.history(&pair.alice).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn what_was_done_offline_arrives_in_one_piece() -> Result {
    let relay = RelayProcess::start()?;
    let mut pair = Pair::meet(relay.address()).await?;
    pair.alice.client.disconnect().await;
    pair.bob.client.disconnect().await;
    let (kept, deleted) = (
        pair.alice_says("frist").await?,
        pair.alice_says("a mistake").await?,
    );
    let hers = pair.alice.with(&pair.bob).await?;
    hers.edit(kept, text("first")?).await?;
    hers.react(kept, Some(emoji("🙂")?)).await?;
    hers.delete_for_everyone(deleted).await?;
    pair.alice.client.connect();
    pair.alice.until_state(deleted, MessageState::Sent).await?;
    pair.bob.client.connect();
    let seen = until_seen(&pair.bob, kept, "the edited one", |found| {
        says(found, "first") && !found.reactions.is_empty()
    });
    seen.await?;
    until_seen(&pair.bob, deleted, "the tombstone", |found| {
        found.content == Content::Deleted
    })
    .await?;
    assert_eq!(found(&pair.bob, "mistake").await?, 0);
    pair.judge("offline").await
}

#[tokio::test]
async fn places_cards_links_and_mentions_arrive_and_are_forwarded() -> Result {
    let relay = RelayProcess::start()?;
    let pair = Pair::meet(relay.address()).await?;
    let carol = Person::registered("carol", relay.address()).await?;
    let (alice, bob) = (&pair.alice, &pair.bob);
    let hers = alice.with(bob).await?;
    let place = Location::new(52.52, 13.405)?.named("Berlin", "")?;
    let card = ContactCard::new("Carol")?.with_account(carol.account);
    let link = LinkPreview::new("https://example.org")?.titled("Example", "")?;
    let spoken = Text::new("@bob see https://example.org")?
        .mentioning(vec![Mention {
            account: bob.account,
            range: 0..4,
        }])?
        .with_link_preview(link)?;
    let sent = [
        hers.send(place.clone()).await?,
        hers.send(card.clone()).await?,
        hers.send(spoken.clone()).await?,
    ];
    let all = [
        Content::Location(place),
        Content::ContactCard(card),
        Content::Text(spoken),
    ];
    for (message, content) in sent.iter().zip(&all) {
        let seen = until_seen(bob, *message, "each kind", |_| true).await?;
        assert!(seen.content == *content);
        assert_eq!(seen.forwards, 0);
    }
    let last = bob.client.message(sent[2]).await?.unwrap();
    assert!(last.mentions(bob.account) && !last.mentions(alice.account));
    assert_eq!(found(bob, "Berlin").await?, 1);

    // Twice on: the count rises, and whom it meant stays behind.
    let to_carol = bob.with(&carol).await?.forward(sent[2]).await?;
    let seen = until_seen(&carol, to_carol, "the forwarded one", |_| true).await?;
    assert_eq!(seen.forwards, 1);
    assert!(!seen.mentions(bob.account));
    let to_alice = carol.with(alice).await?.forward(to_carol).await?;
    let seen = until_seen(alice, to_alice, "the forwarded one", |_| true).await?;
    assert_eq!(seen.forwards, 2);
    let deleted = bob.client.conversation(hers.id());
    let refused = deleted.forward(to_alice).await;
    assert_eq!(refused.unwrap_err().code(), "not_found");
    Ok(())
}

static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Bob's phone, whose clock somebody sets.
struct SetTo(&'static AtomicI64);

impl Clock for SetTo {
    fn now_ms(&self) -> u64 {
        let ahead = self.0.load(Ordering::SeqCst);
        SystemClock.now_ms().saturating_add_signed(ahead)
    }
}

async fn read_all(person: &Person, other: &Person) -> Result {
    let conversation = person.with(other).await?;
    let newest = conversation.messages_before(None, 1).await?;
    Ok(conversation.mark_read(newest.messages[0].cursor).await?)
}

#[tokio::test]
async fn a_message_goes_when_its_time_is_over_even_while_the_app_is_closed() -> Result {
    let relay = RelayProcess::start()?;
    let set = PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(SetTo(&AHEAD)),
    };
    let mut pair = Pair::meet_with(relay.address(), PersonOptions::default(), set).await?;
    let hers = pair.alice.with(&pair.bob).await?;
    let his = pair.bob.with(&pair.alice).await?;
    let stays = pair.alice_says("this stays").await?;
    hers.set_disappearing(Some(Duration::from_secs(1))).await?;
    assert_eq!(hers.disappearing().await?, Some(Duration::from_secs(1)));
    let mut told = (pair.alice.client.events(), pair.bob.client.events());
    let short = pair.alice.say(&pair.bob, "the treasure map").await?;
    pair.bob.until_shown(short).await?;
    assert_eq!(his.disappearing().await?, Some(Duration::from_secs(1)));
    // Not read: it stays there. Here its time runs.
    let before = pair.bob.client.message(short).await?.unwrap();
    assert_eq!(before.expires_ms, None);
    let removed =
        |event: &Event| matches!(event, Event::MessageRemoved { message, .. } if *message == short);
    pair.alice
        .until_event(&mut told.0, "its end", removed)
        .await?;
    assert!(pair.alice.client.message(short).await?.is_none());
    assert!(pair.bob.client.message(short).await?.is_some());
    read_all(&pair.bob, &pair.alice).await?;
    pair.bob
        .until_event(&mut told.1, "its end", removed)
        .await?;
    for person in [&pair.alice, &pair.bob] {
        assert!(person.client.message(short).await?.is_none());
        assert_eq!(found(person, "treasure").await?, 0);
        assert!(person.client.message(stays).await?.is_some());
    }

    // A day, over while the app is closed: gone before anything can be listed.
    his.set_disappearing(Some(Duration::from_secs(86_400)))
        .await?;
    let day = pair.bob.say(&pair.alice, "for a day").await?;
    pair.alice.until_shown(day).await?;
    let one = pair.bob.client.message(day).await?.unwrap();
    assert!(one.expires_ms.is_some_and(|at| at > one.sent_ms));
    pair.bob.client.close().await;
    AHEAD.store(2 * DAY_MS, Ordering::SeqCst);
    pair.bob.reopen().await?;
    assert_eq!(
        pair.bob.texts(&pair.alice).await?.last().unwrap(),
        "this stays"
    );
    assert_eq!(found(&pair.bob, "day").await?, 0);

    // Whoever says so last ends it for both.
    pair.alice
        .with(&pair.bob)
        .await?
        .set_disappearing(None)
        .await?;
    assert_eq!(hers.disappearing().await?, None);
    Ok(())
}
