//! What is wrong with a configuration, where it stands, and how to mend it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// No configuration could be made.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration file {}: {source}\n  \
         help: `hushpost-relay init-config --output {}` writes one; without --config the relay needs none",
        path.display(), path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not text, or larger than a configuration could be.
    #[error("{} is not a configuration file: {why}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Everything that is wrong with what was read.
    #[error("{}", list(.0))]
    Wrong(Vec<Problem>),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, such as `listen.address`; empty if the text is not even TOML.
    pub setting: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it; may be empty.
    pub help: String,
    /// Where the setting was given; `None`: nowhere, it has its default.
    pub place: Option<Place>,
}

impl Problem {
    pub(super) fn new(
        setting: impl Into<String>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.into(),
            what: what.into(),
            help: help.into(),
            place: None,
        }
    }
}

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The line, and the place in it underlined; empty if the line holds a secret or is very long.
        snippet: String,
    },
    /// In this environment variable.
    Environment(String),
    /// With this command-line option.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                path, line, column, ..
            } => write!(f, "{} line {line} column {column}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(flag) => write!(f, "option {flag}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  in {place}")?;
            if let Place::File { snippet, .. } = place
                && !snippet.is_empty()
            {
                write!(f, "\n{snippet}")?;
            }
        }
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

fn list(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str("error: ");
        text.push_str(&problem.to_string());
    }
    text
}
