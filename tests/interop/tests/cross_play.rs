//! Plays every scenario in every pairing that it is for, two fresh processes each time.
//!
//! Without node and npm the official library cannot be had: what needs it is then listed as ignored
//! and said so out loud, never passed.

// A broken assumption ends the scenario that made it: in a test, that is the report.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod scenarios;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use hushpost_interop::pairing::{Pairing, Stage};
use hushpost_interop::{install, seed};
use libtest_mimic::{Arguments, Failed, Trial};

use scenarios::Scenario;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let seed = seed::of_this_run();
    let missing = install::missing_tool();
    if let Some(tool) = missing {
        eprintln!(
            "SKIPPED: every scenario with the official library, because `{tool}` is not installed"
        );
    }
    let trials = scenarios::programme()
        .map(|(pairing, scenario)| {
            let name = format!("{pairing}: {}", scenario.name);
            Trial::test(name, move || play(&scenario, pairing, seed))
                .with_ignored_flag(missing.is_some() && pairing.needs_official())
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn play(scenario: &Scenario, pairing: Pairing, seed: u64) -> Result<(), Failed> {
    let rng = seed::generator(seed, &scenario.name);
    catch_unwind(AssertUnwindSafe(|| {
        (scenario.play)(&mut Stage::set(pairing, rng));
    }))
    .map_err(|panic| {
        let reason = reason(panic.as_ref());
        format!("{reason}\nplay it again with {}={seed}", seed::VARIABLE).into()
    })
}

fn reason(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}
