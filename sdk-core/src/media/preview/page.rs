//! Title, description and picture from a page's head. Not a parser of HTML: it looks for `<title>` and `<meta>`, and
//! whatever else a page is made of is passed over. Linear in the page's length, which is bounded.

/// Characters of a title.
const MAX_TITLE_CHARS: usize = 200;
/// Characters of a description.
const MAX_DESCRIPTION_CHARS: usize = 300;
/// Bytes of a picture's link.
const MAX_LINK_LEN: usize = 2048;
/// Titles that are looked at: drawings have some of their own.
const MAX_TITLES: usize = 8;
/// Attributes of one tag that are looked at.
const MAX_ATTRIBUTES: usize = 32;
/// Letters of an entity, such as in `&quot;`.
const MAX_ENTITY_LEN: usize = 10;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) picture: Option<String>,
}

/// Looks through a page. What is meant for previews (`og:`) counts more than what stands there for all.
pub(super) fn read(html: &str) -> Page {
    let mut page = Page::default();
    let (mut title, mut description) = (None, None);
    let mut titles = 0_usize;
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        let name = rest
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '!' && c != '-')
            .next()
            .unwrap_or_default();
        if name.starts_with("!--") {
            rest = after_text(rest, "-->");
        } else if name.eq_ignore_ascii_case("body") {
            break;
        } else if name.eq_ignore_ascii_case("script") {
            rest = after_text(rest, "</script");
        } else if name.eq_ignore_ascii_case("style") {
            rest = after_text(rest, "</style");
        } else if name.eq_ignore_ascii_case("title") && titles < MAX_TITLES {
            // A page of nothing but these would be looked through once for each.
            titles = titles.saturating_add(1);
            let text = rest.split_once('>').map_or("", |(_, text)| text);
            let text = text.split('<').next().unwrap_or_default();
            title = title.or_else(|| line(text, MAX_TITLE_CHARS));
        } else if name.eq_ignore_ascii_case("meta") {
            let (about, content, after) = meta(rest.get(name.len()..).unwrap_or_default());
            rest = after;
            match &*about {
                "og:title" => page.title = page.title.or(line(content, MAX_TITLE_CHARS)),
                "og:description" => {
                    page.description = page.description.or(line(content, MAX_DESCRIPTION_CHARS));
                }
                "description" => {
                    description = description.or_else(|| line(content, MAX_DESCRIPTION_CHARS));
                }
                "og:image" | "og:image:url" => {
                    let link =
                        line(content, MAX_LINK_LEN).filter(|link| link.len() <= MAX_LINK_LEN);
                    page.picture = page.picture.or(link);
                }
                _ => {}
            }
        }
    }
    page.title = page.title.or(title);
    page.description = page.description.or(description);
    page
}

/// What follows after a text of ASCII letters, however they are written; nothing if it is not there.
fn after_text<'a>(rest: &'a str, text: &str) -> &'a str {
    let found = rest
        .as_bytes()
        .windows(text.len())
        .position(|window| window.eq_ignore_ascii_case(text.as_bytes()));
    found.and_then(|at| rest.get(at..)).unwrap_or_default()
}

/// What a `<meta>` is about, and what it says; and what follows after it.
fn meta(mut rest: &str) -> (String, &str, &str) {
    let (mut about, mut content) = (String::new(), "");
    for _ in 0..MAX_ATTRIBUTES {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_ascii_whitespace() || "=>/".contains(c));
        let Some((name, after)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return (about, content, "");
        };
        rest = after.trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quoted = ['"', '\''].into_iter().find_map(|quote| {
                let inside = after.strip_prefix(quote)?;
                Some(inside.split_once(quote).unwrap_or((inside, "")))
            });
            (value, rest) = quoted.unwrap_or_else(|| {
                let end = after.find(|c: char| c.is_ascii_whitespace() || c == '>');
                after
                    .split_at_checked(end.unwrap_or(after.len()))
                    .unwrap_or_default()
            });
        }
        match &*name.to_ascii_lowercase() {
            "property" | "name" => about = value.trim().to_ascii_lowercase(),
            "content" => content = value,
            "" if rest.starts_with('>') => break,
            // A stray character, such as a quote: it is passed over, so that the loop goes on.
            "" => rest = rest.strip_prefix(|_: char| true).unwrap_or_default(),
            _ => {}
        }
    }
    (about, content, rest)
}

/// A text in one line, without what is not to be seen; `None` if nothing is left.
fn line(text: &str, max_chars: usize) -> Option<String> {
    // Entities make it shorter, never longer.
    let bounded: String = text.chars().take(max_chars.saturating_mul(8)).collect();
    let plain = without_entities(&bounded);
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = words
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
        .take(max_chars)
        .collect();
    (!line.trim().is_empty()).then_some(line)
}

fn without_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after
            .split_once(';')
            .filter(|(name, _)| name.len() <= MAX_ENTITY_LEN);
        let decoded = entity.and_then(|(name, after)| Some((entity_char(name)?, after)));
        // What is none stands for itself.
        let (c, after) = decoded.unwrap_or(('&', after));
        out.push(c);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn entity_char(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_head_is_found_in_whatever_surrounds_it() {
        let page = read(
            r#"<!DOCTYPE html><html><head><!-- <title>no</title> --><script>"<meta property='og:title' content='no'>"</script>
            <TITLE>Plain &amp; simple</TITLE>
            <meta charset=utf-8>
            <meta name="description" content="for all">
            <meta content='The &quot;sea&#x22; &#8211; today' property="og:title" />
            <meta property=og:image content=/sea.jpg>
            <meta name="twitter:title" content="other">
            </head><body><meta property="og:description" content="too late">"#,
        );
        assert_eq!(page.title.as_deref(), Some("The \"sea\" – today"));
        assert_eq!(page.description.as_deref(), Some("for all"));
        assert_eq!(page.picture.as_deref(), Some("/sea.jpg"));
        assert_eq!(
            read("<title>\n a\u{202e} \t b </title>").title.as_deref(),
            Some("a b")
        );
        assert_eq!(read("<title> </title><meta><meta content=").title, None);
    }

    #[test]
    fn everything_is_cut() {
        let page = read(&format!(
            "<title>{0}</title><meta name=description content='{0}'><meta property=og:image content='{0}'>",
            "é".repeat(100_000)
        ));
        assert_eq!(page.title.unwrap().chars().count(), MAX_TITLE_CHARS);
        assert_eq!(
            page.description.unwrap().chars().count(),
            MAX_DESCRIPTION_CHARS
        );
        assert_eq!(page.picture, None);
    }

    #[test]
    fn a_hostile_page_costs_no_more_than_its_length() {
        // Seconds, even minutes, for a scan that looks ahead again and again.
        for part in [
            "<title",
            "<title>",
            "<meta ",
            "<script",
            "<!--",
            "<",
            "&",
            "<meta a=\"",
            "<style",
        ] {
            let page = read(&part.repeat(512 * 1024 / part.len()));
            assert!(page.description.is_none(), "{part}");
        }
    }

    proptest! {
        #[test]
        fn any_page_is_read(
            parts in prop::collection::vec(prop_oneof![
                Just("<meta ".to_owned()), Just("<title>".to_owned()), Just("content=".to_owned()),
                Just("property='og:title'".to_owned()), Just("\"".to_owned()), Just("'".to_owned()),
                Just(">".to_owned()), Just("<!--".to_owned()), Just("&#x".to_owned()), ".{0,5}",
            ], 0..60)
        ) {
            let page = read(&parts.concat());
            prop_assert!(page.title.is_none_or(|title| title.chars().count() <= MAX_TITLE_CHARS));
        }
    }
}
