//! The page of a group: what it is about, who is in, who asks to be let in.

use ratatui::text::Line;

use crate::layout::{FAINT, LOUD};
use crate::state::State;
use crate::text::{cut, wrap};

/// What stands above the members.
fn head(state: &State, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let Some(group) = state
        .open
        .as_ref()
        .and_then(|open| open.about.group.as_ref())
    else {
        return lines;
    };
    if !group.description.is_empty() {
        lines.extend(wrap(&group.description, columns).into_iter().map(Line::raw));
    }
    let who = |only: bool| if only { "admins" } else { "everybody" };
    let mut rules = format!(
        "{} may write, {} may change name and description",
        who(group.only_admins_send),
        who(group.only_admins_edit)
    );
    if group.has_invite {
        rules.push_str("; there is an invite link");
    }
    lines.push(Line::styled(cut(&rules, columns), FAINT));
    for account in &group.asking {
        let name = state.people.name(*account);
        let text = format!("{name} asks to be let in (/approve, /refuse)");
        lines.push(Line::styled(cut(&text, columns), LOUD));
    }
    lines.push(Line::default());
    lines
}

pub(super) fn lines(state: &State, columns: usize) -> Vec<Line<'static>> {
    let mut lines = head(state, columns);
    let Some(group) = state
        .open
        .as_ref()
        .and_then(|open| open.about.group.as_ref())
    else {
        return lines;
    };
    for member in &group.members {
        let name = if Some(member.account) == state.me {
            "you".to_owned()
        } else {
            state.people.name(member.account)
        };
        let role = if member.admin { "  admin" } else { "" };
        let text = format!("{name}{role}  {}", member.account);
        lines.push(Line::raw(cut(&text, columns)));
    }
    lines
}

/// How many lines stand above the members.
pub(super) fn above(lines: &[Line<'_>], state: &State) -> usize {
    lines.len().saturating_sub(state.member_count())
}
