//! N2, and that the page and the tests say the same.

use std::collections::BTreeSet;

use hushpost_relay_tests::evidence::{columns, database};

use super::{Result, relay};

const PAGE: &str = include_str!("../../../../relay/what-the-relay-knows.md");

/// Where the tests that the page names are.
const SOURCES: [&str; 7] = [
    include_str!("keeps.rs"),
    include_str!("keeps_not.rs"),
    include_str!("log.rs"),
    include_str!("memory.rs"),
    include_str!("page.rs"),
    include_str!("../accounts.rs"),
    include_str!("../operator_commands.rs"),
];

/// The rows of the page's tables, cell by cell.
fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    PAGE.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_claim_names_a_test_and_every_test_here_is_named() {
    let mut named = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for row in rows() {
        let [number, _, test] = row.as_slice() else {
            panic!("three cells: {row:?}")
        };
        if !number.starts_with(['K', 'M', 'N']) {
            continue;
        }
        assert!(numbers.insert(*number), "{number} stands twice");
        let test = quoted(test).next().expect("a test");
        assert!(
            SOURCES
                .iter()
                .any(|source| source.contains(&format!("fn {test}()"))),
            "{number} names {test}, which is no test"
        );
        named.insert(test);
    }
    assert_eq!(numbers.len(), 27);
    for source in &SOURCES[..4] {
        for (place, _) in source.match_indices("test]\n") {
            let name = source[place..]
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next())
                .expect("a test");
            assert!(named.contains(name), "{name} is not on the page");
        }
    }
}

#[tokio::test]
async fn every_column_is_on_the_page() -> Result {
    let relay = relay()?;
    let mut told = BTreeSet::new();
    for row in rows() {
        if let [table, columns, _] = row.as_slice()
            && let Some(table) = table.strip_prefix('`')
        {
            let table = table.trim_end_matches('`');
            told.extend(quoted(columns).map(|column| format!("{table}.{column}")));
        }
    }
    let kept = columns(&database(&relay)?)?;
    assert!(!kept.is_empty());
    assert_eq!(
        kept, told,
        "left: what the database can hold, right: what the page tells"
    );
    Ok(())
}
