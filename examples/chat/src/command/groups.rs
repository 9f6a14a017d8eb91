//! Commands about groups.

use hushpost::InviteLink;

use super::{Command, Usage, needed, optional, words};

/// What is asked for in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupCommand {
    /// A name, and who is to be in beside oneself.
    Make(String, Vec<String>),
    Add(Vec<String>),
    Remove(Vec<String>),
    Promote(String),
    Demote(String),
    Leave,
    Members,
    Describe(Option<String>),
    Set(Rule, bool),
    /// A link: for so many hours, and whether an admin lets people in one by one.
    Invite(Option<u32>, bool),
    Revoke,
    Join(InviteLink),
    Approve(String),
    Refuse(String),
}

/// What a group's settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Only admins may send.
    AdminsSend,
    /// Only admins may change name and description.
    AdminsEdit,
}

pub(super) const COMMANDS: &[Usage] = &[
    Usage {
        name: "group",
        rest: "<name> [who] [who]…",
        help: "make a group; a name of several words in \"quotes\"",
        read: |rest| {
            let mut all = words::split(rest).into_iter();
            let name = all
                .next()
                .ok_or("called what: /group <name> <who> <who>…")?;
            group(GroupCommand::Make(name, all.collect()))
        },
    },
    Usage {
        name: "members",
        rest: "",
        help: "who is in, and who is an admin; Enter there writes to them",
        read: |_| group(GroupCommand::Members),
    },
    Usage {
        name: "add",
        rest: "<who> [who]…",
        help: "take people in",
        read: |rest| {
            group(GroupCommand::Add(people(
                rest,
                "take in whom: /add <who> <who>…",
            )?))
        },
    },
    Usage {
        name: "remove",
        rest: "<who> [who]…",
        help: "take people out: they read nothing from then on",
        read: |rest| {
            group(GroupCommand::Remove(people(
                rest,
                "take out whom: /remove <who> <who>…",
            )?))
        },
    },
    Usage {
        name: "promote",
        rest: "<who>",
        help: "make a member an admin",
        read: |rest| group(GroupCommand::Promote(needed(rest, "whom: /promote <who>")?)),
    },
    Usage {
        name: "demote",
        rest: "<who>",
        help: "make an admin a member like others",
        read: |rest| group(GroupCommand::Demote(needed(rest, "whom: /demote <who>")?)),
    },
    Usage {
        name: "leave",
        rest: "",
        help: "leave the group; what was said stays here",
        read: |_| group(GroupCommand::Leave),
    },
    Usage {
        name: "description",
        rest: "[text]",
        help: "say what the group is about",
        read: |rest| group(GroupCommand::Describe(optional(rest))),
    },
    Usage {
        name: "settings",
        rest: "<admins-send|admins-edit> <on|off>",
        help: "who may send, and who may change the name",
        read: |rest| {
            let how = "which: /settings admins-send on|off, or /settings admins-edit on|off";
            let (rule, on) = rest.split_once(char::is_whitespace).ok_or(how)?;
            let rule = match rule {
                "admins-send" => Rule::AdminsSend,
                "admins-edit" => Rule::AdminsEdit,
                _ => return Err(how),
            };
            match on.trim() {
                "on" => group(GroupCommand::Set(rule, true)),
                "off" => group(GroupCommand::Set(rule, false)),
                _ => Err(how),
            }
        },
    },
    Usage {
        name: "invite",
        rest: "[hours] [ask]",
        help: "a link that lets people in; with ask, one by one. An earlier one ends",
        read: |rest| {
            let mut hours = None;
            let mut ask = false;
            for word in rest.split_whitespace() {
                match word.parse::<u32>() {
                    Ok(number @ 1..=87_600) => hours = Some(number),
                    _ if word == "ask" => ask = true,
                    _ => return Err("for how long: /invite <hours>, /invite <hours> ask"),
                }
            }
            group(GroupCommand::Invite(hours, ask))
        },
    },
    Usage {
        name: "revoke",
        rest: "",
        help: "the link opens nothing from now on",
        read: |_| group(GroupCommand::Revoke),
    },
    Usage {
        name: "join",
        rest: "<link>",
        help: "ask to be let into a group",
        read: |rest| {
            // A long line was copied from several.
            let link: String = rest.split_whitespace().collect();
            let link = link.parse::<InviteLink>();
            group(GroupCommand::Join(link.map_err(
                |_| "that is not an invite link of a group: /join hushpost-group:…",
            )?))
        },
    },
    Usage {
        name: "approve",
        rest: "<who>",
        help: "let somebody in who asks",
        read: |rest| group(GroupCommand::Approve(needed(rest, "whom: /approve <who>")?)),
    },
    Usage {
        name: "refuse",
        rest: "<who>",
        help: "do not; they are not told",
        read: |rest| group(GroupCommand::Refuse(needed(rest, "whom: /refuse <who>")?)),
    },
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "the end of a reading, which may fail"
)]
const fn group(command: GroupCommand) -> Result<Command, &'static str> {
    Ok(Command::Group(command))
}

fn people(rest: &str, otherwise: &'static str) -> Result<Vec<String>, &'static str> {
    let people = words::split(rest);
    if people.is_empty() {
        return Err(otherwise);
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> GroupCommand {
        match crate::command::read(line) {
            Some(Ok(Command::Group(command))) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_group_has_a_name_and_people() {
        let people = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            read("/group \"Summer  trip\" bob carol"),
            GroupCommand::Make("Summer  trip".to_owned(), people(&["bob", "carol"]))
        );
        assert_eq!(
            read("/group alone"),
            GroupCommand::Make("alone".to_owned(), vec![])
        );
        assert_eq!(
            read("/add bob 'Carol B.'"),
            GroupCommand::Add(people(&["bob", "Carol B."]))
        );
        assert_eq!(read("/invite"), GroupCommand::Invite(None, false));
        assert_eq!(read("/invite 8 ask"), GroupCommand::Invite(Some(8), true));
        assert_eq!(
            read("/settings admins-send on"),
            GroupCommand::Set(Rule::AdminsSend, true)
        );
        for wrong in [
            "/invite soon",
            "/invite 0",
            "/settings",
            "/settings admins-send",
            "/settings admins-send maybe",
            "/join hushpost-group:nonsense",
        ] {
            assert!(
                matches!(crate::command::read(wrong), Some(Err(_))),
                "{wrong}"
            );
        }
    }
}
