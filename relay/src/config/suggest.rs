//! Finds what a mistyped setting was meant to be.

use toml::{Table, Value};

/// Names less alike than this are no typo of each other.
const ALIKE: f64 = 0.8;

/// The value that this path has in a tree; list elements have none.
pub(super) fn value_at<'a>(known: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (last, sections) = path.split_last()?;
    let mut table = known;
    for section in sections {
        table = table.get(section)?.as_table()?;
    }
    table.get(last)
}

/// How to mend a setting that does not exist.
pub(super) fn for_unknown(known: &Table, path: &[String]) -> String {
    let Some((name, section)) = path.split_last() else {
        return String::new();
    };
    let siblings: Vec<&str> = match section {
        [] => Some(known),
        section => value_at(known, section).and_then(Value::as_table),
    }
    .map(|table| table.keys().map(String::as_str).collect())
    .unwrap_or_default();
    if let Some(near) = nearest(name, &siblings) {
        let mut meant = section.to_vec();
        meant.push(near.to_owned());
        return format!("did you mean {}?", meant.join("."));
    }
    // Right name, wrong section.
    let mut elsewhere = Vec::new();
    find(known, name, &mut Vec::new(), &mut elsewhere);
    if !elsewhere.is_empty() {
        return format!("did you mean {}?", elsewhere.join(" or "));
    }
    if siblings.is_empty() {
        return "`hushpost-relay init-config` prints every setting".to_owned();
    }
    format!("known here: {}", siblings.join(", "))
}

fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), *candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

fn find(table: &Table, name: &str, path: &mut Vec<String>, found: &mut Vec<String>) {
    for (key, value) in table {
        path.push(key.clone());
        if key == name {
            found.push(path.join("."));
        } else if let Value::Table(table) = value {
            find(table, name, path, found);
        }
        path.pop();
    }
}
