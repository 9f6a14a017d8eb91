//! What is done with messages that are there.

use hushpost::AccountId;

use crate::command::MessageCommand;
use crate::effect::{MessageWrite, Read, Wording, Write};
use crate::model::{Body, Item, Words};
use crate::state::State;
use crate::state::open::Open;

impl Open {
    /// The selected message, if it fits; if none is selected, the newest that does.
    pub(super) fn target(&self, fits: impl FnMut(&&Item) -> bool) -> Option<&Item> {
        match self.history.selected_item() {
            Some(item) => Some(item).filter(fits),
            None => self.history.items().iter().rev().find(fits),
        }
    }
}

impl State {
    pub(super) fn run_message(&mut self, command: MessageCommand) {
        let Some(open) = &self.open else {
            self.warn("open a conversation first");
            return;
        };
        let id = open.id;
        let selected = open.history.selected_item();
        let (item, write) = match command {
            MessageCommand::Edit => return self.edit(),
            MessageCommand::Info => {
                match open.target(|item| item.own) {
                    Some(item) => {
                        let message = item.id;
                        self.read(Read::Info(id, message));
                    }
                    None => self.warn("select a message of yours first: Up from an empty line"),
                }
                return;
            }
            MessageCommand::Forward(to) => {
                let Some(message) = selected.map(|item| item.id) else {
                    self.warn(SELECT);
                    return;
                };
                match self.conversation_called(&to) {
                    Ok(to) => self.write(Write::Forward(to, message)),
                    Err(why) => self.warn(&why),
                }
                return;
            }
            MessageCommand::React(emoji) => (
                open.target(|item| item.is_alive() && (!item.own || selected.is_some())),
                MessageWrite::React(emoji),
            ),
            MessageCommand::Vote(numbers) => (
                open.target(|item| matches!(item.body, Body::Ballot(_))),
                MessageWrite::Vote(numbers.iter().map(|n| n.saturating_sub(1)).collect()),
            ),
            MessageCommand::DeleteForMe => (selected, MessageWrite::DeleteForMe),
            MessageCommand::DeleteForAll => (selected, MessageWrite::DeleteForAll),
            MessageCommand::Star => {
                let starred = selected.is_some_and(|item| item.marks.starred);
                (selected, MessageWrite::Star(!starred))
            }
            MessageCommand::Pin => {
                let pinned = selected.is_some_and(|item| item.marks.pinned);
                (selected, MessageWrite::Pin(!pinned))
            }
        };
        match item.map(|item| item.id) {
            Some(message) => self.write(Write::Message(id, message, write)),
            None => self.warn(SELECT),
        }
    }

    /// The text of an own message is typed again.
    fn edit(&mut self) {
        let Some(open) = &mut self.open else {
            return;
        };
        let fits = |item: &&Item| item.own && item.is_alive() && item.body.words().is_some();
        let Some(item) = open.target(fits) else {
            self.warn("select a text of yours first: Up from an empty line");
            return;
        };
        let typed = item.body.words().map_or_else(String::new, Words::typed);
        open.editing = Some(item.id);
        open.reply = None;
        open.history.selected = None;
        self.input.set(&typed);
    }

    /// What was typed takes the edited message's place. `None`: none is edited.
    pub(super) fn edited(&mut self, text: &str) -> Option<()> {
        let wording = self.wording(text);
        let open = self.open.as_mut()?;
        let message = open.editing.take()?;
        let id = open.id;
        self.write(Write::Message(id, message, MessageWrite::Edit(wording)));
        Some(())
    }

    /// A text, with the members of the group that it speaks of: `@` and what they are called.
    pub(super) fn wording(&self, text: &str) -> Wording {
        let mut members: Vec<(AccountId, String)> = self
            .members()
            .filter(|member| Some(*member) != self.me)
            .map(|member| (member, format!("@{}", self.people.name(member))))
            .collect();
        // The longest name that stands there is meant.
        members.sort_by_key(|(_, name)| core::cmp::Reverse(name.len()));
        let mut mentions = Vec::new();
        let mut from = 0;
        while let Some(step) = text.get(from..).and_then(|rest| rest.find('@')) {
            let at = from.saturating_add(step);
            from = at.saturating_add(1);
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            if before.is_some_and(char::is_alphanumeric) {
                continue;
            }
            let rest = text.get(at..).unwrap_or_default();
            let meant = members.iter().find(|(_, name)| {
                rest.strip_prefix(name.as_str())
                    .is_some_and(|after| !after.starts_with(char::is_alphanumeric))
            });
            if let Some((account, name)) = meant
                && mentions.len() < hushpost::MAX_MENTIONS
            {
                let end = at.saturating_add(name.len());
                mentions.push((*account, at..end));
                from = end;
            }
        }
        Wording {
            text: text.to_owned(),
            mentions,
        }
    }
}

const SELECT: &str = "select a message first: Up from an empty line";
