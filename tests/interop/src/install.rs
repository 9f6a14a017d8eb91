//! Makes the two peers runnable: builds ours with cargo, installs the official one with npm, each once
//! a run and only when a scenario asks for it.
//!
//! Must never: run an install script of a package, reach a registry except through npm, or hide that
//! something is missing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use crate::peer::PeerError;

/// A failed installation is remembered too, so that it is reported by every scenario that needed it.
type Installed = Result<PathBuf, String>;

static OURS: LazyLock<Installed> = LazyLock::new(build_ours);
static OFFICIAL: LazyLock<Installed> = LazyLock::new(install_official);

/// What the official peer needs and this machine lacks, if anything.
#[must_use]
pub fn missing_tool() -> Option<&'static str> {
    ["node", "npm"].into_iter().find(|tool| {
        Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_err()
    })
}

/// The executable of our peer.
pub(crate) fn our_peer() -> Result<&'static Path, PeerError> {
    installed(&OURS)
}

/// The script of the official peer, its packages installed beside it.
pub(crate) fn official_peer() -> Result<&'static Path, PeerError> {
    installed(&OFFICIAL)
}

fn installed(peer: &'static LazyLock<Installed>) -> Result<&'static Path, PeerError> {
    peer.as_deref()
        .map_err(|reason| PeerError::Unavailable(reason.clone()))
}

fn build_ours() -> Installed {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--message-format=json"])
        .args(["-p", "hushpost-protocol", "--example", "conformance_peer"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let output = succeed(&mut build)?;
    output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "conformance_peer")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| "cargo built our peer but named no executable".to_owned())
}

fn install_official() -> Installed {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer");
    if !is_installed(&folder) {
        succeed(
            Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(&folder),
        )?;
    }
    Ok(folder.join("peer.mjs"))
}

/// npm writes its own copy of the lock file last: an interrupted installation has none, and one made
/// for an older lock file has an older one.
fn is_installed(folder: &Path) -> bool {
    let changed = |file: &str| fs::metadata(folder.join(file)).and_then(|about| about.modified());
    match (
        changed("node_modules/.package-lock.json"),
        changed("package-lock.json"),
    ) {
        (Ok(installed), Ok(wanted)) => installed >= wanted,
        _ => false,
    }
}

fn succeed(command: &mut Command) -> Result<Output, String> {
    let name = format!("{command:?}");
    let failed = |reason: &str| format!("{name} failed: {reason}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error: io::Error| failed(&error.to_string()))?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(failed(&String::from_utf8_lossy(&output.stderr)))
    }
}
