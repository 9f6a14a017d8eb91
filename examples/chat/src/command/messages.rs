//! Commands about single messages, and kinds of messages that are no plain text.

use hushpost::Emoji;

use super::{Command, Usage, needed};

/// What is asked for with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MessageCommand {
    /// An emoji, or none any more.
    React(Option<Emoji>),
    Edit,
    DeleteForMe,
    DeleteForAll,
    /// To whom, or to which group.
    Forward(String),
    Star,
    Pin,
    /// Answers, from 1; none takes the vote back.
    Vote(Vec<u32>),
    Info,
}

pub(super) const COMMANDS: &[Usage] = &[
    Usage {
        name: "react",
        rest: "[emoji]",
        help: "put an emoji on the selected message, or take it away",
        read: |rest| {
            let emoji = match rest {
                "" => None,
                emoji => Some(Emoji::new(emoji).map_err(|_| "one emoji: /react 👍")?),
            };
            message(MessageCommand::React(emoji))
        },
    },
    Usage {
        name: "edit",
        rest: "",
        help: "change the selected own message, or the last one",
        read: |_| message(MessageCommand::Edit),
    },
    Usage {
        name: "delete",
        rest: "[me|all]",
        help: "delete the selected message here or for everybody; alone: the conversation, here",
        read: |rest| match rest {
            "" => Ok(Command::Delete),
            "me" => message(MessageCommand::DeleteForMe),
            "all" => message(MessageCommand::DeleteForAll),
            _ => Err("for whom: /delete me, /delete all"),
        },
    },
    Usage {
        name: "forward",
        rest: "<who or group>",
        help: "send the selected message there",
        read: |rest| {
            message(MessageCommand::Forward(needed(
                rest,
                "to whom: /forward <who or group>",
            )?))
        },
    },
    Usage {
        name: "star",
        rest: "",
        help: "mark the selected message, or not; nobody else sees it",
        read: |_| message(MessageCommand::Star),
    },
    Usage {
        name: "starred",
        rest: "",
        help: "the marked messages of all conversations",
        read: |_| Ok(Command::Starred),
    },
    Usage {
        name: "pin-message",
        rest: "",
        help: "hold the selected message up for everybody, or not",
        read: |_| message(MessageCommand::Pin),
    },
    Usage {
        name: "pinned",
        rest: "",
        help: "the messages that are held up here",
        read: |_| Ok(Command::Pinned),
    },
    Usage {
        name: "poll",
        rest: "<question> | <answer> | <answer>…",
        help: "ask everybody; one answer each",
        read: |rest| poll(rest, false, "ask what: /poll question | answer | answer"),
    },
    Usage {
        name: "poll-many",
        rest: "<question> | <answer> | <answer>…",
        help: "the same; several answers each",
        read: |rest| {
            poll(
                rest,
                true,
                "ask what: /poll-many question | answer | answer",
            )
        },
    },
    Usage {
        name: "vote",
        rest: "[number]…",
        help: "choose in the selected poll, or the newest; nothing: take it back",
        read: |rest| {
            let numbers = rest.split_whitespace().map(str::parse);
            let numbers = numbers.collect::<Result<Vec<u32>, _>>();
            match numbers {
                Ok(numbers) if !numbers.contains(&0) => message(MessageCommand::Vote(numbers)),
                _ => Err("which answer: /vote 1"),
            }
        },
    },
    Usage {
        name: "link",
        rest: "<url> [text]",
        help: "send a link with what it leads to; its server sees your address",
        read: |rest| {
            let text = needed(rest, "which: /link https://… [text]")?;
            let url = rest
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned();
            Ok(Command::Link { url, text })
        },
    },
    Usage {
        name: "info",
        rest: "",
        help: "who has the selected message, or the last own one, and who has read it",
        read: |_| message(MessageCommand::Info),
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
        help: "stop the file on its way; else take the selected waiting message back",
        read: |_| Ok(Command::Cancel),
    },
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "the end of a reading, which may fail"
)]
const fn message(command: MessageCommand) -> Result<Command, &'static str> {
    Ok(Command::Message(command))
}

fn poll(rest: &str, several: bool, otherwise: &'static str) -> Result<Command, &'static str> {
    let mut parts = rest.split('|').map(|part| part.trim().to_owned());
    let question = parts.next().unwrap_or_default();
    let options: Vec<String> = parts.filter(|option| !option.is_empty()).collect();
    if question.is_empty() || options.len() < 2 {
        return Err(otherwise);
    }
    Ok(Command::Poll {
        question,
        options,
        several,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::read;

    #[test]
    fn messages_are_changed_by_what_is_typed() {
        let emoji = Emoji::new("👍").unwrap();
        assert_eq!(
            read("/react 👍"),
            Some(Ok(Command::Message(MessageCommand::React(Some(emoji)))))
        );
        assert_eq!(read("/delete"), Some(Ok(Command::Delete)));
        assert_eq!(
            read("/delete all"),
            Some(Ok(Command::Message(MessageCommand::DeleteForAll)))
        );
        assert_eq!(
            read("/vote 1 3"),
            Some(Ok(Command::Message(MessageCommand::Vote(vec![1, 3]))))
        );
        assert_eq!(
            read("/poll Lunch? | soup | a salad |"),
            Some(Ok(Command::Poll {
                question: "Lunch?".to_owned(),
                options: vec!["soup".to_owned(), "a salad".to_owned()],
                several: false,
            }))
        );
        for wrong in [
            "/react ok",
            "/react 👍👍",
            "/delete it",
            "/vote 0",
            "/vote soup",
            "/poll Lunch?",
            "/poll | a | b",
        ] {
            assert!(matches!(read(wrong), Some(Err(_))), "{wrong}");
        }
    }
}
