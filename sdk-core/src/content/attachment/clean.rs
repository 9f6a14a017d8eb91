//! Names and types that strangers choose, made harmless (attack E7). The rules are applied to what is sent and to
//! what is received; what is clean stays as it is.

use super::{MAX_BLURHASH_LEN, MAX_FILE_NAME_LEN, MAX_MIME_LEN};

/// What a file without a usable name is called.
const NAMELESS: &str = "file";
/// What a file of unknown type is.
const UNKNOWN_MIME: &str = "application/octet-stream";
/// Bytes of an extension that is kept when a name is cut.
const MAX_EXTENSION_LEN: usize = 16;
/// Devices on Windows, whatever follows after a dot.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// Devices with a number.
const NUMBERED: [&str; 2] = ["com", "lpt"];

/// The last part of a path, without characters that deceive or that a file system does not take.
pub(super) fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .map(|c| if "<>:\"|?*".contains(c) { '_' } else { c })
        .collect();
    // A dot in front hides a file or leads upwards; Windows drops dots and spaces at the end.
    let trimmed = visible
        .trim()
        .trim_start_matches(['.', ' '])
        .trim_end_matches(['.', ' '])
        .trim();
    let mut name = cut(trimmed);
    if is_reserved(&name) {
        name.insert(0, '_');
        name = cut(&name);
    }
    if name.is_empty() {
        NAMELESS.to_owned()
    } else {
        name
    }
}

/// Characters that change the direction of what follows, or that nobody sees.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim().to_lowercase();
    let numbered = NUMBERED.iter().any(|device| {
        stem.strip_prefix(device)
            .is_some_and(|rest| rest.chars().count() == 1 && rest.chars().all(char::is_numeric))
    });
    numbered || RESERVED.contains(&&*stem)
}

/// At most 255 bytes, with the extension.
fn cut(name: &str) -> String {
    if name.len() <= MAX_FILE_NAME_LEN {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= MAX_EXTENSION_LEN => (stem, extension),
        _ => (name, ""),
    };
    let dot = usize::from(!extension.is_empty());
    let room = MAX_FILE_NAME_LEN.saturating_sub(extension.len().saturating_add(dot));
    let mut short: String = stem.to_owned();
    while short.len() > room || short.ends_with(['.', ' ']) {
        short.pop();
    }
    if dot > 0 {
        short.push('.');
        short.push_str(extension);
    }
    short
}

/// A MIME type of two words, lower case; whatever else it was is unknown.
pub(super) fn mime(mime: &str) -> String {
    let mime = mime.trim().to_ascii_lowercase();
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    match mime.split_once('/') {
        Some((kind, of)) if mime.len() <= MAX_MIME_LEN && is_word(kind) && is_word(of) => mime,
        _ => UNKNOWN_MIME.to_owned(),
    }
}

/// Whether a text is a blurhash: base 83, of the length that its first character tells.
pub(super) fn is_blurhash(hash: &str) -> bool {
    const ALPHABET: &[u8] =
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
    let place = |byte: u8| ALPHABET.iter().position(|letter| *letter == byte);
    let Some(flag) = hash.bytes().next().and_then(place) else {
        return false;
    };
    let count = |parts: Option<usize>| parts.unwrap_or_default().saturating_add(1);
    let across = count(flag.checked_rem(9));
    let down = count(flag.checked_div(9));
    let expected = across
        .saturating_mul(down)
        .saturating_mul(2)
        .saturating_add(4);
    hash.len() == expected
        && hash.len() <= MAX_BLURHASH_LEN
        && hash.bytes().all(|byte| place(byte).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_deceive_or_escape_are_made_harmless() {
        for (given, clean) in [
            ("holiday.jpg", "holiday.jpg"),
            ("Straße 日本.pdf", "Straße 日本.pdf"),
            ("../../x", "x"),
            ("..\\..\\windows\\win.ini", "win.ini"),
            ("/etc/passwd", "passwd"),
            ("..", "file"),
            ("", "file"),
            (" . . ", "file"),
            (".htaccess", "htaccess"),
            ("a\0b\r\n.txt", "ab.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("zero\u{200b}width", "zerowidth"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1.log", "_Com1.log"),
            ("COM¹", "_COM¹"),
            ("command.txt", "command.txt"),
            ("a:b|c?.txt", "a_b_c_.txt"),
            ("trailing. ", "trailing"),
        ] {
            assert_eq!(file_name(given), clean, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let long = format!("{}.jpeg", "é".repeat(40_000));
        let cut = file_name(&long);
        assert!(
            cut.len() <= MAX_FILE_NAME_LEN && cut.ends_with("é.jpeg"),
            "{cut}"
        );
        assert_eq!(file_name(&"x".repeat(65_536)).len(), MAX_FILE_NAME_LEN);
    }

    #[test]
    fn types_are_two_words() {
        assert_eq!(mime(" Image/JPEG "), "image/jpeg");
        assert_eq!(
            mime("application/vnd.oasis.opendocument.text"),
            "application/vnd.oasis.opendocument.text"
        );
        for bad in [
            "",
            "text",
            "/x",
            "x/",
            "a/b/c",
            "text/html;x",
            "a/b\nc",
            "é/x",
        ] {
            assert_eq!(mime(bad), UNKNOWN_MIME, "{bad:?}");
        }
    }

    #[test]
    fn a_blurhash_is_as_long_as_it_says() {
        assert!(is_blurhash("LEHV6nWB2yk8pyo0adR*.7kCMdnj"));
        for bad in [
            "",
            "L",
            "LEHV6nWB2yk8pyo0adR*.7kCMdn",
            "LEHV6nWB2yk8pyo0adR*.7kCMdnj0",
            "LEHV6nWB2yk8pyo0adR*.7kCM\"nj",
            "~",
        ] {
            assert!(!is_blurhash(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_clean_name_is_short_is_no_path_and_stays(name in ".{0,400}") {
            let clean = file_name(&name);
            prop_assert!((1..=MAX_FILE_NAME_LEN).contains(&clean.len()));
            prop_assert!(!clean.contains(['/', '\\', '\0']) && !clean.starts_with('.'));
            prop_assert_eq!(file_name(&clean), clean.clone());
            let again = mime(&name);
            prop_assert_eq!(mime(&again), again.clone());
        }
    }
}
