//! What is told in the last line: the newest for some seconds, all of them on a page.

use std::collections::VecDeque;

use crate::text::clean_line;

/// Notices that are kept.
const MOST: usize = 100;
/// How long the newest is in the last line, in milliseconds.
const SHOWN_MS: u64 = 8_000;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Info,
    Warning,
}

#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) at_ms: u64,
    pub(crate) weight: Weight,
    pub(crate) text: String,
}

/// The newest notices.
#[derive(Debug, Default)]
pub(crate) struct Notices(VecDeque<Notice>);

impl Notices {
    pub(crate) fn add(&mut self, at_ms: u64, weight: Weight, text: &str) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        // Names and causes in it are others' words.
        let text = clean_line(text);
        self.0.push_back(Notice {
            at_ms,
            weight,
            text,
        });
    }

    /// The one for the last line.
    pub(crate) fn current(&self, now_ms: u64) -> Option<&Notice> {
        self.0
            .back()
            .filter(|notice| now_ms.saturating_sub(notice.at_ms) < SHOWN_MS)
    }

    /// The newest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter().rev()
    }
}
