//! A configuration that still knows where each of its settings was given.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use toml::{Table, Value};

use super::error::{ConfigError, Problem};
use super::layers::{Layers, Override};
use super::origin::{Origins, Part, is_secret};
use super::{Config, check_environment};

/// Bytes of a configuration file. The commented template has 8 KB.
const MAX_FILE_LEN: u64 = 1024 * 1024;

/// Shown even if they have their defaults: what an operator looks for first.
const ALWAYS_SHOWN: [&str; 5] = [
    "name",
    "data_dir",
    "listen.address",
    "listen.admin_address",
    "registration.mode",
];

/// A valid configuration and where its settings were given.
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    settings: Table,
    origins: Origins,
}

impl fmt::Debug for Loaded {
    /// Without the texts it was read from, which hold invite codes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

impl Loaded {
    /// As [`Config::load`].
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[Override],
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::new();
        if let Some(path) = file {
            layers.add_file(path, &read_bounded(path)?)?;
        }
        layers.add_environment(environment);
        layers.add_overrides(overrides);
        let (config, settings, origins) = layers.read()?;
        let loaded = Self {
            config,
            settings,
            origins,
        };
        loaded.none_of(loaded.config.validate())?;
        Ok(loaded)
    }

    /// Checks what the configuration says about this machine: certificate and key files are there, can be
    /// read and belong together, and the data folder exists or can be made. Changes nothing.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`] with all that is wrong.
    pub fn check_environment(&self) -> Result<(), ConfigError> {
        self.none_of(check_environment::problems(&self.config))
    }

    /// Writes the settings that were given, and the most important others, one a line with its place.
    ///
    /// # Errors
    /// What `to` answers.
    pub fn write_summary(&self, to: &mut impl Write) -> io::Result<()> {
        let mut defaults = 0_usize;
        for (path, value) in leaves(&self.settings) {
            let given = (1..=path.len())
                .any(|len| path.get(..len).is_some_and(|it| self.origins.is_given(it)));
            let setting = path.join(".");
            let value = if is_secret(&path) && given {
                "(hidden)".to_owned()
            } else {
                value.to_string()
            };
            match self.origins.place(&path, Part::Value).filter(|_| given) {
                Some(place) => writeln!(to, "{setting} = {value}  # {place}")?,
                None if ALWAYS_SHOWN.contains(&setting.as_str()) => {
                    writeln!(to, "{setting} = {value}  # default")?;
                }
                None => defaults = defaults.saturating_add(1),
            }
        }
        if self.config.tls.is_none() {
            writeln!(to, "tls: none, plain HTTP")?;
        }
        writeln!(
            to,
            "{defaults} other settings have their defaults, see `hushpost-relay init-config`"
        )
    }

    fn none_of(&self, mut problems: Vec<Problem>) -> Result<(), ConfigError> {
        if problems.is_empty() {
            return Ok(());
        }
        for problem in &mut problems {
            let path: Vec<String> = problem.setting.split('.').map(str::to_owned).collect();
            problem.place = self.origins.place(&path, Part::Value);
        }
        Err(ConfigError::Wrong(problems))
    }
}

/// Settings that are no section, with their paths. A limiter counts as one setting unless it was given as a
/// section.
fn leaves(table: &Table) -> Vec<(Vec<String>, &Value)> {
    let mut found = Vec::new();
    let mut waiting: Vec<(Vec<String>, &Table)> = vec![(Vec::new(), table)];
    while let Some((path, table)) = waiting.pop() {
        for (key, value) in table {
            let path = path.iter().cloned().chain([key.clone()]).collect();
            match value {
                Value::Table(table) => waiting.push((path, table)),
                value => found.push((path, value)),
            }
        }
    }
    // Those without a section first, as in the file.
    found.sort_by(|(a, _), (b, _)| (a.len() > 1, a).cmp(&(b.len() > 1, b)));
    found
}

fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let not_text = |why: String| ConfigError::NotText {
        path: path.to_owned(),
        why,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(MAX_FILE_LEN.saturating_add(1))
                .read_to_end(&mut bytes)
        })
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_FILE_LEN) {
        return Err(not_text("it is larger than 1 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        not_text(format!("byte {at} is not UTF-8"))
    })
}
