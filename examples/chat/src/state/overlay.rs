//! Pages over the conversation: help, safety number, hits, contacts, questions.

use hushpost::AccountId;

use crate::effect::{Effect, Place, Write};
use crate::model::{Hit, Person};
use crate::state::State;
use crate::update::Update;

/// A page over everything else.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help {
        scroll: u16,
    },
    Notices {
        scroll: u16,
    },
    Me,
    Safety {
        name: String,
        digits: String,
        payload: Vec<u8>,
        verified: bool,
    },
    Hits {
        words: String,
        hits: Vec<Hit>,
        selected: usize,
    },
    Contacts {
        people: Vec<Person>,
        selected: usize,
    },
    Confirm(Confirm),
}

/// A question; Enter says yes, Esc says no.
#[derive(Debug)]
pub(crate) enum Confirm {
    /// The user name means somebody else now.
    NameMoved { name: String, account: AccountId },
    Delete(hushpost::ConversationId),
}

impl State {
    /// Opens the page for an answer.
    pub(super) fn show(&mut self, update: Update) {
        self.overlay = match update {
            Update::Contacts(people) => Some(Overlay::Contacts {
                people,
                selected: 0,
            }),
            Update::Hits { words, hits } if hits.is_empty() => {
                self.inform(&format!("nothing holds \"{words}\""));
                return;
            }
            Update::Hits { words, hits } => Some(Overlay::Hits {
                words,
                hits,
                selected: 0,
            }),
            Update::SafetyNumber {
                account,
                digits,
                payload,
            } => Some(Overlay::Safety {
                name: self.name_of(account),
                digits,
                payload,
                verified: self
                    .open_with(account)
                    .is_some_and(|open| open.peer_state.verified),
            }),
            _ => return,
        };
    }

    /// Up or down on a page.
    pub(super) fn step_overlay(&mut self, down: bool, by: usize) {
        let move_in = |selected: &mut usize, len: usize| {
            let at = if down {
                selected.saturating_add(by)
            } else {
                selected.saturating_sub(by)
            };
            *selected = at.min(len.saturating_sub(1));
        };
        match &mut self.overlay {
            Some(Overlay::Help { scroll } | Overlay::Notices { scroll }) => {
                let by = u16::try_from(by).unwrap_or(u16::MAX);
                *scroll = if down {
                    scroll.saturating_add(by).min(200)
                } else {
                    scroll.saturating_sub(by)
                };
            }
            Some(Overlay::Hits { hits, selected, .. }) => move_in(selected, hits.len()),
            Some(Overlay::Contacts { people, selected }) => move_in(selected, people.len()),
            _ => {}
        }
    }

    /// Enter on a page.
    pub(super) fn choose(&mut self) -> Vec<Effect> {
        match self.overlay.take() {
            Some(Overlay::Hits { hits, selected, .. }) => match hits.get(selected) {
                Some(hit) => self.open_at(
                    hit.conversation,
                    hit.peer,
                    Place::Around(hit.item.cursor, hit.item.id),
                ),
                None => Vec::new(),
            },
            Some(Overlay::Contacts { people, selected }) => people
                .get(selected)
                .map(|person| Effect::Write(Write::Open(person.account)))
                .into_iter()
                .collect(),
            Some(Overlay::Confirm(Confirm::NameMoved { account, .. })) => {
                vec![Effect::Write(Write::Open(account))]
            }
            Some(Overlay::Confirm(Confirm::Delete(id))) => vec![Effect::Write(Write::Delete(id))],
            _ => Vec::new(),
        }
    }
}
