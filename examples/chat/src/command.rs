//! What can be typed after a slash: tables, for reading and for the help page.

mod conversations;
mod files;
mod groups;
mod messages;
mod program;
mod words;

pub(crate) use files::FileCommand;
pub(crate) use groups::{GroupCommand, Rule};
pub(crate) use messages::MessageCommand;

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
    /// Seconds until what was read disappears; 0: it stays.
    Timer(u32),
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
    /// What is sent or saved just now, or a message that waits.
    Cancel,
    Me,
    Name(String),
    Register(Option<String>),
    Connect,
    Notices,
    Help,
    Quit,
    Group(GroupCommand),
    File(FileCommand),
    /// About the selected message, or the newest that fits.
    Message(MessageCommand),
    /// Messages with a star, everywhere.
    Starred,
    /// Messages of the open conversation that are held up.
    Pinned,
    Poll {
        question: String,
        options: Vec<String>,
        several: bool,
    },
    /// A text with what its link leads to.
    Link {
        url: String,
        text: String,
    },
}

/// A line of the help page.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) name: &'static str,
    pub(crate) rest: &'static str,
    pub(crate) help: &'static str,
    read: fn(&str) -> Result<Command, &'static str>,
}

/// All commands, by what they are about, in the order of the help page.
pub(crate) const SECTIONS: &[(&str, &[Usage])] = &[
    ("Conversations", conversations::COMMANDS),
    ("Messages", messages::COMMANDS),
    ("Files", files::COMMANDS),
    ("Groups", groups::COMMANDS),
    ("Beside that", program::COMMANDS),
];

/// Reads a line that begins with a slash; `None` for any other, and for one that begins with two.
pub(crate) fn read(line: &str) -> Option<Result<Command, String>> {
    let line = line.strip_prefix('/')?;
    if line.starts_with('/') {
        return None;
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let mut all = SECTIONS.iter().flat_map(|(_, commands)| *commands);
    let usage = all.find(|usage| usage.name == name);
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

    fn commands() -> impl Iterator<Item = &'static Usage> {
        SECTIONS.iter().flat_map(|(_, commands)| *commands)
    }

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
    fn names_are_there_once_and_every_refusal_shows_how() {
        let mut seen = std::collections::BTreeSet::new();
        for usage in commands() {
            assert!(seen.insert(usage.name), "/{} is there twice", usage.name);
            assert_eq!(
                read(&format!("/{}", usage.name)).is_some_and(|read| read.is_err()),
                usage.rest.starts_with('<'),
                "/{} {}",
                usage.name,
                usage.rest
            );
            if let Some(Err(why)) = read(&format!("/{}", usage.name)) {
                assert!(why.contains(&format!("/{}", usage.name)), "{why}");
            }
        }
    }
}
