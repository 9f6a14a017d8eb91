//! A disk that can be filled.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// A folder on a file system of its own, of a given size; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one, of a size as `mount` reads it (`24m`). `None` where this user may not mount.
    #[must_use]
    pub fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(folder.path())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(folder))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves about so many bytes.
    ///
    /// # Errors
    /// Whatever writing says.
    pub fn fill(&self, leave: u64) -> io::Result<()> {
        let free = rustix::fs::statvfs(self.path())?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        let ballast = usize::try_from(free.saturating_sub(leave)).map_err(io::Error::other)?;
        fs::write(self.ballast(), vec![1; ballast])
    }

    /// Takes away what [`fill`](Self::fill) wrote.
    ///
    /// # Errors
    /// Whatever deleting says.
    pub fn make_room(&self) -> io::Result<()> {
        fs::remove_file(self.ballast())
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
