//! The `hushpost-relay` command.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use hushpost_relay::admin::backup::backup;
use hushpost_relay::admin::stats::{AccountReport, Stats};
use hushpost_relay::admin::{self, Action};
use hushpost_relay::cli::{self, Account, Cli, Command};
use hushpost_relay::config::Config;
use hushpost_relay::{observe, server};

/// Tens of thousands of idle connections are many small allocations: this allocator wastes less on them and
/// gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = std::io::stdout();
    let mut problems = std::io::stderr();
    match run(&cli, &mut out, &mut problems) {
        Ok(code) => code,
        Err(error) => {
            let _nowhere_to_tell = writeln!(problems, "error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and why, where it does not say so itself.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let why = next.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = next.source();
    }
    text
}

fn run(
    cli: &Cli,
    out: &mut (impl Write + Send),
    problems: &mut impl Write,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match &cli.command {
        Command::CheckConfig(_) => {
            let status = cli::check_config(cli.load(std::env::vars_os()), out, problems)?;
            return Ok(ExitCode::from(status));
        }
        Command::InitConfig(options) => {
            cli::init_config(options, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let config = match cli.config() {
        Ok(config) => config,
        Err(error) => {
            writeln!(problems, "{error}")?;
            return Ok(ExitCode::from(cli::EXIT_WRONG_CONFIG));
        }
    };
    match &cli.command {
        Command::Serve(_) => serve(config, out)?,
        Command::Stats(options) => {
            let stats = Stats::read(&config.data_dir)?;
            if options.json {
                writeln!(out, "{}", serde_json::to_string(&stats)?)?;
            } else {
                write!(out, "{stats}")?;
            }
        }
        Command::Account(Account::Show(one)) => {
            write!(
                out,
                "{}",
                AccountReport::read(&config.data_dir, one.account)?
            )?;
        }
        Command::Account(Account::Delete(one)) => {
            admin::request(&config.data_dir, Action::Delete, Some(one.account))?;
        }
        Command::Account(Account::Block(one)) => {
            admin::request(&config.data_dir, Action::Block, Some(one.account))?;
        }
        Command::Account(Account::Unblock(one)) => {
            admin::request(&config.data_dir, Action::Unblock, Some(one.account))?;
        }
        Command::Backup(options) => backup(&config.data_dir, &options.destination)?,
        Command::Vacuum(_) => admin::request(&config.data_dir, Action::Vacuum, None)?,
        Command::CheckConfig(_) | Command::InitConfig(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(config: Config, out: &mut (impl Write + Send)) -> Result<(), Box<dyn std::error::Error>> {
    observe::start_logging(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(server::serve(config, out))?)
}
