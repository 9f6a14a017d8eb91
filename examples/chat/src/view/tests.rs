//! What stands on the screen.

use hushpost::{Activity, ConnectionState, ConversationId, Event, FailureReason, MessageState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::draw;
use crate::model::{Entry, Hit, Item, ListUpdate, Peer, Quote};
use crate::sample::{NOW, bob, entry, items, open, state, theirs};
use crate::state::State;
use crate::state::page::Page;
use crate::update::{Part, Update};

const DAY: u64 = 24 * 60 * 60 * 1000;

pub(super) fn screen(state: &mut State, columns: u16, rows: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let mut drawn = None;
    terminal
        .draw(|frame| drawn = Some(draw(frame, state)))
        .unwrap();
    let (shown, scroll) = drawn.unwrap();
    if let (Some(page), Some(most)) = (&mut state.page, scroll) {
        page.scroll_at_most(most);
    }
    state.drawn(shown);
    terminal
}

/// Without the spaces at the right.
pub(super) fn lines(state: &mut State, columns: u16, rows: u16) -> Vec<String> {
    let terminal = screen(state, columns, rows);
    let buffer = terminal.backend().buffer();
    buffer
        .content
        .chunks(usize::from(columns))
        .map(|row| {
            let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            row.trim_end().to_owned()
        })
        .collect()
}

pub(super) fn part(items: Vec<Item>) -> Part {
    Part {
        items,
        ..Part::default()
    }
}

#[tokio::test]
async fn a_conversation_looks_like_one() {
    let (me, mut items) = items(&["hello", "a\u{1b}[31mnswer", "sent", "failed"]).await;
    items[0].sent_ms = NOW - DAY;
    items[0].state = MessageState::Read;
    items[1] = theirs(items[1].clone());
    items[1].quote = Some(Quote {
        to: items[0].id,
        text: "hello".to_owned(),
    });
    items[2].state = MessageState::Delivered;
    items[3].state = MessageState::Failed(FailureReason::Unreachable);
    let first_unread = Some(items[1].id);
    let mut state = state(me, entry(me));
    state.take(Update::Connection(ConnectionState::Online));
    open(&mut state, me, part(items));
    state.open.as_mut().unwrap().history.first_unread = first_unread;
    state.input.set("my words");
    assert_eq!(
        lines(&mut state, 60, 14),
        [
            " bob ───────────────────────────────────────────────────────",
            "",
            "",
            "──────────────────────── Yesterday ─────────────────────────",
            "                                              hello 10:15 ✓✓",
            "────────────────────────── Today ───────────────────────────",
            "─────────────────────────── new ────────────────────────────",
            "▎you: hello",
            "a[31mnswer 10:15",
            "                                               sent 10:15 ✓✓",
            "                     failed 10:15 ✗ no such account (/retry)",
            "────────────────────────────────────────────────────────────",
            "> my words",
            " alice (name not taken yet) ● online │ F1 help",
        ]
    );
}

#[tokio::test]
async fn what_was_read_is_in_colour() {
    let (me, mut items) = items(&["one", "two"]).await;
    items[0].state = MessageState::Read;
    items[1].state = MessageState::Delivered;
    let mut state = state(me, entry(me));
    open(&mut state, me, part(items));
    let terminal = screen(&mut state, 40, 10);
    let buffer = terminal.backend().buffer();
    let ticks = buffer.content.iter().filter(|cell| cell.symbol() == "✓");
    let colours: Vec<Color> = ticks.map(|cell| cell.fg).collect();
    let (read, delivered) = (Color::Cyan, Color::DarkGray);
    assert_eq!(colours, [read, read, delivered, delivered]);
}

#[tokio::test]
async fn the_list_says_how_things_stand() {
    let (me, _) = items(&[]).await;
    let other = |seed: u8, change: fn(&mut Entry)| {
        let mut other = entry(me);
        let peer = hushpost::AccountId::of_key(&[seed; 32]);
        other.peer = Some(peer);
        other.id = ConversationId::between(me, peer);
        change(&mut other);
        other
    };
    let entries = vec![
        other(3, |entry| {
            entry.name = "carol".to_owned();
            entry.pinned = true;
            entry.muted_until_ms = NOW + 1;
            entry.preview = "a long line that does not fit into the list".to_owned();
            entry.unread = 3;
        }),
        other(4, |entry| {
            entry.name = "dave".to_owned();
            entry.requested = true;
            entry.unread = 1;
        }),
        other(5, |entry| {
            entry.name = "erin".to_owned();
            entry.draft = "not\nyet".to_owned();
            entry.activity_ms = NOW - 2 * DAY;
        }),
        other(6, |entry| {
            entry.name = "frank".to_owned();
            entry.preview = "yes".to_owned();
            entry.own = Some(MessageState::Delivered);
        }),
    ];
    let typing = entries[3].id;
    let mut state = state(me, entry(me));
    state.take(Update::List {
        archived: false,
        change: ListUpdate::Reset(entries),
    });
    let list = |state: &mut State| -> Vec<String> {
        let lines = lines(state, 80, 12).into_iter();
        let cut = lines.map(|line| line.chars().take(31).collect::<String>());
        cut.map(|line| line.trim_end().to_owned()).collect()
    };
    let shown = list(&mut state);
    assert_eq!(
        shown[..9],
        [
            " conversations ────────────────",
            "carol                 ↑ ∅ 10:15",
            "a long line that does n… (3)",
            "dave                      10:15",
            "wants to write to you (1)",
            "erin                     23 Nov",
            "draft: not yet",
            "frank                     10:15",
            "✓✓ yes",
        ]
    );
    // What is muted is not counted.
    assert!(lines(&mut state, 80, 12)[11].contains("1 unread"));
    state.take(Update::Event(Event::Typing {
        conversation: typing,
        account: bob(),
        activity: Activity::Typing,
    }));
    assert_eq!(list(&mut state)[8], "typing…");
    state.now.ms += 5_000;
    assert_eq!(list(&mut state)[8], "✓✓ yes");
}

#[tokio::test]
async fn the_last_line_says_how_the_connection_is() {
    let (me, _) = items(&[]).await;
    let mut state = state(me, entry(me));
    let mut last = |connection| {
        state.take(Update::Connection(connection));
        state.now.ms += 1_200;
        lines(&mut state, 90, 10).pop().unwrap()
    };
    let wait = ConnectionState::Waiting {
        retry_in: std::time::Duration::from_secs(7),
    };
    assert!(last(wait).contains("no connection, again in 6 s"));
    assert!(last(ConnectionState::Connecting).contains("connecting"));
    assert!(last(ConnectionState::CatchingUp).contains("catching up"));
    assert!(last(ConnectionState::Offline).contains("offline"));
    assert!(last(ConnectionState::Replaced).contains("open somewhere else"));
    let refused = ConnectionState::Refused {
        code: "blocked\u{1b}[2J".to_owned(),
    };
    assert!(last(refused).contains("refused: blocked[2J"));
}

#[tokio::test]
async fn what_must_not_be_overlooked_stands_above() {
    let (me, _) = items(&[]).await;
    let mut requested = entry(me);
    requested.requested = true;
    let mut state = state(me, requested);
    open(&mut state, me, Part::default());
    state.take(Update::Peer(
        bob(),
        Peer {
            verified: true,
            change_pending: true,
            missing: 2,
            undecryptable: 1,
            ..Peer::default()
        },
    ));
    let shown = lines(&mut state, 120, 20).join("\n");
    for text in [
        "✔ verified",
        "bob wants to write to you",
        "The devices of bob changed",
        "2 messages of theirs are missing",
        "A message of theirs did not decrypt",
    ] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
}

#[tokio::test]
async fn the_screen_follows_the_end_and_stays_where_one_reads() {
    let texts: Vec<String> = (0..40).map(|n| format!("line {n:02}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (me, mut items) = items(&texts).await;
    let last = items.pop().unwrap();
    let mut state = state(me, entry(me));
    open(&mut state, me, part(items));
    let here = |state: &mut State, text: &str| lines(state, 60, 14).join("\n").contains(text);
    assert!(here(&mut state, "line 38") && !here(&mut state, "line 28"));
    let key = |code| crossterm::event::Event::Key(crossterm::event::KeyEvent::from(code));
    let page_up = || key(crossterm::event::KeyCode::PageUp);
    state.terminal(page_up());
    assert!(here(&mut state, "line 30") && !here(&mut state, "line 38"));
    let added = |state: &mut State, item: &Item| {
        let open = state.open.as_mut().unwrap();
        open.history.refreshed(vec![(item.id, Some(item.clone()))]);
    };
    added(&mut state, &last);
    assert!(here(&mut state, "line 30") && !here(&mut state, "line 39"));
    state.terminal(key(crossterm::event::KeyCode::PageDown));
    state.terminal(key(crossterm::event::KeyCode::PageDown));
    assert!(here(&mut state, "line 39"));
    for _ in 0..20 {
        state.terminal(page_up());
    }
    assert!(here(&mut state, "line 00") && here(&mut state, "Today"));
    // At the end of what is held the screen stays full, and does not jump when more comes.
    state.open.as_mut().unwrap().history.more.after = true;
    for _ in 0..20 {
        state.terminal(key(crossterm::event::KeyCode::PageDown));
        assert!(!lines(&mut state, 60, 14)[1].is_empty());
    }
    assert!(here(&mut state, "line 39"));
    let open = state.open.as_ref().unwrap();
    assert!(open.history.viewport != crate::state::history::Viewport::Bottom);
    // Smaller, larger, too small: nothing breaks.
    for (columns, rows) in [(200, 60), (30, 8), (1, 1), (72, 14)] {
        lines(&mut state, columns, rows);
    }
}

#[tokio::test]
async fn pages_lie_over_it() {
    let (me, items) = items(&["the words"]).await;
    let mut state = state(me, entry(me));
    state.page = Some(Page::Help { scroll: 500 });
    let shown = lines(&mut state, 100, 20).join("\n");
    assert!(shown.contains("pinned, muted") && shown.contains("/quit"));
    state.take(Update::Hits {
        title: "1 found for: words".to_owned(),
        hits: vec![Hit {
            conversation: ConversationId::between(me, bob()),
            peer: Some(bob()),
            name: "bob".to_owned(),
            item: items[0].clone(),
            pieces: vec![("the ".to_owned(), false), ("words".to_owned(), true)],
        }],
    });
    let shown = lines(&mut state, 100, 20).join("\n");
    assert!(shown.contains("1 found for: words") && shown.contains("you to bob: the words"));
    state.take(Update::SafetyNumber {
        account: bob(),
        digits: ["12345"; 12].join(" "),
        payload: vec![1; 70],
    });
    let shown = lines(&mut state, 100, 40).join("\n");
    assert!(shown.contains("safety number with bob"));
    assert_eq!(shown.matches("12345  12345  12345  12345").count(), 3);
    assert!(shown.contains("█▀▀▀▀▀█"));
}
