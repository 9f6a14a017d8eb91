//! A change of an observed list.

use crate::ConversationSummary;

/// A change of an observed list. Applied one after the other they keep the app's copy equal.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum ListChange {
    /// The whole list: first of all, and whenever changes were missed.
    Reset {
        /// The list.
        entries: Vec<ConversationSummary>,
    },
    /// A new entry, at this place.
    Insert {
        /// The place, from 0.
        index: u32,
        /// The entry.
        entry: ConversationSummary,
    },
    /// The entry at this place changed and stays there.
    Update {
        /// The place, from 0.
        index: u32,
        /// The entry.
        entry: ConversationSummary,
    },
    /// The entry at this place is gone.
    Remove {
        /// The place, from 0.
        index: u32,
    },
}

impl From<hushpost::ListChange> for ListChange {
    fn from(change: hushpost::ListChange) -> Self {
        // A list has at most 10,000 entries.
        let short = |index| u32::try_from(index).unwrap_or(u32::MAX);
        match change {
            hushpost::ListChange::Reset(entries) => Self::Reset {
                entries: entries.into_iter().map(Into::into).collect(),
            },
            hushpost::ListChange::Insert(index, entry) => Self::Insert {
                index: short(index),
                entry: entry.into(),
            },
            hushpost::ListChange::Update(index, entry) => Self::Update {
                index: short(index),
                entry: entry.into(),
            },
            hushpost::ListChange::Remove(index) => Self::Remove {
                index: short(index),
            },
        }
    }
}
