//! Lays defaults, file, environment and command line over each other and reads the result.
//!
//! The four become one tree that remembers where each of its settings was given. The tree is read once,
//! with `serde`; a setting that cannot be read is reported and put back to its default, so that one run
//! tells everything that is wrong.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use serde_path_to_error::Segment;
use toml::de::DeTable;
use toml::{Table, Value};

use super::Config;
use super::error::{ConfigError, Problem};
use super::origin::{Origin, Origins, Part, is_secret, may_be_within_secret, place_in_file};
use super::{suggest, template};

/// What the names of our environment variables begin with. Two underscores, as one is what container
/// platforms put into names that they make up (`HUSHPOST_RELAY_PORT`).
pub const ENVIRONMENT_PREFIX: &str = "HUSHPOST_RELAY__";
const LEVEL: &str = "__";
/// Bytes of one value from environment or command line.
const MAX_VALUE_LEN: usize = 64 * 1024;
/// No setting lies deeper.
const MAX_DEPTH: usize = 4;
/// More problems are not listed: each takes another reading of the tree.
const MAX_PROBLEMS: usize = 20;

/// A setting given on the command line.
#[derive(Clone)]
pub struct Override {
    setting: Vec<String>,
    value: String,
    flag: String,
}

impl fmt::Debug for Override {
    /// Without the value, which may be an invite code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Override({})", self.flag)
    }
}

impl Override {
    /// A setting given by an option of its own.
    pub(crate) fn of_flag(flag: &str, setting: &str, value: String) -> Self {
        Self {
            setting: setting.split('.').map(str::to_owned).collect(),
            value,
            flag: flag.to_owned(),
        }
    }
}

/// `listen.address=127.0.0.1:4810`
impl std::str::FromStr for Override {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (setting, value) = text
            .split_once('=')
            .ok_or("expected KEY=VALUE, such as listen.address=127.0.0.1:4810")?;
        let setting = setting.trim();
        if setting.split('.').any(str::is_empty) || setting.split('.').count() > MAX_DEPTH {
            return Err("the key is written as in listen.address=127.0.0.1:4810");
        }
        let flag = format!("--set {setting}");
        Ok(Self::of_flag(&flag, setting, value.to_owned()))
    }
}

/// The tree.
pub(super) struct Layers {
    defaults: Table,
    known: Table,
    tree: Table,
    origins: Origins,
    problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn new() -> Self {
        // A table that is given in part (`{ burst = 5 }`) takes the rest from here. That the defaults
        // can be written down is tested.
        let defaults = Table::try_from(Config::default()).unwrap_or_default();
        Self {
            tree: defaults.clone(),
            defaults,
            known: template::every_setting(),
            origins: Origins::default(),
            problems: Vec::new(),
        }
    }

    /// Lays a file over the defaults.
    pub(super) fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let wrong = |error: toml::de::Error| {
            let span = error.span().unwrap_or_default();
            let hidden = may_be_within_secret(text, span.start);
            let help = "the file is TOML: [section] lines, and under them key = value lines with \
                        texts in \"quotes\"";
            let mut problem = Problem::new("", format!("not TOML: {}", error.message()), help);
            problem.place = Some(place_in_file(path, text, span, hidden));
            ConfigError::Wrong(vec![problem])
        };
        let spanned = DeTable::parse(text).map_err(wrong)?;
        let table: Table = toml::from_str(text).map_err(wrong)?;
        self.origins.add_file(path, text, spanned.get_ref());
        lay_over(&mut self.tree, table);
        Ok(())
    }

    /// Lays the environment over what is there. Variables of others are not looked at.
    pub(super) fn add_environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) {
        let mut ours: Vec<_> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .collect();
        // The environment has no order; errors should.
        ours.sort_unstable();
        for (name, value) in ours {
            let rest = name.strip_prefix(ENVIRONMENT_PREFIX).unwrap_or_default();
            let path: Vec<String> = rest.split(LEVEL).map(str::to_lowercase).collect();
            let origin = Origin::Environment(name);
            match value.into_string() {
                Ok(value) => self.set(path, &value, origin),
                Err(_) => self.refuse(&path, origin, "not UTF-8"),
            }
        }
    }

    /// Lays the command line over what is there.
    pub(super) fn add_overrides(&mut self, overrides: &[Override]) {
        for given in overrides {
            let origin = Origin::Flag(given.flag.clone());
            self.set(given.setting.clone(), &given.value, origin);
        }
    }

    fn refuse(&mut self, path: &[String], origin: Origin, what: &str) {
        let mut problem = Problem::new(path.join("."), what, "");
        self.origins.replace(path.to_owned(), origin);
        problem.place = self.origins.place(path, Part::Value);
        self.problems.push(problem);
    }

    fn set(&mut self, path: Vec<String>, text: &str, origin: Origin) {
        if text.len() > MAX_VALUE_LEN {
            return self.refuse(&path, origin, "longer than 64 KiB");
        }
        if path.len() > MAX_DEPTH || path.iter().any(String::is_empty) {
            return self.refuse(&path, origin, "there is no such setting");
        }
        // Shells make quotes within quotes a pain: a text needs none, even one that looks like a number.
        let is_text = matches!(
            suggest::value_at(&self.known, &path),
            Some(Value::String(_))
        );
        let value = match text.parse::<Value>() {
            Ok(value) if value.is_str() || !is_text => value,
            _ => Value::String(text.to_owned()),
        };
        self.set_value(path, value, origin);
    }

    fn set_value(&mut self, path: Vec<String>, value: Value, origin: Origin) {
        let value = match value {
            // Only what it names: the rest of a limiter or section stays.
            Value::Table(table) if !table.is_empty() => {
                for (name, value) in table {
                    let path = path.iter().cloned().chain([name]).collect();
                    self.set_value(path, value, origin.clone());
                }
                return;
            }
            value => value,
        };
        if let Some((last, sections)) = path.split_last() {
            let mut table = &mut self.tree;
            for section in sections {
                let slot = table
                    .entry(section.as_str())
                    .or_insert_with(|| Value::Table(Table::new()));
                if !slot.is_table() {
                    *slot = Value::Table(Table::new());
                }
                let Value::Table(inner) = slot else { return };
                table = inner;
            }
            table.insert(last.clone(), value);
        }
        self.origins.replace(path, origin);
    }

    /// Reads the tree.
    pub(super) fn read(mut self) -> Result<(Config, Table, Origins), ConfigError> {
        while self.problems.len() < MAX_PROBLEMS {
            let tree = Value::Table(self.tree.clone());
            let error = match serde_path_to_error::deserialize::<_, Config>(tree) {
                Ok(config) if self.problems.is_empty() => {
                    return Ok((config, self.tree, self.origins));
                }
                Ok(_) => break,
                Err(error) => error,
            };
            let path: Vec<String> = error.path().iter().filter_map(name).collect();
            let problem = self.describe(&path, error.inner().message());
            self.problems.push(problem);
            if !self.restore(path) {
                break;
            }
        }
        Err(ConfigError::Wrong(self.problems))
    }

    fn describe(&self, path: &[String], message: &str) -> Problem {
        let example = suggest::value_at(&self.known, path);
        let setting = path.join(".");
        let missing = message
            .strip_prefix("missing field `")
            .and_then(|rest| rest.strip_suffix('`'));
        let (mut problem, part) = if message.starts_with("unknown field") {
            let help = suggest::for_unknown(&self.known, path);
            let problem = Problem::new(setting, "there is no such setting", help);
            (problem, Part::Key)
        } else if let Some(field) = missing {
            let full: Vec<String> = path.iter().cloned().chain([field.to_owned()]).collect();
            let help = example_of(&full, suggest::value_at(&self.known, &full));
            let what = format!("{field} is missing");
            (Problem::new(setting, what, help), Part::Key)
        } else if is_secret(path) {
            // The message would quote the value.
            let what = "expected a list of texts in quotes";
            let help = r#"for example: registration.invite_codes = ["first", "second"]"#;
            (Problem::new(setting, what, help), Part::Value)
        } else {
            let help = example_of(path, example);
            (Problem::new(setting, plain(message), help), Part::Value)
        };
        problem.place = self.origins.place(path, part);
        problem
    }

    /// Puts the setting at this path, or what is around it, back to its default. `false` if nothing can be.
    fn restore(&mut self, mut path: Vec<String>) -> bool {
        while let Some((last, sections)) = path.split_last() {
            let default = suggest::value_at(&self.defaults, &path);
            let section = sections.iter().try_fold(&mut self.tree, |table, name| {
                table.get_mut(name).and_then(Value::as_table_mut)
            });
            if let Some(section) = section
                && section.get(last) != default
            {
                match default {
                    Some(default) => section.insert(last.clone(), default.clone()),
                    None => section.remove(last),
                };
                return true;
            }
            path.pop();
        }
        false
    }
}

/// `over` wins; tables are merged.
fn lay_over(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => lay_over(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn name(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Map { key } => Some(key.clone()),
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

fn example_of(path: &[String], example: Option<&Value>) -> String {
    example.map_or_else(String::new, |value| {
        format!("for example: {} = {value}", path.join("."))
    })
}

/// An operator does not know what a `usize` is.
fn plain(message: &str) -> String {
    let (before, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let expected = match expected {
        "" => return message.to_owned(),
        "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "a list in [ ]",
        expected if expected.starts_with("struct ") => "a section",
        expected => expected,
    };
    format!("{before}, expected {expected}")
}
