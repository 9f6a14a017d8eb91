//! Somebody has the files: nothing is to be read in them, not even after a crash, nor with the key what was
//! deleted. And what is typed into a search box is never anything but words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::error::Error;
use std::fs;
use std::path::Path;

use hushpost::{Client, Config, DatabaseKey, MessageState, RelayUrl, Reply};
use hushpost_client_tests::{Pair, text};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use rusqlite::types::ValueRef;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What stands in no other file of this machine.
const CANARY: &str = "Zwitscherkanarienvogelschwarm";
/// The key of every person's database.
const KEY: [u8; 32] = [7; 32];

fn relay() -> Outcome<RelayProcess> {
    Ok(RelayOptions::default().config(LIMITERS_OFF).start()?)
}

/// As it may lie in a file: as it was typed, as the index has it, as a program with wide characters has it.
fn forms() -> Vec<Vec<u8>> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lower = CANARY.to_lowercase();
    // Each word's part is enough: an index may cut words.
    let part = |text: &str| text.as_bytes()[..12].to_vec();
    vec![part(CANARY), part(&lower), wide(CANARY), wide(&lower)]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// The files of a folder in which any of these stands, and how many were looked at.
fn found_in(folder: &Path, needles: &[Vec<u8>]) -> Outcome<(Vec<String>, usize)> {
    let (mut found, mut count) = (Vec::new(), 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let content = fs::read(&path)?;
        count += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if needles
            .iter()
            .any(|needle| holds(&content, needle) || holds(name.as_bytes(), needle))
        {
            found.push(name);
        }
    }
    Ok((found, count))
}

/// As if the process were killed now: what another finds on the disk.
fn copy(folder: &Path, to: &Path) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        fs::copy(&path, to.join(path.file_name().unwrap()))?;
    }
    Ok(())
}

/// The canary wherever text may be kept: sent, received, quoted, queued, drafted, as a name.
async fn fill(pair: &mut Pair) -> Outcome {
    let sent = pair.alice_says(&format!("sent {CANARY}")).await?;
    pair.bob.until_shown(sent).await?;
    let reply = text(&format!("received {CANARY}"))?.in_reply_to(Reply {
        to: sent,
        excerpt: CANARY.to_owned(),
    });
    let reply = pair.bob.with(&pair.alice).await?.send(reply).await?;
    pair.alice.until_shown(reply).await?;
    pair.bob.until_state(reply, MessageState::Delivered).await?;
    let conversation = pair.alice.with(&pair.bob).await?;
    conversation.set_draft(&format!("half a {CANARY}")).await?;
    let contacts = pair.alice.client.contacts();
    let name = Some(CANARY.to_owned());
    contacts.set_name(pair.bob.account, name).await?;
    pair.alice.client.disconnect().await;
    pair.alice
        .say(&pair.bob, &format!("queued {CANARY}"))
        .await?;
    Ok(())
}

#[tokio::test]
async fn nothing_that_was_written_can_be_read_in_any_file() -> Outcome {
    let relay = relay()?;
    let mut pair = Pair::meet(relay.address()).await?;
    fill(&mut pair).await?;
    // Sent, received and queued are there, and found by a word.
    let hits = pair.alice.client.search(CANARY, 0, 10).await?;
    assert_eq!(hits.len(), 3);

    let database = pair.alice.database();
    let folder = database.parent().unwrap();
    let mut needles = forms();
    // Nor the key, nor who talks to whom.
    needles.push(KEY.to_vec());
    for person in [&pair.alice, &pair.bob] {
        needles.push(person.account.as_bytes().to_vec());
        needles.push(person.account.to_string().into_bytes());
    }
    let running = found_in(folder, &needles)?;
    let crashed = tempfile::tempdir()?;
    copy(folder, crashed.path())?;
    pair.alice.client.close().await;
    let closed = found_in(folder, &needles)?;
    assert_eq!((running.0, closed.0), (vec![], vec![]));
    // The database, the salt, the mark; while it runs, the log and its index.
    assert!(running.1 >= 5 && closed.1 >= 3);

    // A client that finds what the killed one left reads all of it, and writes none of it down.
    let at = crashed.path().join(database.file_name().unwrap());
    let url = format!("ws://{}", relay.address()).parse::<RelayUrl>()?;
    let client = Client::open(Config::new(&at, DatabaseKey::new(KEY), url)).await?;
    assert_eq!(client.search(CANARY, 0, 10).await?.len(), 3);
    let after = found_in(crashed.path(), &needles)?;
    assert_eq!(after.0, Vec::<String>::new());
    client.close().await;

    // Whoever does not hide it is found out.
    fs::write(crashed.path().join("plain"), format!("... {CANARY} ..."))?;
    assert_eq!(found_in(crashed.path(), &needles)?.0, ["plain"]);
    Ok(())
}

/// All tables, with the key, as one would look for something deleted: where any of these stands.
fn tables_with(database: &Path, needles: &[Vec<u8>]) -> Outcome<(Vec<String>, usize)> {
    let salt = fs::read(database.with_extension("db.salt"))?;
    let hex: String = KEY
        .iter()
        .chain(&salt[..16])
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect();
    let open = rusqlite::Connection::open(database)?;
    open.pragma_update(None, "key", format!("x'{hex}'"))?;
    open.pragma_update(None, "cipher_plaintext_header_size", 32)?;
    let mut names = open.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let (mut found, mut values) = (Vec::new(), 0);
    for name in names {
        let mut all = open.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns = all.column_count();
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                let (ValueRef::Blob(bytes) | ValueRef::Text(bytes)) = row.get_ref(column)? else {
                    continue;
                };
                values += 1;
                if needles.iter().any(|needle| holds(bytes, needle)) {
                    found.push(name.clone());
                }
            }
        }
    }
    found.dedup();
    Ok((found, values))
}

#[tokio::test]
async fn of_a_deleted_conversation_nothing_is_left_even_for_who_has_the_key() -> Outcome {
    let relay = relay()?;
    let mut pair = Pair::meet(relay.address()).await?;
    fill(&mut pair).await?;
    let database = pair.alice.database();
    let (before, _) = tables_with(&database, &forms())?;
    assert!(before.iter().any(|table| table == "message"), "{before:?}");
    assert!(before.iter().any(|table| table == "outbox"), "{before:?}");

    // What was queued still leaves; then nobody needs it any more.
    pair.alice.client.connect();
    pair.bob
        .until("what was queued", || async {
            Ok((pair.bob.texts(&pair.alice).await?.len() == 5).then_some(()))
        })
        .await?;
    let last = pair.alice.history(&pair.bob).await?.pop().unwrap();
    let state = MessageState::Delivered;
    pair.alice.until_state(last.id, state).await?;
    pair.alice.with(&pair.bob).await?.delete().await?;
    let contacts = pair.alice.client.contacts();
    contacts.set_name(pair.bob.account, None).await?;
    pair.alice.client.close().await;
    let (after, values) = tables_with(&database, &forms())?;
    assert!(values > 50, "{values} values only");
    assert_eq!(after, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_wrong_key_opens_nothing_and_harms_nothing() -> Outcome {
    let relay = relay()?;
    let mut pair = Pair::meet(relay.address()).await?;
    pair.alice_says("to be kept").await?;
    pair.judge("before").await?;
    pair.alice.client.close().await;
    let database = pair.alice.database();
    let before = fs::read(&database)?;
    for wrong in 0..100u8 {
        let mut key = KEY;
        key[usize::from(wrong) % 32] ^= 1 << (wrong % 8);
        let url = format!("ws://{}", relay.address()).parse::<RelayUrl>()?;
        let refused = Client::open(Config::new(&database, DatabaseKey::new(key), url)).await;
        assert_eq!(refused.err().unwrap().code(), "wrong_key");
    }
    assert!(fs::read(&database)? == before, "written to");
    pair.alice.reopen().await?;
    pair.alice.client.connect();
    pair.alice_says("all is there").await?;
    pair.judge("after").await?;
    Ok(())
}

#[tokio::test]
async fn whatever_is_typed_into_a_search_box_is_words() -> Outcome {
    let relay = relay()?;
    let mut pair = Pair::meet(relay.address()).await?;
    pair.alice_says("apples and oranges").await?;
    pair.alice_says("apples, not oranges").await?;
    pair.alice_says("'; DROP TABLE message; --").await?;
    let conversation = pair.alice.with(&pair.bob).await?;
    // How many of the five texts: "and", "or", "not" and "near" are words, or the beginnings of words.
    for (query, hits) in [
        ("apples AND oranges", 1),
        ("apples OR oranges", 2),
        ("apples NOT oranges", 1),
        ("apples NEAR oranges", 0),
        ("NEAR(apples oranges)", 0),
        ("NEAR(apples oranges, 10)", 0),
        ("\"apples oranges\"", 2),
        ("\"apples", 2),
        ("apples\"", 2),
        ("\"\" apples \"\"", 2),
        ("text:apples", 0),
        ("{text}:apples", 0),
        ("-text:apples", 0),
        ("^apples", 2),
        ("apples + oranges", 2),
        ("appl*", 2),
        ("*apples", 2),
        ("(apples)", 2),
        ("((((apples", 2),
        ("apples\0oranges", 0),
        ("' OR 1=1 --", 0),
        ("'; DROP TABLE message; --", 1),
        ("') UNION SELECT account_key FROM local_device --", 0),
        ("%_%", 0),
        ("\u{202e}apples", 2),
        ("app\u{200d}les", 2),
    ] {
        for found in [
            pair.alice.client.search(query, 0, 100).await,
            conversation.search(query, 0, 100).await,
        ] {
            match found {
                Ok(found) => assert_eq!(found.len(), hits, "{query:?}"),
                Err(error) => assert_eq!((error.code(), hits), ("invalid_input", 0), "{query:?}"),
            }
        }
    }
    let long = "apples ".repeat(100_000);
    let deep = "(".repeat(100_000) + "apples";
    for query in [long.as_str(), deep.as_str(), &"\"".repeat(100_000)] {
        if let Err(error) = pair.alice.client.search(query, 0, 10).await {
            assert_eq!(error.code(), "invalid_input");
        }
    }
    let none = pair.alice.client.search("apples", usize::MAX, usize::MAX);
    assert!(none.await?.is_empty());
    let list = pair.alice.client.conversations();
    assert!(list.list(false, usize::MAX, usize::MAX).await?.is_empty());
    // Everything is still there.
    assert_eq!(pair.alice.client.search("apples", 0, 10).await?.len(), 2);
    pair.judge("after the searches").await?;
    Ok(())
}
