//! What stands above a history because it must not be overlooked.

use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

use crate::layout::LOUD;
use crate::model::GroupView;
use crate::state::State;
use crate::state::open::Open;
use crate::text::wrap;

pub(super) fn lines(open: &Open, state: &State, columns: usize) -> Vec<Line<'static>> {
    let known = &open.known;
    let mut texts = Vec::new();
    if state.requested() && open.peer.is_none() {
        texts.push(format!(
            "Somebody took you into {}: /accept (or answer), /leave, /delete. They learn nothing until then.",
            open.name
        ));
    } else if state.requested() {
        texts.push(format!(
            "{} wants to write to you: /accept (or answer), /block, /delete. They learn nothing until then.",
            open.name
        ));
    }
    if let Some(group) = &open.about.group {
        texts.extend(group_lines(group, state));
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

fn group_lines(group: &GroupView, state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let me = state.me;
    if !group
        .members
        .iter()
        .any(|member| Some(member.account) == me)
    {
        lines.push("You are not in this group any more. What was said stays here.".to_owned());
        return lines;
    }
    let admin = group
        .members
        .iter()
        .any(|member| member.admin && Some(member.account) == me);
    if group.only_admins_send && !admin {
        lines.push("Only admins may write here.".to_owned());
    }
    let asking = group.asking.iter().take(3).map(|account| {
        let name = state.people.name(*account);
        format!("{name} asks to be let in: /approve {name}, /refuse {name}")
    });
    lines.extend(asking);
    lines
}
