//! A relay as a process of its own, so that it can really be killed: this program, started again as one.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::Parser as _;
use hushpost_relay::cli::Cli;
use hushpost_relay::server;

use crate::story::{Failure, Outcome, fail};

/// The argument that makes this program a relay.
pub(crate) const AS_RELAY: &str = "as-relay";
/// What the relay goes by, and what clients know it by.
pub(crate) const NAME: &str = "relay.tour";

/// A running relay.
pub(crate) struct Relay {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Relay {
    /// Starts one on a free port.
    pub(crate) fn start(folder: &Path) -> Result<Self, Failure> {
        launch(folder, "127.0.0.1:0")
    }

    /// Kills it, as a power cut would: nothing is written any more.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again at the same address.
    pub(crate) fn restart(&mut self) -> Outcome {
        *self = launch(&self.folder.clone(), &self.address.to_string())?;
        Ok(())
    }

    /// Deletes all that it ever stored.
    pub(crate) fn wipe(&self) -> Outcome {
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may be dead already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn launch(folder: &Path, address: &str) -> Result<Relay, Failure> {
    std::fs::create_dir_all(folder)?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg(AS_RELAY)
        .arg(folder)
        .arg(address)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let Some(output) = child.stdout.take() else {
        return fail("the relay has no output");
    };
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("ws="))
        .and_then(|address| address.parse().ok());
    match address {
        Some(address) => Ok(Relay {
            child,
            folder: folder.to_path_buf(),
            address,
        }),
        None => fail("the relay did not start"),
    }
}

/// The relay's own part of this program: what the `hushpost-relay` command does.
pub(crate) async fn serve(folder: &str, address: &str) -> Outcome {
    let cli = Cli::try_parse_from([
        "hushpost-relay",
        "serve",
        "--data-dir",
        folder,
        "--listen",
        address,
        "--admin-listen",
        "127.0.0.1:0",
        "--name",
        NAME,
    ])?;
    Ok(server::serve(cli.config()?, &mut std::io::stdout()).await?)
}
