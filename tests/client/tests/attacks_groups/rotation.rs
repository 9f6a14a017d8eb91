//! D5: whoever stole a member's memory reads on for 100 messages or 7 days, and no longer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use hushpost::{Clock, SystemClock};
use hushpost_client_tests::PersonOptions;

use crate::member::{Heard, group_message, open_with};
use crate::{Outcome, Stage};

const DAY: u64 = 24 * 3_600_000;

/// A clock that somebody puts forward.
struct Ahead(&'static AtomicU64);

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + self.0.load(Ordering::SeqCst)
    }
}

impl Stage {
    /// What Alice sent for all, from this send on, each once.
    fn shared_by_alice(&self, from: usize) -> Vec<Vec<u8>> {
        let alice = self.alice().account;
        let mut seen = std::collections::BTreeSet::new();
        self.line.recorded_sends()[from..]
            .iter()
            .filter(|(who, send)| who.is(alice) && seen.insert(send.message_id.clone()))
            .filter_map(|(_, send)| send.shared_ciphertext.as_ref().map(|bytes| bytes.to_vec()))
            .collect()
    }
}

#[tokio::test]
async fn no_key_encrypts_more_than_a_hundred_messages() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.mallory_reads_along().await?;
    let mut stolen = stage.mallory.stolen_keys();
    let from = stage.line.recorded_sends().len();
    let mut last = None;
    for number in 0..205 {
        last = Some(stage.crew.says(stage.alice(), &format!("{number}")).await?);
    }
    assert_eq!(stage.carol().until_shown(last.unwrap()).await?, "204");
    let sent = stage.shared_by_alice(from);
    assert_eq!(sent.len(), 205);
    let mut uses = BTreeMap::new();
    for envelope in stage.shared_by_alice(0) {
        let message = group_message(&envelope).unwrap();
        *uses.entry(message.chain_id().0).or_insert(0) += 1;
    }
    assert!(uses.values().all(|count| *count <= 100), "{uses:?}");
    assert!(uses.len() >= 3, "{uses:?}");
    // The stolen memory opens the rest of its hundred.
    let alice = stage.alice().account;
    let opened = sent
        .iter()
        .take_while(|envelope| open_with(&mut stolen, alice, envelope).is_some());
    let opened = opened.count();
    assert!((1..100).contains(&opened), "{opened}");
    for envelope in &sent[opened..] {
        assert!(open_with(&mut stolen, alice, envelope).is_none());
    }
    // Who is a member reads all of it.
    let all = |_: &_, heard: &Heard| heard.texts.len() == 205;
    stage.mallory.hear(&stage.line, "all of it", all).await?;
    Ok(())
}

static AHEAD: AtomicU64 = AtomicU64::new(0);

#[tokio::test]
async fn no_key_is_used_for_more_than_a_week() -> Outcome {
    let options = PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(Ahead(&AHEAD)),
    };
    let mut stage = Stage::with(options).await?;
    stage.mallory_reads_along().await?;
    let mut stolen = stage.mallory.stolen_keys();
    let alice = stage.alice().account;
    for (days, opens) in [(6, true), (8, false)] {
        AHEAD.store(days * DAY, Ordering::SeqCst);
        let from = stage.line.recorded_sends().len();
        let later = stage.crew.says(stage.alice(), "days later").await?;
        stage.carol().until_shown(later).await?;
        let sent = stage.shared_by_alice(from);
        assert_eq!(sent.len(), 1);
        let opened = open_with(&mut stolen, alice, &sent[0]);
        assert_eq!(opened.is_some(), opens, "{days}");
    }
    let both = |_: &_, heard: &Heard| heard.texts == ["days later", "days later"];
    stage.mallory.hear(&stage.line, "both", both).await?;
    Ok(())
}
