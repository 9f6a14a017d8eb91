//! A text in which people are spoken of.
//!
//! A mention is drawn with the name that is known here, never with what its sender wrote for it: a text that says
//! `@bob` and means somebody else shows who is meant.

use hushpost::{AccountId, Text};

use crate::text::{clean, clean_line};

/// A text in pieces, cleaned.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Words(Vec<Piece>);

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Who is meant, and what was typed for them.
    Mention(AccountId, String),
}

impl core::fmt::Debug for Words {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Words(…)")
    }
}

impl From<&Text> for Words {
    fn from(text: &Text) -> Self {
        let body = text.body();
        let mut pieces = Vec::new();
        let mut at = 0;
        // Ranges are of the text as it was sent, so it is cut before it is cleaned.
        let part = |from, to| body.get(from..to).unwrap_or_default();
        for mention in text.mentions() {
            let range = &mention.range;
            pieces.push(Piece::Text(clean(part(at, range.start))));
            let typed = clean_line(part(range.start, range.end));
            pieces.push(Piece::Mention(mention.account, typed));
            at = range.end;
        }
        pieces.push(Piece::Text(clean(part(at, body.len()))));
        Self(pieces)
    }
}

impl Words {
    /// As it was typed.
    pub(crate) fn typed(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) | Piece::Mention(_, text) => text.as_str(),
        });
        pieces.collect()
    }

    /// As it is shown, and what in it stands for people.
    pub(crate) fn shown(&self, name: impl Fn(AccountId) -> String) -> (String, Vec<String>) {
        let mut shown = String::new();
        let mut marks = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => shown.push_str(text),
                Piece::Mention(account, _) => {
                    let mark = format!("@{}", name(*account));
                    shown.push_str(&mark);
                    marks.push(mark);
                }
            }
        }
        (shown, marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hushpost::Mention;

    #[test]
    fn a_mention_shows_who_is_meant() {
        let carol = AccountId::of_key(&[3; 32]);
        let text = Text::new("hi @bo\u{1b}b, lunch?").unwrap();
        let range = 3..8;
        let text = text
            .mentioning(vec![Mention {
                account: carol,
                range,
            }])
            .unwrap();
        let words = Words::from(&text);
        assert_eq!(words.typed(), "hi @bob, lunch?");
        let (shown, marks) = words.shown(|account| {
            assert_eq!(account, carol);
            "carol".to_owned()
        });
        assert_eq!(shown, "hi @carol, lunch?");
        assert_eq!(marks, ["@carol"]);
    }
}
