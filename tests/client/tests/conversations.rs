//! Two people talk: ticks, requests, receipts, search, being offline, restarting.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use hushpost::MessageState;
use hushpost_client_tests::{Person, TestError};
use hushpost_harness::RelayProcess;

type Result = core::result::Result<(), TestError>;

#[tokio::test]
async fn two_people_talk_and_see_the_ticks() -> Result {
    let relay = RelayProcess::start()?;
    let alice = Person::registered("alice", relay.address()).await?;
    let bob = Person::registered("bob", relay.address()).await?;

    let hello = alice.say(&bob, "Hello, Bob").await?;
    assert_eq!(bob.until_shown(hello).await?, "Hello, Bob");
    alice.until_state(hello, MessageState::Sent).await?;
    bob.accept(&alice).await?;
    alice.until_state(hello, MessageState::Delivered).await?;

    let answer = bob.say(&alice, "Hello, Alice").await?;
    assert_eq!(alice.until_shown(answer).await?, "Hello, Alice");
    bob.until_state(answer, MessageState::Delivered).await?;
    let page = alice.with(&bob).await?.messages_before(None, 10).await?;
    alice
        .with(&bob)
        .await?
        .mark_read(page.messages[1].cursor)
        .await?;
    bob.until_state(answer, MessageState::Read).await?;

    assert_eq!(alice.texts(&bob).await?, ["Hello, Bob", "Hello, Alice"]);
    assert_eq!(bob.texts(&alice).await?, ["Hello, Bob", "Hello, Alice"]);
    Ok(())
}

#[tokio::test]
async fn what_was_sent_offline_arrives_in_order_once_both_are_back() -> Result {
    let relay = RelayProcess::start()?;
    let mut alice = Person::registered("alice", relay.address()).await?;
    let mut bob = Person::registered("bob", relay.address()).await?;
    let first = alice.say(&bob, "first").await?;
    bob.until_shown(first).await?;
    bob.accept(&alice).await?;
    alice.until_state(first, MessageState::Delivered).await?;

    bob.reopen().await?;
    alice.reopen().await?;
    let mut last = first;
    for number in 0..50 {
        last = alice.say(&bob, &format!("number {number}")).await?;
    }
    alice.reopen().await?;
    alice.client.connect();
    alice.until_state(last, MessageState::Sent).await?;
    bob.client.connect();
    bob.until_shown(last).await?;
    alice.until_state(last, MessageState::Delivered).await?;

    let texts = bob.texts(&alice).await?;
    assert_eq!(texts.len(), 51);
    assert_eq!(texts, alice.texts(&bob).await?);
    assert_eq!(texts[50], "number 49");
    Ok(())
}
