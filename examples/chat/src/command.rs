//! What can be typed after a slash: one table, for reading and for the help page.

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    New(String),
    Accept,
    Block,
    Unblock,
    Delete,
    Archive,
    Archived,
    Pin,
    /// For so many hours, or until it is undone.
    Mute(Option<u32>),
    Verify,
    MarkVerified,
    Unverify,
    AcceptChange,
    Rename(Option<String>),
    Contacts,
    /// Everywhere.
    Search(String),
    /// In the open conversation.
    Find(String),
    Retry,
    Cancel,
    Me,
    Name(String),
    Register(Option<String>),
    Connect,
    Notices,
    Help,
    Quit,
}

/// A line of the help page.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) name: &'static str,
    pub(crate) rest: &'static str,
    pub(crate) help: &'static str,
    read: fn(&str) -> Result<Command, &'static str>,
}

/// All commands, in the order of the help page.
pub(crate) const COMMANDS: &[Usage] = &[
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
        help: "call them something else, here alone",
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
        name: "delete",
        rest: "",
        help: "delete this conversation on this device",
        read: |_| Ok(Command::Delete),
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
    Usage {
        name: "retry",
        rest: "",
        help: "send the selected failed message again",
        read: |_| Ok(Command::Retry),
    },
    Usage {
        name: "cancel",
        rest: "",
        help: "take the selected message back, while it waits here",
        read: |_| Ok(Command::Cancel),
    },
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

/// Reads a line that begins with a slash; `None` for any other, and for one that begins with two.
pub(crate) fn read(line: &str) -> Option<Result<Command, String>> {
    let line = line.strip_prefix('/')?;
    if line.starts_with('/') {
        return None;
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let usage = COMMANDS.iter().find(|usage| usage.name == name);
    Some(match usage {
        Some(usage) => (usage.read)(rest.trim()).map_err(str::to_owned),
        None => Err(format!("there is no /{name}; /help shows what there is")),
    })
}

/// What a line says that is no command: the first of two slashes is taken away.
pub(crate) fn unescape(line: &str) -> &str {
    match line.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => rest,
        _ => line,
    }
}

fn optional(rest: &str) -> Option<String> {
    (!rest.is_empty()).then(|| rest.to_owned())
}

fn needed(rest: &str, otherwise: &'static str) -> Result<String, &'static str> {
    optional(rest).ok_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_text() {
        assert_eq!(read("/new bob"), Some(Ok(Command::New("bob".to_owned()))));
        assert_eq!(
            read("/search  two words "),
            Some(Ok(Command::Search("two words".to_owned())))
        );
        assert_eq!(read("/mute 8"), Some(Ok(Command::Mute(Some(8)))));
        assert_eq!(read("/mute"), Some(Ok(Command::Mute(None))));
        for wrong in ["/new", "/mute soon", "/mute 0", "/", "/nothing"] {
            assert!(matches!(read(wrong), Some(Err(_))), "{wrong}");
        }
        for text in ["hello", "//etc/hosts", "", " /new bob"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(unescape("//etc"), "/etc");
        assert_eq!(unescape("a//b"), "a//b");
    }

    #[test]
    fn every_command_is_read_by_its_name() {
        for usage in COMMANDS {
            let line = format!("/{} 7", usage.name);
            assert!(matches!(read(&line), Some(Ok(_))), "{line}");
        }
    }
}
