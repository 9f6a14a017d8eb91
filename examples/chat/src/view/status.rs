//! The last line: who, whether connected, which file is on its way, what was told just now.

use hushpost::ConnectionState;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use crate::layout::{FAINT, LOUD};
use crate::state::notices::Weight;
use crate::state::{Naming, State};
use crate::text::cut;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let (connection, style) = connection(state);
    let name = if state.naming == Naming::Taken {
        format!(" {} ", state.name)
    } else {
        format!(" {} (name not taken yet) ", state.name)
    };
    let mut spans = vec![
        Span::raw(name),
        Span::styled(format!("● {connection} "), style),
    ];
    let unread = state.list.unread(state.now.ms);
    if unread > 0 {
        spans.push(Span::styled(format!("{unread} unread "), LOUD));
    }
    let transfer = state.transfers.shown();
    if !transfer.is_empty() {
        spans.push(Span::raw(format!("{transfer} ")));
    }
    let room = usize::from(area.width);
    match state.notices.current(state.now.ms) {
        Some(notice) => {
            let style = match notice.weight {
                Weight::Info => Style::new(),
                Weight::Warning => LOUD,
            };
            spans.push(Span::styled(
                cut(&format!("│ {}", notice.text), room),
                style,
            ));
        }
        None => spans.push(Span::styled("│ F1 help", FAINT)),
    }
    frame.render_widget(Line::from(spans), area);
}

fn connection(state: &State) -> (String, Style) {
    let waiting = Style::new().fg(Color::Yellow);
    match &state.connection {
        ConnectionState::Offline if state.me.is_none() => {
            ("not registered yet".to_owned(), waiting)
        }
        ConnectionState::Offline => ("offline".to_owned(), FAINT),
        ConnectionState::Connecting => ("connecting".to_owned(), waiting),
        ConnectionState::CatchingUp => ("catching up".to_owned(), waiting),
        ConnectionState::Online => ("online".to_owned(), Style::new().fg(Color::Green)),
        ConnectionState::Waiting { retry_in } => {
            let gone = state.now.ms.saturating_sub(state.connection_ms);
            let all = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
            let left = all.saturating_sub(gone).div_ceil(1000);
            (format!("no connection, again in {left} s"), waiting)
        }
        ConnectionState::Replaced => (
            "open somewhere else (/connect)".to_owned(),
            Style::new().fg(Color::Red),
        ),
        ConnectionState::Refused { code } => (
            format!("refused: {} (/register)", crate::text::clean_line(code)),
            Style::new().fg(Color::Red),
        ),
        _ => ("?".to_owned(), FAINT),
    }
}
