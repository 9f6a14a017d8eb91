//! The command line: what an operator can ask of the binary, and which settings the options stand for.
//!
//! Only `check-config` and `init-config` are answered here: they need no relay. Nothing is printed but to
//! the writers that are passed in.

mod check_config;
mod init_config;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hushpost_wire::AccountId;

pub use check_config::check_config;
pub use init_config::{InitConfigError, init_config};

use crate::config::{Config, ConfigError, Loaded, Override};

/// Exit status of a command that found the configuration wrong. Apart from 1, so that a script can tell it
/// from a relay that failed; clap uses it for a wrong command line.
pub const EXIT_WRONG_CONFIG: u8 = 2;

/// Stores and forwards end-to-end encrypted messages that it cannot read.
///
/// `hushpost-relay serve` runs a relay for trying, on this machine only, with no configuration at all. For
/// more, write a file with `init-config`, edit it, try it with `check-config`, and run `serve` with it.
///
/// Every setting can also be given in the environment (HUSHPOST_RELAY__LISTEN__ADDRESS=0.0.0.0:4810) or
/// with --set. Options win over the environment, the environment over the file.
#[derive(Debug, Parser)]
#[command(name = "hushpost-relay", version, arg_required_else_help = true)]
#[command(after_help = EXAMPLES)]
// Doc comments of commands and options are shown as help, where backticks would be odd.
#[allow(clippy::doc_markdown)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Configuration file (TOML); without one all settings have their defaults
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "HUSHPOST_RELAY_CONFIG"
    )]
    pub config: Option<PathBuf>,

    /// Settings given before the command.
    #[command(flatten)]
    pub set: Set,
}

/// Settings given one by one. Not a global option: of those, clap forgets what stands before the command if
/// there is one behind it, too.
#[derive(Debug, Args)]
// Doc comments of options are shown as help, where backticks would be odd.
#[allow(clippy::doc_markdown)]
pub struct Set {
    /// Sets one setting, such as listen.address=0.0.0.0:4810; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
}

const EXAMPLES: &str = "\
Examples:
  hushpost-relay serve
  hushpost-relay init-config --output relay.toml
  hushpost-relay check-config --config relay.toml
  hushpost-relay serve --config relay.toml --set log.filter=debug
  hushpost-relay backup --config relay.toml /backups/today";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the relay until it is told to stop (SIGTERM or Ctrl-C)
    Serve(Serve),
    /// Tell whether the configuration is valid, and which settings it changes
    ///
    /// Looks at certificate and key files and the data folder too, and changes nothing: it can run beside
    /// a relay. Exit status 0: valid; 2: not valid, with everything that is wrong on standard error.
    CheckConfig(Set),
    /// Print a commented configuration file with every setting and its default
    InitConfig(InitConfig),
    /// Show how many accounts, messages and bytes the relay holds
    Stats(Stats),
    /// Look after one account
    #[command(subcommand)]
    Account(Account),
    /// Copy the database to another place while the relay runs
    Backup(Backup),
    /// Give disk space of deleted messages back to the system
    Vacuum(Set),
}

/// `serve`
#[derive(Debug, Args)]
// Doc comments of options are shown as help, where backticks would be odd.
#[allow(clippy::doc_markdown)]
pub struct Serve {
    /// Where clients connect; short for --set listen.address=
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where metrics and health are served; short for --set listen.admin_address=
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub admin_listen: Option<String>,
    /// Where everything is kept; short for --set data_dir=
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// The relay's name, that devices sign; short for --set name=
    #[arg(long)]
    pub name: Option<String>,
    /// Form of log lines; short for --set log.format=
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub log_format: Option<String>,
    /// Settings given behind the command.
    #[command(flatten)]
    pub set: Set,
}

/// `init-config`
#[derive(Debug, Args)]
pub struct InitConfig {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// `stats`
#[derive(Debug, Args)]
pub struct Stats {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Settings given behind the command.
    #[command(flatten)]
    pub set: Set,
}

/// `account`
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Show an account's devices, names and queue sizes
    Show(OneAccount),
    /// Delete an account with its devices, keys, names and queued messages, for good
    Delete(OneAccount),
    /// Close an account's connections and take no more from it, until it is unblocked
    Block(OneAccount),
    /// Let a blocked account in again
    Unblock(OneAccount),
}

/// The account that a command is about.
#[derive(Debug, Args)]
pub struct OneAccount {
    /// The account's id, a UUID such as a327abf5-22e4-8022-a060-7880b8515c86
    #[arg(value_name = "ACCOUNT_ID")]
    pub account: AccountId,
    /// Settings given behind the command.
    #[command(flatten)]
    pub set: Set,
}

/// `backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// Where to; must not exist yet
    #[arg(value_name = "DEST")]
    pub destination: PathBuf,
    /// Settings given behind the command.
    #[command(flatten)]
    pub set: Set,
}

impl Cli {
    /// The configuration that file, environment and options give.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong.
    pub fn config(&self) -> Result<Config, ConfigError> {
        self.load(std::env::vars_os()).map(|loaded| loaded.config)
    }

    /// As [`Cli::config`], with the environment passed in and the places of settings kept.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong.
    pub fn load(
        &self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, ConfigError> {
        let mut overrides = self.set.overrides.clone();
        if let Some(set) = self.command.set() {
            overrides.extend_from_slice(&set.overrides);
        }
        if let Command::Serve(serve) = &self.command {
            overrides.extend(serve.overrides());
        }
        Loaded::read(self.config.as_deref(), environment, &overrides)
    }
}

impl Command {
    /// Settings given behind the command; `init-config` has none.
    fn set(&self) -> Option<&Set> {
        match self {
            Self::Serve(serve) => Some(&serve.set),
            Self::CheckConfig(set) | Self::Vacuum(set) => Some(set),
            Self::InitConfig(_) => None,
            Self::Stats(stats) => Some(&stats.set),
            Self::Account(
                Account::Show(one)
                | Account::Delete(one)
                | Account::Block(one)
                | Account::Unblock(one),
            ) => Some(&one.set),
            Self::Backup(backup) => Some(&backup.set),
        }
    }
}

impl Serve {
    fn overrides(&self) -> impl Iterator<Item = Override> {
        [
            ("--listen", "listen.address", &self.listen),
            ("--admin-listen", "listen.admin_address", &self.admin_listen),
            ("--data-dir", "data_dir", &self.data_dir),
            ("--name", "name", &self.name),
            ("--log-format", "log.format", &self.log_format),
        ]
        .into_iter()
        .filter_map(|(flag, setting, value)| Some(Override::of_flag(flag, setting, value.clone()?)))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::LogFormat;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_consistent_and_every_command_has_help() {
        Cli::command().debug_assert();
        let mut waiting = vec![Cli::command()];
        while let Some(mut command) = waiting.pop() {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name} {argument}");
            }
            assert!(command.render_long_help().to_string().contains("Usage:"));
            waiting.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn every_command_is_understood() {
        let id = "a327abf5-22e4-8022-a060-7880b8515c86";
        for good in [
            "relay serve",
            "relay serve --listen 0.0.0.0:1 --admin-listen [::1]:2 --name x --log-format json",
            "relay --config f check-config",
            "relay check-config -c f",
            "relay init-config",
            "relay init-config --output f --force",
            "relay stats --json",
            "relay backup somewhere --set data_dir=x",
            "relay vacuum",
            &format!("relay account show {id}"),
            &format!("relay account delete {id}"),
            &format!("relay account block {id}"),
            &format!("relay account unblock {id}"),
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "relay",
            "relay run",
            "relay init-config --force",
            "relay serve --log-format xml",
            "relay serve --set listen.address",
            "relay serve --set =1",
            "relay serve --set a..b=1",
            "relay account show 7",
            "relay account show 00000000-0000-4000-8000-000000000000",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shorthands_win_over_set_and_the_environment() {
        let cli = parse(
            "relay serve --set name=b --set limits.devices=3 --name 7 --listen 127.0.0.1:0 \
             --log-format json --set listen.admin_address=127.0.0.1:0",
        )
        .unwrap();
        let environment = [("HUSHPOST_RELAY__NAME".into(), "c".into())];
        let config = cli.load(environment).unwrap().config;
        assert_eq!(config.name, "7");
        assert_eq!(config.limits.devices, 3);
        assert_eq!(config.listen.address.port(), 0);
        assert_eq!(config.log.format, LogFormat::Json);
    }

    #[test]
    fn settings_before_and_behind_the_command_both_count() {
        let id = "a327abf5-22e4-8022-a060-7880b8515c86";
        for command in [
            "serve",
            "check-config",
            "stats",
            "vacuum",
            "backup x",
            &format!("account show {id}"),
        ] {
            let line = format!("relay --set name=a {command} --set limits.devices=3");
            let config = parse(&line).unwrap().load([]).unwrap().config;
            assert_eq!((config.name.as_str(), config.limits.devices), ("a", 3));
        }
    }

    #[test]
    fn an_error_names_the_shorthand() {
        let cli = parse("relay serve --listen localhost").unwrap();
        let error = cli.load([]).unwrap_err().to_string();
        assert!(error.contains("in option --listen\n"), "{error}");
        assert!(
            error.contains("listen.address = \"127.0.0.1:4810\""),
            "{error}"
        );
    }
}
