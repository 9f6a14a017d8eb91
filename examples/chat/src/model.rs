//! What the screens show, made from what the SDK gives: cleaned, and no more than is drawn.
//!
//! A new kind of content needs a line in [`Body`] and how it is drawn in `layout/body.rs`.

mod body;
mod group;
mod picture;
mod words;

pub(crate) use body::{Ballot, Body, DELETED, File, Link, size};
#[cfg(test)]
pub(crate) use group::Member;
pub(crate) use group::{About, GroupView};
pub(crate) use picture::Picture;
pub(crate) use words::Words;

use hushpost::{
    AccountId, Contact, Content, ConversationId, ConversationSummary, Cursor, ListChange, Message,
    MessageRef, MessageState, SearchHit, Standing, Trouble, TroubleKind,
};

use crate::text::{clean, clean_line};

/// Characters of a quote that are sent and shown.
const QUOTE_CHARS: usize = 120;

/// A line of the conversation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: ConversationId,
    /// With whom; none: it is a group.
    pub(crate) peer: Option<AccountId>,
    pub(crate) name: String,
    /// Waits to be accepted.
    pub(crate) requested: bool,
    pub(crate) preview: String,
    /// Who wrote it, in a group.
    pub(crate) by: Option<AccountId>,
    /// How far the last message is, if it is an own one.
    pub(crate) own: Option<MessageState>,
    pub(crate) activity_ms: u64,
    pub(crate) unread: u64,
    pub(crate) archived: bool,
    pub(crate) muted_until_ms: u64,
    pub(crate) pinned: bool,
    pub(crate) draft: String,
}

impl From<ConversationSummary> for Entry {
    fn from(summary: ConversationSummary) -> Self {
        let last = summary.last_message.as_ref();
        let preview = last.map(|message| body::preview(&message.content));
        // In a group it matters who said it.
        let by = last
            .filter(|message| summary.peer.is_none() && !message.is_own())
            .map(|message| message.id.sender);
        Self {
            id: summary.id,
            peer: summary.peer,
            name: conversation_name(&summary),
            requested: summary.standing == Standing::Requested,
            preview: preview.unwrap_or_default(),
            by,
            own: last
                .filter(|message| message.is_own())
                .map(|message| message.state),
            activity_ms: summary.activity_ms,
            unread: summary.unread,
            archived: summary.archived,
            muted_until_ms: summary.muted_until_ms,
            pinned: summary.pinned,
            draft: clean(summary.draft.as_deref().unwrap_or_default()),
        }
    }
}

/// What is shown for a kind of a later version.
pub(crate) const UPDATE_NEEDED: &str = "(a newer version is needed to see this)";

/// A message of the open history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id: MessageRef,
    pub(crate) cursor: Cursor,
    pub(crate) body: Body,
    pub(crate) quote: Option<Quote>,
    pub(crate) state: MessageState,
    pub(crate) own: bool,
    pub(crate) sent_ms: u64,
    /// How often it was forwarded.
    pub(crate) forwards: u32,
    pub(crate) marks: Marks,
    /// Emoji on it, and who put them there.
    pub(crate) reactions: Vec<(AccountId, String)>,
}

/// What was done with a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) edited: bool,
    pub(crate) starred: bool,
    pub(crate) pinned: bool,
}

/// What a message answers.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) to: MessageRef,
    pub(crate) text: String,
}

impl core::fmt::Debug for Quote {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Quote({:?})", self.to)
    }
}

impl Item {
    /// The message in a line, for who answers it.
    pub(crate) fn excerpt(&self) -> String {
        match &self.body {
            Body::Group(_) | Body::Deleted | Body::Unknown => String::new(),
            body => body.line().chars().take(QUOTE_CHARS).collect(),
        }
    }

    /// Whether something can still be said about it.
    pub(crate) const fn is_alive(&self) -> bool {
        !matches!(self.body, Body::Group(_) | Body::Deleted)
            && !matches!(self.state, MessageState::Failed(_))
    }
}

impl From<&Message> for Item {
    fn from(message: &Message) -> Self {
        let quote = match &message.content {
            Content::Text(text) => text.reply_to(),
            _ => None,
        };
        Self {
            id: message.id,
            cursor: message.cursor,
            body: Body::from(message),
            quote: quote.map(|reply| Quote {
                to: reply.to,
                text: clean_line(&reply.excerpt),
            }),
            state: message.state,
            own: message.is_own(),
            sent_ms: message.sent_ms,
            forwards: message.forwards,
            marks: Marks {
                edited: message.edited_ms.is_some(),
                starred: message.starred,
                pinned: message.pinned,
            },
            reactions: message
                .reactions
                .iter()
                // One emoji and nothing else, as the SDK checked.
                .map(|reaction| (reaction.account, clean_line(reaction.emoji.as_str())))
                .collect(),
        }
    }
}

/// The other side of a conversation: what is known of them, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) verified: bool,
    pub(crate) change_pending: bool,
    pub(crate) blocked: bool,
    /// Messages of theirs that were asked for again.
    pub(crate) missing: u64,
    /// Messages of theirs that nobody has any more.
    pub(crate) gone: u64,
    /// What did not decrypt, and was asked for again.
    pub(crate) undecryptable: u64,
    /// What made no sense.
    pub(crate) quarantined: u64,
}

impl Peer {
    pub(crate) fn new(account: AccountId, contact: Option<&Contact>, troubles: &[Trouble]) -> Self {
        let mut peer = Self::default();
        if let Some(contact) = contact {
            peer.verified = contact.verified;
            peer.change_pending = contact.change_pending;
            peer.blocked = contact.blocked;
        }
        for trouble in troubles.iter().filter(|trouble| trouble.account == account) {
            let (counter, more) = match &trouble.kind {
                TroubleKind::Missing { count, gone: false } => (&mut peer.missing, *count),
                TroubleKind::Missing { count, .. } => (&mut peer.gone, *count),
                TroubleKind::Undecryptable { gone: false, .. } => (&mut peer.undecryptable, 1),
                TroubleKind::Quarantined { .. } => (&mut peer.quarantined, 1),
                // What its sender knows nothing of is nothing of theirs.
                _ => continue,
            };
            *counter = counter.saturating_add(more);
        }
        peer
    }
}

/// A line of the contacts' page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    /// The user name they were found by.
    pub(crate) user_name: Option<String>,
    pub(crate) verified: bool,
    pub(crate) change_pending: bool,
    pub(crate) blocked: bool,
}

impl From<Contact> for Person {
    fn from(contact: Contact) -> Self {
        let known = contact.name.as_deref().or(contact.user_name.as_deref());
        Self {
            account: contact.account,
            name: name(known, contact.account),
            user_name: contact.user_name.clone(),
            verified: contact.verified,
            change_pending: contact.change_pending,
            blocked: contact.blocked,
        }
    }
}

/// A message that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) conversation: ConversationId,
    pub(crate) peer: Option<AccountId>,
    /// What the conversation is called.
    pub(crate) name: String,
    pub(crate) item: Item,
    /// The text in pieces; `true` is what was searched for.
    pub(crate) pieces: Vec<(String, bool)>,
}

impl Hit {
    pub(crate) fn new(hit: &SearchHit, found_in: &ConversationSummary) -> Self {
        let text = match &hit.message.content {
            Content::Text(text) => text.body(),
            Content::Attachments(files) => files.caption().map_or("", hushpost::Text::body),
            Content::Poll(poll) => poll.question(),
            Content::Location(place) => place.name(),
            Content::ContactCard(card) => card.name(),
            _ => "",
        };
        let mut pieces = Vec::new();
        let mut add = |from: usize, to: usize, marked: bool| {
            // Ranges are of the text as it was sent, so it is cut before it is cleaned.
            let piece = clean(text.get(from..to).unwrap_or_default()).replace('\n', " ");
            if !piece.is_empty() {
                pieces.push((piece, marked));
            }
        };
        let mut at = 0;
        for range in &hit.highlights {
            add(at, range.start, false);
            add(range.start, range.end, true);
            at = range.end;
        }
        add(at, text.len(), false);
        Self {
            conversation: hit.message.conversation,
            peer: found_in.peer,
            name: conversation_name(found_in),
            item: Item::from(&hit.message),
            pieces,
        }
    }
}

impl Hit {
    /// A message that was not searched for, but is in a list.
    pub(crate) fn listed(
        message: &Message,
        found_in: &ConversationSummary,
        line: Option<String>,
    ) -> Self {
        let item = Item::from(message);
        let line = line.unwrap_or_else(|| item.body.line());
        Self {
            conversation: message.conversation,
            peer: found_in.peer,
            name: conversation_name(found_in),
            item,
            pieces: vec![(line, false)],
        }
    }
}

/// A change of the conversation list.
#[derive(Debug)]
pub(crate) enum ListUpdate {
    Reset(Vec<Entry>),
    Insert(usize, Entry),
    Update(usize, Entry),
    Remove(usize),
}

impl ListUpdate {
    pub(crate) fn new(change: ListChange) -> Self {
        match change {
            ListChange::Reset(entries) => {
                Self::Reset(entries.into_iter().map(Entry::from).collect())
            }
            ListChange::Insert(at, entry) => Self::Insert(at, entry.into()),
            ListChange::Update(at, entry) => Self::Update(at, entry.into()),
            ListChange::Remove(at) => Self::Remove(at),
        }
    }
}

/// What a conversation is called.
fn conversation_name(summary: &ConversationSummary) -> String {
    if let Some(peer) = summary.peer {
        return name(summary.name.as_deref(), peer);
    }
    let name = clean_line(summary.name.as_deref().unwrap_or_default());
    if name.is_empty() {
        "group".to_owned()
    } else {
        name
    }
}

/// What somebody is called; the beginning of their account id for who has no name here.
pub(crate) fn name(known: Option<&str>, account: AccountId) -> String {
    let known = clean_line(known.unwrap_or_default());
    if known.is_empty() {
        account.to_string().chars().take(8).collect()
    } else {
        known
    }
}
