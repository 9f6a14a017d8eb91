//! Who is typing. Forgotten by itself: the word that they stopped may never come.

use std::collections::BTreeMap;

use hushpost::{Activity, ConversationId};

/// How long it holds without another word, in milliseconds: what the SDK says.
const HOLDS_MS: u64 = 5_000;

/// What is being done in the conversations.
#[derive(Debug, Default)]
pub(crate) struct Typing(BTreeMap<ConversationId, (Activity, u64)>);

impl Typing {
    pub(crate) fn note(&mut self, conversation: ConversationId, activity: Activity, now_ms: u64) {
        self.0
            .retain(|_, (_, at)| now_ms.saturating_sub(*at) < HOLDS_MS);
        if activity == Activity::Stopped {
            self.0.remove(&conversation);
        } else {
            self.0.insert(conversation, (activity, now_ms));
        }
    }

    /// What to show; empty for nothing.
    pub(crate) fn shown(&self, conversation: ConversationId, now_ms: u64) -> &'static str {
        match self.0.get(&conversation) {
            Some((activity, at)) if now_ms.saturating_sub(*at) < HOLDS_MS => match activity {
                Activity::Typing => "typing…",
                Activity::Recording => "recording…",
                Activity::Stopped => "",
            },
            _ => "",
        }
    }
}
