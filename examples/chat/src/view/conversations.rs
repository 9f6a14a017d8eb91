//! The list of conversations.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders};

use crate::layout::{FAINT, LOUD, ticks};
use crate::model::Entry;
use crate::state::{Focus, State};
use crate::text::{cut, width};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let title = if state.list.archived {
        " archive (/archived: back) ".to_owned()
    } else if state.list.archive_len() > 0 {
        format!(" conversations, {} archived ", state.list.archive_len())
    } else {
        " conversations ".to_owned()
    };
    let mut block = Block::new()
        .borders(Borders::RIGHT | Borders::TOP)
        .title(title);
    if state.focus == Focus::List {
        block = block.border_style(LOUD);
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width);
    let entries = state.list.shown();
    if entries.is_empty() {
        let hint = Line::styled("/new <user name>", FAINT);
        frame.render_widget(hint, row(inner, 0));
        return;
    }
    // Each takes two rows; the selected one is always among them.
    let fit = usize::from(inner.height) / 2;
    let at = state.list.selected_index().unwrap_or(0);
    let skip = at.saturating_add(1).saturating_sub(fit);
    for (place, entry) in entries.iter().skip(skip).take(fit).enumerate() {
        let open = state.open.as_ref().is_some_and(|open| open.id == entry.id);
        let here = state.focus == Focus::List && state.list.selected == Some(entry.id);
        let mut style = Style::new();
        if open {
            style = style.add_modifier(Modifier::BOLD);
        }
        if here {
            style = style.add_modifier(Modifier::REVERSED);
        }
        let top = u16::try_from(place.saturating_mul(2)).unwrap_or(u16::MAX);
        let [head, below] = lines(entry, state, columns);
        frame.render_widget(head.patch_style(style), row(inner, top));
        frame.render_widget(below, row(inner, top.saturating_add(1)));
    }
}

fn row(area: Rect, at: u16) -> Rect {
    let y = area.y.saturating_add(at);
    Rect {
        y,
        height: 1,
        ..area
    }
    .intersection(area)
}

fn lines(entry: &Entry, state: &State, columns: usize) -> [Line<'static>; 2] {
    let now = &state.now;
    let mut signs = String::new();
    if entry.pinned {
        signs.push_str(" ↑");
    }
    if entry.muted_until_ms > now.ms {
        signs.push_str(" ∅");
    }
    let right = format!("{signs} {}", now.short(entry.activity_ms));
    let room = columns.saturating_sub(width(&right));
    let name = cut(&entry.name, room);
    let gap = room.saturating_sub(width(&name));
    let head = Line::from(vec![
        Span::raw(name),
        Span::raw(" ".repeat(gap)),
        Span::styled(right, FAINT),
    ]);
    let count = if entry.unread > 0 {
        format!(" ({})", entry.unread)
    } else {
        String::new()
    };
    let room = columns.saturating_sub(width(&count).saturating_add(3));
    let open = state.open.as_ref().is_some_and(|open| open.id == entry.id);
    let typing = state.typing.shown(entry.id, now.ms);
    let mut below = Vec::new();
    if entry.requested {
        let what = if entry.peer.is_some() {
            "wants to write to you"
        } else {
            "took you in: open it"
        };
        below.push(Span::styled(cut(what, room), LOUD));
    } else if !typing.is_empty() {
        below.push(Span::styled(
            typing,
            Style::new().add_modifier(Modifier::ITALIC),
        ));
    } else if !entry.draft.is_empty() && !open {
        let draft = crate::text::clean_line(&entry.draft);
        below.push(Span::styled(cut(&format!("draft: {draft}"), room), LOUD));
    } else {
        if let Some(own) = entry.own {
            let mut sign = ticks(own);
            // The reason is for the conversation itself.
            sign.content = sign
                .content
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned()
                .into();
            below.push(sign);
            below.push(Span::raw(" "));
        }
        let said = match entry.by {
            Some(by) => format!("{}: {}", state.people.name(by), entry.preview),
            None => entry.preview.clone(),
        };
        below.push(Span::styled(cut(&said, room), FAINT));
    }
    below.push(Span::styled(count, LOUD));
    [head, Line::from(below)]
}
