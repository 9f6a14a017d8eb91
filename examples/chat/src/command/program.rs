//! Commands about oneself and the program.

use super::{Command, Usage, needed, optional};

pub(super) const COMMANDS: &[Usage] = &[
    Usage {
        name: "me",
        rest: "",
        help: "your own account, to show to others",
        read: |_| Ok(Command::Me),
    },
    Usage {
        name: "name",
        rest: "<user name>",
        help: "take another user name",
        read: |rest| {
            Ok(Command::Name(needed(
                rest,
                "which name: /name <user name>",
            )?))
        },
    },
    Usage {
        name: "register",
        rest: "[invite code]",
        help: "register at the relay again",
        read: |rest| Ok(Command::Register(optional(rest))),
    },
    Usage {
        name: "connect",
        rest: "",
        help: "connect now instead of waiting",
        read: |_| Ok(Command::Connect),
    },
    Usage {
        name: "notices",
        rest: "",
        help: "what was told in the last line",
        read: |_| Ok(Command::Notices),
    },
    Usage {
        name: "help",
        rest: "",
        help: "this page",
        read: |_| Ok(Command::Help),
    },
    Usage {
        name: "quit",
        rest: "",
        help: "leave; what waits is sent next time",
        read: |_| Ok(Command::Quit),
    },
];
