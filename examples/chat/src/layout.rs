//! How messages become lines, and which lines are on the screen. Only what is near the screen is laid out,
//! however long the history is.

use hushpost::{FailureReason, MessageRef, MessageState};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::model::{Body, Item, Quote, UPDATE_NEEDED};
use crate::state::history::{History, Viewport};
use crate::text::{cut, width, wrap};
use crate::when::Now;

/// What drawing a history needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) history: &'a History,
    pub(crate) now: &'a Now,
    /// What the other is called.
    pub(crate) name: &'a str,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// What is on the screen of a history.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) lines: Vec<Line<'static>>,
    /// The first and the last message of which there is a line.
    pub(crate) first: usize,
    pub(crate) last: usize,
    /// The first line.
    pub(crate) top: Option<(MessageRef, usize)>,
    /// The last message whose end is there.
    pub(crate) complete: Option<usize>,
    pub(crate) at_end: bool,
}

impl Look<'_> {
    /// The lines on the screen.
    pub(crate) fn window(&self) -> Window {
        if let Viewport::Top { message, line } = self.history.viewport
            && let Some(from) = self.history.position(message)
            && let Some(window) = self.window_from(from, line)
        {
            return window;
        }
        self.window_to_the_end()
    }

    /// From a line on; `None` if that does not fill the screen.
    fn window_from(&self, first: usize, skip: usize) -> Option<Window> {
        let mut lines: Vec<Line<'static>> = Vec::new();
        let skip = skip.min(self.block(first).len().saturating_sub(1));
        let mut window = Window {
            first,
            top: Some((self.history.items().get(first)?.id, skip)),
            ..Window::default()
        };
        for at in first..self.history.items().len() {
            let block = self.block(at);
            let skipped = if at == first { skip } else { 0 };
            lines.extend(block.into_iter().skip(skipped));
            window.last = at;
            if lines.len() <= self.rows {
                window.complete = Some(at);
            }
            if lines.len() >= self.rows {
                window.at_end = window.complete == self.history.items().len().checked_sub(1);
                lines.truncate(self.rows);
                window.lines = lines;
                return Some(window);
            }
        }
        None
    }

    fn window_to_the_end(&self) -> Window {
        let mut blocks = Vec::new();
        let mut total: usize = 0;
        let count = self.history.items().len();
        let mut first = count;
        while first > 0 && total < self.rows {
            first = first.saturating_sub(1);
            let block = self.block(first);
            total = total.saturating_add(block.len());
            blocks.push(block);
        }
        let skip = total.saturating_sub(self.rows);
        let lines = blocks.into_iter().rev().flatten().skip(skip).collect();
        let last = count.checked_sub(1);
        Window {
            lines,
            first,
            last: last.unwrap_or(0),
            top: self.history.items().get(first).map(|item| (item.id, skip)),
            complete: last,
            at_end: true,
        }
    }

    /// The place so many lines above or below what is on the screen.
    pub(crate) fn scrolled(&self, up: bool, lines: usize) -> Viewport {
        let window = self.window();
        let Some((_, mut line)) = window.top else {
            return Viewport::Bottom;
        };
        let mut at = window.first;
        if up {
            let mut left = lines;
            while left > line && at > 0 {
                left = left.saturating_sub(line);
                at = at.saturating_sub(1);
                line = self.block(at).len();
            }
            line = line.saturating_sub(left);
        } else {
            line = line.saturating_add(lines);
            let last = self.history.items().len().saturating_sub(1);
            while at < last {
                let tall = self.block(at).len();
                if line < tall {
                    break;
                }
                line = line.saturating_sub(tall);
                at = at.saturating_add(1);
            }
        }
        self.at(at, line)
    }

    /// The nearest place where a message is on the screen.
    pub(crate) fn revealed(&self, index: usize) -> Viewport {
        let window = self.window();
        let starts_above = index < window.first
            || (index == window.first && window.top.is_some_and(|(_, line)| line > 0));
        if starts_above {
            return self.at(index, 0);
        }
        if window.complete.is_some_and(|complete| index <= complete) {
            return self.history.viewport;
        }
        let mut at = index;
        let mut total = self.block(index).len();
        while total < self.rows && at > 0 {
            at = at.saturating_sub(1);
            total = total.saturating_add(self.block(at).len());
        }
        self.at(at, total.saturating_sub(self.rows))
    }

    fn at(&self, index: usize, line: usize) -> Viewport {
        match self.history.items().get(index) {
            Some(item) => Viewport::Top {
                message: item.id,
                line,
            },
            None => Viewport::Bottom,
        }
    }

    /// All lines of a message, with the separators above it.
    fn block(&self, index: usize) -> Vec<Line<'static>> {
        let Some(item) = self.history.items().get(index) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        let before = index
            .checked_sub(1)
            .and_then(|before| self.history.items().get(before));
        let day = self.now.date(item.sent_ms);
        if before.is_none_or(|before| self.now.date(before.sent_ms) != day) {
            lines.push(self.separator(&self.now.day(item.sent_ms), Color::DarkGray));
        }
        if self.history.first_unread == Some(item.id) {
            lines.push(self.separator("Not read yet", Color::Yellow));
        }
        lines.extend(self.message(item));
        lines
    }

    fn separator(&self, text: &str, color: Color) -> Line<'static> {
        let text = format!(" {text} ");
        let dashes = self.columns.saturating_sub(width(&text));
        let left = "─".repeat(dashes / 2);
        let right = "─".repeat(dashes.div_ceil(2));
        Line::styled(format!("{left}{text}{right}"), Style::new().fg(color))
    }

    fn message(&self, item: &Item) -> Vec<Line<'static>> {
        // A column at each end stays free.
        let room = self.columns.saturating_sub(2).max(8);
        let widest = (room.saturating_mul(4) / 5).max(room.min(30));
        let mut rows: Vec<Vec<Span<'static>>> = Vec::new();
        if let Some(quote) = &item.quote {
            rows.push(vec![self.quote(quote, widest)]);
        }
        let body = match &item.body {
            Body::Text(text) => wrap(text.trim_end(), widest),
            Body::Unknown => vec![UPDATE_NEEDED.to_owned()],
        };
        let style = match (&item.body, item.own) {
            (Body::Unknown, _) => Style::new().fg(Color::DarkGray),
            (_, true) => Style::new().fg(Color::Green),
            (_, false) => Style::new(),
        };
        rows.extend(body.into_iter().map(|line| vec![Span::styled(line, style)]));
        self.add_foot(item, &mut rows, widest);
        let wide = rows.iter().map(|row| row_width(row)).max().unwrap_or(0);
        let indent = if item.own {
            self.columns.saturating_sub(wide.saturating_add(1))
        } else {
            1
        };
        let selected = self.history.selected == Some(item.id);
        rows.into_iter()
            .map(|mut row| {
                let mut pad = " ".repeat(indent);
                if selected {
                    pad.pop();
                    pad.push('▶');
                }
                row.insert(0, Span::raw(pad));
                let line = Line::from(row);
                if selected {
                    line.style(Style::new().add_modifier(Modifier::BOLD))
                } else {
                    line
                }
            })
            .collect()
    }

    /// Time and ticks, behind the last line if there is room.
    fn add_foot(&self, item: &Item, rows: &mut Vec<Vec<Span<'static>>>, widest: usize) {
        let mut foot = vec![Span::styled(
            format!("  {}", self.now.time(item.sent_ms)),
            Style::new().fg(Color::DarkGray),
        )];
        if item.own {
            let (sign, style) = ticks(item.state);
            foot.push(Span::raw(" "));
            foot.push(Span::styled(sign, style));
        }
        let needed = row_width(&foot);
        match rows.last_mut() {
            Some(last) if row_width(last).saturating_add(needed) <= widest => last.extend(foot),
            _ => rows.push(foot),
        }
        if let MessageState::Failed(reason) = item.state {
            let why = Style::new().fg(Color::Red);
            rows.push(vec![Span::styled(cut(failure(reason), widest), why)]);
        }
    }

    fn quote(&self, quote: &Quote, widest: usize) -> Span<'static> {
        let original = self.history.find(quote.to);
        let who = match original {
            Some(item) if item.own => "You",
            Some(_) => self.name,
            None => "",
        };
        // The quote is the answerer's word; the message itself, where it is here, is better.
        let text = original.map_or_else(|| quote.text.clone(), Item::excerpt);
        let line = if who.is_empty() {
            format!("▏{text}")
        } else {
            format!("▏{who}: {text}")
        };
        Span::styled(cut(&line, widest), Style::new().fg(Color::Cyan))
    }
}

/// The sign of how far an own message is.
pub(crate) fn ticks(state: MessageState) -> (&'static str, Style) {
    let gray = Style::new().fg(Color::DarkGray);
    match state {
        MessageState::Queued => ("…", gray),
        MessageState::Sent => ("✓", gray),
        MessageState::Delivered => ("✓✓", gray),
        MessageState::Read => ("✓✓", Style::new().fg(Color::LightBlue)),
        MessageState::Failed(_) => ("✗", Style::new().fg(Color::Red)),
        _ => ("", gray),
    }
}

const fn failure(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::Unreachable => "not sent: no such account; /retry",
        FailureReason::Cancelled => "taken back; /retry sends it after all",
        _ => "not sent: the relay refuses it; /retry",
    }
}

fn row_width(row: &[Span<'_>]) -> usize {
    row.iter()
        .map(|span| width(&span.content))
        .fold(0, usize::saturating_add)
}
