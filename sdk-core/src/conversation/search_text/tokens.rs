//! Cuts a text into tokens: what is compared when somebody searches.
//!
//! A *cluster* is a character with the marks on it. It is brought to its compatibility composition, so that
//! full-width and half-width forms, ligatures and loose Hangul parts are what they look like, and then each
//! of its characters becomes a token of its own (spaceless scripts, emoji), a letter of the word under way with
//! case and accents taken off, or the end of that word.
//!
//! Every letter remembers where in the text its cluster ended, so that marking half a word marks whole
//! characters.

use core::ops::Range;

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{
    DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory, GeneralCategoryGroup,
    RegionalIndicator, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// What SQLite's tokenizer is told to take for part of a word.
const WORD: GeneralCategoryGroup = GeneralCategoryGroup::Letter
    .union(GeneralCategoryGroup::Number)
    .union(GeneralCategoryGroup::Mark)
    .union(GeneralCategoryGroup::PrivateUse);

/// Added to an emoji, this makes it a private-use character of plane 15 or 16.
const PRIVATE_PLANE: u32 = 0xf_0000;

/// A word, or a character of a spaceless script.
pub(super) struct Token {
    text: String,
    start: usize,
    /// For each character of `text`, the byte after what it was made from.
    ends: Vec<usize>,
    spaceless: bool,
}

impl Token {
    /// As it is in the index.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// One character of a script without spaces: nothing to be a prefix of.
    pub(super) const fn is_spaceless(&self) -> bool {
        self.spaceless
    }

    pub(super) const fn char_count(&self) -> usize {
        self.ends.len()
    }

    /// Its first byte in the text.
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// The byte behind it in the text.
    pub(super) fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(self.start)
    }

    /// If it begins with `prefix`: the byte in the text behind that.
    pub(super) fn end_of_prefix(&self, prefix: &str) -> Option<usize> {
        if !self.text.starts_with(prefix) {
            return None;
        }
        let last = prefix.chars().count().checked_sub(1)?;
        self.ends.get(last).copied()
    }
}

/// Cuts a text into tokens.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut cutter = Cutter::default();
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        let mut end = start.saturating_add(first.len_utf8());
        while let Some((at, next)) = chars.next_if(|(_, next)| continues_cluster(*next)) {
            end = at.saturating_add(next.len_utf8());
        }
        let cluster = text.get(start..end).unwrap_or_default();
        cutter.take_cluster(cluster, start..end);
    }
    cutter.tokens
}

#[derive(Default)]
struct Cutter {
    tokens: Vec<Token>,
    in_word: bool,
}

impl Cutter {
    fn take_cluster(&mut self, cluster: &str, place: Range<usize>) {
        let nfd = DecomposingNormalizerBorrowed::new_nfd();
        let composed = ComposingNormalizerBorrowed::new_nfkc();
        for c in composed.normalize(cluster).chars() {
            if is_ignored(c) {
                continue;
            }
            if is_emoji(c) {
                let private = u32::from(c).saturating_add(PRIVATE_PLANE);
                self.spaceless(char::from_u32(private).unwrap_or(c), &place);
            } else if is_spaceless(c) {
                self.spaceless(c, &place);
            } else {
                let letters = nfd.normalize_iter(core::iter::once(c));
                for letter in letters.filter(|mark| !is_accent(*mark)) {
                    for lower in letter.to_lowercase() {
                        self.letter(lower, &place);
                    }
                }
            }
        }
    }

    fn spaceless(&mut self, c: char, place: &Range<usize>) {
        self.in_word = false;
        self.tokens.push(Token {
            text: c.into(),
            start: place.start,
            ends: vec![place.end],
            spaceless: true,
        });
    }

    fn letter(&mut self, c: char, place: &Range<usize>) {
        match same_letters(c) {
            Some(letters) => {
                for letter in letters.chars() {
                    self.word(letter, place);
                }
            }
            None if WORD.contains(category(c)) => self.word(c, place),
            None => self.in_word = false,
        }
    }

    fn word(&mut self, c: char, place: &Range<usize>) {
        match self.tokens.last_mut() {
            Some(word) if self.in_word => {
                word.text.push(c);
                word.ends.push(place.end);
            }
            _ => self.tokens.push(Token {
                text: c.into(),
                start: place.start,
                ends: vec![place.end],
                spaceless: false,
            }),
        }
        self.in_word = true;
    }
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// Does it belong to the character before it?
fn continues_cluster(c: char) -> bool {
    // Hangul vowels and finals; half-width kana's voice marks.
    let joins =
        matches!(c, '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}' | '\u{ff9e}' | '\u{ff9f}');
    joins || (!c.is_ascii() && (GeneralCategoryGroup::Mark.contains(category(c)) || is_ignored(c)))
}

/// Neither seen nor the end of a word: joiners, variation selectors, soft hyphens, marks of direction. Nor are skin
/// tones and the Arabic stretcher worth a difference. The zero-width space does end a word.
fn is_ignored(c: char) -> bool {
    match c {
        '\0'..='\u{7f}' | '\u{200b}' => false,
        '\u{640}' | '\u{1f3fb}'..='\u{1f3ff}' => true,
        _ => CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c),
    }
}

fn is_emoji(c: char) -> bool {
    !c.is_ascii()
        && (CodePointSetData::new::<ExtendedPictographic>().contains(c)
            || CodePointSetData::new::<RegionalIndicator>().contains(c))
}

/// Is it of a script whose words are not set apart by spaces, or have particles stuck on?
fn is_spaceless(c: char) -> bool {
    // Shared by both kana, so of no script by the book.
    if matches!(c, 'ー' | '〆') {
        return true;
    }
    let script = CodePointMapData::<Script>::new().get(c);
    let spaceless = [
        Script::Bopomofo,
        Script::Han,
        Script::Hangul,
        Script::Hiragana,
        Script::Katakana,
        Script::Khmer,
        Script::Lao,
        Script::Myanmar,
        Script::Thai,
        Script::Yi,
    ]
    .contains(&script);
    spaceless && WORD.contains(category(c))
}

/// A mark that many leave out when they type: accents, vowel points of Hebrew and Arabic, what encloses a
/// character. Not what makes another letter of one: vowel signs, viramas, tones of Thai.
fn is_accent(c: char) -> bool {
    const OVERLAY: u8 = 1;
    /// The fixed positions of Hebrew, Arabic and Syriac points.
    const POINTS: core::ops::RangeInclusive<u8> = 10..=36;
    /// Above, below and around.
    const ATTACHED: core::ops::RangeInclusive<u8> = 202..=240;
    if c.is_ascii() {
        return false;
    }
    match category(c) {
        GeneralCategory::EnclosingMark => true,
        GeneralCategory::NonspacingMark => {
            let class = CanonicalCombiningClassMapBorrowed::new().get_u8(c);
            class == OVERLAY || POINTS.contains(&class) || ATTACHED.contains(&class)
        }
        _ => false,
    }
}

/// Letters that people type in place of each other and that no decomposition tells of: what their keyboard
/// lacks, other shapes at a word's end, Arabic and Persian forms of one letter.
const fn same_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'ς' => "σ",
        'ة' => "ه",
        'ى' | 'ی' => "ي",
        'ک' => "ك",
        _ => return None,
    })
}
