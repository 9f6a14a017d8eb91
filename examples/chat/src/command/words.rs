//! Words of a line: quoted ones may have spaces; and times.

/// The first word and what follows it. Quotes, single or double, hold words together, and so does a backslash
/// before a space, as terminals write a file that was dropped on them.
pub(super) fn first(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    let mut word = String::new();
    let mut quote = None;
    let mut any = false;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '\\' && chars.peek().is_some_and(|(_, next)| *next == ' ') => {
                chars.next();
                word.push(' ');
            }
            None if c.is_whitespace() => {
                let rest = line.get(at..).unwrap_or_default();
                return Some((word, rest.trim()));
            }
            _ => word.push(c),
        }
        any = true;
    }
    any.then_some((word, ""))
}

/// All words.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some((word, after)) = first(rest) {
        if !word.is_empty() {
            words.push(word);
        }
        rest = after;
    }
    words
}

/// `90s`, `5m`, `8h`, `7d`; `off` is 0. `None` for anything else, and for more than the SDK takes.
pub(super) fn seconds(text: &str) -> Option<u32> {
    if text == "off" {
        return Some(0);
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let seconds = number.parse::<u32>().ok()?.checked_mul(unit)?;
    (1..=hushpost::MAX_TIMER_S)
        .contains(&seconds)
        .then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(
            split(r#" a "b  c" d\ e 'f"g' "" "#),
            ["a", "b  c", "d e", "f\"g"]
        );
        assert_eq!(first("one"), Some(("one".to_owned(), "")));
        assert_eq!(first("it's open"), Some(("its open".to_owned(), "")));
        assert_eq!(first("  "), None);
    }

    #[test]
    fn times_have_units() {
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("1h"), Some(3_600));
        assert_eq!(seconds("7d"), Some(604_800));
        assert_eq!(seconds("off"), Some(0));
        for wrong in ["", "h", "1", "0s", "-1h", "367d", "99999999999d", "1€"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in any::<String>()) {
            split(&line);
            seconds(&line);
        }
    }
}
