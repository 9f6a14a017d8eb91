//! Remembers where each setting was given, so that an error about it can say so.
//!
//! Must never show a line that holds a secret: errors end in logs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Place;

/// A longer line is not shown: it would not be readable, and might be no configuration at all.
const MAX_SNIPPET_LEN: usize = 160;

/// Settings whose value is a secret.
const SECRETS: [&[&str]; 1] = [&["registration", "invite_codes"]];

/// Whether the value at this path, or around it, is a secret.
pub(super) fn is_secret(path: &[String]) -> bool {
    SECRETS
        .iter()
        .any(|secret| secret.iter().zip(path).all(|(a, b)| a == b) && path.len() >= secret.len())
}

/// Where one setting was given.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Byte ranges in the file, of the key and of the value.
    File {
        key: Range<usize>,
        value: Range<usize>,
    },
    Environment(String),
    Flag(String),
}

/// Which part of a setting is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

/// Where every setting was given.
#[derive(Default)]
pub(super) struct Origins {
    file: Option<(PathBuf, String)>,
    given: BTreeMap<Vec<String>, Origin>,
}

impl Origins {
    pub(super) fn add_file(&mut self, path: &Path, text: &str, table: &DeTable<'_>) {
        self.add_table(&mut Vec::new(), table);
        self.file = Some((path.to_owned(), text.to_owned()));
    }

    fn add_table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            self.add_value(path, key.span(), value);
            path.pop();
        }
    }

    fn add_value(
        &mut self,
        path: &mut Vec<String>,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let origin = Origin::File {
            key,
            value: value.span(),
        };
        self.given.insert(path.clone(), origin);
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(path, table),
            DeValue::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    path.push(index.to_string());
                    self.add_value(path, value.span(), value);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// A later layer gives this setting anew.
    pub(super) fn replace(&mut self, path: Vec<String>, origin: Origin) {
        self.given.retain(|given, _| !given.starts_with(&path));
        self.given.insert(path, origin);
    }

    /// Whether the setting at this path, or a part of it, was given.
    pub(super) fn is_given(&self, path: &[String]) -> bool {
        self.given.contains_key(path)
    }

    /// Where the setting at this path was given, or else what is closest around it.
    pub(super) fn place(&self, path: &[String], part: Part) -> Option<Place> {
        let (found, origin) = (1..=path.len()).rev().find_map(|len| {
            let path = path.get(..len)?;
            self.given.get(path).map(|origin| (path, origin))
        })?;
        match origin {
            Origin::Environment(name) => Some(Place::Environment(name.clone())),
            Origin::Flag(flag) => Some(Place::Flag(flag.clone())),
            Origin::File { key, value } => {
                // Of a section that lacks something, only the heading is worth showing.
                let part = if found.len() < path.len() {
                    Part::Key
                } else {
                    part
                };
                let span = if part == Part::Key { key } else { value };
                let (path, text) = self.file.as_ref()?;
                Some(place_in_file(path, text, span.clone(), is_secret(found)))
            }
        }
    }
}

/// The place of a byte range in a file.
pub(super) fn place_in_file(path: &Path, text: &str, span: Range<usize>, hidden: bool) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let line_text = text
        .get(line_start..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let indent = before.get(line_start..).map_or(0, |it| it.chars().count());
    let marked = text.get(span).map_or(1, |marked| {
        marked
            .lines()
            .next()
            .map_or(1, |first| first.chars().count())
            .max(1)
    });
    let snippet = if hidden || line_text.len() > MAX_SNIPPET_LEN {
        String::new()
    } else {
        // The file may hold anything; a terminal must not obey it.
        let shown: String = line_text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(indent);
        let mark = "^".repeat(marked);
        format!("  {margin} |\n  {number} | {shown}\n  {margin} | {indent}{mark}")
    };
    Place::File {
        path: path.to_owned(),
        line,
        column: indent.saturating_add(1),
        snippet,
    }
}

/// Whether a syntax error at this byte may lie within a secret: no path is known then, so the last key
/// written before it decides.
pub(super) fn may_be_within_secret(text: &str, at: usize) -> bool {
    let until = text
        .get(at..)
        .and_then(|rest| rest.find('\n'))
        .and_then(|len| at.checked_add(len))
        .unwrap_or(text.len());
    let before = text.get(..until).unwrap_or(text);
    let key_line = before.lines().rev().find(|line| line.contains('='));
    SECRETS.iter().any(|secret| {
        secret
            .last()
            .is_some_and(|name| key_line.is_some_and(|line| line.contains(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(text: &str, span: Range<usize>) -> (usize, usize, String) {
        match place_in_file(Path::new("f"), text, span, false) {
            Place::File {
                line,
                column,
                snippet,
                ..
            } => (line, column, snippet),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        assert_eq!(
            snippet("a = 1\né = \tx\n", 12..13),
            (2, 6, "    |\n  2 | é =  x\n    |      ^".to_owned())
        );
        assert_eq!(snippet("", 0..0).0, 1);
        // Beyond the end, and within a character: no panic.
        assert_eq!(snippet("é", 1..2).0, 1);
        assert_eq!(snippet("é", 7..9).0, 1);
        assert_eq!(snippet(&"x".repeat(1000), 500..501).2, "");
    }
}
