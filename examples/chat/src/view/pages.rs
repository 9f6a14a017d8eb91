//! The pages that lie over the conversation.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Clear};

use crate::layout::{FAINT, LOUD};
use crate::model::{Hit, Person};
use crate::state::State;
use crate::state::notices::Weight;
use crate::state::page::Page;
use crate::text::{cut, wrap};
use crate::view::{help, members};

/// Draws a page. Says how far it may be scrolled.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, page: &Page) -> usize {
    let columns = usize::from(area.width.saturating_sub(2));
    let (title, lines, selected, scroll) = match page {
        Page::Help { scroll } => ("help".to_owned(), help::lines(columns), None, *scroll),
        Page::Notices { scroll } => (
            "what was told".to_owned(),
            notices(state, columns),
            None,
            *scroll,
        ),
        Page::Contacts { people, selected } => {
            let lines = people
                .iter()
                .map(|person| contact(person, columns))
                .collect();
            ("contacts".to_owned(), lines, Some(*selected), 0)
        }
        Page::Members { selected } => {
            let lines = members::lines(state, columns);
            let last = lines.len().saturating_sub(1);
            let above = members::above(&lines, state);
            (
                "members".to_owned(),
                lines,
                Some(selected.saturating_add(above).min(last)),
                0,
            )
        }
        Page::Hits {
            title,
            hits,
            selected,
        } => {
            let lines = hits.iter().map(|hit| found(hit, state, columns)).collect();
            (title.clone(), lines, Some(*selected), 0)
        }
        Page::Code {
            title,
            lines,
            code,
            scroll,
        } => (
            title.clone(),
            with_code(lines, code, columns),
            None,
            *scroll,
        ),
        // Drawn over the conversation.
        Page::Ask(_) => return 0,
    };
    let title = cut(&format!(" {title} (Escape closes) "), columns);
    let block = Block::new().borders(Borders::ALL).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = usize::from(inner.height);
    let most = match page {
        Page::Members { .. } => state.member_count().saturating_sub(1),
        _ => lines.len().saturating_sub(rows),
    };
    let skip = match selected {
        Some(selected) => selected.saturating_add(1).saturating_sub(rows),
        None => scroll.min(most),
    };
    let lines = lines.into_iter().enumerate().skip(skip).take(rows);
    let lines = lines.map(|(at, line)| {
        if selected == Some(at) {
            line.patch_style(Style::new().add_modifier(Modifier::REVERSED))
        } else {
            line
        }
    });
    frame.render_widget(lines.collect::<Text<'_>>(), inner);
    most
}

/// A question in the middle.
pub(super) fn ask(frame: &mut Frame<'_>, area: Rect, text: &str) {
    let columns = usize::from(area.width).saturating_sub(4).min(60);
    let lines = wrap(text, columns);
    let height = u16::try_from(lines.len().saturating_add(2)).unwrap_or(u16::MAX);
    let width = u16::try_from(columns.saturating_add(2)).unwrap_or(u16::MAX);
    let place = Rect {
        x: area.x.saturating_add(area.width.saturating_sub(width) / 2),
        y: area
            .y
            .saturating_add(area.height.saturating_sub(height) / 2),
        width,
        height,
    }
    .intersection(area);
    let block = Block::new().borders(Borders::ALL).border_style(LOUD);
    let inner = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    let lines = lines.into_iter().map(Line::raw);
    frame.render_widget(lines.collect::<Text<'_>>(), inner);
}

fn notices(state: &State, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for notice in state.notices.all() {
        let style = match notice.weight {
            Weight::Info => Style::new(),
            Weight::Warning => LOUD,
        };
        let text = format!("{} {}", state.now.time(notice.at_ms), notice.text);
        lines.extend(
            wrap(&text, columns)
                .into_iter()
                .map(|line| Line::styled(line, style)),
        );
    }
    if lines.is_empty() {
        lines.push(Line::styled("nothing yet", FAINT));
    }
    lines
}

fn contact(person: &Person, columns: usize) -> Line<'static> {
    let mut signs = String::new();
    for (holds, sign) in [
        (person.verified, "✔ verified"),
        (person.change_pending, "changed"),
        (person.blocked, "blocked"),
    ] {
        if holds {
            signs.push_str("  ");
            signs.push_str(sign);
        }
    }
    let text = format!("{}{signs}  {}", person.name, person.account);
    Line::raw(cut(&text, columns))
}

fn found(hit: &Hit, state: &State, columns: usize) -> Line<'static> {
    let name = &hit.name;
    let writer = if hit.item.own { "you to " } else { "" };
    let head = format!("{:>6} {writer}{name}: ", state.now.short(hit.item.sent_ms));
    let mut spans = vec![Span::styled(cut(&head, columns), FAINT)];
    for (piece, marked) in &hit.pieces {
        let style = if *marked {
            Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD)
        } else {
            Style::new()
        };
        spans.push(Span::styled(piece.clone(), style));
    }
    Line::from(spans)
}

/// Dark on light whatever the terminal's colours are: not every scanner reads a negative.
fn with_code(lines: &[String], code: &[String], columns: usize) -> Vec<Line<'static>> {
    let ink = Style::new().fg(Color::Black).bg(Color::White);
    let mut all: Vec<_> = lines
        .iter()
        .flat_map(|line| wrap(line, columns))
        .map(Line::raw)
        .collect();
    all.extend(
        code.iter()
            .map(|row| Line::from(Span::styled(row.clone(), ink))),
    );
    all
}
