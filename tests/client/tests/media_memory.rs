//! A large file, and a picture that is a bomb, within little memory. The only test of its process, so that nobody else's
//! memory is counted. 64 MiB; to try more:
//!
//! ```sh
//! HUSHPOST_LARGE_FILE_MIB=1024 cargo test -p hushpost-client-tests --test media_memory -- --nocapture
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod media_stage;

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use hushpost::{Config, UploadOptions};
use hushpost_harness::{LIMITERS_OFF, RelayOptions};
use media_stage::{Peer, Result, noise};

/// The most that this process held, in bytes, since it was last reset.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .next()
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

fn reset_peak() -> u64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

#[tokio::test]
async fn a_large_file_and_a_bomb_take_little_memory() -> Result {
    let mib = std::env::var("HUSHPOST_LARGE_FILE_MIB").ok();
    let mib: usize = mib.and_then(|mib| mib.parse().ok()).unwrap_or(64);
    let limits = "[limits]\nblob_bytes = '2 GiB'\nblob_quota_bytes = '4 GiB'";
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(limits)
        .start()?;
    let configure: fn(Config) -> Config = |config| {
        config
            .max_file_bytes(2 << 30)
            .media_cache(8 << 30, Duration::from_secs(3600))
    };
    let alice = Peer::new(relay.address(), configure).await?;
    let bob = Peer::new(relay.address(), configure).await?;
    // Everything is warm.
    let small = alice.uploaded(&noise(3_000_000), "small").await?;
    bob.saved(&small).await?;

    let path = alice.folder.path().join("large");
    let mut file = fs::File::create(&path)?;
    let piece = noise(1 << 20);
    for number in 0..mib {
        file.write_all(&number.to_le_bytes())?;
        file.write_all(&piece[8..])?;
    }
    drop(file);
    let before = reset_peak();
    let start = std::time::Instant::now();
    let large = alice
        .client
        .media()
        .upload(&*path, UploadOptions::new())
        .finished()
        .await?;
    let uploaded = start.elapsed();
    let saved = bob.folder.path().join("saved");
    bob.client.media().save(&large, &saved).await?;
    let grown = peak().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
    println!(
        "{mib} MiB: {:.1} MiB above the baseline, uploaded in {uploaded:.1?}, all in {:.1?}",
        grown as f64 / 1_048_576.0,
        start.elapsed()
    );
    let same = std::process::Command::new("cmp")
        .arg(&path)
        .arg(&saved)
        .status()?;
    assert!(same.success());

    // A picture that says it has 65,535 by 65,535 pixels.
    let mut bomb = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(1, 1)
        .write_to(&mut bomb, image::ImageFormat::Png)
        .unwrap();
    let mut bomb = bomb.into_inner();
    bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    bomb[29..33].copy_from_slice(&[0xd0, 0x9b, 0x50, 0x06]);
    let before = reset_peak();
    let refused = alice
        .client
        .media()
        .upload(bomb, UploadOptions::new())
        .finished()
        .await;
    assert_eq!(refused.unwrap_err().code(), "media_picture");
    assert!(peak().saturating_sub(before) < 4 << 20);
    Ok(())
}
