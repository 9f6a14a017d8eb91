//! The part of a history that is held, and which of it is on the screen.
//!
//! Never the whole history: pages come and go at both ends as the reader scrolls.

use std::collections::BTreeSet;

use hushpost::MessageRef;

use crate::effect::Place;
use crate::model::Item;
use crate::update::Part;

/// Messages of a page.
pub(crate) const PAGE: usize = 60;
/// Messages that are held at most; past it the far end is let go.
const MOST: usize = 400;
/// Single messages that are read again at a time; for more, the part is loaded anew.
const MOST_STALE: usize = 200;

/// Whether there is more than what is held.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct More {
    pub(crate) before: bool,
    pub(crate) after: bool,
}

/// A part of a conversation's history.
#[derive(Debug, Default)]
pub(crate) struct History {
    items: Vec<Item>,
    pub(crate) more: More,
    /// Whether anything was loaded yet.
    pub(crate) loaded: bool,
    /// What is being read.
    pub(crate) loading: Option<Place>,
    pub(crate) refreshing: bool,
    /// What changed since it was read.
    stale: BTreeSet<MessageRef>,
    /// Everything may have changed.
    all_stale: bool,
    pub(crate) selected: Option<MessageRef>,
    pub(crate) first_unread: Option<MessageRef>,
    pub(crate) viewport: Viewport,
}

/// What is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Viewport {
    /// The end, and whatever comes.
    #[default]
    Bottom,
    /// From a line of a message on.
    Top { message: MessageRef, line: usize },
}

impl History {
    /// Nothing yet.
    pub(crate) fn waiting_for(place: Place) -> Self {
        Self {
            loading: Some(place),
            ..Self::default()
        }
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    pub(crate) fn position(&self, message: MessageRef) -> Option<usize> {
        self.items.iter().position(|item| item.id == message)
    }

    pub(crate) fn find(&self, message: MessageRef) -> Option<&Item> {
        self.items.iter().find(|item| item.id == message)
    }

    pub(crate) fn selected_item(&self) -> Option<&Item> {
        self.find(self.selected?)
    }

    /// Notes that a message changed, or is new.
    pub(crate) fn touch(&mut self, message: MessageRef) {
        if self.stale.len() < MOST_STALE {
            self.stale.insert(message);
        } else {
            self.all_stale = true;
        }
    }

    /// Notes that anything may have changed.
    pub(crate) fn touch_all(&mut self) {
        self.all_stale = true;
    }

    /// What to load to be up to date again, if it is everything. `top` is on the screen.
    pub(crate) fn reload(&mut self, top: Option<MessageRef>) -> Option<Place> {
        if !self.all_stale || self.loading.is_some() {
            return None;
        }
        self.all_stale = false;
        self.stale.clear();
        let anchor = match self.viewport {
            Viewport::Bottom => None,
            Viewport::Top { .. } => top.and_then(|top| self.find(top)),
        };
        let place = anchor.map_or(Place::Newest, |item| Place::Around(item.cursor, item.id));
        self.loading = Some(place);
        Some(place)
    }

    /// The single messages to read again, if nothing is being read.
    pub(crate) fn stale(&mut self) -> Option<Vec<MessageRef>> {
        if self.refreshing || self.stale.is_empty() || self.all_stale {
            return None;
        }
        self.refreshing = true;
        Some(core::mem::take(&mut self.stale).into_iter().collect())
    }

    /// The page to load when these are on the screen: near an end there should be more.
    pub(crate) fn wanted(&mut self, first: usize, last: usize) -> Option<Place> {
        let margin = PAGE / 3;
        if self.loading.is_some() || !self.loaded {
            return None;
        }
        let place = if self.more.before && first < margin {
            Place::Before(self.items.first()?.cursor)
        } else if self.more.after && last.saturating_add(margin) >= self.items.len() {
            Place::After(self.items.last()?.cursor)
        } else {
            return None;
        };
        self.loading = Some(place);
        Some(place)
    }

    /// Takes in what was loaded.
    pub(crate) fn take(&mut self, place: Place, part: Part) {
        self.loading = None;
        self.loaded = true;
        match place {
            Place::Before(_) => {
                let mut items = part.items;
                items.append(&mut self.items);
                self.items = items;
                self.more.before = part.more_before;
                if self.items.len() > MOST && self.viewport != Viewport::Bottom {
                    self.items.truncate(MOST);
                    self.more.after = true;
                }
            }
            Place::After(_) => {
                self.items.extend(part.items);
                self.more.after = part.more_after;
                self.drop_oldest();
            }
            Place::Newest | Place::Oldest | Place::Unread(_) | Place::Around(..) => {
                self.items = part.items;
                self.more.before = part.more_before;
                self.more.after = part.more_after;
                self.arrive(place, part.first_unread);
            }
        }
        self.in_order();
    }

    /// Where the reader stands in a part that is new.
    fn arrive(&mut self, place: Place, first_unread: Option<MessageRef>) {
        match place {
            Place::Oldest => {
                self.selected = None;
                if let Some(first) = self.items.first() {
                    self.viewport = Viewport::Top {
                        message: first.id,
                        line: 0,
                    };
                }
            }
            Place::Unread(_) => {
                self.first_unread = first_unread;
                if let Some(message) = first_unread {
                    self.viewport = Viewport::Top { message, line: 0 };
                }
            }
            Place::Around(_, message) => {
                let kept = match self.viewport {
                    Viewport::Top { message, .. } => self.position(message).is_some(),
                    Viewport::Bottom => false,
                };
                // A reader who jumped goes there; one whose part was read again stays.
                if !kept || self.selected == Some(message) {
                    self.viewport = Viewport::Top { message, line: 0 };
                }
            }
            _ => self.viewport = Viewport::Bottom,
        }
        if self
            .selected
            .is_some_and(|selected| self.position(selected).is_none())
        {
            self.selected = None;
        }
    }

    /// Takes in single messages that were read again.
    pub(crate) fn refreshed(&mut self, found: Vec<(MessageRef, Option<Item>)>) {
        self.refreshing = false;
        for (message, item) in found {
            self.items.retain(|known| known.id != message);
            let Some(item) = item else {
                if self.selected == Some(message) {
                    self.selected = None;
                }
                continue;
            };
            let at = self
                .items
                .partition_point(|known| known.cursor < item.cursor);
            let outside = (at == 0 && self.more.before)
                || (at == self.items.len() && self.more.after)
                || !self.loaded;
            if !outside {
                self.items.insert(at, item);
            }
        }
        if self.viewport == Viewport::Bottom {
            self.drop_oldest();
        }
        self.keep_place();
    }

    /// A reading failed. It is not tried again at once: it would most likely fail as fast.
    pub(crate) fn failed(&mut self) {
        self.loading = None;
        self.refreshing = false;
        self.all_stale = true;
    }

    /// Selects the one before or after; from nothing, the last that is on the screen. Gives its index.
    pub(crate) fn select(&mut self, back: bool, last_shown: usize) -> Option<usize> {
        let at = match self.selected.and_then(|selected| self.position(selected)) {
            Some(at) if back => at.checked_sub(1)?,
            Some(at) => at.saturating_add(1),
            None if back => last_shown.min(self.items.len().checked_sub(1)?),
            None => return None,
        };
        let item = self.items.get(at)?;
        self.selected = Some(item.id);
        Some(at)
    }

    fn drop_oldest(&mut self) {
        if let Some(spare) = self.items.len().checked_sub(MOST)
            && spare > 0
        {
            self.items.drain(..spare);
            self.more.before = true;
        }
    }

    /// Pages meet at their edges, and a message may have moved between two readings.
    fn in_order(&mut self) {
        let mut seen = BTreeSet::new();
        self.items.sort_by_key(|item| item.cursor);
        self.items.retain(|item| seen.insert(item.id));
        self.keep_place();
    }

    /// The message that the screen began with may be gone.
    fn keep_place(&mut self) {
        if let Viewport::Top { message, .. } = self.viewport
            && self.position(message).is_none()
        {
            self.viewport = Viewport::Bottom;
        }
    }
}
