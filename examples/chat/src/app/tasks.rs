//! Does what the state wants: reads one after the other, writes one after the other, questions to the relay each
//! by itself. The screen waits for none of them.

mod history;
mod relay;
mod writes;

use hushpost::{AccountId, Client, ConversationId};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::folder::Folder;
use crate::app::watchers::Watchers;
use crate::effect::{Effect, Read, Write};
use crate::model::{Hit, Item, Peer, Person};
use crate::options::Options;
use crate::update::Update;

/// Hits of a search that are shown.
const MAX_HITS: usize = 200;

/// What all tasks share.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) updates: Sender<Update>,
    pub(super) folder: Folder,
    pub(super) options: Options,
}

impl Context {
    async fn say(&self, update: Update) {
        // When the chat is closed nobody listens, and nobody needs to.
        drop(self.updates.send(update).await);
    }
}

/// The running tasks.
pub(super) struct Tasks {
    context: Context,
    reads: UnboundedSender<Read>,
    writes: Option<UnboundedSender<(Write, watch::Sender<()>)>>,
    reading: JoinHandle<()>,
    writing: JoinHandle<()>,
    questions: JoinSet<()>,
}

impl Tasks {
    pub(super) fn start(
        client: &Client,
        updates: &Sender<Update>,
        folder: Folder,
        options: Options,
    ) -> Self {
        let context = Context {
            client: client.clone(),
            updates: updates.clone(),
            folder,
            options,
        };
        let (reads, to_read) = unbounded_channel();
        let (writes, to_write) = unbounded_channel();
        let reading = tokio::spawn(read_all(context.clone(), to_read));
        let writing = tokio::spawn(writes::write_all(context.clone(), to_write));
        Self {
            context,
            reads,
            writes: Some(writes),
            reading,
            writing,
            questions: JoinSet::new(),
        }
    }

    pub(super) fn start_one(&mut self, effect: Effect, watchers: &Watchers) {
        match effect {
            // They end with the chat alone, and then nothing is to be done any more.
            Effect::Read(read) => drop(self.reads.send(read)),
            Effect::Write(write) => {
                if let Some(writes) = &self.writes {
                    drop(writes.send((write, watchers.again())));
                }
            }
            Effect::Relay(question) => {
                while self.questions.try_join_next().is_some() {}
                let asked = relay::ask(self.context.clone(), question, watchers.again());
                self.questions.spawn(asked);
            }
            Effect::Bell | Effect::ListAgain => {}
        }
    }

    /// Ends, once everything that was to be written is.
    pub(super) async fn finish(mut self) {
        self.questions.shutdown().await;
        self.reading.abort();
        self.writes = None;
        // It fails only if the runtime ends, and then all is over.
        drop(self.writing.await);
    }
}

async fn read_all(context: Context, mut reads: UnboundedReceiver<Read>) {
    while let Some(read) = reads.recv().await {
        let update = read_one(&context.client, read).await;
        context.say(update).await;
    }
}

async fn read_one(client: &Client, read: Read) -> Update {
    match read {
        Read::Load {
            conversation,
            place,
        } => match history::load(client, conversation, place).await {
            Ok(part) => Update::Loaded {
                conversation,
                place,
                part,
            },
            Err(error) => not_loaded(conversation, &error),
        },
        Read::Refresh {
            conversation,
            messages,
        } => {
            let mut found = Vec::with_capacity(messages.len());
            for id in messages {
                match client.message(id).await {
                    Ok(message) => found.push((id, message.as_ref().map(Item::from))),
                    Err(error) => return not_loaded(conversation, &error),
                }
            }
            Update::Refreshed {
                conversation,
                found,
            }
        }
        Read::Look(account) => or_failed(look(client, account).await),
        Read::Contacts => or_failed(contacts(client).await),
        Read::SafetyNumber(account) => match client.contacts().safety_number(account).await {
            Ok(number) => Update::SafetyNumber {
                account,
                digits: number.digits(),
                payload: number.qr_payload(),
            },
            Err(hushpost::Error::NotFound(_)) => Update::Failed(
                "there is no safety number before the first message has been exchanged".to_owned(),
            ),
            Err(error) => Update::Failed(error.to_string()),
        },
        Read::Search { words, within } => or_failed(search(client, words, within).await),
    }
}

fn not_loaded(conversation: ConversationId, error: &hushpost::Error) -> Update {
    Update::NotLoaded {
        conversation,
        why: error.to_string(),
    }
}

fn or_failed(result: hushpost::Result<Update>) -> Update {
    result.unwrap_or_else(|error| Update::Failed(error.to_string()))
}

async fn look(client: &Client, account: AccountId) -> hushpost::Result<Update> {
    let contact = client.contacts().get(account).await?;
    let troubles = client.troubles().await?;
    Ok(Update::Peer(
        account,
        Peer::new(account, contact.as_ref(), &troubles),
    ))
}

async fn contacts(client: &Client) -> hushpost::Result<Update> {
    let contacts = client.contacts().list().await?;
    Ok(Update::Contacts(
        contacts.into_iter().map(Person::from).collect(),
    ))
}

async fn search(
    client: &Client,
    words: String,
    within: Option<ConversationId>,
) -> hushpost::Result<Update> {
    let found = match within {
        Some(id) => client.conversation(id).search(&words, 0, MAX_HITS).await?,
        None => client.search(&words, 0, MAX_HITS).await?,
    };
    let mut hits = Vec::with_capacity(found.len());
    for hit in found {
        let conversation = client.conversation(hit.message.conversation);
        // Deleted meanwhile, perhaps.
        if let Ok(summary) = conversation.summary().await {
            hits.push(Hit::new(&hit, &summary));
        }
    }
    Ok(Update::Hits { words, hits })
}
