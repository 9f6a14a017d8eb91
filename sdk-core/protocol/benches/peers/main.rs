//! The speed of every operation, with vodozemac beside it in the same run.
//!
//! `cargo bench -p hushpost-protocol` prints criterion's lines and then a table: our median, vodozemac's
//! median, their ratio, and what the official library's published native figure would be on this
//! machine today (its ratio to vodozemac's line was measured once, on one machine). Add
//! `--features aws-lc-rs` for the faster X25519. `-- FILTER` runs some lines only.
//!
//! Both sides start from bytes and end with bytes: parsing and serializing are part of every line,
//! as they are of every message.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout
)]

mod groups;
mod handshakes;
mod olm;
mod ours;
mod primitives;
mod report;
mod sealed;
mod sessions;

use std::path::Path;
use std::time::Duration;

use criterion::Criterion;

/// Criterion's group of our lines and of vodozemac's; the line's name is the benchmark's.
pub const OURS: &str = "hushpost";
pub const VODOZEMAC: &str = "vodozemac";

fn main() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let mut criterion = Criterion::default()
        .output_directory(&directory)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .sample_size(60)
        .without_plots()
        .configure_from_args();
    // Each line runs ours and vodozemac's back to back, so that both meet the machine in one mood.
    sessions::run(&mut criterion);
    handshakes::run(&mut criterion);
    groups::run(&mut criterion);
    sealed::run(&mut criterion);
    primitives::run(&mut criterion);
    criterion.final_summary();
    report::print(&directory);
}
