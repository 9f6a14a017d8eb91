//! Five people and a relay in one thread, on one paused clock, by the dice of a seed: they write to each other,
//! accept, read, leave and come back, edit, react and delete, make groups and change them, also two at once; lines
//! are cut, clocks jump, the relay is busy, restarts and loses its store. Then all of that stops, and within
//! ten minutes everything that was said is shown to all it was for, once, in one order, and nobody has anything to
//! complain about.
//!
//! Attachments are in a test of their own, `attachments`, which says why.
//!
//! The same seed is the same run. A failing one says its seed: `HUSHPOST_SIM_SEED=n` runs that one alone and
//! tells what happened in it; `HUSHPOST_SIM_SEEDS=n` tries so many, from that one on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod changes;
mod groups;
mod judge;
mod person;
mod step;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use world::Story;

/// As many as take about a minute in a debug build.
const SEEDS: u64 = 400;
/// Failing seeds after which no more are tried.
const ENOUGH: usize = 20;

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number of the environment"))
}

/// Runs one seed.
fn run(seed: u64) -> Story {
    alone(world::run(seed))
}

/// On a runtime of its own.
fn alone(story: impl Future<Output = Story>) -> Story {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(story)
}

/// Runs one seed; what is wrong, if anything is.
fn try_seed(seed: u64) -> Result<Story, String> {
    match catch_unwind(AssertUnwindSafe(|| run(seed))) {
        Ok(story) if story.faults.is_empty() => Ok(story),
        Ok(story) => Err(format!(
            "HUSHPOST_SIM_SEED={seed}: {}\n{}",
            story.faults.join("\n  "),
            story.trace.join("\n")
        )),
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            let said = said.unwrap_or("no reason");
            Err(format!("HUSHPOST_SIM_SEED={seed}: panicked: {said}"))
        }
    }
}

/// Tries seeds on all cores. Each run has one thread to itself.
fn try_seeds(first: u64, count: u64) -> Vec<String> {
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let lock = || failures.lock().unwrap_or_else(PoisonError::into_inner);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || lock().len() >= ENOUGH {
                        return;
                    }
                    if let Err(failure) = try_seed(seed) {
                        lock().push(failure);
                    }
                }
            });
        }
    });
    failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn whatever_happens_everything_arrives_once_in_one_order() {
    let (first, count) = match from_environment("HUSHPOST_SIM_SEED") {
        Some(seed) => (seed, from_environment("HUSHPOST_SIM_SEEDS").unwrap_or(1)),
        None => (0, from_environment("HUSHPOST_SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let failures = try_seeds(first, count);
    let number = failures.len();
    assert!(
        failures.is_empty(),
        "{number} seeds fail\n{}",
        failures.join("\n\n")
    );
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..8 {
        let (one, other) = (run(seed), run(seed));
        assert!(one.said > 0, "seed {seed} says nothing");
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.shown, other.shown, "seed {seed}");
    }
    // What is compared does depend on the seed.
    assert_ne!(run(1).shown, run(2).shown);
}

#[test]
fn a_relay_that_is_always_busy_stops_nobody() {
    for seed in 0..3 {
        let story = alone(world::run_busy(seed));
        assert_eq!(story.faults, [""; 0], "seed {seed}");
    }
}
