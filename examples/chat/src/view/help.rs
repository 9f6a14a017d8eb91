//! The help page: keys, commands, signs.

use ratatui::text::Line;

use crate::command::SECTIONS;
use crate::state::keys::HELP;
use crate::text::{cut, width, wrap};

/// Columns of the left half.
const KEYS: usize = 34;

pub(super) fn lines(columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut explain = |left: &str, right: &str| {
        // What is too long for its half has a line of its own.
        let fits = width(left) < KEYS;
        if !fits {
            lines.push(Line::raw(cut(left, columns)));
        }
        let left = if fits { left } else { "" };
        let rest = columns.saturating_sub(KEYS);
        for (at, text) in wrap(right, rest).iter().enumerate() {
            let left = if at == 0 { left } else { "" };
            lines.push(Line::raw(format!("{left:<KEYS$}{text}")));
        }
    };
    for (key, does) in HELP {
        explain(key, does);
    }
    for (title, commands) in SECTIONS {
        explain("", "");
        explain(title, "");
        for usage in *commands {
            let typed = format!("/{} {}", usage.name, usage.rest);
            explain(typed.trim_end(), usage.help);
        }
    }
    explain("", "");
    explain("//text", "a text that begins with a slash");
    explain(
        "… ✓ ✓✓",
        "waits here, at the relay, on their device (in colour: read)",
    );
    explain("↑ ∅", "a conversation that is pinned, muted");
    explain("⚑ ★", "a message that is held up, has a star");
    explain("@name", "speaks of a member of the group");
    explain(
        "who",
        "a user name, an account id, or what they are called here",
    );
    lines
}
