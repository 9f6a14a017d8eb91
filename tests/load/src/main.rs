//! Measures a relay on this machine, and Redis beside it in the same run, so that figures can be compared
//! on any machine and noise hits both.
//!
//! The scenarios are written once, over [`target::Target`]: the relay and Redis are driven by the same
//! client code but for their bytes. What each figure means stands in the README beside this crate.
//!
//! Must never: reach another machine, or favour a side. A run is bounded in messages and in time.

// A tool: counts are bounded by the scenarios, figures are for people, and its output is its purpose.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod error;
mod figure;
mod file_limit;
mod footprint;
mod link;
mod options;
mod payload;
mod recorded;
mod redis;
mod relay;
mod report;
mod run;
mod samples;
mod scenario;
mod servers;
mod target;

use std::process::ExitCode;

use clap::Parser as _;

use crate::options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    if cfg!(debug_assertions) {
        eprintln!("WARNING: built without --release. THESE FIGURES MEAN NOTHING.");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run::run(&options)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}
