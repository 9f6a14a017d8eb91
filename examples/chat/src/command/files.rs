//! Commands about files.

use super::{Command, Usage, optional, words};

/// What is asked for with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileCommand {
    Send {
        path: String,
        caption: Option<String>,
        /// Byte for byte, a picture too.
        as_it_is: bool,
    },
    /// The selected message's files, or the newest: into a folder, to a path, or where they go otherwise.
    Save(Option<String>),
    /// All of the conversation's.
    List,
}

pub(super) const COMMANDS: &[Usage] = &[
    Usage {
        name: "send",
        rest: "<path> [caption]",
        help: "send a file; pictures lose what the camera wrote into them",
        read: |rest| send(rest, false, "send what: /send <path> [caption]"),
    },
    Usage {
        name: "send-as-is",
        rest: "<path> [caption]",
        help: "send it byte for byte, pictures too",
        read: |rest| send(rest, true, "send what: /send-as-is <path> [caption]"),
    },
    Usage {
        name: "save",
        rest: "[path]",
        help: "save the selected message's files, or the newest; nothing is overwritten",
        read: |rest| {
            let path = words::first(rest).map(|(path, more)| {
                // A path with spaces and without quotes is meant as a whole.
                if more.is_empty() {
                    path
                } else {
                    rest.to_owned()
                }
            });
            Ok(Command::File(FileCommand::Save(path)))
        },
    },
    Usage {
        name: "files",
        rest: "",
        help: "this conversation's files",
        read: |_| Ok(Command::File(FileCommand::List)),
    },
];

fn send(rest: &str, as_it_is: bool, otherwise: &'static str) -> Result<Command, &'static str> {
    let (path, caption) = words::first(rest).ok_or(otherwise)?;
    Ok(Command::File(FileCommand::Send {
        path,
        caption: optional(caption),
        as_it_is,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_have_spaces() {
        let sent = |line: &str| match crate::command::read(line) {
            Some(Ok(Command::File(FileCommand::Send { path, caption, .. }))) => (path, caption),
            other => panic!("{line}: {other:?}"),
        };
        let caption = Some("by the sea".to_owned());
        let path = "/tmp/a b.jpg".to_owned();
        for line in [
            r"/send /tmp/a\ b.jpg by the sea",
            "/send '/tmp/a b.jpg' by the sea",
            "/send \"/tmp/a b.jpg\"  by the sea",
        ] {
            assert_eq!(sent(line), (path.clone(), caption.clone()), "{line}");
        }
        assert_eq!(sent("/send x.txt"), ("x.txt".to_owned(), None));
        let saved = crate::command::read("/save my files/here");
        let whole = Some("my files/here".to_owned());
        assert_eq!(saved, Some(Ok(Command::File(FileCommand::Save(whole)))));
    }
}
