//! The lines that are being typed, and the cursor in them.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};

use crate::text::{clean, width};

/// Longest text, in bytes: what one message holds.
pub(crate) const MAX_LEN: usize = hushpost::MAX_TEXT_LEN;

/// A small editor of several lines.
#[derive(Debug, Default)]
pub(crate) struct Input {
    text: String,
    /// A byte offset at the edge of a character.
    cursor: usize,
}

/// How the input looks in so many columns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Laid {
    /// The lines.
    pub(crate) lines: Vec<String>,
    /// Row and column of the cursor.
    pub(crate) cursor: (usize, usize),
}

impl Input {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces everything; the cursor is at the end.
    pub(crate) fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Gives the text, and begins anew.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        core::mem::take(&mut self.text)
    }

    /// Types or pastes. Says whether it fitted; if not, nothing changed.
    pub(crate) fn insert(&mut self, text: &str) -> bool {
        let text = clean(text);
        if self.text.len().saturating_add(text.len()) > MAX_LEN {
            return false;
        }
        let (before, after) = self.split();
        let joined = [before, &text, after].concat();
        self.cursor = self.cursor.saturating_add(text.len());
        self.text = joined;
        true
    }

    pub(crate) fn backspace(&mut self) {
        self.remove_between(self.before(), self.cursor);
    }

    pub(crate) fn delete(&mut self) {
        self.remove_between(self.cursor, self.after());
    }

    /// Removes the word before the cursor.
    pub(crate) fn delete_word(&mut self) {
        self.remove_between(self.word_before(), self.cursor);
    }

    /// Removes everything before the cursor in its line.
    pub(crate) fn delete_line(&mut self) {
        self.remove_between(self.line_start(), self.cursor);
    }

    pub(crate) fn left(&mut self) {
        self.cursor = self.before();
    }

    pub(crate) fn right(&mut self) {
        self.cursor = self.after();
    }

    pub(crate) fn word_left(&mut self) {
        self.cursor = self.word_before();
    }

    pub(crate) fn word_right(&mut self) {
        let (_, after) = self.split();
        let mut words = after.split_word_bound_indices();
        let next = words
            .find(|(_, word)| !word.trim().is_empty())
            .map(|(at, word)| at.saturating_add(word.len()));
        let step = next.unwrap_or(after.len());
        self.cursor = self.cursor.saturating_add(step);
    }

    pub(crate) fn home(&mut self) {
        self.cursor = self.line_start();
    }

    pub(crate) fn end(&mut self) {
        self.cursor = self.line_end();
    }

    /// One line up. Says whether there was one.
    pub(crate) fn up(&mut self) -> bool {
        let start = self.line_start();
        let Some(above) = start.checked_sub(1) else {
            return false;
        };
        let column = width(self.between(start, self.cursor));
        self.cursor = above;
        self.cursor = self.column_in_line(column);
        true
    }

    /// One line down. Says whether there was one.
    pub(crate) fn down(&mut self) -> bool {
        let end = self.line_end();
        if end == self.text.len() {
            return false;
        }
        let column = width(self.between(self.line_start(), self.cursor));
        self.cursor = end.saturating_add(1);
        self.cursor = self.column_in_line(column);
        true
    }

    /// The text in lines of so many columns, broken anywhere: what is typed never jumps to another line.
    pub(crate) fn lay_out(&self, columns: usize) -> Laid {
        // The cursor may stand behind the last character.
        let columns = columns.saturating_sub(1).max(2);
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut used: usize = 0;
        let mut cursor = None;
        for (at, piece) in self.text.grapheme_indices(true) {
            let wide = width(piece);
            let breaks = piece == "\n";
            if !breaks && used.saturating_add(wide) > columns && used > 0 {
                lines.push(core::mem::take(&mut line));
                used = 0;
            }
            if at == self.cursor {
                cursor = Some((lines.len(), used));
            }
            if breaks {
                lines.push(core::mem::take(&mut line));
                used = 0;
                continue;
            }
            line.push_str(piece);
            used = used.saturating_add(wide);
        }
        let cursor = cursor.unwrap_or((lines.len(), used));
        lines.push(line);
        Laid { lines, cursor }
    }

    fn split(&self) -> (&str, &str) {
        self.text
            .split_at_checked(self.cursor)
            .unwrap_or((&self.text, ""))
    }

    fn between(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn remove_between(&mut self, from: usize, to: usize) {
        if from < to && self.text.is_char_boundary(from) && self.text.is_char_boundary(to) {
            self.text.drain(from..to);
            self.cursor = from;
        }
    }

    fn before(&self) -> usize {
        let mut edge = GraphemeCursor::new(self.cursor, self.text.len(), true);
        edge.prev_boundary(&self.text, 0)
            .ok()
            .flatten()
            .unwrap_or(0)
    }

    fn after(&self) -> usize {
        let mut edge = GraphemeCursor::new(self.cursor, self.text.len(), true);
        edge.next_boundary(&self.text, 0)
            .ok()
            .flatten()
            .unwrap_or(self.text.len())
    }

    fn word_before(&self) -> usize {
        let (before, _) = self.split();
        let mut words = before.split_word_bound_indices();
        words
            .rfind(|(_, word)| !word.trim().is_empty())
            .map_or(0, |(at, _)| at)
    }

    fn line_start(&self) -> usize {
        let (before, _) = self.split();
        before.rfind('\n').map_or(0, |at| at.saturating_add(1))
    }

    fn line_end(&self) -> usize {
        let (_, after) = self.split();
        let step = after.find('\n').unwrap_or(after.len());
        self.cursor.saturating_add(step)
    }

    /// The place in the cursor's line that is nearest to a column.
    fn column_in_line(&self, column: usize) -> usize {
        let start = self.line_start();
        let mut used: usize = 0;
        for (at, piece) in self.between(start, self.line_end()).grapheme_indices(true) {
            if used >= column {
                return start.saturating_add(at);
            }
            used = used.saturating_add(width(piece));
        }
        self.line_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_edits_whole_characters() {
        let mut input = Input::default();
        assert!(input.insert("ab e\u{301}👩\u{200d}👧"));
        input.backspace();
        input.backspace();
        assert_eq!(input.text(), "ab ");
        input.delete_word();
        assert_eq!(input.text(), "");
        input.set("one two");
        input.word_left();
        input.insert("and ");
        assert_eq!(input.text(), "one and two");
        input.delete_line();
        assert_eq!(input.text(), "two");
        input.delete();
        assert_eq!(input.take(), "wo");
        assert!(input.is_empty());
    }

    #[test]
    fn it_moves_through_lines() {
        let mut input = Input::default();
        input.set("long line\nx\nlonger line");
        assert!(!input.down());
        assert!(input.up());
        input.insert("!");
        assert!(input.up());
        assert!(!input.up());
        input.insert("^");
        assert_eq!(input.text(), "lo^ng line\nx!\nlonger line");
        input.home();
        input.insert(">");
        input.end();
        input.insert("<");
        assert_eq!(input.text(), ">lo^ng line<\nx!\nlonger line");
    }

    #[test]
    fn it_shows_where_the_cursor_is() {
        let mut input = Input::default();
        input.set("abcdef\ng");
        let laid = input.lay_out(5);
        assert_eq!(laid.lines, ["abcd", "ef", "g"]);
        assert_eq!(laid.cursor, (2, 1));
        input.set("");
        assert_eq!(input.lay_out(5).cursor, (0, 0));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut input = Input::default();
        input.set("a");
        assert!(!input.insert(&"x".repeat(MAX_LEN)));
        assert_eq!(input.text(), "a");
        input.insert("\u{1b}[2J\u{202e}");
        assert_eq!(input.text(), "a[2J");
    }

    proptest! {
        #[test]
        fn no_keys_break_it(keys in proptest::collection::vec((0_u8..13, any::<String>()), 0..60)) {
            let mut input = Input::default();
            for (key, text) in keys {
                match key {
                    0 => { input.insert(&text); }
                    1 => input.backspace(),
                    2 => input.delete(),
                    3 => input.delete_word(),
                    4 => input.delete_line(),
                    5 => input.left(),
                    6 => input.right(),
                    7 => input.word_left(),
                    8 => input.word_right(),
                    9 => input.home(),
                    10 => input.end(),
                    11 => { input.up(); }
                    _ => { input.down(); }
                }
                prop_assert!(input.text.is_char_boundary(input.cursor));
                let laid = input.lay_out(10);
                prop_assert!(laid.cursor.0 < laid.lines.len());
            }
        }
    }
}
