//! Keys and updates in, effects out.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use hushpost::{Activity, ConnectionState, ConversationId, Event as Said, MessageState};

use super::*;
use crate::effect::Place;
use crate::model::{Item, Peer};
use crate::sample::{self, NOW, bob, entry, items, open, state, text, theirs, writes};
use crate::update::{Part, Update};

fn press(state: &mut State, code: KeyCode) {
    press_with(state, code, KeyModifiers::NONE);
}

fn press_with(state: &mut State, code: KeyCode, modifiers: KeyModifiers) {
    state.terminal(Event::Key(KeyEvent::new(code, modifiers)));
}

fn enter(state: &mut State, line: &str) {
    for c in line.chars() {
        press(state, KeyCode::Char(c));
    }
    press(state, KeyCode::Enter);
}

fn part(items: Vec<Item>) -> Part {
    Part {
        items,
        ..Part::default()
    }
}

fn all_shown(items: usize) -> Shown {
    Shown {
        columns: 60,
        rows: 40,
        first: 0,
        last: items.checked_sub(1),
    }
}

#[test]
fn the_first_start_registers_and_goes_on_trying() {
    let mut state = State::new(sample::now(), "alice".to_owned(), None);
    let register = || Effect::Relay(Relay::Register(None));
    assert_eq!(state.effects(), [register()]);
    state.take(Update::NotRegistered {
        why: "no".to_owned(),
        again: true,
    });
    state.tick();
    assert_eq!(state.effects(), []);
    state.now.ms += REGISTER_AGAIN_MS;
    state.tick();
    assert_eq!(state.effects(), [register()]);
    state.take(Update::Registered(bob()));
    state.take(Update::Connection(ConnectionState::Online));
    let name = || Effect::Relay(Relay::SetUserName("alice".to_owned()));
    assert_eq!(state.effects(), [name()]);
    // A relay that lost its store is asked for the name again, once it is there.
    state.take(Update::Named("alice".to_owned()));
    state.take(Update::Connection(ConnectionState::Connecting));
    state.take(Update::Event(Said::RelayReset));
    assert_eq!(state.effects(), []);
    state.take(Update::Connection(ConnectionState::CatchingUp));
    assert_eq!(state.effects(), [name()]);
}

#[tokio::test]
async fn what_is_on_the_screen_is_read_while_somebody_looks() {
    let (me, items) = items(&["one", "two", "three"]).await;
    let items: Vec<Item> = items.into_iter().map(theirs).collect();
    let id = ConversationId::between(me, bob());
    let second = items[1].cursor;
    let mut state = state(me, entry(me));
    open(&mut state, me, part(items));
    state.terminal(Event::FocusLost);
    state.drawn(all_shown(2));
    assert_eq!(writes(&mut state), []);
    state.terminal(Event::FocusGained);
    state.page = Some(Page::Help { scroll: 0 });
    state.drawn(all_shown(2));
    assert_eq!(writes(&mut state), []);
    state.page = None;
    state.drawn(all_shown(2));
    assert_eq!(writes(&mut state), [Write::MarkRead(id, second)]);
    state.drawn(all_shown(2));
    assert_eq!(writes(&mut state), []);
}

#[tokio::test]
async fn what_comes_late_and_stands_before_is_read_as_well() {
    let (me, items) = items(&["late", "early"]).await;
    let items: Vec<Item> = items.into_iter().map(theirs).collect();
    let id = ConversationId::between(me, bob());
    let through = items[1].cursor;
    let mut state = state(me, entry(me));
    open(&mut state, me, part(items[1..].to_vec()));
    state.drawn(all_shown(1));
    assert_eq!(writes(&mut state), [Write::MarkRead(id, through)]);
    let refreshed = |state: &mut State, item: &Item| {
        state.take(Update::Refreshed {
            conversation: id,
            found: vec![(item.id, Some(item.clone()))],
        });
    };
    let mut seen = items[1].clone();
    seen.state = MessageState::Seen;
    refreshed(&mut state, &seen);
    refreshed(&mut state, &items[0]);
    state.drawn(all_shown(2));
    assert_eq!(writes(&mut state), [Write::MarkRead(id, items[0].cursor)]);
    state.drawn(all_shown(2));
    assert_eq!(writes(&mut state), []);
}

#[tokio::test]
async fn a_text_is_sent_as_an_answer_and_comes_back_if_it_is_not() {
    let (me, items) = items(&["question"]).await;
    let to = items[0].id;
    let id = ConversationId::between(me, bob());
    let mut state = state(me, entry(me));
    open(&mut state, me, part(items));
    state.drawn(all_shown(1));
    press(&mut state, KeyCode::Up);
    press(&mut state, KeyCode::Enter);
    enter(&mut state, "answer");
    let sent = writes(&mut state)
        .into_iter()
        .find(|write| matches!(write, Write::Send { .. }));
    let Some(Write::Send {
        conversation,
        text,
        reply: Some(quote),
    }) = sent
    else {
        panic!("nothing sent: {sent:?}")
    };
    assert_eq!((conversation, text.text.as_str()), (id, "answer"));
    assert_eq!((quote.to, quote.text.as_str()), (to, "question"));
    assert!(state.input.is_empty());
    state.take(Update::NotSent {
        conversation,
        text: text.text,
        reply: Some(quote),
        instead_of: None,
        why: "no".to_owned(),
    });
    assert_eq!(state.input.text(), "answer");
    assert!(state.open.as_ref().is_some_and(|open| open.reply.is_some()));
}

#[tokio::test]
async fn typing_is_told_and_kept_as_a_draft() {
    let (me, _) = items(&[]).await;
    let id = ConversationId::between(me, bob());
    let mut state = state(me, entry(me));
    open(&mut state, me, Part::default());
    press(&mut state, KeyCode::Char('h'));
    assert_eq!(writes(&mut state), [Write::Activity(id, Activity::Typing)]);
    state.now.ms += DRAFT_AFTER_MS;
    state.tick();
    assert_eq!(writes(&mut state), [Write::Draft(id, "h".to_owned())]);
    press(&mut state, KeyCode::Backspace);
    assert_eq!(writes(&mut state), [Write::Activity(id, Activity::Stopped)]);
    // A command is nobody's business, and no draft.
    enter(&mut state, "/archive");
    assert_eq!(
        writes(&mut state),
        [Write::Draft(id, String::new()), Write::Archive(id, true)]
    );
}

#[tokio::test]
async fn a_strangers_request_tells_them_nothing_before_it_is_accepted() {
    let (me, items) = items(&["hello"]).await;
    let id = ConversationId::between(me, bob());
    let mut requested = entry(me);
    requested.requested = true;
    let mut state = state(me, requested);
    open(
        &mut state,
        me,
        part(items.into_iter().map(theirs).collect()),
    );
    assert!(state.requested());
    state.drawn(all_shown(1));
    assert_eq!(writes(&mut state), []);
    press(&mut state, KeyCode::Char('x'));
    assert_eq!(writes(&mut state), []);
    press(&mut state, KeyCode::Backspace);
    enter(&mut state, "/accept");
    assert_eq!(writes(&mut state), [Write::Accept(id)]);
}

#[tokio::test]
async fn a_bell_rings_for_what_is_not_seen() {
    let (me, items) = items(&["hello"]).await;
    let message = theirs(items[0].clone()).id;
    let id = ConversationId::between(me, bob());
    let added = |message| {
        Update::Event(Said::MessageAdded {
            conversation: id,
            message,
        })
    };
    let mut muted = entry(me);
    let mut state = state(me, entry(me));
    state.take(added(message));
    assert_eq!(state.effects(), [Effect::Bell]);
    state.take(added(items[0].id));
    assert_eq!(state.effects(), []);
    open(&mut state, me, Part::default());
    state.effects();
    state.take(added(message));
    assert!(!state.effects().contains(&Effect::Bell));
    state.terminal(Event::FocusLost);
    state.take(added(message));
    assert!(state.effects().contains(&Effect::Bell));
    muted.muted_until_ms = NOW + 1;
    state.take(Update::List {
        archived: false,
        change: crate::model::ListUpdate::Reset(vec![muted]),
    });
    state.take(added(message));
    assert!(!state.effects().contains(&Effect::Bell));
}

#[tokio::test]
async fn events_are_hints_and_what_was_missed_is_read_again() {
    let (me, items) = items(&["hello"]).await;
    let id = ConversationId::between(me, bob());
    let message = items[0].id;
    let mut state = state(me, entry(me));
    open(&mut state, me, part(items.clone()));
    state.effects();
    let changed = || {
        Update::Event(Said::MessageChanged {
            conversation: id,
            message,
        })
    };
    state.take(changed());
    let refresh = Effect::Read(Read::Refresh {
        conversation: id,
        messages: vec![message],
    });
    assert_eq!(state.effects(), [refresh]);
    let mut sent = items[0].clone();
    sent.state = MessageState::Sent;
    state.take(Update::Refreshed {
        conversation: id,
        found: vec![(message, Some(sent.clone()))],
    });
    let history = |state: &State| state.open.as_ref().unwrap().history.items().to_vec();
    assert_eq!(history(&state), [sent]);
    state.take(Update::Event(Said::Missed { events: 9 }));
    let effects = state.effects();
    assert!(effects.contains(&Effect::Read(Read::Load {
        conversation: id,
        place: Place::Newest
    })));
    // A reading that fails is not tried again at once.
    state.take(Update::NotLoaded {
        conversation: id,
        why: "disk".to_owned(),
    });
    assert_eq!(state.effects(), []);
    state.now.ms += 10_000;
    assert_eq!(state.effects().len(), 1);
}

#[tokio::test]
async fn deleting_asks_first() {
    let (me, _) = items(&[]).await;
    let id = ConversationId::between(me, bob());
    let mut state = state(me, entry(me));
    open(&mut state, me, Part::default());
    enter(&mut state, "/delete");
    press(&mut state, KeyCode::Char('n'));
    assert_eq!(writes(&mut state), []);
    enter(&mut state, "/delete");
    press(&mut state, KeyCode::Char('y'));
    assert_eq!(writes(&mut state), [Write::Delete(id)]);
    assert!(state.open.is_none());
}

#[tokio::test]
async fn a_name_that_moved_is_asked_about() {
    let (me, _) = items(&[]).await;
    let mut state = state(me, entry(me));
    let found = |before| Update::Found {
        name: "carol".to_owned(),
        account: me,
        before,
    };
    state.take(found(None));
    assert_eq!(writes(&mut state), [Write::Open(me)]);
    state.take(found(Some(bob())));
    assert_eq!(writes(&mut state), []);
    press(&mut state, KeyCode::Char('y'));
    assert_eq!(writes(&mut state), [Write::Open(me)]);
}

#[tokio::test]
async fn pages_of_a_history_come_and_go_at_both_ends() {
    let texts: Vec<String> = (0..450).map(|n| format!("n{n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (me, items) = items(&texts).await;
    let id = ConversationId::between(me, bob());
    let mut state = state(me, entry(me));
    let mut newest = part(items[390..].to_vec());
    newest.more_before = true;
    open(&mut state, me, newest);
    state.effects();
    let mut first = 390;
    while first > 0 {
        state.drawn(Shown {
            columns: 60,
            rows: 10,
            first: 0,
            last: Some(9),
        });
        let at = items[first].cursor;
        let load = Effect::Read(Read::Load {
            conversation: id,
            place: Place::Before(at),
        });
        assert!(state.effects().contains(&load), "{first}");
        press(&mut state, KeyCode::PageUp);
        let from = first.saturating_sub(history::PAGE);
        let mut older = part(items[from..first].to_vec());
        older.more_before = from > 0;
        state.take(Update::Loaded {
            conversation: id,
            place: Place::Before(at),
            part: older,
        });
        first = from;
    }
    let held = &state.open.as_ref().unwrap().history;
    assert!(held.items().len() <= 400 && held.more.after && !held.more.before);
    assert_eq!(text(&held.items()[0]), "n0");
    // And down again.
    let last = held.items().len() - 1;
    let at = held.items()[last].cursor;
    state.drawn(Shown {
        columns: 60,
        rows: 10,
        first: last - 9,
        last: Some(last),
    });
    let load = Effect::Read(Read::Load {
        conversation: id,
        place: Place::After(at),
    });
    assert!(state.effects().contains(&load));
}

#[tokio::test]
async fn only_a_known_persons_changes_show_and_only_theirs() {
    let (me, _) = items(&[]).await;
    let mut state = state(me, entry(me));
    open(&mut state, me, Part::default());
    let changed = Peer {
        change_pending: true,
        ..Peer::default()
    };
    state.take(Update::Peer(me, changed.clone()));
    assert!(!state.open.as_ref().unwrap().known.change_pending);
    state.take(Update::Peer(bob(), changed));
    assert!(state.open.as_ref().unwrap().known.change_pending);
    enter(&mut state, "/accept-change");
    assert_eq!(writes(&mut state), [Write::AcceptChange(bob())]);
}
