//! How a message is drawn: what it answers, what it says, when and how far it is, what others put on it.

use hushpost::{AccountId, FailureReason, MessageState};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::{FAINT, LOUD, Look, author, body, notice, person, rule};
use crate::model::{Body, Item};
use crate::text::{cut, width, wrap};
use crate::when::Now;

/// A line in the making.
pub(super) type Row = Vec<Span<'static>>;

pub(super) fn draw(item: &Item, look: &Look<'_>, selected: bool, lines: &mut Vec<Line<'static>>) {
    if let Body::Group(change) = &item.body {
        let text = format!("{} {}", author(item.id, look), notice::told(change, look));
        let wrapped = wrap(&text, look.columns.saturating_sub(2));
        lines.extend(wrapped.iter().map(|text| rule(text, look.columns, FAINT)));
        return;
    }
    let most = (look.columns.saturating_mul(3) / 4).max(look.columns.min(24));
    let mut rows: Vec<Row> = Vec::new();
    if item.forwards > 0 {
        rows.push(vec![Span::styled(cut("forwarded", most), FAINT)]);
    }
    if let Some(quote) = &item.quote {
        let quoted = format!("▎{}: {}", author(quote.to, look), quote.text);
        rows.push(vec![Span::styled(cut(&quoted, most), FAINT)]);
    }
    body::draw(item, look, most, &mut rows);
    let meta = meta(item, look.now);
    let room = most.saturating_sub(spans_width(&meta).saturating_add(1));
    match rows.last_mut() {
        Some(last) if spans_width(last) <= room => {
            last.push(Span::raw(" "));
            last.extend(meta);
        }
        _ => rows.push(meta),
    }
    if !item.reactions.is_empty() {
        let reactions = wrap(&reactions(&item.reactions, look), most);
        rows.extend(reactions.into_iter().map(|row| vec![Span::raw(row)]));
    }
    let widest = rows.iter().map(|row| spans_width(row)).max().unwrap_or(0);
    let indent = if item.own {
        look.columns.saturating_sub(widest)
    } else {
        0
    };
    for mut row in rows {
        if item.own {
            row.insert(0, Span::raw(" ".repeat(indent)));
        }
        let mut line = Line::from(row);
        if item.own {
            line = line.patch_style(Style::new().fg(Color::Green));
        }
        if selected {
            line = line.patch_style(Style::new().add_modifier(Modifier::REVERSED));
        }
        lines.push(line);
    }
}

/// Each emoji once, the most frequent first, with how many put it there, or who if that is one.
fn reactions(all: &[(AccountId, String)], look: &Look<'_>) -> String {
    let mut counted: Vec<(&str, usize, AccountId)> = Vec::new();
    for (account, emoji) in all {
        match counted.iter_mut().find(|(known, ..)| *known == emoji) {
            Some((_, count, _)) => *count = count.saturating_add(1),
            None => counted.push((emoji, 1, *account)),
        }
    }
    counted.sort_by_key(|(_, count, _)| core::cmp::Reverse(*count));
    let parts = counted.into_iter().map(|(emoji, count, first)| {
        if count > 1 {
            format!("{emoji} {count}")
        } else {
            format!("{emoji} {}", cut(&person(first, look), 16))
        }
    });
    parts.collect::<Vec<_>>().join("  ")
}

/// Its marks, the time, and how far an own message is.
fn meta(item: &Item, now: &Now) -> Row {
    let mut spans = Vec::new();
    for (holds, mark) in [(item.marks.pinned, "⚑ "), (item.marks.starred, "★ ")] {
        if holds {
            spans.push(Span::styled(mark, LOUD));
        }
    }
    if item.marks.edited {
        spans.push(Span::styled("edited ", FAINT));
    }
    spans.push(Span::styled(now.time(item.sent_ms), FAINT));
    if item.own {
        spans.push(Span::raw(" "));
        spans.push(ticks(item.state));
    }
    spans
}

/// How far an own message is, in signs.
pub(crate) fn ticks(state: MessageState) -> Span<'static> {
    match state {
        MessageState::Sent => Span::styled("✓", FAINT),
        MessageState::Delivered => Span::styled("✓✓", FAINT),
        MessageState::Read => Span::styled(
            "✓✓",
            Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
        ),
        MessageState::Failed(reason) => {
            let why = match reason {
                FailureReason::Unreachable => "✗ no such account (/retry)",
                FailureReason::Cancelled => "✗ taken back (/retry)",
                _ => "✗ not sent (/retry)",
            };
            Span::styled(why, Style::new().fg(Color::Red))
        }
        MessageState::Queued => Span::styled("…", FAINT),
        // Not own, or of a later version.
        _ => Span::raw(""),
    }
}

pub(super) fn spans_width(spans: &[Span<'_>]) -> usize {
    spans
        .iter()
        .map(|span| width(&span.content))
        .fold(0, usize::saturating_add)
}
