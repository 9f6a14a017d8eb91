//! How messages that are more than text are drawn, and the pages about them.

use hushpost::{
    AccountId, AttachmentKind, ContactCard, Content, GroupNotice, Location, Mention, MessageState,
    Poll, Progress, Text,
};
use ratatui::style::Color;

use super::tests::{lines, part, screen};
use crate::command::SECTIONS;
use crate::layout::Pictures;
use crate::model::{Body, File, Item, Marks, Picture};
use crate::sample::{
    bob, carol, contents, entry, group, items, open, open_group, progress, state, theirs,
};
use crate::state::page::Page;
use crate::update::Update;

/// What stands on the screen of a group with these messages.
async fn shown(
    me: AccountId,
    items: Vec<Item>,
    change: impl FnOnce(&mut crate::state::State),
) -> String {
    let (_, group) = group("trip").await;
    let id = group.id;
    let mut state = state(me, group);
    open_group(&mut state, me, id, part(items));
    change(&mut state);
    lines(&mut state, 60, 24).join("\n")
}

fn file(name: &str, kind: AttachmentKind) -> File {
    File {
        name: name.to_owned(),
        size: 2_048,
        kind,
        duration_ms: None,
        waveform: Vec::new(),
        picture: None,
    }
}

fn files(files: Vec<File>) -> Body {
    Body::Files {
        files,
        caption: None,
    }
}

#[tokio::test]
async fn what_others_did_with_a_message_stands_on_it() {
    let text = Text::new("hi @bobby\u{1b}[2J!").unwrap();
    let mention = Mention {
        account: carol(),
        range: 3..9,
    };
    let text = text.mentioning(vec![mention]).unwrap();
    let (me, mut items) = contents(vec![text.into()]).await;
    items[0].marks = Marks {
        edited: true,
        starred: true,
        pinned: true,
    };
    items[0].forwards = 1;
    items[0].state = MessageState::Sent;
    let reaction = |account, emoji: &str| (account, emoji.to_owned());
    items[0].reactions = vec![
        reaction(bob(), "♥"),
        reaction(me, "♥"),
        reaction(carol(), "✔"),
    ];
    let mut other = theirs(items[0].clone());
    other.id.sender = carol();
    other.marks = Marks::default();
    other.reactions.clear();
    let shown = shown(me, vec![items[0].clone(), other], |_| {}).await;
    for line in [
        // Who is meant, not what was typed for them.
        "          hi @carol[2J! ⚑ ★ edited 10:15 ✓",
        "♥ 2  ✔ carol",
        "carol\nforwarded\nhi @carol[2J! 10:15",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[tokio::test]
async fn every_kind_has_a_look() {
    let place = Location::new(1.0, 2.0).unwrap().named("Pier", "").unwrap();
    let all: Vec<Content> = vec![
        Poll::new("Lunch?", ["soup", "salad"]).unwrap().into(),
        place.into(),
        ContactCard::new("Dave").unwrap().into(),
        Text::new("a").unwrap().into(),
        Text::new("b").unwrap().into(),
        Text::new("c").unwrap().into(),
    ];
    let (me, mut items) = contents(all).await;
    let Body::Ballot(ballot) = &mut items[0].body else {
        panic!("no poll")
    };
    ballot.answers[0].1 = vec![bob(), me];
    ballot.answers[1].1 = vec![carol()];
    let mut note = file("note.ogg", AttachmentKind::Voice);
    note.duration_ms = Some(61_000);
    note.waveform = vec![0, 40, 150, 255];
    items[3].body = files(vec![note, file("x.pdf", AttachmentKind::Document)]);
    items[4].body = Body::Deleted;
    let renamed = GroupNotice::Renamed("\u{1b}[2Jnew \u{202e}name".to_owned());
    items[5].body = Body::Group(renamed);
    let shown = shown(me, items, |_| {}).await;
    for line in [
        "● 1 soup",
        "▇▇▇▇▇▇▇▇▇▇▇▇ 2",
        "○ 2 salad",
        "▇▇▇▇▇▇       1",
        "/vote 1 10:15 …",
        "⌖ Pier",
        "☎ Dave",
        "▁▂▅█",
        "♪ note.ogg (voice note, 2.0 KiB, 1:01)",
        "▤ x.pdf (file, 2.0 KiB)",
        "(deleted)",
        "you called the group [2Jnew name",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[tokio::test]
async fn pictures_are_drawn_where_there_are_colours() {
    let (me, mut items) = items(&["look"]).await;
    let mut picture = file("sea.jpg", AttachmentKind::Image);
    picture.picture = Some(Picture::sample());
    items[0].body = files(vec![picture]);
    for pictures in [Pictures::Drawn, Pictures::Hidden] {
        let mut state = state(me, entry(me));
        state.pictures = pictures;
        open(&mut state, me, part(items.clone()));
        let terminal = screen(&mut state, 60, 12);
        let cells = &terminal.backend().buffer().content;
        let pixel = cells.iter().find(|cell| cell.symbol() == "▀");
        let colours = pixel.map(|pixel| (pixel.fg, pixel.bg));
        let drawn = (Color::Rgb(255, 0, 0), Color::Rgb(0, 0, 255));
        assert_eq!(colours, (pictures == Pictures::Drawn).then_some(drawn));
        assert!(
            lines(&mut state, 60, 12)
                .join("\n")
                .contains("▣ sea.jpg (picture, 2.0 KiB)")
        );
    }
}

#[tokio::test]
async fn a_group_says_how_it_stands() {
    let (me, _) = items(&[]).await;
    let here = shown(me, Vec::new(), |state| {
        let group = state.open.as_mut().unwrap().about.group.as_mut().unwrap();
        group.asking = vec![AccountId::of_key(&[4; 32])];
    })
    .await;
    assert!(here.contains(" trip · 3 members · ⧗ 1h ─"), "{here}");
    assert!(here.contains("asks to be let in: /approve "), "{here}");
    let me_no_admin = shown(me, Vec::new(), |state| {
        let group = state.open.as_mut().unwrap().about.group.as_mut().unwrap();
        group.only_admins_send = true;
        group
            .members
            .iter_mut()
            .for_each(|member| member.admin = false);
    })
    .await;
    assert!(me_no_admin.contains("Only admins may write here."));
    let out = shown(me, Vec::new(), |state| {
        let me = state.me.unwrap();
        let group = state.open.as_mut().unwrap().about.group.as_mut().unwrap();
        group.members.retain(|member| member.account != me);
    })
    .await;
    assert!(out.contains("You are not in this group any more"), "{out}");
    let members = shown(me, Vec::new(), |state| {
        state.page = Some(Page::Members { selected: 500 });
    })
    .await;
    for text in [
        "by the sea",
        "you  admin",
        "bob  ",
        "carol  ",
        "everybody may write",
    ] {
        assert!(members.contains(text), "{text}\n{members}");
    }
}

#[tokio::test]
async fn a_name_that_a_stranger_chose_is_only_text() {
    let (_, group) = group("\u{1b}]0;x\u{7}trip\u{202e}\r\nx").await;
    assert_eq!(group.name, "]0;xtrip x");
}

#[tokio::test]
async fn the_list_says_who_spoke_and_the_last_line_what_is_sent() {
    let (me, mut group) = group("trip").await;
    group.by = Some(carol());
    group.preview = "hello".to_owned();
    let id = group.id;
    let mut state = state(me, group);
    open_group(&mut state, me, id, part(Vec::new()));
    assert!(
        lines(&mut state, 90, 12)
            .join("\n")
            .contains("carol: hello")
    );
    let mut half: Progress = progress().await;
    half.total = 10;
    state.terminal(crossterm::event::Event::Paste("/send x.pdf".to_owned()));
    let enter = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Enter);
    state.terminal(crossterm::event::Event::Key(enter));
    state.take(Update::Transfer(1, "\u{1b}x.pdf".to_owned(), half));
    let last = lines(&mut state, 90, 12).pop().unwrap();
    assert!(last.contains("↑ x.pdf waits"), "{last}");
}

#[tokio::test]
async fn the_help_has_every_command() {
    let (me, _) = items(&[]).await;
    let mut state = state(me, entry(me));
    state.page = Some(Page::Help { scroll: 0 });
    let shown = lines(&mut state, 140, 150).join("\n");
    for (title, commands) in SECTIONS {
        assert!(shown.contains(title));
        for usage in *commands {
            let typed = format!("/{} {}", usage.name, usage.rest);
            assert!(shown.contains(typed.trim_end()), "{typed}\n{shown}");
            assert!(shown.contains(usage.help), "{typed}\n{shown}");
        }
    }
}
