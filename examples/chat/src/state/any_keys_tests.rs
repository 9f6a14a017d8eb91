//! Whatever is pressed and typed, nothing breaks.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::command::SECTIONS;
use crate::sample::{entry, group, items, open, open_group, state};
use crate::update::Part;

#[derive(Debug, Clone)]
enum Keys {
    Press(KeyCode, KeyModifiers),
    Command(&'static str, &'static str),
}

fn any_command() -> impl Strategy<Value = Keys> {
    let all = SECTIONS.iter().flat_map(|(_, commands)| *commands);
    let names = all.map(|usage| usage.name).filter(|name| *name != "quit");
    let rests = [
        "",
        "bob",
        "1",
        "all",
        "👍",
        "x | a | b",
        "\"q w\" carol",
        "7d",
    ];
    (
        proptest::sample::select(names.collect::<Vec<_>>()),
        proptest::sample::select(rests.to_vec()),
    )
        .prop_map(|(name, rest)| Keys::Command(name, rest))
}

fn any_key() -> impl Strategy<Value = Keys> {
    let codes = prop_oneof![
        any::<char>().prop_map(KeyCode::Char),
        proptest::sample::select(vec![
            KeyCode::Char('/'),
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Backspace,
            KeyCode::Delete,
            KeyCode::F(1),
        ]),
    ];
    let modifiers = proptest::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::ALT,
    ]);
    prop_oneof![
        3 => (codes, modifiers).prop_map(|(code, modifiers)| Keys::Press(code, modifiers)),
        1 => any_command(),
    ]
}

#[tokio::test]
async fn no_keys_break_it() {
    let (_, group) = group("trip").await;
    let (me, items) = items(&["one", "two\nlines", "three"]).await;
    let keys = proptest::collection::vec((any_key(), 0_u16..120, 0_u16..40), 0..60);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    let outcome = runner.run(&(keys, any::<bool>()), |(keys, in_group)| {
        let mut state = state(me, entry(me));
        let part = || Part {
            items: items.clone(),
            ..Part::default()
        };
        if in_group {
            open_group(&mut state, me, group.id, part());
        } else {
            open(&mut state, me, part());
        }
        for (keys, columns, rows) in keys {
            match keys {
                Keys::Press(code, modifiers) => {
                    state.terminal(Event::Key(KeyEvent::new(code, modifiers)));
                }
                Keys::Command(name, rest) => {
                    state.terminal(Event::Paste(format!("/{name} {rest}")));
                    state.terminal(Event::Key(KeyEvent::from(KeyCode::Enter)));
                }
            }
            let backend = ratatui::backend::TestBackend::new(columns, rows);
            let mut terminal = ratatui::Terminal::new(backend).unwrap();
            let mut drawn = None;
            let draw = |frame: &mut ratatui::Frame<'_>| {
                drawn = Some(crate::view::draw(frame, &state));
            };
            terminal.draw(draw).unwrap();
            state.drawn(drawn.unwrap().0);
            state.effects();
        }
        Ok(())
    });
    outcome.unwrap();
}
