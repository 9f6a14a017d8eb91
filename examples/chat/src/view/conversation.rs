//! The open conversation: what is wrong, the history, who is typing, the input.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders};

use crate::layout::{self, FAINT, LOUD, Look};
use crate::state::open::Open;
use crate::state::{Focus, Shown, State};
use crate::text::{counted, cut};
use crate::view::banners;
use crate::when::span;

/// Rows of the input at most.
const INPUT_ROWS: usize = 6;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) -> Shown {
    let columns = usize::from(area.width);
    let laid = state.input.lay_out(columns.saturating_sub(2));
    let banners = state
        .open
        .as_ref()
        .map_or_else(Vec::new, |open| banners::lines(open, state, columns));
    let answering = state.open.as_ref().and_then(|open| being_made(open, state));
    // The input never takes more than half.
    let most = INPUT_ROWS.min(usize::from(area.height) / 2);
    let input_rows = laid.lines.len().clamp(1, most.max(1));
    let heights = [
        Constraint::Length(1),
        Constraint::Length(rows(banners.len())),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(rows(usize::from(answering.is_some()))),
        Constraint::Length(rows(input_rows)),
    ];
    let [head, above, middle, line, answer, input] = Layout::vertical(heights).areas::<6>(area);

    let title = state
        .open
        .as_ref()
        .map_or(String::new(), |open| title(open, columns));
    frame.render_widget(Block::new().borders(Borders::TOP).title(title), head);
    frame.render_widget(Text::from(banners), above);
    let shown = if let Some(open) = &state.open {
        history(frame, middle, state, open)
    } else {
        let hint = "/new <user name or account id> begins a conversation, /help shows the rest";
        frame.render_widget(Line::styled(cut(hint, columns), FAINT), middle);
        Shown {
            columns,
            rows: usize::from(middle.height),
            ..Shown::default()
        }
    };
    let typing = state
        .open
        .as_ref()
        .map_or("", |open| state.typing.shown(open.id, state.now.ms));
    let below = match &state.open {
        Some(open) if !typing.is_empty() => format!(" {} is {typing} ", cut(&open.name, 24)),
        Some(open) if open.history.more.after => " more below: Ctrl+End ".to_owned(),
        _ => String::new(),
    };
    let mut block = Block::new().borders(Borders::TOP).title(below);
    if state.focus == Focus::Input {
        block = block.border_style(LOUD);
    }
    frame.render_widget(block, line);
    if let Some(text) = answering {
        frame.render_widget(Line::styled(cut(&text, columns), FAINT), answer);
    }
    draw_input(frame, input, &laid, state);
    shown
}

/// The name, and what always holds here.
fn title(open: &Open, columns: usize) -> String {
    let mut more = Vec::new();
    if open.known.verified {
        more.push(" ✔ verified".to_owned());
    }
    let group = open.about.group.as_ref();
    // Whoever is out does not know any more; that stands below.
    if let Some(group) = group.filter(|group| !group.members.is_empty()) {
        more.push(format!(" · {}", counted(group.members.len(), "member")));
    }
    if open.about.timer_s > 0 {
        more.push(format!(" · ⧗ {}", span(open.about.timer_s)));
    }
    let more = more.concat();
    let room = columns.saturating_sub(crate::text::width(&more).saturating_add(3));
    format!(" {}{more} ", cut(&open.name, room))
}

/// What the input is for, if it is more than a new message.
fn being_made(open: &Open, state: &State) -> Option<String> {
    if open.editing.is_some() {
        return Some("another text for what you sent; Escape leaves it as it is".to_owned());
    }
    let quote = open.reply.as_ref()?;
    let author = layout::author(quote.to, &state.look());
    Some(format!("answer to {author}: {}", quote.text))
}

fn history(frame: &mut Frame<'_>, area: Rect, state: &State, open: &Open) -> Shown {
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let look = Look {
        columns,
        ..state.look()
    };
    let window = layout::window(&open.history, &look, rows);
    // The newest stands at the bottom, as on paper that is written upwards.
    let spare = rows.saturating_sub(window.lines.len());
    let mut lines = vec![Line::default(); spare];
    lines.extend(window.lines);
    frame.render_widget(Text::from(lines), area);
    Shown {
        columns,
        rows,
        first: window.first,
        last: window.last,
    }
}

fn draw_input(frame: &mut Frame<'_>, area: Rect, laid: &crate::input::Laid, state: &State) {
    let (row, column) = laid.cursor;
    let height = usize::from(area.height);
    let skip = row.saturating_add(1).saturating_sub(height);
    let lines = laid.lines.iter().skip(skip).take(height).enumerate();
    let lines = lines.map(|(at, line)| {
        let sign = if at == 0 { "> " } else { "  " };
        Line::raw(format!("{sign}{line}"))
    });
    frame.render_widget(lines.collect::<Text<'_>>(), area);
    if state.focus == Focus::Input && state.page.is_none() {
        let x = area.x.saturating_add(rows(column.saturating_add(2)));
        let y = area.y.saturating_add(rows(row.saturating_sub(skip)));
        frame.set_cursor_position(Position { x, y });
    }
}

fn rows(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
