//! Configuration as an operator meets it: a file to start from, a check before the start, and an error that
//! says what to do.

#![allow(
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use hushpost_harness::{RelayBinary, RelayOptions};

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

fn run(folder: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(RelayBinary::find()?.path())
        .args(arguments)
        .current_dir(folder)
        .output()?)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn what_init_config_writes_check_config_takes_and_serve_too() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    let made = run(at, &["init-config", "--output", "relay.toml"])?;
    assert!(made.status.success(), "{}", text(made.stderr));
    let file = fs::read_to_string(at.join("relay.toml"))?;
    assert_eq!(text(run(at, &["init-config"])?.stdout), file);

    let checked = run(at, &["check-config", "--config", "relay.toml"])?;
    assert_eq!(checked.status.code(), Some(0), "{}", text(checked.stderr));
    assert!(text(checked.stdout).ends_with("configuration is valid\n"));
    let without = run(at, &["check-config"])?;
    assert_eq!(without.status.code(), Some(0));

    // Every default as it stands there, taken at its word.
    let uncommented = file
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with([' ', '#']) => setting,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    fs::write(at.join("defaults.toml"), &uncommented)?;
    let checked = run(at, &["check-config", "--config", "defaults.toml"])?;
    assert_eq!(checked.status.code(), Some(0), "{}", text(checked.stderr));
    let relay = RelayOptions::default()
        .config(
            uncommented
                .replace("address = \"127.0.0.1:4810\"", "address = \"127.0.0.1:0\"")
                .replace("127.0.0.1:4811", "127.0.0.1:0")
                .replace("data_dir = \"./hushpost-data\"\n", ""),
        )
        .start()?;
    drop(relay);

    let again = run(at, &["init-config", "--output", "relay.toml"])?;
    assert_eq!(again.status.code(), Some(1));
    assert!(text(again.stderr).contains("relay.toml exists already; --force replaces it"));
    assert!(!at.join("hushpost-data").exists(), "checking makes nothing");
    Ok(())
}

#[test]
fn a_wrong_configuration_names_file_line_and_mend_for_every_command() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    fs::write(
        at.join("relay.toml"),
        "name = 'chat.example'\n\n[limits]\ndevices = 0\nqueue_mesages = 5\nmessage_ttl = '30'\n",
    )?;
    for command in [
        vec!["check-config"],
        vec!["serve"],
        vec!["stats"],
        vec!["vacuum"],
        vec!["backup", "copy"],
    ] {
        let refused = run(at, &[&["--config", "relay.toml"][..], &command].concat())?;
        assert_eq!(refused.status.code(), Some(2), "{command:?}");
        assert_eq!(text(refused.stdout), "");
        let problem = text(refused.stderr);
        for part in [
            "relay.toml line 5",
            "queue_messages",
            "relay.toml line 6",
            "help:",
        ] {
            assert!(problem.contains(part), "{part} is not in:\n{problem}");
        }
    }
    fs::write(at.join("relay.toml"), "[limits]\ndevices = 0\n")?;
    let refused = run(at, &["check-config", "--config", "relay.toml"])?;
    assert_eq!(refused.status.code(), Some(2));
    let problem = text(refused.stderr);
    for part in ["limits.devices", "relay.toml line 2 column", "help:"] {
        assert!(problem.contains(part), "{part} is not in:\n{problem}");
    }
    Ok(())
}

#[test]
fn no_file_no_toml_and_an_unknown_option_are_told_apart() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    fs::write(at.join("broken.toml"), "name = \n")?;
    for (arguments, part) in [
        (vec!["serve", "--config", "none.toml"], "init-config"),
        (
            vec!["serve", "--config", "broken.toml"],
            "broken.toml line 1",
        ),
        (vec!["serve", "--set", "limits.devises=3"], "limits.devices"),
        (vec!["serve", "--listen", "localhost"], "--listen"),
        (vec!["serve", "--listen", "localhost"], "--listen"),
        (vec!["account", "show", "bob"], "UUID"),
    ] {
        let refused = run(at, &arguments)?;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let problem = text(refused.stderr);
        assert!(problem.contains(part), "{part} is not in:\n{problem}");
    }
    assert_eq!(fs::read_dir(at)?.count(), 1, "nothing was made");
    Ok(())
}

#[test]
fn the_environment_counts_and_its_mistakes_are_named() -> Result {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(RelayBinary::find()?.path());
    command
        .arg("check-config")
        .current_dir(folder.path())
        .env("HUSHPOST_RELAY__NAME", "from.the.environment");
    let checked = text(command.output()?.stdout);
    assert!(
        checked.contains(
            "name = \"from.the.environment\"  # environment variable HUSHPOST_RELAY__NAME"
        ),
        "{checked}"
    );
    command.env("HUSHPOST_RELAY__LIMITS__DEVICES", "many");
    let refused = command.output()?;
    assert_eq!(refused.status.code(), Some(2));
    let problem = text(refused.stderr);
    assert!(
        problem.contains("HUSHPOST_RELAY__LIMITS__DEVICES"),
        "{problem}"
    );
    Ok(())
}
