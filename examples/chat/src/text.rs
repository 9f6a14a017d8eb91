//! Text that somebody else wrote, made fit for a terminal; and how wide text is there.
//!
//! Must never let through what a terminal obeys or what makes text look like other text: control characters
//! (escape sequences begin with one), characters that turn the direction around, and ones that cannot be seen.
//! Everything that is drawn passes here first, names too.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr};

/// Marks that may stand on one letter: more than any language needs, fewer than break a screen.
const MAX_MARKS: usize = 8;

/// The text with lines and tabs, and without anything that a terminal obeys.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut marks: usize = 0;
    let mut before = '\0';
    for c in text.chars() {
        let c = match c {
            // One line end, however it is written.
            '\n' if before == '\r' => {
                before = c;
                continue;
            }
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                before = c;
                '\n'
            }
            _ => {
                before = c;
                c
            }
        };
        if c == '\t' {
            clean.push_str("    ");
            continue;
        }
        if c != '\n' && (c.is_control() || is_invisible(c)) {
            continue;
        }
        if c != '\n' && c.width() == Some(0) {
            marks = marks.saturating_add(1);
            if marks > MAX_MARKS {
                continue;
            }
        } else {
            marks = 0;
        }
        clean.push(c);
    }
    clean
}

/// The same in one line.
pub(crate) fn clean_line(text: &str) -> String {
    let clean = clean(text);
    let mut line = String::with_capacity(clean.len());
    for word in clean.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Turns the direction around, or cannot be seen. The joiners stay: scripts and emoji need them.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Columns that text takes, as the terminal library counts them.
pub(crate) fn width(text: &str) -> usize {
    text.graphemes(true)
        .map(UnicodeWidthStr::width)
        .fold(0, usize::saturating_add)
}

/// `1 file`, `2 files`.
pub(crate) fn counted(count: usize, one: &str) -> String {
    let more = if count == 1 { "" } else { "s" };
    format!("{count} {one}{more}")
}

/// As much of the text as fits, with a sign that there is more.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let mut kept = String::new();
    let mut used: usize = 0;
    for piece in text.graphemes(true) {
        used = used.saturating_add(piece.width());
        if used > room {
            break;
        }
        kept.push_str(piece);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The text in lines of so many columns, broken between words where that can be.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used: usize = 0;
        for word in paragraph.split_word_bounds() {
            let wide = width(word);
            if used.saturating_add(wide) <= columns {
                line.push_str(word);
                used = used.saturating_add(wide);
                continue;
            }
            if word.trim().is_empty() {
                // White space at the end of a line is not carried over.
                lines.push(core::mem::take(&mut line));
                used = 0;
                continue;
            }
            if used > 0 {
                lines.push(line.trim_end().to_owned());
                line.clear();
                used = 0;
            }
            for piece in word.graphemes(true) {
                // One sign can be wider than a very narrow screen.
                let piece = if piece.width() > columns {
                    "…"
                } else {
                    piece
                };
                let wide = piece.width();
                if used.saturating_add(wide) > columns && used > 0 {
                    lines.push(core::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(piece);
                used = used.saturating_add(wide);
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_that_a_terminal_obeys_comes_through() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}\u{9b}2J\0"), "a[31mb2J");
        assert_eq!(clean("pay\u{202e}gpj.exe"), "paygpj.exe");
        assert_eq!(clean("\u{2066}a\u{2069}\u{feff}\u{200b}b\u{e0041}"), "ab");
        assert_eq!(clean("a\tb\r\nc\rd\u{2028}e"), "a    b\nc\nd\ne");
        assert_eq!(clean_line(" a\n\n b\u{1b} "), "a b");
        let family = "👩\u{200d}👧";
        assert_eq!(clean(family), family);
        let piled = format!("e{}", "\u{301}".repeat(500));
        assert_eq!(clean(&piled).chars().count(), 1 + MAX_MARKS);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("a\n\nb", 8), ["a", "", "b"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(wrap("\u{111e1}\u{1133f}\u{11341}", 2), ["…"]);
        assert_eq!(cut("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn whatever_is_written_fits(text in any::<String>(), columns in 2_usize..40) {
            let text = clean(&text);
            prop_assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_invisible(c)));
            for line in wrap(&text, columns) {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
            let line = clean_line(&text);
            prop_assert!(width(&cut(&line, columns)) <= columns);
        }
    }
}
