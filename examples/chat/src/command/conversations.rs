//! Commands about conversations and people.

use super::{Command, Usage, needed, optional, words};

pub(super) const COMMANDS: &[Usage] = &[
    Usage {
        name: "new",
        rest: "<user name or account id>",
        help: "write to somebody",
        read: |rest| {
            Ok(Command::New(needed(
                rest,
                "write whom: /new <user name or account id>",
            )?))
        },
    },
    Usage {
        name: "search",
        rest: "<words>",
        help: "search all conversations",
        read: |rest| {
            Ok(Command::Search(needed(
                rest,
                "search for what: /search <words>",
            )?))
        },
    },
    Usage {
        name: "find",
        rest: "<words>",
        help: "search this conversation",
        read: |rest| {
            Ok(Command::Find(needed(
                rest,
                "search for what: /find <words>",
            )?))
        },
    },
    Usage {
        name: "contacts",
        rest: "",
        help: "everybody this device knows, blocked ones too",
        read: |_| Ok(Command::Contacts),
    },
    Usage {
        name: "rename",
        rest: "[name]",
        help: "call them something else, here alone; a group: for everybody",
        read: |rest| Ok(Command::Rename(optional(rest))),
    },
    Usage {
        name: "accept",
        rest: "",
        help: "accept a request",
        read: |_| Ok(Command::Accept),
    },
    Usage {
        name: "block",
        rest: "",
        help: "see nothing of them any more; they are not told",
        read: |_| Ok(Command::Block),
    },
    Usage {
        name: "unblock",
        rest: "",
        help: "undo that (find them with /contacts)",
        read: |_| Ok(Command::Unblock),
    },
    Usage {
        name: "archive",
        rest: "",
        help: "move this conversation to the archive, or back",
        read: |_| Ok(Command::Archive),
    },
    Usage {
        name: "archived",
        rest: "",
        help: "show the archive, or the others again",
        read: |_| Ok(Command::Archived),
    },
    Usage {
        name: "pin",
        rest: "",
        help: "keep this conversation on top, or not",
        read: |_| Ok(Command::Pin),
    },
    Usage {
        name: "mute",
        rest: "[hours]",
        help: "no bell for this conversation, or a bell again",
        read: |rest| match optional(rest) {
            None => Ok(Command::Mute(None)),
            Some(hours) => match hours.parse() {
                Ok(hours @ 1..=87_600) => Ok(Command::Mute(Some(hours))),
                _ => Err("mute for how long: /mute <hours>"),
            },
        },
    },
    Usage {
        name: "timer",
        rest: "<30s, 5m, 8h, 7d or off>",
        help: "let messages disappear so long after they were read",
        read: |rest| {
            words::seconds(rest)
                .map(Command::Timer)
                .ok_or("after how long: /timer 30s, 5m, 8h, 7d or off; at most 366d")
        },
    },
    Usage {
        name: "verify",
        rest: "",
        help: "the safety number, to compare with theirs",
        read: |_| Ok(Command::Verify),
    },
    Usage {
        name: "mark-verified",
        rest: "",
        help: "the numbers were the same: stop if their devices change",
        read: |_| Ok(Command::MarkVerified),
    },
    Usage {
        name: "unverify",
        rest: "",
        help: "undo that",
        read: |_| Ok(Command::Unverify),
    },
    Usage {
        name: "accept-change",
        rest: "",
        help: "go on with a verified contact's changed devices",
        read: |_| Ok(Command::AcceptChange),
    },
];
