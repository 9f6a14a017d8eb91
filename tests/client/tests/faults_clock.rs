//! Clocks that are wrong, by a day or ten years, or that jump while people talk: one order on both sides, and an
//! answer after what it answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::sync::atomic::{AtomicI64, Ordering};

use hushpost::{Clock, SystemClock};
use hushpost_client_tests::{Pair, PersonOptions, TestError};
use hushpost_harness::RelayProcess;

type Result = core::result::Result<(), TestError>;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const TEN_YEARS: i64 = 3652 * DAY;

/// A clock that is wrong by so many milliseconds.
struct Wrong(i64);

impl Clock for Wrong {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms().saturating_add_signed(self.0)
    }
}

/// A clock that somebody sets.
struct SetTo(&'static AtomicI64);

impl Clock for SetTo {
    fn now_ms(&self) -> u64 {
        Wrong(self.0.load(Ordering::SeqCst)).now_ms()
    }
}

fn wrong_by<const MS: i64>() -> PersonOptions {
    PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(Wrong(MS)),
    }
}

/// Questions and answers, and both at once: all in order, and shown with a time near the real one.
async fn talk(alice: PersonOptions, bob: PersonOptions, context: &str) -> Result {
    let relay = RelayProcess::start()?;
    let began = SystemClock.now_ms();
    let mut pair = Pair::meet_with(relay.address(), alice, bob).await?;
    for number in 0..5 {
        let question = pair.alice_says(&format!("question {number}")).await?;
        pair.bob.until_shown(question).await?;
        let answer = pair.bob_says(&format!("answer {number}")).await?;
        pair.alice.until_shown(answer).await?;
    }
    pair.talk_while(10, async |_, _| Ok(())).await?;
    pair.judge(context).await?;
    let texts = pair.alice.texts(&pair.bob).await?;
    let place = |text: String| texts.iter().position(|one| *one == text).unwrap();
    for number in 0..5 {
        let answer = place(format!("answer {number}"));
        assert!(place(format!("question {number}")) < answer, "{context}");
    }
    let ended = SystemClock.now_ms();
    for message in pair.bob.history(&pair.alice).await? {
        let near = began - 60_000..ended + 60_000;
        assert!(near.contains(&message.sent_ms), "{context}: {message:?}");
    }
    // Restarting and reading again gives the same order.
    pair.alice.reopen().await?;
    assert_eq!(pair.alice.texts(&pair.bob).await?, texts, "{context}");
    Ok(())
}

#[tokio::test]
async fn a_day_apart() -> Result {
    talk(wrong_by::<DAY>(), wrong_by::<{ -DAY }>(), "a day").await?;
    talk(wrong_by::<{ -DAY }>(), wrong_by::<0>(), "a day behind").await
}

#[tokio::test]
async fn ten_years_apart() -> Result {
    talk(
        wrong_by::<TEN_YEARS>(),
        wrong_by::<{ -TEN_YEARS }>(),
        "ten years",
    )
    .await?;
    talk(
        wrong_by::<{ -TEN_YEARS }>(),
        wrong_by::<TEN_YEARS>(),
        "ten years behind",
    )
    .await
}

static JUMPING: AtomicI64 = AtomicI64::new(0);

#[tokio::test]
async fn a_clock_that_jumps_back_and_forth_while_connected() -> Result {
    let relay = RelayProcess::start()?;
    let jumping = PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(SetTo(&JUMPING)),
    };
    let mut pair = Pair::meet_with(relay.address(), jumping, PersonOptions::default()).await?;
    let mut expected = vec!["hello".to_owned(), "hello to you".to_owned()];
    for (number, jump) in [-HOUR, 0, DAY, -DAY, TEN_YEARS, -TEN_YEARS, 0]
        .into_iter()
        .enumerate()
    {
        JUMPING.store(jump, Ordering::SeqCst);
        let question = pair.alice_says(&format!("question {number}")).await?;
        pair.bob.until_shown(question).await?;
        let answer = pair.bob_says(&format!("answer {number}")).await?;
        pair.alice.until_shown(answer).await?;
        expected.extend([format!("question {number}"), format!("answer {number}")]);
    }
    pair.judge("a clock that jumps").await?;
    let texts = pair.alice.texts(&pair.bob).await?;
    assert_eq!(texts, expected);
    Ok(())
}

static SET_BACK: AtomicI64 = AtomicI64::new(0);

#[tokio::test]
async fn what_was_sent_offline_by_a_clock_that_was_set_back_keeps_its_order() -> Result {
    let relay = RelayProcess::start()?;
    let set_back = PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(SetTo(&SET_BACK)),
    };
    let mut pair = Pair::meet_with(relay.address(), set_back, PersonOptions::default()).await?;
    pair.alice.reopen().await?;
    for number in 0..10 {
        SET_BACK.fetch_sub(HOUR, Ordering::SeqCst);
        pair.alice_says(&format!("offline {number}")).await?;
    }
    pair.bob_says("meanwhile").await?;
    pair.alice.client.connect();
    pair.judge("set back while offline").await
}
