//! Finds the relay's binary, and builds it where a test run would otherwise use an old one or none.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Names a binary to use instead, for trying a release or another version.
const OVERRIDE: &str = "HUSHPOST_RELAY_BIN";

/// Why there is no binary. Remembered: every test that needed it reports it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no relay binary: {0}")]
pub struct RelayBinaryError(String);

/// The relay's binary.
#[derive(Debug, Clone)]
pub struct RelayBinary(PathBuf);

impl RelayBinary {
    /// The binary of `HUSHPOST_RELAY_BIN` if set; else the one beside this program in cargo's target folder, of the
    /// same profile. Under cargo it is built first, once a process: cargo's own lock keeps processes apart,
    /// and a binary that is up to date costs no more than a look.
    ///
    /// # Errors
    /// [`RelayBinaryError`].
    pub fn find() -> Result<Self, RelayBinaryError> {
        static FOUND: OnceLock<Result<PathBuf, RelayBinaryError>> = OnceLock::new();
        FOUND
            .get_or_init(|| match env::var_os(OVERRIDE) {
                Some(path) => existing(path.into()),
                None => beside_this_program(),
            })
            .clone()
            .map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn beside_this_program() -> Result<PathBuf, RelayBinaryError> {
    let program = env::current_exe().map_err(|error| RelayBinaryError(error.to_string()))?;
    let profile_dir = profile_dir(&program)
        .ok_or_else(|| RelayBinaryError(format!("{} has no folder", program.display())))?;
    let binary = profile_dir.join(format!("hushpost-relay{}", env::consts::EXE_SUFFIX));
    // Cargo tells programs it runs where it is.
    let cargo = env::var_os("CARGO");
    if cargo.is_some() || !binary.exists() {
        build(
            cargo.map_or_else(|| "cargo".into(), PathBuf::from),
            profile_dir,
        )?;
    }
    existing(binary)
}

/// The folder of a build profile: tests lie in its `deps`, examples in its `examples`.
fn profile_dir(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    match folder.file_name()?.to_str()? {
        "deps" | "examples" => folder.parent(),
        _ => Some(folder),
    }
}

fn build(cargo: PathBuf, profile_dir: &Path) -> Result<(), RelayBinaryError> {
    let (Some(target_dir), Some(profile)) = (
        profile_dir.parent(),
        profile_dir.file_name().and_then(|name| name.to_str()),
    ) else {
        return Err(RelayBinaryError("not in a target folder".to_owned()));
    };
    let profile = if profile == "debug" { "dev" } else { profile };
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "-p",
            "hushpost-relay",
            "--bin",
            "hushpost-relay",
        ])
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| RelayBinaryError(format!("cannot run cargo: {error}")))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(RelayBinaryError(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }
}

fn existing(path: PathBuf) -> Result<PathBuf, RelayBinaryError> {
    if path.is_file() {
        Ok(path)
    } else {
        Err(RelayBinaryError(format!("{} is no file", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_programs_share_a_profile_folder() {
        for program in [
            "/t/debug/deps/relay-1f",
            "/t/debug/examples/bot",
            "/t/debug/load",
        ] {
            assert_eq!(profile_dir(Path::new(program)), Some(Path::new("/t/debug")));
        }
        assert!(existing("/nowhere/hushpost-relay".into()).is_err());
    }
}
