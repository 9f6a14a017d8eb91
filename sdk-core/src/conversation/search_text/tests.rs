#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]
//! Against the real FTS5: what the index finds and what is marked must agree.

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;

struct Index(Connection);

impl Index {
    fn of(texts: &[&str]) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE VIRTUAL TABLE search USING fts5(body, content = '', \
                 tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* M* Co'\")",
            )
            .unwrap();
        for (rowid, text) in (0_i64..).zip(texts) {
            connection
                .execute(
                    "INSERT INTO search (rowid, body) VALUES (?1, ?2)",
                    (rowid, index_text(text)),
                )
                .unwrap();
        }
        Self(connection)
    }

    fn find(&self, query: &str) -> Vec<usize> {
        let Some(expression) = match_expression(query) else {
            return vec![];
        };
        let mut statement = self
            .0
            .prepare("SELECT rowid FROM search WHERE search MATCH ?1 ORDER BY rowid")
            .unwrap();
        let rows = statement
            .query_map([expression], |row| row.get::<_, i64>(0))
            .unwrap();
        rows.map(|row| usize::try_from(row.unwrap()).unwrap())
            .collect()
    }
}

fn marked(text: &'static str, query: &str) -> Vec<&'static str> {
    let ranges = highlights(text, query).into_iter();
    ranges.map(|range| &text[range]).collect()
}

/// Every row: a text, a query of it, what is marked. The query must find this text and no other of the table.
const FOUND: &[(&str, &str, &[&str])] = &[
    // Latin, accents either way, case, prefix, words apart and in any order
    ("Ein Café in Zürich", "cafe zur", &["Café", "Zür"]),
    ("Un cafetal en Bogotá", "CAFETÁL", &["cafetal"]),
    ("Die große STRASSE", "straße gros", &["groß", "STRASSE"]),
    ("Tiếng Việt dễ học", "tieng viet", &["Tiếng", "Việt"]),
    ("Smørrebrød på Łódź", "smorre lodz", &["Smørre", "Łódź"]),
    ("İstanbul'da", "ista", &["İsta"]),
    ("I don't know", "don't", &["don't"]),
    ("mail me: ann@example.org", "ann@exam", &["ann@exam"]),
    ("ﬁnally ２０２５", "final 2025", &["ﬁnal", "２０２５"]),
    // Other alphabets
    ("Съешь ещё этих булок", "еще бул", &["ещё", "бул"]),
    ("Зелёный чай, пожалуйста", "ЗЕЛЕН", &["Зелён"]),
    ("Καλημέρα κόσμος", "ΚΌΣΜΟΣ", &["κόσμος"]),
    ("مُحَمَّد في المدرسة", "محمد المدرسه", &["مُحَمَّد", "المدرسة"]),
    ("می‌خواهم کتاب", "ميخواهم كتا", &["می‌خواهم", "کتا"]),
    ("שָׁלוֹם עולם", "שלום", &["שָׁלוֹם"]),
    ("हिन्दी में लिखो", "हिन्", &["हिन्"]),
    ("বাংলা ভাষায়", "ভাষায়", &["ভাষায়"]),
    ("தமிழ் மொழி", "தமி", &["தமி"]),
    ("ქართული ენა", "ქა", &["ქა"]),
    // Without spaces
    ("我昨天去了东京大学", "东京", &["东京"]),
    ("今日は東京タワーに行った", "タワー", &["タワー"]),
    ("ガンダムを見る", "ｶﾞﾝ", &["ガン"]),
    ("𠮷野家で食べる", "𠮷野", &["𠮷野"]),
    ("iPhoneケースを買う", "iphoneケー", &["iPhoneケー"]),
    ("서울에서 만나요", "울에", &["울에"]),
    (
        "우리는 학교에 간다",
        "\u{1112}\u{1161}\u{11a8}\u{1100}\u{116d}",
        &["학교"],
    ),
    ("ㅋㅋㅋ 웃겨", "ㅋㅋ", &["ㅋㅋㅋ"]),
    ("ฉันดื่มน้ำทุกวัน", "น้ำ", &["น้ำ"]),
    ("ຂ້ອຍຮັກເຈົ້າ", "ຮັກ", &["ຮັກ"]),
    ("ខ្ញុំស្រលាញ់អ្នក", "លាញ់", &["លាញ់"]),
    ("ကျွန်တော်သွားမယ်", "သွား", &["သွား"]),
    // Emoji, whatever the skin
    ("Happy birthday 🎉🎂!", "🎉🎂", &["🎉🎂"]),
    ("well done 👍🏽👍", "👍👍", &["👍🏽👍"]),
    ("off to 🇯🇵 soon", "🇯🇵", &["🇯🇵"]),
    ("the 👨‍👩‍👧 is here", "👨‍👩‍👧", &["👨‍👩‍👧"]),
];

#[test]
fn every_script_is_found_and_marked() {
    let texts: Vec<&str> = FOUND.iter().map(|(text, ..)| *text).collect();
    let index = Index::of(&texts);
    for (row, (text, query, marks)) in FOUND.iter().enumerate() {
        assert_eq!(index.find(query), [row], "{query} in {text}");
        assert_eq!(marked(text, query), *marks, "{query} in {text}");
    }
}

#[test]
fn two_characters_are_enough_in_every_script() {
    let texts: Vec<&str> = FOUND.iter().map(|(text, ..)| *text).collect();
    let index = Index::of(&texts);
    for (row, text) in texts.iter().enumerate() {
        // The shortest beginning of a word that is a query.
        let mut beginnings = text.split_whitespace().flat_map(|word| {
            let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
            ends.map(|end| &word[..end])
        });
        let query = beginnings
            .find(|query| match_expression(query).is_some())
            .unwrap();
        assert!(index.find(query).contains(&row), "{query} in {text}");
        assert!(!highlights(text, query).is_empty(), "{query} in {text}");
    }
}

#[test]
fn fewer_than_two_characters_are_no_query() {
    for query in [
        "",
        " ",
        "a",
        "é",
        "語",
        "ก",
        "🎉",
        "\"",
        "'' -- ;",
        "()*^:{}",
        "\0",
        "\u{301}\u{302}",
    ] {
        assert_eq!(match_expression(query), None, "{query}");
        assert_eq!(highlights("a é 語 ก 🎉 \" ()", query), []);
    }
    assert!(match_expression("a b").is_some());
    assert!(match_expression("語 a").is_some());
}

#[test]
fn words_are_quoted_and_open_and_runs_are_phrases() {
    for (query, expression) in [
        ("Hello", "\"hello\"*"),
        ("hello wor", "\"hello\"* AND \"wor\"*"),
        ("don't", "\"don t\"*"),
        ("東京", "\"東 京\""),
        ("日本go", "\"日 本 go\"*"),
        ("go日本 x", "\"go 日 本\" AND \"x\"*"),
    ] {
        assert_eq!(match_expression(query).as_deref(), Some(expression));
    }
    assert_eq!(index_text("Das  große,東京!"), "das grosse 東 京");
}

#[test]
fn nothing_that_is_typed_is_syntax() {
    let index = Index::of(&["near body or not and words", "nothing of the kind"]);
    for (query, found) in [
        ("\"*", vec![]),
        ("\"near\"*", vec![0]),
        ("NEAR(near body, 1)", vec![]),
        ("near(body", vec![0]),
        ("'; -- DROP TABLE search", vec![]),
        ("body:near", vec![]),
        ("body : near", vec![0]),
        ("- {body} : words", vec![0]),
        ("near OR kind", vec![]),
        ("near NOT words", vec![0]),
        ("AND AND AND", vec![0]),
        ("^near + body", vec![0]),
        ("near*or*not", vec![]),
        ("wo\0rds", vec![]),
        ("no\"th", vec![]),
    ] {
        assert_eq!(index.find(query), found, "{query}");
    }
}

#[test]
fn a_query_is_bounded() {
    let many = "ab ".repeat(1000);
    assert_eq!(
        match_expression(&many).unwrap().matches("\"ab\"").count(),
        MAX_TERMS
    );
    let long = "語".repeat(100_000);
    assert!(match_expression(&long).unwrap().len() < 2000);
    assert_eq!(highlights(&long, &long).len(), 1);
}

#[test]
fn marks_that_touch_are_one() {
    assert_eq!(marked("一一一一 二", "一一"), ["一一一一"]);
    assert_eq!(marked("anna annabel", "ann anna"), ["anna", "anna"]);
}

#[test]
fn sqlite_takes_every_word_character_for_one() {
    // One token for each character, as many as SQLite finds: not one is taken for a space.
    let every: Vec<char> = ('\u{80}'..=char::MAX)
        .filter(|c| !index_text(&c.to_string()).is_empty())
        .collect();
    let connection = Index::of(&[]).0;
    connection
        .execute_batch("CREATE VIRTUAL TABLE words USING fts5vocab(search, 'instance')")
        .unwrap();
    let mut missing = Vec::new();
    for chunk in every.chunks(4096) {
        let text: Vec<String> = chunk.iter().map(|c| index_text(&c.to_string())).collect();
        connection
            .execute(
                "INSERT INTO search (rowid, body) VALUES (1, ?1)",
                [text.join(" ")],
            )
            .unwrap();
        let words: i64 = connection
            .query_row("SELECT count(*) FROM words", [], |row| row.get(0))
            .unwrap();
        let expected: usize = text.iter().map(|words| words.split(' ').count()).sum();
        if usize::try_from(words).unwrap() != expected {
            missing.push((chunk[0], expected, words));
        }
        connection
            .execute_batch("INSERT INTO search (search) VALUES ('delete-all')")
            .unwrap();
    }
    assert_eq!(missing, [], "of {}", every.len());
}

/// Few letters, so that words meet; of every kind.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "b",
        "A",
        "é",
        "e\u{301}",
        "ß",
        "И",
        "й",
        "ς",
        "ا",
        "أ",
        "\u{64e}",
        "ש",
        "\u{5b8}",
        "ह",
        "\u{94d}",
        "न",
        "京",
        "か",
        "が",
        "か\u{3099}",
        "한",
        "\u{1112}",
        "\u{1161}",
        "\u{11ab}",
        "ก",
        "\u{e49}",
        "\u{e33}",
        "🎉",
        "👍🏽",
        "\u{200d}",
        "\u{fe0f}",
        "1",
        "½",
        " ",
        " ",
        "-",
        "'",
        "\"",
        "*",
        "\u{301}",
        "\n",
        "ﬁ",
        "İ",
        "ⓐ",
        "ﷺ",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_found_is_what_is_marked(text in any_text(), query in any_text()) {
        let found = !Index::of(&[&text]).find(&query).is_empty();
        let words = tokens(&text);
        let marked = terms(&query).is_some_and(|terms| {
            terms.iter().all(|term| occurrences(&words, term).next().is_some())
        });
        prop_assert_eq!(found, marked);
    }

    #[test]
    fn a_text_is_found_by_any_two_words_of_it(
        (start, end) in (any_text(), any_text()),
        at in any::<prop::sample::Index>(),
    ) {
        let text = format!("{start} x {end}");
        let words: Vec<&str> = text.split_whitespace().collect();
        let two: Vec<&str> = words[at.index(words.len())..].iter().take(2).copied().collect();
        let query = two.join(" ");
        if match_expression(&query).is_some() {
            prop_assert_eq!(Index::of(&[&text]).find(&query), [0]);
        }
    }

    #[test]
    fn any_input_is_an_expression_that_runs_and_marks_on_edges(
        text in "\\PC{0,80}|[\\s\\S]{0,80}",
        query in "\\PC{0,40}|[\\s\\S]{0,40}",
    ) {
        Index::of(&[&text]).find(&query);
        let mut before = 0;
        for range in highlights(&text, &query) {
            prop_assert!(range.start >= before && range.end > range.start);
            prop_assert!(text.get(range.clone()).is_some());
            before = range.end;
        }
    }
}
