//! What a chat app's screens need: requests, blocking, the list and its changes, search, typing, drafts, paging,
//! safety numbers, names, failures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use futures_util::{Stream, StreamExt as _};
use hushpost::{
    Activity, Content, Event, FailureReason, ListChange, MessageState, Reply, Standing, Text,
};
use hushpost_client_tests::{Person, TestError, text};
use hushpost_harness::RelayProcess;

type Result = core::result::Result<(), TestError>;

async fn alice_and_bob() -> core::result::Result<(RelayProcess, Person, Person), TestError> {
    let relay = RelayProcess::start()?;
    let alice = Person::registered("alice", relay.address()).await?;
    let bob = Person::registered("bob", relay.address()).await?;
    Ok((relay, alice, bob))
}

/// Both have accepted each other, and every tick is there.
async fn friends() -> core::result::Result<(RelayProcess, Person, Person), TestError> {
    let (relay, alice, bob) = alice_and_bob().await?;
    let hello = alice.say(&bob, "hello").await?;
    bob.until_shown(hello).await?;
    let answer = bob.say(&alice, "hello too").await?;
    alice.until_shown(answer).await?;
    alice.until_state(hello, MessageState::Delivered).await?;
    bob.until_state(answer, MessageState::Delivered).await?;
    Ok((relay, alice, bob))
}

/// Waits for a change of an observed list.
async fn until_change(
    changes: &mut (impl Stream<Item = ListChange> + Unpin),
    right: impl Fn(&ListChange) -> bool,
) {
    while !right(&changes.next().await.expect("a change")) {}
}

#[tokio::test]
async fn a_strangers_message_waits_as_a_request_and_is_confirmed_once_accepted() -> Result {
    let (_relay, alice, bob) = alice_and_bob().await?;
    let hello = alice.say(&bob, "do we know each other?").await?;
    bob.until_shown(hello).await?;
    let conversation = bob.with(&alice).await?;
    let summary = conversation.summary().await?;
    assert_eq!(summary.standing, Standing::Requested);
    assert_eq!(summary.unread, 1);
    alice.until_state(hello, MessageState::Sent).await?;

    // Reading it tells nothing either; nor may typing be shown to a stranger.
    let page = conversation.messages_before(None, 10).await?;
    conversation.mark_read(page.messages[0].cursor).await?;
    let typing = conversation.set_activity(Activity::Typing).await;
    assert_eq!(typing.unwrap_err().code(), "not_accepted");
    let state = alice.client.message(hello).await?.unwrap().state;
    assert_eq!(state, MessageState::Sent);

    conversation.accept().await?;
    assert_eq!(conversation.summary().await?.standing, Standing::Accepted);
    // That it was read before is said now.
    alice.until_state(hello, MessageState::Read).await?;
    Ok(())
}

#[tokio::test]
async fn who_is_blocked_is_not_shown_and_not_told() -> Result {
    let (_relay, alice, bob) = friends().await?;
    let mut changes = bob.client.conversations().observe(false);
    assert!(matches!(changes.next().await, Some(ListChange::Reset(list)) if list.len() == 1));
    bob.client.contacts().block(alice.account).await?;
    // Whoever watches the list sees what whoever reads it does.
    until_change(&mut changes, |change| *change == ListChange::Remove(0)).await;
    let unseen = alice.say(&bob, "can you hear me?").await?;
    alice.until_state(unseen, MessageState::Sent).await?;
    let refused = bob.with(&alice).await?.send(text("no")?).await;
    assert_eq!(refused.unwrap_err().code(), "blocked");
    assert!(
        bob.client
            .conversations()
            .list(false, 0, 10)
            .await?
            .is_empty()
    );

    // What comes after is behind it in the mailbox: once that is shown, the unseen one was dropped.
    bob.client.disconnect().await;
    bob.client.contacts().unblock(alice.account).await?;
    until_change(&mut changes, |change| {
        matches!(change, ListChange::Insert(0, _))
    })
    .await;
    bob.client.connect();
    let seen = alice.say(&bob, "and now?").await?;
    bob.until_shown(seen).await?;
    assert_eq!(
        bob.client.conversations().list(false, 0, 10).await?.len(),
        1
    );
    Ok(())
}

#[tokio::test]
async fn typing_is_seen_while_both_are_there() -> Result {
    let (_relay, alice, bob) = friends().await?;
    let mut events = bob.client.events();
    alice
        .with(&bob)
        .await?
        .set_activity(Activity::Typing)
        .await?;
    let seen = bob
        .until_event(&mut events, "typing", |event| {
            matches!(event, Event::Typing { .. })
        })
        .await?;
    let Event::Typing {
        account, activity, ..
    } = seen
    else {
        panic!("not typing");
    };
    assert_eq!((account, activity), (alice.account, Activity::Typing));
    // Nothing of it is stored.
    assert_eq!(bob.texts(&alice).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_list_is_in_order_and_its_changes_rebuild_it() -> Result {
    let relay = RelayProcess::start()?;
    let alice = Person::registered("alice", relay.address()).await?;
    let mut others = Vec::new();
    for name in ["bob", "carol", "dora"] {
        others.push(Person::registered(name, relay.address()).await?);
    }
    let mut changes = alice.client.conversations().observe(false);
    let mut shown = Vec::new();
    for other in &others {
        alice.say(other, "hi").await?;
    }
    let pinned = alice.with(&others[0]).await?;
    pinned.set_pinned(true).await?;
    pinned.set_draft("half a thought").await?;
    alice.with(&others[1]).await?.set_archived(true).await?;
    let answer = others[2].say(&alice, "hi back").await?;
    alice.until_shown(answer).await?;

    let expected: Vec<_> = alice
        .client
        .conversations()
        .list(false, 0, 10)
        .await?
        .into_iter()
        .map(|entry| (entry.peer, entry.unread, entry.draft))
        .collect();
    assert_eq!(expected.len(), 2);
    assert_eq!(expected[0].0, Some(others[0].account));
    assert_eq!(expected[0].2.as_deref(), Some("half a thought"));
    assert_eq!(expected[1], (Some(others[2].account), 1, None));
    while shown != expected {
        let view = |entry: hushpost::ConversationSummary| (entry.peer, entry.unread, entry.draft);
        match changes.next().await.unwrap() {
            ListChange::Reset(list) => shown = list.into_iter().map(view).collect(),
            ListChange::Insert(index, entry) => shown.insert(index, view(entry)),
            ListChange::Update(index, entry) => shown[index] = view(entry),
            ListChange::Remove(index) => drop(shown.remove(index)),
        }
    }
    assert_eq!(alice.client.conversations().unread().await?, 1);
    alice
        .with(&others[2])
        .await?
        .mute_for(Some(core::time::Duration::from_secs(3600)))
        .await?;
    assert_eq!(alice.client.conversations().unread().await?, 0);
    Ok(())
}

#[tokio::test]
async fn history_is_paged_both_ways_and_searched_in_any_script() -> Result {
    let (_relay, mut alice, bob) = friends().await?;
    alice.client.disconnect().await;
    for number in 0..20 {
        alice.say(&bob, &format!("number {number}")).await?;
    }
    for body in ["Приве́т, мир", "今天天气很好", "สวัสดีชาวโลก", "naïve café"]
    {
        alice.say(&bob, body).await?;
    }
    let conversation = alice.with(&bob).await?;
    let newest = conversation.messages_before(None, 10).await?;
    assert!(newest.more && newest.messages.len() == 10);
    let older = conversation
        .messages_before(Some(newest.messages[0].cursor), 100)
        .await?;
    assert!(!older.more);
    assert_eq!(older.messages.len(), 16);
    let again = conversation
        .messages_after(Some(older.messages[15].cursor), 100)
        .await?;
    assert_eq!(again.messages, newest.messages);

    for (query, found) in [
        ("привет", 1),
        ("天气", 1),
        ("สวัส", 1),
        ("cafe", 1),
        ("numb 19", 1),
        ("number", 20),
        ("nothing of it", 0),
        ("\"*", 0),
        ("NEAR(number", 0),
    ] {
        match alice.client.search(query, 0, 100).await {
            Ok(hits) => {
                assert_eq!(hits.len(), found, "{query}");
                for hit in hits {
                    assert!(!hit.highlights.is_empty(), "{query}");
                }
            }
            Err(error) => assert_eq!((error.code(), found), ("invalid_input", 0), "{query}"),
        }
    }
    assert!(alice.client.search("x", 0, 10).await.is_err());
    assert_eq!(conversation.search("number", 15, 100).await?.len(), 5);

    // A deleted conversation is found no more, and its ids are still known.
    conversation.delete().await?;
    assert!(alice.client.search("number", 0, 10).await?.is_empty());
    assert!(
        alice
            .client
            .conversations()
            .list(false, 0, 10)
            .await?
            .is_empty()
    );
    alice.reopen().await?;
    alice.client.connect();
    alice.until_online().await?;
    let back = bob.say(&alice, "still there?").await?;
    alice.until_shown(back).await?;
    assert_eq!(alice.texts(&bob).await?, ["still there?"]);
    Ok(())
}

#[tokio::test]
async fn an_answer_quotes_and_never_sorts_before_what_it_answers() -> Result {
    let (_relay, alice, bob) = friends().await?;
    let question = alice.say(&bob, "tea or coffee?").await?;
    bob.until_shown(question).await?;
    let reply = Text::new("tea")?.in_reply_to(Reply {
        to: question,
        excerpt: "tea or coffee?".to_owned(),
    });
    let answer = bob.with(&alice).await?.send(reply).await?;
    alice.until_shown(answer).await?;
    let history = alice.history(&bob).await?;
    let last = history.last().unwrap();
    assert_eq!(last.id, answer);
    let Content::Text(text) = &last.content else {
        panic!("not a text");
    };
    assert_eq!(text.reply_to().unwrap().to, question);
    Ok(())
}

#[tokio::test]
async fn safety_numbers_are_the_same_on_both_sides() -> Result {
    let (relay, alice, bob) = friends().await?;
    let ours = alice.client.contacts().safety_number(bob.account).await?;
    let theirs = bob.client.contacts().safety_number(alice.account).await?;
    assert_eq!(ours.digits(), theirs.digits());
    assert!(ours.matches_scanned(&theirs.qr_payload())?);
    alice
        .client
        .contacts()
        .set_verified(bob.account, true)
        .await?;
    assert!(
        alice
            .client
            .contacts()
            .get(bob.account)
            .await?
            .unwrap()
            .verified
    );
    let carol = Person::registered("carol", relay.address()).await?;
    let nothing_yet = alice
        .client
        .contacts()
        .set_verified(carol.account, true)
        .await;
    assert_eq!(nothing_yet.unwrap_err().code(), "not_found");
    Ok(())
}

#[tokio::test]
async fn a_name_that_moves_to_another_account_is_an_event() -> Result {
    let (relay, alice, bob) = friends().await?;
    bob.client.set_user_name("bobby").await?;
    assert_eq!(
        alice.client.contacts().find_by_user_name("bobby").await?,
        bob.account
    );
    bob.client.set_user_name("").await?;
    let mallory = Person::registered("mallory", relay.address()).await?;
    mallory.until_online().await?;
    mallory.client.set_user_name("bobby").await?;
    let mut events = alice.client.events();
    let found = alice.client.contacts().find_by_user_name("bobby").await?;
    assert_eq!(found, mallory.account);
    let moved = Event::NameMoved {
        name: "bobby".to_owned(),
        from: bob.account,
        to: mallory.account,
    };
    alice
        .until_event(&mut events, "the name to move", |event| *event == moved)
        .await?;
    Ok(())
}

#[tokio::test]
async fn what_waits_can_be_cancelled_and_sent_after_all() -> Result {
    let (_relay, mut alice, bob) = friends().await?;
    alice.reopen().await?;
    let regretted = alice.say(&bob, "you should see this").await?;
    let conversation = alice.with(&bob).await?;
    conversation.cancel(regretted).await?;
    let cancelled = MessageState::Failed(FailureReason::Cancelled);
    assert_eq!(
        alice.client.message(regretted).await?.unwrap().state,
        cancelled
    );
    assert!(conversation.cancel(regretted).await.is_err());
    conversation.retry(regretted).await?;
    assert!(conversation.retry(regretted).await.is_err());
    alice.client.connect();
    bob.until_shown(regretted).await?;
    alice
        .until_state(regretted, MessageState::Delivered)
        .await?;
    assert!(conversation.cancel(regretted).await.is_err());
    Ok(())
}

#[tokio::test]
async fn nonsense_from_the_app_is_an_error_value() -> Result {
    let (_relay, alice, bob) = alice_and_bob().await?;
    let own = alice.client.conversation_with(alice.account).await;
    assert_eq!(own.unwrap_err().code(), "invalid_input");
    let nowhere = alice
        .client
        .conversation(hushpost::ConversationId::from_slice(&[0; 16]).unwrap());
    assert_eq!(
        nowhere.send(text("x")?).await.unwrap_err().code(),
        "not_found"
    );
    assert!(
        nowhere
            .messages_before(None, usize::MAX)
            .await?
            .messages
            .is_empty()
    );
    let unknown = alice
        .client
        .contacts()
        .find_by_user_name("no such name")
        .await;
    assert_eq!(unknown.unwrap_err().code(), "not_found");
    let conversation = alice.with(&bob).await?;
    let draft = conversation.set_draft(&"x".repeat(1 << 20)).await;
    assert_eq!(draft.unwrap_err().code(), "invalid_input");
    let name = alice
        .client
        .contacts()
        .set_name(bob.account, Some("y".repeat(300)))
        .await;
    assert_eq!(name.unwrap_err().code(), "invalid_input");
    alice.client.close().await;
    assert_eq!(
        conversation.send(text("x")?).await.unwrap_err().code(),
        "closed"
    );
    Ok(())
}
