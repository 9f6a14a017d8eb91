//! One emoji: what a reaction is.
//!
//! The grammar is Unicode's own for a possible emoji (UTS #51, section 1.4.9), the properties ICU's. A letter or
//! a whole sentence is none, so a reaction cannot be used to write under somebody's message.

use core::fmt;

use icu_properties::CodePointSetData;
use icu_properties::props::{Emoji as IsEmoji, EmojiModifier, RegionalIndicator};

use crate::content::ContentError;

/// Bytes of an emoji, UTF-8: the longest in use, two families joined, have fewer.
pub const MAX_EMOJI_LEN: usize = 64;

const JOINER: char = '\u{200d}';
const EMOJI_STYLE: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';

/// One emoji, with its skin tone, joined parts or flag.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Emoji(String);

impl Emoji {
    /// Takes one emoji of at most 64 bytes.
    ///
    /// ```
    /// use hushpost::Emoji;
    ///
    /// assert!(Emoji::new("👍🏽").is_ok() && Emoji::new("👩‍👩‍👧").is_ok());
    /// assert!(Emoji::new("👍👍").is_err() && Emoji::new("ok").is_err());
    /// ```
    ///
    /// # Errors
    /// [`ContentError::TooLong`], [`ContentError::Malformed`] if it is not exactly one.
    pub fn new(emoji: impl Into<String>) -> Result<Self, ContentError> {
        let emoji = emoji.into();
        if emoji.len() > MAX_EMOJI_LEN {
            return Err(ContentError::TooLong("emoji"));
        }
        let chars: Vec<char> = emoji.chars().collect();
        if is_emoji(&chars) {
            Ok(Self(emoji))
        } else {
            Err(ContentError::Malformed("emoji"))
        }
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Says nothing of what a user chose.
impl fmt::Debug for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emoji(…)")
    }
}

fn is_emoji(chars: &[char]) -> bool {
    let mut rest = chars;
    loop {
        let Some(after) = element(rest) else {
            return false;
        };
        match after.split_first() {
            None => return true,
            Some((&JOINER, more)) => rest = more,
            Some(_) => return false,
        }
    }
}

/// What follows a flag, or a character with its modification; `None` if neither stands here.
fn element(chars: &[char]) -> Option<&[char]> {
    let (first, rest) = chars.split_first()?;
    let is_flag_letter = |c: char| CodePointSetData::new::<RegionalIndicator>().contains(c);
    if is_flag_letter(*first) {
        let (second, rest) = rest.split_first()?;
        return is_flag_letter(*second).then_some(rest);
    }
    if !CodePointSetData::new::<IsEmoji>().contains(*first) {
        return None;
    }
    let after = match rest {
        [EMOJI_STYLE, KEYCAP, rest @ ..] | [KEYCAP, rest @ ..] if first.is_ascii() => rest,
        // A digit without a key around it is a digit.
        _ if first.is_ascii() => return None,
        [EMOJI_STYLE, rest @ ..] => rest,
        [tone, rest @ ..] if CodePointSetData::new::<EmojiModifier>().contains(*tone) => rest,
        ['\u{e0020}'..='\u{e007e}', ..] => {
            let end = rest
                .iter()
                .position(|c| !('\u{e0020}'..='\u{e007e}').contains(c))?;
            match rest.get(end..)? {
                ['\u{e007f}', rest @ ..] => rest,
                _ => return None,
            }
        }
        rest => rest,
    };
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_emoji_and_nothing_else() {
        for good in [
            "👍",
            "👍🏽",
            "❤",
            "❤️",
            "👩‍👩‍👧‍👦",
            "🇩🇪",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "1️⃣",
            "🏳️‍🌈",
            "🧑🏿‍🚀",
            "©️",
            "❤️‍🔥",
        ] {
            assert!(Emoji::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "1",
            "👍👍",
            "👍 ",
            "🇩",
            "👍\u{200d}",
            "\u{200d}👍",
            "ok👍",
            "\u{fe0f}",
            "👍\u{e0067}",
            "🇩🇪🇩",
            "日",
        ] {
            assert!(Emoji::new(bad).is_err(), "{bad}");
        }
        assert!(Emoji::new(["👩"; 10].join("\u{200d}")).is_err());
        assert!(!format!("{:?}", Emoji::new("👍").unwrap()).contains('👍'));
    }

    proptest! {
        #[test]
        fn no_text_is_an_emoji(text in "[a-zA-Z0-9 ]{1,20}") {
            prop_assert!(Emoji::new(text).is_err());
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Emoji::new(text);
        }
    }
}
