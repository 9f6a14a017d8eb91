//! From a set of changes to one state, the same for everybody who has the same set.
//!
//! Each change names the changes its author had seen and that nothing builds on yet, so a log is a graph, hash
//! by hash back to the group's creation. Usually it is a line. Where admins acted side by side it forks, and the
//! next change joins the branches again.
//!
//! 1. **Removal is stronger.** A change is void if, unseen by its author and side by side with it, somebody took
//!    its author out of the group or out of office. Otherwise whoever was removed could go on making changes on
//!    top of an old state, for ever. Where two remove each other, the one who was in the group earlier stands.
//! 2. What is not void is applied by (depth, id), each only if its author may at that point.
//!
//! A change is stored only if its author could make it on top of just what it builds on ([`Log::allows`]): that
//! never depends on anything that may still come.
//!
//! Must never: let the order of arrival, the relay or a clock decide.

use std::collections::{BTreeMap, BTreeSet};

use hushpost_wire::AccountId;

use crate::error::GroupRefusal;
use crate::group::change::{Action, Change, ChangeId};
use crate::group::state::GroupState;

/// Changes of a group, each after all it builds on.
#[derive(Default)]
pub(crate) struct Log {
    changes: Vec<Change>,
    places: BTreeMap<ChangeId, usize>,
    /// For each change, all that it builds on, near and far.
    pasts: Vec<Past>,
    depths: Vec<u32>,
}

/// What came of a log.
pub(crate) struct Outcome {
    pub(crate) state: GroupState,
    /// Changes that have no effect.
    pub(crate) void: BTreeSet<ChangeId>,
}

/// A set of places, one bit each.
#[derive(Clone, Default)]
struct Past(Vec<u64>);

impl Past {
    fn contains(&self, place: usize) -> bool {
        let word = self.0.get(place / 64).copied().unwrap_or(0);
        word >> (place % 64) & 1 == 1
    }

    fn insert(&mut self, place: usize) {
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (place % 64);
        }
    }

    fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }
}

impl Log {
    /// How many changes there are.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// The changes that nothing builds on yet, rising.
    pub(crate) fn heads(&self) -> Vec<ChangeId> {
        let mut heads: BTreeSet<ChangeId> = self.places.keys().copied().collect();
        for change in &self.changes {
            for parent in &change.parents {
                heads.remove(parent);
            }
        }
        heads.into_iter().collect()
    }

    /// Adds a change that builds on nothing unknown. Says whether it was made beside another one; `None` if its
    /// predecessors are missing.
    pub(crate) fn add(&mut self, change: Change) -> Option<bool> {
        let (past, depth) = self.past_of(&change)?;
        let place = self.changes.len();
        let beside = (0..place).any(|other| !past.contains(other));
        self.places.insert(change.id, place);
        self.pasts.push(past);
        self.depths.push(depth);
        self.changes.push(change);
        Some(beside)
    }

    /// Whether the author may make this change on top of what it builds on. `None` if that is not all known.
    pub(crate) fn allows(&self, change: &Change) -> Option<Result<(), GroupRefusal>> {
        if change.parents.is_empty() {
            return Some(if self.changes.is_empty() {
                Ok(())
            } else {
                Err(GroupRefusal::Pointless)
            });
        }
        let (past, _) = self.past_of(change)?;
        let mut state = self.resolve(&past).state;
        Some(state.apply(change))
    }

    /// What the whole log amounts to.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut all = Past::default();
        for place in 0..self.changes.len() {
            all.insert(place);
        }
        self.resolve(&all)
    }

    /// Which changes are not among those that somebody has seen who names these heads; in order.
    pub(crate) fn unseen_by(&self, heads: &[ChangeId]) -> Vec<ChangeId> {
        let mut seen = Past::default();
        for head in heads {
            if let Some(place) = self.places.get(head)
                && let Some(past) = self.pasts.get(*place)
            {
                seen.extend(past);
                seen.insert(*place);
            }
        }
        let unseen = self.changes.iter().enumerate();
        unseen
            .filter(|(place, _)| !seen.contains(*place))
            .map(|(_, change)| change.id)
            .collect()
    }

    /// What somebody who is out is told of: what took them out, and what that builds on.
    pub(crate) fn told_to_departed(&self, who: AccountId) -> BTreeSet<ChangeId> {
        let takes_out = |change: &Change| match &change.action {
            Action::Remove(accounts) => accounts.contains(&who),
            Action::Leave => change.author == who,
            _ => false,
        };
        let mut told = Past::default();
        for (place, (change, past)) in self.changes.iter().zip(&self.pasts).enumerate() {
            if takes_out(change) {
                told.extend(past);
                told.insert(place);
            }
        }
        let changes = self.changes.iter().enumerate();
        changes
            .filter(|(place, _)| told.contains(*place))
            .map(|(_, change)| change.id)
            .collect()
    }

    /// Whom an author took in beside a change.
    pub(crate) fn added_beside(&self, change: ChangeId, author: AccountId) -> BTreeSet<AccountId> {
        let mut added = BTreeSet::new();
        let Some(place) = self.places.get(&change).copied() else {
            return added;
        };
        for (other, made) in self.changes.iter().enumerate() {
            if let Action::Add(accounts) = &made.action
                && made.author == author
                && self.beside(place, other)
            {
                added.extend(accounts);
            }
        }
        added
    }

    fn past_of(&self, change: &Change) -> Option<(Past, u32)> {
        let (mut past, mut depth) = (Past::default(), 0);
        for parent in &change.parents {
            let place = *self.places.get(parent)?;
            past.extend(self.pasts.get(place)?);
            past.insert(place);
            depth = depth.max(self.depths.get(place)?.saturating_add(1));
        }
        Some((past, depth))
    }

    fn beside(&self, one: usize, other: usize) -> bool {
        let builds_on =
            |one: usize, other| self.pasts.get(one).is_some_and(|past| past.contains(other));
        one != other && !builds_on(one, other) && !builds_on(other, one)
    }

    fn resolve(&self, among: &Past) -> Outcome {
        let mut order: Vec<usize> = (0..self.changes.len())
            .filter(|place| among.contains(*place))
            .collect();
        let key = |place: &usize| {
            let id = self.changes.get(*place).map(|change| change.id);
            (self.depths.get(*place).copied(), id)
        };
        order.sort_by_key(key);
        let void_places = self.void(&order);
        let mut outcome = Outcome {
            state: GroupState::default(),
            void: BTreeSet::new(),
        };
        for place in order {
            let Some(change) = self.changes.get(place) else {
                continue;
            };
            if void_places.contains(&place) || outcome.state.apply(change).is_err() {
                outcome.void.insert(change.id);
            }
        }
        outcome
    }

    /// The changes whose author was removed beside them.
    fn void(&self, order: &[usize]) -> BTreeSet<usize> {
        let mut void = BTreeSet::new();
        // Nothing is beside anything in a line, which most logs are.
        let line = order
            .iter()
            .enumerate()
            .all(|(index, place)| self.depths.get(*place).copied() == u32::try_from(index).ok());
        if line {
            return void;
        }
        let seniority = self.seniority(order);
        let rank = |place: usize| {
            let author = self.changes.get(place).map(|change| change.author);
            author.and_then(|author| seniority.get(&author).copied())
        };
        let mut revocations: Vec<(usize, BTreeSet<AccountId>)> = order
            .iter()
            .filter_map(|place| Some((*place, revoked_by(self.changes.get(*place)?)?)))
            .collect();
        revocations.sort_by_key(|(place, _)| {
            (
                rank(*place),
                self.depths.get(*place).copied(),
                self.changes.get(*place).map(|change| change.id),
            )
        });
        let mut standing: Vec<(usize, BTreeSet<AccountId>)> = Vec::new();
        let hit = |standing: &[(usize, BTreeSet<AccountId>)], place: usize| {
            let Some(change) = self.changes.get(place) else {
                return false;
            };
            standing
                .iter()
                .any(|(by, revoked)| revoked.contains(&change.author) && self.beside(*by, place))
        };
        for (place, revoked) in revocations {
            if hit(&standing, place) {
                void.insert(place);
            } else {
                standing.push((place, revoked));
            }
        }
        for place in order {
            let stands = standing.iter().any(|(by, _)| by == place);
            if !stands && hit(&standing, *place) {
                void.insert(*place);
            }
        }
        void
    }

    /// Who came in when: the creator first. Counted by the first change that names somebody.
    fn seniority(&self, order: &[usize]) -> BTreeMap<AccountId, usize> {
        let mut seniority = BTreeMap::new();
        for (index, place) in order.iter().enumerate() {
            let Some(change) = self.changes.get(*place) else {
                continue;
            };
            let rank = index.saturating_mul(2);
            match &change.action {
                Action::Create { members, .. } => {
                    seniority.entry(change.author).or_insert(rank);
                    for member in members {
                        seniority.entry(*member).or_insert(rank.saturating_add(1));
                    }
                }
                Action::Add(accounts) => {
                    for account in accounts {
                        seniority.entry(*account).or_insert(rank.saturating_add(1));
                    }
                }
                _ => {}
            }
        }
        seniority
    }
}

/// Whom a change takes out of the group or out of office.
fn revoked_by(change: &Change) -> Option<BTreeSet<AccountId>> {
    match &change.action {
        Action::Remove(accounts) => {
            let others = accounts.iter().filter(|account| **account != change.author);
            Some(others.copied().collect())
        }
        Action::Role {
            account,
            admin: false,
        } if *account != change.author => Some(BTreeSet::from([*account])),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
