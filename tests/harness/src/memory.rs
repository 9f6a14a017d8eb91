//! How much memory a process holds.

use std::fs;
use std::io;

use crate::HarnessError;

/// Resident bytes of a process, from the kernel's own count (not the batched one of `statm`).
///
/// # Errors
/// [`HarnessError::Io`] if there is no such process or its memory may not be read.
pub fn resident_bytes(pid: u32) -> Result<u64, HarnessError> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    parse_rss(&text).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "smaps_rollup has no Rss line").into()
    })
}

fn parse_rss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_counted() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert_eq!(
            parse_rss("0-1 [rollup]\nRss:       12 kB\nPss: 3 kB\n"),
            Some(12 * 1024)
        );
        assert_eq!(parse_rss("Pss: 3 kB\n"), None);
    }
}
