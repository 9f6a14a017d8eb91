//! The order of a run: scenario by scenario, round by round, ours and Redis in turn, so that whatever else
//! the machine does hits both.

use std::sync::Arc;
use std::time::Instant;

use crate::error::LoadError;
use crate::figure::Figures;
use crate::file_limit;
use crate::options::{Choice, Options};
use crate::redis::Redis;
use crate::relay::Relay;
use crate::report::report;
use crate::scenario::{fanout, idle, online, paced, store};
use crate::servers::{OurServer, start_redis};
use crate::target::Target;

const SCENARIOS: [Choice; 4] = [Choice::Online, Choice::Paced, Choice::Store, Choice::Fanout];

/// Runs what was asked for, and prints the report.
pub async fn run(options: &Options) -> Result<(), LoadError> {
    let room = file_limit::raise();
    let mut ours = Figures::default();
    let mut redis = Figures::default();
    run_scenarios(options, &mut ours, &mut redis).await?;
    if options.wants(Choice::Idle) {
        let wanted = usize::try_from(options.connections).unwrap_or(usize::MAX);
        let connections = wanted.min(room);
        if connections < wanted {
            eprintln!("idle: the file limit allows {connections} connections, not {wanted}");
        }
        run_idle(options, connections, &mut ours, &mut redis).await?;
    }
    println!(
        "{} rounds each, medians (lowest to highest)\n{}",
        options.rounds,
        report(&ours, &redis)
    );
    Ok(())
}

async fn run_scenarios(
    options: &Options,
    ours: &mut Figures,
    redis: &mut Figures,
) -> Result<(), LoadError> {
    if !SCENARIOS.iter().any(|&scenario| options.wants(scenario)) {
        return Ok(());
    }
    let our_server = start_ours(options)?;
    let relay = match &our_server {
        Some(server) => {
            let begun = Instant::now();
            let relay = server.with_accounts().await?;
            eprintln!(
                "accounts registered in {:.2} s",
                begun.elapsed().as_secs_f64()
            );
            Some(relay)
        }
        None => None,
    };
    let other = start_other(options)?;
    for scenario in SCENARIOS {
        if !options.wants(scenario) {
            continue;
        }
        for round in 1..=options.rounds {
            run_round(
                options,
                scenario,
                round,
                relay.as_ref(),
                other.as_ref(),
                ours,
                redis,
            )
            .await?;
        }
    }
    match our_server {
        Some(server) => server.stop(),
        None => Ok(()),
    }
}

/// One round of both; who begins changes from round to round.
async fn run_round(
    options: &Options,
    scenario: Choice,
    round: u16,
    relay: Option<&Relay>,
    other: Option<&Redis>,
    ours: &mut Figures,
    redis: &mut Figures,
) -> Result<(), LoadError> {
    eprintln!("{scenario:?}, round {round} of {}", options.rounds);
    let ours_first = round % 2 == 1;
    for our_turn in [ours_first, !ours_first] {
        if our_turn {
            if let Some(relay) = relay {
                ours.merge(play(options, scenario, relay).await?);
            }
        } else if let Some(other) = other {
            redis.merge(play(options, scenario, other).await?);
        }
    }
    Ok(())
}

async fn play<T: Target>(
    options: &Options,
    scenario: Choice,
    target: &T,
) -> Result<Figures, LoadError> {
    match scenario {
        Choice::Online => online(target, options.online_seconds).await,
        Choice::Paced => paced(target, options.paced_seconds).await,
        Choice::Store => store(target).await,
        Choice::Fanout => fanout(target).await,
        Choice::All | Choice::Idle => Ok(Figures::default()),
    }
}

/// Memory is measured on servers that have just started: what an earlier scenario left would be counted,
/// or hide what is added.
async fn run_idle(
    options: &Options,
    connections: usize,
    ours: &mut Figures,
    redis: &mut Figures,
) -> Result<(), LoadError> {
    for round in 1..=options.rounds {
        eprintln!("Idle, round {round} of {}", options.rounds);
        if let Some(server) = start_ours(options)? {
            let relay = Arc::new(server.empty().await?);
            ours.merge(idle(&relay, connections).await?);
            server.stop()?;
        }
        if let Some(other) = start_other(options)? {
            redis.merge(idle(&Arc::new(other), connections).await?);
        }
    }
    Ok(())
}

fn start_ours(options: &Options) -> Result<Option<OurServer>, LoadError> {
    if options.without_relay {
        return Ok(None);
    }
    OurServer::start(options).map(Some)
}

fn start_other(options: &Options) -> Result<Option<Redis>, LoadError> {
    if options.without_redis {
        return Ok(None);
    }
    start_redis()
}
