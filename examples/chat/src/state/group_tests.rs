//! Groups, files and messages that are there: what is typed, and what is wanted for it.

use crossterm::event::{Event, KeyCode, KeyEvent};
use hushpost::{ConversationId, Emoji, Event as Said, Stage};

use super::*;
use crate::command::Rule;
use crate::effect::{FileTask, Gathering, GroupWrite, MessageWrite, Wording};
use crate::model::{Ballot, Body, Item};
use crate::sample::{
    bob, carol, entry, group, items, open, open_group, progress, state, text, theirs, writes,
};
use crate::update::{Part, Update};

fn press(state: &mut State, code: KeyCode) {
    state.terminal(Event::Key(KeyEvent::from(code)));
}

fn enter(state: &mut State, line: &str) {
    for c in line.chars() {
        press(state, KeyCode::Char(c));
    }
    press(state, KeyCode::Enter);
}

fn told(state: &State) -> String {
    let newest = state.notices.all().next();
    newest.map_or_else(String::new, |notice| notice.text.clone())
}

/// What is wanted for a line, but for what is told while typing.
fn wanted(state: &mut State, line: &str) -> Vec<Write> {
    writes(state);
    enter(state, line);
    let all = writes(state).into_iter();
    all.filter(|write| !matches!(write, Write::Activity(..) | Write::Draft(..)))
        .collect()
}

async fn in_a_group(texts: &[&str]) -> (State, ConversationId, Vec<Item>) {
    let (_, group) = group("trip").await;
    let (me, items) = items(texts).await;
    let id = group.id;
    let mut state = state(me, group);
    let part = Part {
        items: items.clone(),
        ..Part::default()
    };
    open_group(&mut state, me, id, part);
    state.drawn(Shown {
        columns: 60,
        rows: 40,
        first: 0,
        last: items.len().checked_sub(1),
    });
    (state, id, items)
}

#[tokio::test]
async fn a_group_is_made_of_who_is_known_and_who_is_looked_for() {
    let (mut state, id, _) = in_a_group(&[]).await;
    let members = |mut members: Vec<AccountId>| {
        members.sort_unstable();
        members
    };
    assert_eq!(
        wanted(&mut state, "/group walk bob @carol bob"),
        [Write::MakeGroup {
            name: "walk".to_owned(),
            members: members(vec![bob(), carol()]),
        }]
    );
    state.effects();
    enter(&mut state, "/group walk bob dave");
    let then = Gathering::NewGroup("walk".to_owned());
    let gather = Effect::Relay(Relay::Gather {
        known: vec![bob()],
        names: vec!["dave".to_owned()],
        then: then.clone(),
    });
    assert!(state.effects().contains(&gather));
    let dave = AccountId::of_key(&[4; 32]);
    state.take(Update::Gathered {
        accounts: vec![bob(), dave],
        then,
    });
    let name = "walk".to_owned();
    let members = vec![bob(), dave];
    assert_eq!(writes(&mut state), [Write::MakeGroup { name, members }]);
    assert_eq!(
        wanted(&mut state, &format!("/add {dave}")),
        [Write::Group(id, GroupWrite::Add(vec![dave]))]
    );
}

#[tokio::test]
async fn members_are_meant_by_their_names() {
    let (mut state, id, _) = in_a_group(&[]).await;
    let group = |write| [Write::Group(id, write)];
    assert_eq!(
        wanted(&mut state, "/remove carol bob"),
        group(GroupWrite::Remove(vec![carol(), bob()]))
    );
    assert_eq!(wanted(&mut state, "/remove carol dave"), []);
    assert_eq!(told(&state), "dave is not among them");
    assert_eq!(
        wanted(&mut state, "/promote bob"),
        group(GroupWrite::Promote(bob()))
    );
    assert_eq!(
        wanted(&mut state, "/settings admins-send on"),
        group(GroupWrite::Set(Rule::AdminsSend, true))
    );
    assert_eq!(
        wanted(&mut state, "/rename The walk"),
        group(GroupWrite::Name("The walk".to_owned()))
    );
    assert_eq!(wanted(&mut state, "/timer 7d"), [Write::Timer(id, 604_800)]);
    // What cannot be undone is asked about.
    assert_eq!(wanted(&mut state, "/leave"), []);
    press(&mut state, KeyCode::Char('y'));
    assert_eq!(writes(&mut state), group(GroupWrite::Leave));
    enter(&mut state, "/members");
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Enter);
    assert_eq!(writes(&mut state), [Write::Open(bob())]);
}

#[tokio::test]
async fn who_asks_to_be_let_in_is_answered() {
    let (mut state, id, _) = in_a_group(&[]).await;
    let dave = AccountId::of_key(&[4; 32]);
    let short: String = dave.to_string().chars().take(8).collect();
    assert_eq!(wanted(&mut state, &format!("/approve {short}")), []);
    state.take(Update::Event(Said::JoinRequested {
        group: id,
        account: dave,
    }));
    let effects = state.effects();
    assert!(effects.contains(&Effect::Read(Read::About(id))));
    // It is read once, however often it changes meanwhile.
    state.take(Update::Event(Said::GroupChanged { group: id }));
    assert!(!state.effects().contains(&Effect::Read(Read::About(id))));
    let mut about = state.open.as_ref().unwrap().about.clone();
    about.group.as_mut().unwrap().asking = vec![dave];
    state.take(Update::About(id, Some(about)));
    assert!(state.effects().contains(&Effect::Read(Read::About(id))));
    assert_eq!(
        wanted(&mut state, &format!("/approve {short}")),
        [Write::Group(id, GroupWrite::Add(vec![dave]))]
    );
    assert_eq!(
        wanted(&mut state, &format!("/refuse {dave}")),
        [Write::Group(id, GroupWrite::Refuse(dave))]
    );
}

#[tokio::test]
async fn members_are_spoken_of() {
    let (state, ..) = in_a_group(&[]).await;
    let mentions = |text: &str| state.wording(text).mentions;
    assert_eq!(
        mentions("@bob, and @carol"),
        [(bob(), 0..4), (carol(), 10..16)]
    );
    assert_eq!(mentions("é@bob x@y @bobby @ @dave bob"), []);
    assert_eq!(mentions("(@bob)"), [(bob(), 1..5)]);
}

#[tokio::test]
async fn an_own_text_is_typed_again_and_an_escape_leaves_it() {
    let (mut state, id, items) = in_a_group(&["firts", "second"]).await;
    press(&mut state, KeyCode::Up);
    press(&mut state, KeyCode::Up);
    enter(&mut state, "/edit");
    assert_eq!(state.input.text(), "firts");
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.input.text(), "");
    // Nothing selected: the last own one.
    enter(&mut state, "/edit");
    assert_eq!(state.input.text(), "second");
    let write = wanted(&mut state, "!");
    let wording = Wording {
        text: "second!".to_owned(),
        mentions: Vec::new(),
    };
    let edit = MessageWrite::Edit(wording);
    assert_eq!(write, [Write::Message(id, items[1].id, edit)]);
    // What could not be done is typed again, in the same place.
    state.take(Update::NotSent {
        conversation: id,
        text: "second!".to_owned(),
        reply: None,
        instead_of: Some(items[1].id),
        why: "no".to_owned(),
    });
    assert_eq!(state.input.text(), "second!");
    let [Write::Message(_, again, MessageWrite::Edit(_))] = &wanted(&mut state, "!")[..] else {
        panic!("no edit")
    };
    assert_eq!(*again, items[1].id);
    // It is no draft.
    enter(&mut state, "/edit");
    state.now.ms += 10 * DRAFT_AFTER_MS;
    press(&mut state, KeyCode::Char('x'));
    state.now.ms += 10 * DRAFT_AFTER_MS;
    state.tick();
    assert_eq!(writes(&mut state), []);
}

#[tokio::test]
async fn messages_are_selected_or_the_newest_that_fits() {
    let (me, mut items) = items(&["question?", "theirs", "mine"]).await;
    items[0].body = Body::Ballot(Ballot {
        question: "question?".to_owned(),
        answers: vec![("a".to_owned(), vec![]), ("b".to_owned(), vec![me])],
        several: false,
    });
    items[1] = theirs(items[1].clone());
    let [poll, other, mine] = [items[0].id, items[1].id, items[2].id];
    let id = ConversationId::between(me, bob());
    let mut state = state(me, entry(me));
    let part = Part {
        items,
        ..Part::default()
    };
    open(&mut state, me, part);
    state.drawn(Shown {
        columns: 60,
        rows: 40,
        first: 0,
        last: Some(2),
    });
    let react = || MessageWrite::React(Some(Emoji::new("👍").unwrap()));
    assert_eq!(
        wanted(&mut state, "/react 👍"),
        [Write::Message(id, other, react())]
    );
    assert_eq!(
        wanted(&mut state, "/vote 2"),
        [Write::Message(id, poll, MessageWrite::Vote(vec![1]))]
    );
    for line in ["/delete all", "/star", "/pin-message", "/forward bob"] {
        assert_eq!(wanted(&mut state, line), [], "{line}");
        assert!(told(&state).contains("select a message"), "{line}");
    }
    press(&mut state, KeyCode::Up);
    for (line, write) in [
        ("/react 👍", react()),
        ("/delete me", MessageWrite::DeleteForMe),
        ("/delete all", MessageWrite::DeleteForAll),
        ("/star", MessageWrite::Star(true)),
        ("/pin-message", MessageWrite::Pin(true)),
    ] {
        assert_eq!(wanted(&mut state, line), [Write::Message(id, mine, write)]);
    }
    assert_eq!(
        wanted(&mut state, "/forward bob"),
        [Write::Forward(id, mine)]
    );
    assert_eq!(wanted(&mut state, "/forward nobody"), []);
    // What is selected and does not fit is not exchanged for another.
    assert_eq!(wanted(&mut state, "/vote 1"), []);
    state.effects();
    enter(&mut state, "/info");
    assert!(
        state
            .effects()
            .contains(&Effect::Read(Read::Info(id, mine)))
    );
    assert_eq!(
        text(&state.open.as_ref().unwrap().history.items()[2]),
        "mine"
    );
}

#[tokio::test]
async fn files_are_sent_watched_and_stopped() {
    let (mut state, id, _) = in_a_group(&["no file here"]).await;
    state.effects();
    enter(&mut state, "/save");
    assert!(told(&state).contains("select a message with a file"));
    enter(&mut state, "/send '/tmp/a b.pdf' look");
    let send = Effect::File(FileTask::Send {
        transfer: 1,
        conversation: id,
        path: "/tmp/a b.pdf".to_owned(),
        caption: Some("look".to_owned()),
        as_it_is: false,
    });
    assert!(state.effects().contains(&send));
    assert_eq!(state.transfers.shown(), "↑ a b.pdf …");
    let mut progress = progress().await;
    (progress.stage, progress.done, progress.total) = (Stage::Transferring, 45, 100);
    state.take(Update::Transfer(1, "a b.pdf".to_owned(), progress));
    assert_eq!(state.transfers.shown(), "↑ a b.pdf 45%");
    progress.stage = Stage::Waiting;
    state.take(Update::Transfer(1, "a b.pdf".to_owned(), progress));
    enter(&mut state, "/send c");
    assert_eq!(state.transfers.shown(), "↑ c …, 1 more");
    state.take(Update::TransferEnded(2, Ok(None)));
    assert_eq!(state.transfers.shown(), "↑ a b.pdf waits");
    state.effects();
    enter(&mut state, "/cancel");
    let stop = Effect::File(FileTask::Stop(1));
    assert!(state.effects().contains(&stop));
    state.take(Update::TransferEnded(1, Err("it was cancelled".to_owned())));
    assert_eq!(state.transfers.shown(), "");
    assert_eq!(told(&state), "it was cancelled");
    // Nothing is on its way: a message is meant.
    enter(&mut state, "/cancel");
    assert!(!state.effects().contains(&stop));
}
