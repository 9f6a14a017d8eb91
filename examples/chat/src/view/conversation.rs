//! The open conversation: what is wrong, the history, who is typing, the input.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders};

use crate::layout::{self, FAINT, LOUD, Look};
use crate::state::open::Open;
use crate::state::{Focus, Shown, State};
use crate::text::{cut, wrap};

/// Rows of the input at most.
const INPUT_ROWS: usize = 6;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) -> Shown {
    let columns = usize::from(area.width);
    let laid = state.input.lay_out(columns.saturating_sub(2));
    let banners = state
        .open
        .as_ref()
        .map_or_else(Vec::new, |open| banners(open, state, columns));
    let answering = state.open.as_ref().and_then(|open| open.reply.as_ref());
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

    let title = state.open.as_ref().map_or(String::new(), |open| {
        let verified = if open.known.verified {
            " ✔ verified"
        } else {
            ""
        };
        format!(
            " {}{verified} ",
            cut(&open.name, columns.saturating_sub(16))
        )
    });
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
    if let Some(quote) = answering {
        let look = state.look();
        let text = format!(
            "answer to {}: {}",
            layout::author(quote.to, &look),
            quote.text
        );
        frame.render_widget(Line::styled(cut(&text, columns), FAINT), answer);
    }
    draw_input(frame, input, &laid, state);
    shown
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

/// What must not be overlooked.
fn banners(open: &Open, state: &State, columns: usize) -> Vec<Line<'static>> {
    let known = &open.known;
    let mut texts = Vec::new();
    if state.requested() {
        texts.push(format!(
            "{} wants to write to you: /accept (or answer), /block, /delete. They learn nothing until then.",
            open.name
        ));
    }
    if known.blocked {
        texts.push("Blocked: nothing they send is shown. /unblock undoes that.".to_owned());
    }
    if known.change_pending {
        texts.push(format!(
            "The devices of {} changed since you verified them. Nothing is sent until you compare (/verify) and \
             /accept-change.",
            open.name
        ));
    }
    let counted = |count: u64, one: &str, many: &str| match count {
        0 => None,
        1 => Some(one.to_owned()),
        more => Some(format!("{more} {many}")),
    };
    texts.extend(counted(
        known.missing,
        "A message of theirs is missing; it was asked for again.",
        "messages of theirs are missing; they were asked for again.",
    ));
    texts.extend(counted(
        known.gone,
        "A message of theirs is lost: nobody has it any more.",
        "messages of theirs are lost: nobody has them any more.",
    ));
    texts.extend(counted(
        known.undecryptable,
        "A message of theirs did not decrypt; it was asked for again.",
        "messages of theirs did not decrypt; they were asked for again.",
    ));
    texts.extend(counted(
        known.quarantined,
        "Something of theirs made no sense and was put aside.",
        "things of theirs made no sense and were put aside.",
    ));
    let style = LOUD.add_modifier(Modifier::BOLD);
    texts
        .iter()
        .flat_map(|text| wrap(text, columns))
        .map(|line| Line::styled(line, Style::new().patch(style)))
        .collect()
}
