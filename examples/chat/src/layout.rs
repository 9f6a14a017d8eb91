//! A history in lines, and which of them are on the screen. [`message`], [`body`] and [`notice`] make the lines.
//!
//! Only what is on the screen is laid out, so the length of a history costs nothing.

mod body;
mod message;
mod notice;

use std::collections::VecDeque;

use hushpost::{AccountId, MessageRef};
use ratatui::style::{Color, Style};
use ratatui::text::Line;

use crate::model::Body;
use crate::state::history::{History, Viewport};
use crate::state::people::People;
use crate::text::{cut, width};
use crate::when::Now;
pub(crate) use message::ticks;

/// What drawing a message needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) now: &'a Now,
    pub(crate) columns: usize,
    pub(crate) me: Option<AccountId>,
    /// The other, if it is no group.
    pub(crate) with: Option<AccountId>,
    pub(crate) with_name: &'a str,
    /// For what people are called.
    pub(crate) people: &'a People,
    pub(crate) pictures: Pictures,
}

/// Whether small pictures are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pictures {
    /// The terminal has not the colours for it, or does not say so.
    #[default]
    Hidden,
    Drawn,
}

/// The lines that are on the screen.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) lines: Vec<Line<'static>>,
    /// Index of the first message, and how many of its lines are above the screen.
    pub(crate) first: usize,
    pub(crate) first_line: usize,
    /// Index of the last message whose end is on the screen.
    pub(crate) last: Option<usize>,
    /// Whether the end of the history is on the screen.
    pub(crate) at_end: bool,
}

/// Faint.
pub(crate) const FAINT: Style = Style::new().fg(Color::DarkGray);
/// What wants to be seen.
pub(crate) const LOUD: Style = Style::new().fg(Color::Yellow);

/// What is on a screen of so many rows.
pub(crate) fn window(history: &History, look: &Look<'_>, rows: usize) -> Window {
    if let Viewport::Top { message, line } = history.viewport
        && let Some(first) = history.position(message)
    {
        let window = from(history, look, rows, first, line);
        if !(window.at_end && window.lines.len() < rows) {
            return window;
        }
    }
    to_end(history, look, rows)
}

/// From a line of a message on.
fn from(history: &History, look: &Look<'_>, rows: usize, first: usize, line: usize) -> Window {
    let mut window = Window {
        first,
        first_line: line,
        ..Window::default()
    };
    let mut skip = line;
    for at in first..history.items().len() {
        let block = block(history, at, look);
        let room = rows.saturating_sub(window.lines.len());
        let fits = block.len().saturating_sub(skip) <= room;
        window.lines.extend(block.into_iter().skip(skip).take(room));
        skip = 0;
        if !fits {
            return window;
        }
        window.last = Some(at);
    }
    window.at_end = !history.more.after;
    window
}

/// The last lines.
fn to_end(history: &History, look: &Look<'_>, rows: usize) -> Window {
    let mut lines = VecDeque::new();
    let mut first = history.items().len();
    while lines.len() < rows && first > 0 {
        first = first.saturating_sub(1);
        for line in block(history, first, look).into_iter().rev() {
            lines.push_front(line);
        }
    }
    let first_line = lines.len().saturating_sub(rows);
    lines.drain(..first_line);
    Window {
        lines: lines.into(),
        first,
        first_line,
        last: history.items().len().checked_sub(1),
        at_end: !history.more.after,
    }
}

/// Where the screen stands after scrolling by so many lines.
pub(crate) fn scrolled(
    history: &History,
    look: &Look<'_>,
    rows: usize,
    up: bool,
    by: usize,
) -> Viewport {
    let now = window(history, look, rows);
    let (mut at, mut line) = (now.first, now.first_line);
    if up {
        let mut left = by;
        while left > line {
            let Some(before) = at.checked_sub(1) else {
                left = line;
                break;
            };
            left = left.saturating_sub(line);
            at = before;
            line = block(history, at, look).len();
        }
        line = line.saturating_sub(left);
    } else {
        line = line.saturating_add(by);
        while at < history.items().len() {
            let height = block(history, at, look).len();
            if line < height {
                break;
            }
            line = line.saturating_sub(height);
            at = at.saturating_add(1);
        }
    }
    top(history, look, rows, at, line)
}

/// Where the screen stands to show a message: at its upper edge if it was above, else at the lower.
pub(crate) fn to_show(history: &History, look: &Look<'_>, rows: usize, at: usize) -> Viewport {
    let now = window(history, look, rows);
    if at <= now.first {
        return top(history, look, rows, at, 0);
    }
    let mut first = at;
    let mut height = block(history, at, look).len();
    while height < rows && first > 0 {
        first = first.saturating_sub(1);
        height = height.saturating_add(block(history, first, look).len());
    }
    top(history, look, rows, first, height.saturating_sub(rows))
}

fn top(history: &History, look: &Look<'_>, rows: usize, at: usize, line: usize) -> Viewport {
    let shown = from(history, look, rows, at, line);
    // At the end the screen follows what comes.
    if shown.at_end {
        return Viewport::Bottom;
    }
    // Past what is held there is more, but not here yet: the screen stays full until it is.
    let (at, line) = if shown.lines.len() < rows {
        let end = to_end(history, look, rows);
        (end.first, end.first_line)
    } else {
        (at, line)
    };
    match history.items().get(at) {
        Some(item) => Viewport::Top {
            message: item.id,
            line,
        },
        None => Viewport::Bottom,
    }
}

/// A message, with the day above it where it begins one.
fn block(history: &History, at: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let Some(item) = history.items().get(at) else {
        return Vec::new();
    };
    let before = at.checked_sub(1).and_then(|at| history.items().get(at));
    let mut lines = Vec::new();
    let day = look.now.date(item.sent_ms);
    if before.is_none_or(|before| look.now.date(before.sent_ms) != day) {
        lines.push(rule(&look.now.day(item.sent_ms), look.columns, FAINT));
    }
    if history.first_unread == Some(item.id) {
        lines.push(rule("new", look.columns, LOUD));
    }
    let another = before.is_none_or(|before| before.id.sender != item.id.sender);
    if look.with.is_none() && !item.own && another && !matches!(item.body, Body::Group(_)) {
        lines.push(Line::styled(
            cut(&author(item.id, look), look.columns),
            LOUD,
        ));
    }
    message::draw(item, look, history.selected == Some(item.id), &mut lines);
    lines
}

fn rule(text: &str, columns: usize, style: Style) -> Line<'static> {
    let text = cut(&format!(" {text} "), columns);
    let rest = columns.saturating_sub(width(&text));
    let left = rest / 2;
    let right = rest.saturating_sub(left);
    Line::styled(
        format!("{}{text}{}", "─".repeat(left), "─".repeat(right)),
        style,
    )
}

/// Who wrote a message.
pub(crate) fn author(message: MessageRef, look: &Look<'_>) -> String {
    person(message.sender, look)
}

fn person(account: AccountId, look: &Look<'_>) -> String {
    if Some(account) == look.me {
        "you".to_owned()
    } else if Some(account) == look.with {
        look.with_name.to_owned()
    } else {
        look.people.name(account)
    }
}
