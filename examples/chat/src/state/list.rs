//! The conversation list: kept equal to the SDK's by its diffs.

use hushpost::{AccountId, ConversationId};

use crate::model::{Entry, ListUpdate};

/// Both lists, and which one is shown.
#[derive(Debug, Default)]
pub(crate) struct List {
    inbox: Vec<Entry>,
    archive: Vec<Entry>,
    /// Whether the archive is shown.
    pub(crate) archived: bool,
    /// The one that the next key is about.
    pub(crate) selected: Option<ConversationId>,
}

impl List {
    pub(crate) fn shown(&self) -> &[Entry] {
        if self.archived {
            &self.archive
        } else {
            &self.inbox
        }
    }

    pub(crate) fn archive_len(&self) -> usize {
        self.archive.len()
    }

    /// In either list.
    pub(crate) fn find(&self, id: ConversationId) -> Option<&Entry> {
        self.all().find(|entry| entry.id == id)
    }

    /// The conversation with somebody.
    pub(crate) fn with(&self, peer: AccountId) -> Option<&Entry> {
        self.all().find(|entry| entry.peer == Some(peer))
    }

    /// Not read, in the conversations that make a sound.
    pub(crate) fn unread(&self, now_ms: u64) -> u64 {
        self.inbox
            .iter()
            .filter(|entry| entry.muted_until_ms <= now_ms)
            .map(|entry| entry.unread)
            .fold(0, u64::saturating_add)
    }

    /// Takes in a change. Says whether it fitted: a list that does not is to be read anew.
    pub(crate) fn apply(&mut self, archived: bool, change: ListUpdate) -> bool {
        let list = if archived {
            &mut self.archive
        } else {
            &mut self.inbox
        };
        match change {
            ListUpdate::Reset(entries) => *list = entries,
            ListUpdate::Insert(at, entry) if at <= list.len() => list.insert(at, entry),
            ListUpdate::Update(at, entry) => match list.get_mut(at) {
                Some(slot) => *slot = entry,
                None => return false,
            },
            ListUpdate::Remove(at) if at < list.len() => {
                list.remove(at);
            }
            ListUpdate::Insert(..) | ListUpdate::Remove(_) => return false,
        }
        true
    }

    /// The place of the selected one.
    pub(crate) fn selected_index(&self) -> Option<usize> {
        let selected = self.selected?;
        self.shown().iter().position(|entry| entry.id == selected)
    }

    /// Moves the selection; from nothing, to the first.
    pub(crate) fn step(&mut self, down: bool) -> Option<&Entry> {
        let last = self.shown().len().checked_sub(1)?;
        let at = match self.selected_index() {
            None => 0,
            Some(at) if down => at.saturating_add(1).min(last),
            Some(at) => at.saturating_sub(1),
        };
        let id = self.shown().get(at)?.id;
        self.selected = Some(id);
        self.shown().get(at)
    }

    /// Both lists.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.inbox.iter().chain(&self.archive)
    }
}
