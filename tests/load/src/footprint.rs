//! What a server takes up: memory, disk, commits.

use std::fs;
use std::io;
use std::path::Path;

/// A server at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Footprint {
    /// Resident bytes of the process.
    pub resident: u64,
    /// Bytes of its files, where they are known.
    pub disk: Option<u64>,
    /// Durable commits since it started, each one fsync; where it counts them.
    pub commits: Option<f64>,
}

/// Bytes of all files below a folder. Files that vanish meanwhile count as nothing.
pub fn folder_bytes(folder: &Path) -> Result<u64, io::Error> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(about) = entry.metadata() else {
            continue;
        };
        total += if about.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            about.len()
        };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_summed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("a"), [0; 10]).unwrap();
        fs::write(folder.path().join("below/b"), [0; 5]).unwrap();
        assert_eq!(folder_bytes(folder.path()).unwrap(), 15);
    }
}
