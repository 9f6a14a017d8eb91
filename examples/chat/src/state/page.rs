//! Pages that lie over the conversation until Escape.

use hushpost::{AccountId, ConversationId};

use crate::model::{Hit, Person};

/// A page.
#[derive(Debug)]
pub(crate) enum Page {
    Help {
        scroll: usize,
    },
    Notices {
        scroll: usize,
    },
    Contacts {
        people: Vec<Person>,
        selected: usize,
    },
    /// Members of the open group.
    Members {
        selected: usize,
    },
    /// Messages to go to.
    Hits {
        title: String,
        hits: Vec<Hit>,
        selected: usize,
    },
    /// Text and a QR code.
    Code {
        title: String,
        lines: Vec<String>,
        code: Vec<String>,
        scroll: usize,
    },
    /// Waits for `y` or `n`.
    Ask(Question),
}

/// What is asked before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    Delete {
        conversation: ConversationId,
        name: String,
    },
    Leave {
        group: ConversationId,
        name: String,
    },
    /// A user name means another account than before.
    Moved {
        name: String,
        account: AccountId,
    },
}

impl Question {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Delete { name, .. } => format!(
                "Delete the conversation with {name} on this device? What was said is gone here. (y/n)"
            ),
            Self::Leave { name, .. } => format!(
                "Leave {name}? You read nothing that is said from then on; what was said stays here. (y/n)"
            ),
            Self::Moved { name, .. } => format!(
                "The name {name} means another account now than when you wrote to it before. It may be \
                 another person. Write to the new one? (y/n)"
            ),
        }
    }
}

impl Page {
    /// Moves the selection, or scrolls, by so many lines.
    pub(crate) fn step(&mut self, down: bool, by: usize) {
        let (at, last) = match self {
            Self::Help { scroll } | Self::Notices { scroll } | Self::Code { scroll, .. } => {
                // The drawing stops at the last line.
                (scroll, usize::MAX)
            }
            // Who is in may change; the drawing stops at the last.
            Self::Members { selected } => (selected, usize::MAX),
            Self::Contacts { people, selected } => (selected, people.len().saturating_sub(1)),
            Self::Hits { hits, selected, .. } => (selected, hits.len().saturating_sub(1)),
            Self::Ask(_) => return,
        };
        *at = if down {
            at.saturating_add(by).min(last)
        } else {
            at.saturating_sub(by)
        };
    }

    /// What was scrolled past the end is taken back.
    pub(crate) fn scroll_at_most(&mut self, most: usize) {
        if let Self::Help { scroll }
        | Self::Notices { scroll }
        | Self::Code { scroll, .. }
        | Self::Members { selected: scroll } = self
        {
            *scroll = (*scroll).min(most);
        }
    }
}
