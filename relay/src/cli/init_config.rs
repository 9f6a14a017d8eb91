//! `init-config`: writes a commented configuration file. Never replaces one unasked.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::InitConfig;
use crate::config::TEMPLATE;

/// The file was not written.
#[derive(Debug, Error)]
pub enum InitConfigError {
    /// There is one already.
    #[error("{} exists already; --force replaces it", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output is gone.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Writes the template to the file that was asked for, or to `out`.
///
/// # Errors
/// [`InitConfigError`]; then an existing file is as it was, unless it was to be replaced and the disk
/// failed half-way.
pub fn init_config(arguments: &InitConfig, out: &mut impl Write) -> Result<(), InitConfigError> {
    let Some(path) = &arguments.output else {
        return Ok(out.write_all(TEMPLATE.as_bytes())?);
    };
    match write(path, arguments.force) {
        Ok(()) => {
            let shown = path.display();
            writeln!(
                out,
                "{shown} is written: edit it, then `hushpost-relay check-config --config {shown}`"
            )?;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(InitConfigError::Exists(path.clone()))
        }
        Err(source) => Err(InitConfigError::Unwritable {
            path: path.clone(),
            source,
        }),
    }
}

fn write(path: &Path, replace: bool) -> io::Result<()> {
    let mut file = if replace {
        File::create(path)?
    } else {
        // Asked of the system in one step: a file that appears in between is not lost either.
        OpenOptions::new().write(true).create_new(true).open(path)?
    };
    file.write_all(TEMPLATE.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Config;

    #[test]
    fn it_prints_what_the_relay_can_read() {
        let mut out = Vec::new();
        let arguments = InitConfig {
            output: None,
            force: false,
        };
        init_config(&arguments, &mut out).unwrap();
        assert_eq!(out, TEMPLATE.as_bytes());
    }

    #[test]
    fn an_existing_file_is_replaced_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.toml");
        let mut arguments = InitConfig {
            output: Some(path.clone()),
            force: false,
        };
        init_config(&arguments, &mut Vec::new()).unwrap();
        assert_eq!(
            Config::load(Some(&path), [], &[]).unwrap(),
            Config::default()
        );

        fs::write(&path, "name = 'mine'").unwrap();
        let error = init_config(&arguments, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, InitConfigError::Exists(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "name = 'mine'");

        arguments.force = true;
        init_config(&arguments, &mut Vec::new()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEMPLATE);

        arguments.output = Some(folder.path().join("no/such/folder"));
        let error = init_config(&arguments, &mut Vec::new()).unwrap_err();
        assert!(
            matches!(error, InitConfigError::Unwritable { .. }),
            "{error}"
        );
    }
}
