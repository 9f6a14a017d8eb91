//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the relay on this machine, and Redis beside it.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Options {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    pub scenarios: Vec<Choice>,
    /// How often; medians are printed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub rounds: u16,
    /// Seconds of each round of `online`.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub online_seconds: u64,
    /// Seconds of each round of `paced`.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub paced_seconds: u64,
    /// Connections of `idle`, if the file limit allows so many.
    #[arg(long, default_value_t = 19_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub connections: u32,
    /// Threads of this program.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Leave Redis out.
    #[arg(long)]
    pub without_redis: bool,
    /// Leave the relay out.
    #[arg(long, conflicts_with = "without_redis")]
    pub without_relay: bool,
    /// A running relay, instead of one that this program starts. Its rate limits must be off.
    #[arg(long, requires = "admin", requires = "pid")]
    pub relay: Option<SocketAddr>,
    /// The admin address of that relay.
    #[arg(long, requires = "relay")]
    pub admin: Option<SocketAddr>,
    /// The process id of that relay.
    #[arg(long, requires = "relay")]
    pub pid: Option<u32>,
    /// The data folder of that relay, to count disk bytes.
    #[arg(long, requires = "relay")]
    pub data_dir: Option<PathBuf>,
}

/// A scenario or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Everything below, in this order.
    All,
    /// 100 pairs, each sender waits for each answer.
    Online,
    /// 1,000 messages a second on a schedule.
    Paced,
    /// 50,000 messages for 500 offline recipients, then their drain.
    Store,
    /// One message to 1,000 connected accounts.
    Fanout,
    /// As many idle connections as the file limit allows.
    Idle,
}

impl Options {
    /// Whether a scenario is wanted.
    pub fn wants(&self, choice: Choice) -> bool {
        self.scenarios
            .iter()
            .any(|&wanted| wanted == choice || wanted == Choice::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
        let options = Options::try_parse_from(["load", "store", "idle"]).unwrap();
        assert!(options.wants(Choice::Idle) && !options.wants(Choice::Online));
        assert!(
            Options::try_parse_from(["load"])
                .unwrap()
                .wants(Choice::Fanout)
        );
        assert!(Options::try_parse_from(["load", "--relay", "127.0.0.1:1"]).is_err());
    }
}
