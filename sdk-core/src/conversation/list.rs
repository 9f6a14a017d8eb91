//! All conversations, in the order of a chat app's first screen, and their changes as diffs.

use core::pin::Pin;
use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt as _};
use hushpost_wire::AccountId;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::Result;
use crate::client::Core;
use crate::content::ConversationId;
use crate::conversation::history;
use crate::event::{Event, Events};
use crate::message::Message;
use crate::store::StoreError;
use crate::store::columns::{account, checked, unsigned};

/// Most conversations in one page, and in an observed list.
const MAX_LISTED: usize = 10_000;

/// How a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// A stranger wrote: waits for the user to accept, block or delete. They get no receipts.
    Requested,
    /// Like any other.
    Accepted,
}

/// What the list is sorted by: pinned, active, made.
type Order = (i64, i64, i64);

/// A conversation's entry in the list.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConversationSummary {
    /// Which.
    pub id: ConversationId,
    /// With whom; none: it is a group.
    pub peer: Option<AccountId>,
    /// The name the user gave them, or the user name they were found by; a group's name.
    pub name: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// The last message.
    pub last_message: Option<Message>,
    /// When something last happened, in milliseconds since the Unix epoch.
    pub activity_ms: u64,
    /// Messages not read here.
    pub unread: u64,
    /// Whether it lies in the archive.
    pub archived: bool,
    /// Silent until then, in milliseconds since the Unix epoch; 0 if it is not.
    pub muted_until_ms: u64,
    /// Whether it stands above the others.
    pub pinned: bool,
    /// What was typed and not sent.
    pub draft: Option<String>,
    order: Order,
}

impl core::fmt::Debug for ConversationSummary {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ConversationSummary")
            .field("id", &self.id)
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

/// A change of an observed list. Applied one after the other they keep the app's copy equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListChange {
    /// The whole list: first of all, and whenever changes were missed.
    Reset(Vec<ConversationSummary>),
    /// A new entry, at this place.
    Insert(usize, ConversationSummary),
    /// The entry at this place changed and stays there.
    Update(usize, ConversationSummary),
    /// The entry at this place is gone.
    Remove(usize),
}

/// All conversations: [`Client::conversations`](crate::Client::conversations).
#[derive(Clone)]
pub struct ConversationList(Arc<Core>);

impl core::fmt::Debug for ConversationList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ConversationList")
    }
}

impl ConversationList {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Entries in order: pinned ones first, then by their last message.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub async fn list(
        &self,
        archived: bool,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>> {
        let limit = limit.min(MAX_LISTED);
        self.0
            .store
            .read(move |db| page(db, archived, skip, limit))
            .await
    }

    /// Unread messages in all conversations that are neither archived nor silent: for a badge.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub async fn unread(&self) -> Result<u64> {
        let now = crate::store::columns::signed(self.0.clock.now_ms());
        self.0
            .store
            .read(move |db| {
                Ok(db.query_row(
                    "SELECT coalesce(sum(unread), 0) FROM conversation
                     WHERE archived = 0 AND hidden = 0 AND muted_until_ms <= ?1",
                    [now],
                    |row| unsigned(row, 0),
                )?)
            })
            .await
    }

    /// The list and all its changes, for as long as the stream is read, on a Tokio runtime. A change that cannot be
    /// read from the database ends the stream.
    pub fn observe(&self, archived: bool) -> impl Stream<Item = ListChange> + Send + Unpin + use<> {
        let observer = Observer {
            core: Arc::clone(&self.0),
            events: self.0.events.subscribe(),
            archived,
            known: None,
            ready: VecDeque::new(),
        };
        let stream: Pin<Box<dyn Stream<Item = ListChange> + Send>> =
            Box::pin(stream::unfold(observer, |mut observer| async {
                let change = observer.next().await?;
                Some((change, observer))
            }));
        stream
    }
}

/// Keeps what the app knows, to tell what changed.
struct Observer {
    core: Arc<Core>,
    events: Events,
    archived: bool,
    known: Option<Vec<(Order, ConversationId)>>,
    ready: VecDeque<ListChange>,
}

impl Observer {
    async fn next(&mut self) -> Option<ListChange> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Some(change);
            }
            if self.known.is_none() {
                return self.reset().await;
            }
            match self.events.next().await? {
                Event::ConversationChanged { conversation }
                | Event::ConversationDeleted { conversation } => self.look(conversation).await?,
                Event::Missed { .. } => return self.reset().await,
                _ => {}
            }
        }
    }

    async fn reset(&mut self) -> Option<ListChange> {
        let archived = self.archived;
        let list = read_apart(&self.core, move |db| page(db, archived, 0, MAX_LISTED)).await?;
        self.known = Some(list.iter().map(|entry| (entry.order, entry.id)).collect());
        Some(ListChange::Reset(list))
    }

    async fn look(&mut self, id: ConversationId) -> Option<()> {
        let read = read_apart(&self.core, move |db| listed(db, id)).await?;
        let entry = read.filter(|entry| entry.archived == self.archived);
        let known = self.known.as_mut()?;
        let before = known.iter().position(|(_, known)| *known == id);
        let after = entry.as_ref().map(|entry| {
            let others = known.iter().filter(|(_, known)| *known != id);
            others.filter(|(order, _)| *order < entry.order).count()
        });
        if let Some(index) = before
            && before != after
        {
            known.remove(index);
            self.ready.push_back(ListChange::Remove(index));
        }
        if let (Some(index), Some(entry)) = (after, entry) {
            let key = (entry.order, id);
            if before == after {
                if let Some(slot) = known.get_mut(index) {
                    *slot = key;
                }
                self.ready.push_back(ListChange::Update(index, entry));
            } else {
                known.insert(index, key);
                self.ready.push_back(ListChange::Insert(index, entry));
            }
        }
        Some(())
    }
}

/// Reads as a task of its own: whoever stops asking for changes in the middle of this keeps no place among those who wait
/// for a reader, and holds nobody up.
async fn read_apart<T: Send + 'static>(
    core: &Arc<Core>,
    work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
) -> Option<T> {
    let core = Arc::clone(core);
    let read = tokio::spawn(async move { core.store.read(work).await });
    read.await.ok()?.ok()
}

const COLUMNS: &str =
    "c.conversation_id, c.peer, coalesce(p.name, p.user_name, g.name), c.standing,
     c.activity >> 16, c.unread, c.archived, c.muted_until_ms, c.pinned_ms, c.draft,
     -c.pinned_ms, -c.activity, c.id, c.last_message";
const TABLES: &str = "conversation c LEFT JOIN contact p ON p.account = c.peer
     LEFT JOIN group_info g ON g.conversation = c.id";
const LISTED: &str = "c.hidden = 0 AND coalesce(p.blocked, 0) = 0";

fn page(
    db: &Connection,
    archived: bool,
    skip: usize,
    limit: usize,
) -> Result<Vec<ConversationSummary>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE c.archived = ?1 AND {LISTED}
         ORDER BY c.pinned_ms DESC, c.activity DESC, c.id LIMIT ?2 OFFSET ?3"
    ))?;
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let rows = query.query_map((archived, limit, skip), read)?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(entry, last)| with_message(db, entry, last))
        .collect()
}

/// One conversation's entry.
pub(crate) fn summary(db: &Connection, id: ConversationId) -> Result<Option<ConversationSummary>> {
    entry(db, id, "c.hidden = 0")
}

/// One conversation's entry, if it is in the list.
fn listed(db: &Connection, id: ConversationId) -> Result<Option<ConversationSummary>> {
    entry(db, id, LISTED)
}

fn entry(db: &Connection, id: ConversationId, which: &str) -> Result<Option<ConversationSummary>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE c.conversation_id = ?1 AND {which}"
    ))?;
    let found = query.query_row([id.as_bytes()], read).optional()?;
    found
        .map(|(entry, last)| with_message(db, entry, last))
        .transpose()
}

fn with_message(
    db: &Connection,
    entry: ConversationSummary,
    last: Option<i64>,
) -> Result<ConversationSummary> {
    let last_message = match last {
        Some(last) => history::by_row(db, last)?,
        None => None,
    };
    Ok(ConversationSummary {
        last_message,
        ..entry
    })
}

/// An entry without its last message, and the row of that.
type Entry = (ConversationSummary, Option<i64>);

fn read(row: &Row<'_>) -> Result<Entry, rusqlite::Error> {
    let id: [u8; 16] = row.get(0)?;
    let pinned_ms: i64 = row.get(8)?;
    let entry = ConversationSummary {
        id: checked(0, || {
            ConversationId::from_slice(&id).ok_or(StoreError::Corrupted("a conversation id"))
        })?,
        peer: match row.get::<_, Option<[u8; 16]>>(1)? {
            Some(_) => Some(account(row, 1)?),
            None => None,
        },
        name: row.get(2)?,
        standing: match row.get::<_, u8>(3)? {
            0 => Standing::Requested,
            _ => Standing::Accepted,
        },
        last_message: None,
        activity_ms: unsigned(row, 4)?,
        unread: unsigned(row, 5)?,
        archived: row.get(6)?,
        muted_until_ms: unsigned(row, 7)?,
        pinned: pinned_ms != 0,
        draft: row.get(9)?,
        order: (row.get(10)?, row.get(11)?, row.get(12)?),
    };
    Ok((entry, row.get(13)?))
}

impl ConversationSummary {
    /// The last message in one line; empty if there is none, or none with a text.
    #[must_use]
    pub fn preview(&self) -> String {
        self.last_message
            .as_ref()
            .map(|message| message.content.preview())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::{Client, Config, DatabaseKey};

    #[tokio::test]
    async fn lists_that_nobody_goes_on_reading_hold_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let relay = "ws://127.0.0.1:9".parse().unwrap();
        let config = Config::new(folder.path().join("db"), DatabaseKey::new([7; 32]), relay);
        let client = Client::open(config).await.unwrap();
        let mut lists: Vec<_> = (0..12)
            .map(|_| client.conversations().observe(false))
            .collect();
        for list in &mut lists {
            // Asked once, in the middle of its reading, and left.
            assert_eq!(list.next().now_or_never(), None);
        }
        let all = client.conversations();
        for _ in 0..4 {
            let unread = tokio::time::timeout(Duration::from_secs(30), all.unread()).await;
            assert_eq!(unread.unwrap().unwrap(), 0);
        }
        assert_eq!(lists[0].next().await, Some(ListChange::Reset(Vec::new())));
        client.close().await;
    }
}
