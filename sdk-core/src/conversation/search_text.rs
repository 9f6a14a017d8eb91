//! Full-text search in any script: what goes into the index, what is asked of it, and what to mark in a hit.
//!
//! The index is SQLite FTS5, a contentless table with
//! `tokenize = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'"` and full detail (phrases need
//! positions). SQLite cuts words at spaces and knows few of the rules of few scripts, so all the work is done
//! [here](mod@tokens), on the same path for the index, the query and the marks, and SQLite gets words ready made:
//!
//! - words are found by their beginning, whatever the case, accents, vowel points or width of letters;
//! - scripts that are written without spaces, or with particles stuck on (Han, kana, Hangul, Thai, Lao, Khmer,
//!   Myanmar), are indexed character by character, and found by any run of characters;
//! - so are emoji, which SQLite takes for punctuation: the index has them as private-use characters.
//!
//! The same text must give the same words for ever, or a row can be neither found nor deleted: a change here
//! needs a migration that builds the index anew. Nothing that a user types is ever FTS5 syntax: only letters,
//! marks and numbers get through, and those in quotes.

mod tokens;

use core::ops::Range;

use tokens::{Token, tokens};

/// Words of a query; more do not narrow it down.
const MAX_TERMS: usize = 16;

/// Characters of a query that are looked at.
const MAX_QUERY_CHARS: usize = 256;

/// A query of fewer characters finds half of everything.
const MIN_QUERY_CHARS: usize = 2;

/// What of a text goes into the index.
pub(crate) fn index_text(text: &str) -> String {
    join(&tokens(text))
}

/// The FTS5 `MATCH` expression that finds the texts with all words of the query. `None` if the query has
/// too few characters that can be searched for.
pub(crate) fn match_expression(query: &str) -> Option<String> {
    let terms = terms(query)?;
    let phrases: Vec<String> = terms
        .iter()
        .map(|term| {
            let prefix = if ends_open(term) { "*" } else { "" };
            format!("\"{}\"{prefix}", join(term))
        })
        .collect();
    Some(phrases.join(" AND "))
}

/// Which bytes of a text the query found, to mark them: in order, apart, on the edges of characters.
pub(crate) fn highlights(text: &str, query: &str) -> Vec<Range<usize>> {
    let terms = terms(query).unwrap_or_default();
    let tokens = tokens(text);
    let mut found: Vec<Range<usize>> = terms
        .iter()
        .flat_map(|term| occurrences(&tokens, term))
        .collect();
    found.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

/// The query's words, each one token or, where one has several without a space, a phrase.
fn terms(query: &str) -> Option<Vec<Vec<Token>>> {
    let end = query
        .char_indices()
        .nth(MAX_QUERY_CHARS)
        .map_or(query.len(), |(at, _)| at);
    let terms: Vec<Vec<Token>> = query
        .get(..end)?
        .split_whitespace()
        .map(tokens)
        .filter(|term| !term.is_empty())
        .take(MAX_TERMS)
        .collect();
    let chars: usize = terms.iter().flatten().map(Token::char_count).sum();
    (chars >= MIN_QUERY_CHARS).then_some(terms)
}

/// Does the term also find longer words than its last? Characters of spaceless scripts are whole words.
fn ends_open(term: &[Token]) -> bool {
    term.last().is_some_and(|last| !last.is_spaceless())
}

fn join(tokens: &[Token]) -> String {
    let words: Vec<&str> = tokens.iter().map(Token::as_str).collect();
    words.join(" ")
}

/// Where the term stands, as FTS5 would find it.
fn occurrences(tokens: &[Token], term: &[Token]) -> impl Iterator<Item = Range<usize>> {
    let open = ends_open(term);
    // `windows` takes no zero; no term is empty.
    tokens.windows(term.len().max(1)).filter_map(move |window| {
        let (first, last) = (window.first()?, window.last()?);
        let (sought, whole) = term.split_last()?;
        let same = whole
            .iter()
            .zip(window)
            .all(|(sought, token)| sought.as_str() == token.as_str());
        let end = if open {
            last.end_of_prefix(sought.as_str())?
        } else if last.as_str() == sought.as_str() {
            last.end()
        } else {
            return None;
        };
        same.then_some(first.start()..end)
    })
}

#[cfg(test)]
mod tests;
