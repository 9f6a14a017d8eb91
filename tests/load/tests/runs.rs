//! The program runs, on a real relay, and fails loudly where it must. What it measures in a test build means
//! nothing and is not looked at.

use std::process::{Command, Output};

fn load(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_hushpost-load"))
        .args(arguments)
        .output()
}

#[test]
fn every_scenario_finds_all_its_messages() {
    let ran = load(&[
        "all",
        "--rounds=1",
        "--online-seconds=1",
        "--paced-seconds=1",
        "--connections=300",
    ])
    .unwrap();
    let complaints = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{complaints}");
    let report = String::from_utf8_lossy(&ran.stdout);
    for scenario in ["online", "paced", "store", "drain", "fanout", "idle"] {
        assert!(report.contains(&format!("\n{scenario}\n")), "{report}");
    }
    // Whether there is a Redis or not, it says so.
    assert_ne!(
        report.contains("ours/Redis"),
        complaints.contains("SKIPPED: redis-server")
    );
}

#[test]
fn another_machine_is_never_loaded() {
    let ran = load(&[
        "fanout",
        "--relay=192.0.2.1:1",
        "--admin=127.0.0.1:2",
        "--pid=1",
    ])
    .unwrap();
    assert!(!ran.status.success());
    let complaints = String::from_utf8_lossy(&ran.stderr);
    assert!(
        complaints.contains("192.0.2.1:1 is not a loopback address"),
        "{complaints}"
    );
}
