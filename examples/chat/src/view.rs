//! The screen: the conversations left, the open one right, the last line below.
//!
//! Nothing here changes anything; what is drawn was cleaned when it came in (see [`text`](crate::text)).

mod banners;
mod conversation;
mod conversations;
mod help;
mod members;
#[cfg(test)]
mod message_tests;
mod pages;
mod status;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::state::page::Page;
use crate::state::{Shown, State};

/// Columns of the conversation list.
const LIST_COLUMNS: u16 = 32;
/// A narrower terminal shows either the list or the conversation.
const BOTH_FROM: u16 = 72;
/// A screen smaller than this shows nothing.
const LEAST: (u16, u16) = (24, 6);

/// Draws everything. Says what of the history is on the screen, and how far a page may be scrolled.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State) -> (Shown, Option<usize>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return (Shown::default(), None);
    }
    let [main, bottom] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas::<2>(area);
    status::draw(frame, bottom, state);
    if let Some(page) = &state.page
        && !matches!(page, Page::Ask(_))
    {
        let most = pages::draw(frame, main, state, page);
        return (
            Shown {
                last: None,
                ..state.shown
            },
            Some(most),
        );
    }
    let (left, right) = split(main, state);
    if let Some(left) = left {
        conversations::draw(frame, left, state);
    }
    let shown = match right {
        Some(right) => conversation::draw(frame, right, state),
        None => Shown {
            last: None,
            ..state.shown
        },
    };
    if let Some(Page::Ask(question)) = &state.page {
        pages::ask(frame, main, &question.text());
    }
    (shown, None)
}

fn split(area: Rect, state: &State) -> (Option<Rect>, Option<Rect>) {
    if area.width >= BOTH_FROM {
        let [list, right] =
            Layout::horizontal([Constraint::Length(LIST_COLUMNS), Constraint::Min(1)])
                .areas::<2>(area);
        (Some(list), Some(right))
    } else if state.focus == crate::state::Focus::List {
        (Some(area), None)
    } else {
        (None, Some(area))
    }
}
