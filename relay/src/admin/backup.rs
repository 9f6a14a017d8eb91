//! A copy of the data folder, made while the relay runs. To restore: stop the relay, put the copy in the
//! data folder's place, start.
//!
//! The copy gets a storage epoch of its own: messages accepted after it was made are not in it, and the
//! epoch tells clients to send again what was not delivered.

use std::path::Path;

use rusqlite::{Connection, params};

use super::AdminError;
use crate::store::{self, DATABASE};

/// The folder of blobs inside the data folder.
const BLOBS: &str = "blobs";

/// Copies a data folder to a new folder.
///
/// # Errors
/// [`AdminError`]. A copy that failed half-way is removed.
pub fn backup(folder: &Path, destination: &Path) -> Result<(), AdminError> {
    std::fs::create_dir(destination).map_err(AdminError::Copy)?;
    let copied = copy(folder, destination);
    if copied.is_err() {
        let _half_a_copy_is_worse_than_none = std::fs::remove_dir_all(destination);
    }
    copied
}

fn copy(folder: &Path, destination: &Path) -> Result<(), AdminError> {
    let original = store::open_beside(folder)?;
    let database = destination.join(DATABASE);
    let target = database.to_str().ok_or_else(|| {
        AdminError::Copy(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "the destination's name is not UTF-8",
        ))
    })?;
    // One consistent snapshot, without waiting for the writer and without its log.
    original.execute("VACUUM INTO ?1", params![target])?;
    let copy = Connection::open(&database)?;
    store::renew_epoch(&copy)?;
    drop(copy);
    let blobs = folder.join(BLOBS);
    if blobs.is_dir() {
        copy_folder(&blobs, &destination.join(BLOBS)).map_err(AdminError::Copy)?;
    }
    Ok(())
}

/// Copies a folder of blobs. A blob that expires meanwhile is left out.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let copied = if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), &target).map(drop)
        };
        match copied {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
