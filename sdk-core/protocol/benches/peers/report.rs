//! The table at the end: criterion's medians, side by side.

use std::path::Path;

use serde_json::Value;

use crate::{OURS, VODOZEMAC};

/// The official library's native figures and vodozemac's, in microseconds, from one run on one
/// 2-core AMD EPYC machine (November 2026). Only their ratios are used here.
struct Published {
    line: &'static str,
    official: Option<f64>,
    vodozemac: Option<f64>,
    note: &'static str,
}

/// The line that ties this machine to that one where vodozemac has no line of its own.
const YARDSTICK: (&str, f64) = ("X25519", 41.5);

const fn line(
    line: &'static str,
    official: Option<f64>,
    vodozemac: Option<f64>,
    note: &'static str,
) -> Published {
    Published {
        line,
        official,
        vodozemac,
        note,
    }
}

const LINES: [Published; 28] = [
    line("encrypt 100 B, same chain", Some(2.8), Some(14.2), ""),
    line("decrypt 100 B, same chain", Some(3.4), Some(1.7), ""),
    line("encrypt 10 KB, same chain", Some(32.0), Some(32.5), ""),
    line("decrypt 10 KB, same chain", Some(11.0), Some(9.7), ""),
    line(
        "encrypt 100 B, triple ratchet",
        Some(12.8),
        Some(14.2),
        "vodozemac: no such ratchet",
    ),
    line(
        "decrypt 100 B, triple ratchet",
        Some(8.8),
        Some(1.7),
        "vodozemac: no such ratchet",
    ),
    line(
        "encrypt 10 KB, triple ratchet",
        Some(43.0),
        Some(32.5),
        "vodozemac: no such ratchet",
    ),
    line(
        "decrypt 10 KB, triple ratchet",
        Some(17.0),
        Some(9.7),
        "vodozemac: no such ratchet",
    ),
    line(
        "ping-pong, triple ratchet",
        Some(241.6),
        Some(196.0),
        "vodozemac: no such ratchet",
    ),
    line(
        "ping-pong, 2 messages of 100 B",
        Some(207.6),
        Some(196.0),
        "floor: 4 X25519, 2 public keys",
    ),
    line(
        "skip 2,000 messages",
        None,
        Some(396.0),
        "official: quadratic",
    ),
    line(
        "process bundle (PQXDH)",
        Some(336.0),
        Some(138.0),
        "Olm: 3DH, no KEM, no signatures; floor: 5 X25519, 2 verify, 1 KEM",
    ),
    line(
        "first encrypt 100 B",
        Some(27.0),
        Some(14.0),
        "ours carries a 1.6 KB KEM ciphertext",
    ),
    line(
        "first decrypt 100 B (PQXDH)",
        Some(323.0),
        Some(126.0),
        "Olm: 3DH, no KEM; floor: 6 X25519, 1 subgroup check, 1 KEM",
    ),
    line(
        "group encrypt 100 B",
        Some(30.0),
        Some(15.7),
        "floor: 1 signature",
    ),
    line(
        "group decrypt 100 B",
        Some(41.0),
        Some(36.3),
        "floor: 1 verify",
    ),
    line(
        "sealed sender: seal",
        Some(94.0),
        None,
        "floor: 2 X25519, 1 public key",
    ),
    line("sealed sender: open", Some(81.0), None, "floor: 2 X25519"),
    line(
        "sealed sender: to 1,000, one thread",
        None,
        None,
        "floor: 2,000 X25519",
    ),
    line(
        "sealed sender: to 1,000, all cores",
        Some(44_000.0),
        None,
        "floor: 2,000 X25519",
    ),
    line(
        "safety number",
        Some(1_840.0),
        None,
        "floor: 10,400 SHA-512 blocks",
    ),
    line("X25519", Some(40.5), Some(41.5), ""),
    line(
        "sign 100 B",
        Some(27.8),
        Some(13.9),
        "XEdDSA hashes 96 bytes more than Ed25519",
    ),
    line(
        "verify 100 B",
        Some(40.9),
        Some(34.1),
        "from a Montgomery key: 2 field inversions more than Ed25519",
    ),
    line("encode state", None, None, ""),
    line("decode state", None, None, ""),
    line("decode + encrypt 100 B + encode", None, None, ""),
    line("decode + decrypt 100 B + encode", None, None, ""),
];

/// Prints every line that has been measured, now or in an earlier run.
pub fn print(directory: &Path) {
    let scale = median(directory, VODOZEMAC, YARDSTICK.0).map(|here| here / YARDSTICK.1);
    println!(
        "\n{:<38} {:>10} {:>10} {:>7} {:>10} {:>7}  note (medians, µs)",
        "line", "hushpost", "vodozemac", "ratio", "official*", "ratio"
    );
    for published in &LINES {
        let Some(ours) = median(directory, OURS, published.line) else {
            continue;
        };
        let vodozemac = median(directory, VODOZEMAC, published.line);
        let official =
            published
                .official
                .and_then(|official| match (vodozemac, published.vodozemac) {
                    (Some(here), Some(there)) => Some(official * here / there),
                    _ => scale.map(|scale| official * scale),
                });
        println!(
            "{:<38} {ours:>10.2} {:>10} {:>7} {:>10} {:>7}  {}",
            published.line,
            show(vodozemac),
            show(vodozemac.map(|theirs| ours / theirs)),
            show(official),
            show(official.map(|theirs| ours / theirs)),
            published.note
        );
    }
    println!(
        "* published native figure, scaled by vodozemac's line here and there (X25519 where it has none)"
    );
}

fn show(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

/// Criterion's median in microseconds.
fn median(directory: &Path, group: &str, line: &str) -> Option<f64> {
    // Criterion makes a folder name of a benchmark's name by replacing what a path cannot hold.
    let folder = line.replace([':', '/', '\\', '?', '"', '*', '<', '>', '|'], "_");
    let path = directory
        .join(group)
        .join(folder)
        .join("new/estimates.json");
    let estimates: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(estimates["median"]["point_estimate"].as_f64()? / 1000.0)
}
