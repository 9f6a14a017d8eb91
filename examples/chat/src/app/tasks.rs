//! Does what the state wants: reads one after the other, writes one after the other, questions to the relay each
//! by itself. The screen waits for none of them.

mod files;
mod groups;
mod history;
mod lists;
mod messages;
mod relay;
mod writes;

use hushpost::{AccountId, Client, ConversationId, Error};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::folder::Folder;
use crate::app::watchers::Watchers;
use crate::effect::{Effect, Read, Write};
use crate::model::{Item, Peer, Person};
use crate::options::Options;
use crate::update::Update;
use files::Files;

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
    files: Files,
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
            files: Files::default(),
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
            Effect::File(task) => self.files.start(&self.context, task),
            Effect::Bell | Effect::ListAgain => {}
        }
    }

    /// Ends, once everything that was to be written is.
    pub(super) async fn finish(mut self) {
        self.questions.shutdown().await;
        self.files.finish().await;
        self.reading.abort();
        self.writes = None;
        // It fails only if the runtime ends, and then all is over.
        drop(self.writing.await);
    }
}

async fn read_all(context: Context, mut reads: UnboundedReceiver<Read>) {
    while let Some(read) = reads.recv().await {
        let update = read_one(&context, read).await;
        context.say(update).await;
    }
}

async fn read_one(context: &Context, read: Read) -> Update {
    let client = &context.client;
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
            Err(Error::NotFound(_)) => Update::Failed(
                "there is no safety number before the first message has been exchanged".to_owned(),
            ),
            Err(error) => Update::Failed(error.to_string()),
        },
        Read::Search { words, within } => or_failed(lists::search(client, words, within).await),
        Read::Starred => or_failed(lists::starred(client).await),
        Read::Pinned(id) => or_failed(lists::pinned(client, id).await),
        Read::Files(id) => or_failed(lists::files(client, id).await),
        Read::Info(id, message) => or_failed(lists::info(client, id, message).await),
        // Deleted meanwhile, perhaps; then nobody looks at it.
        Read::About(id) => Update::About(id, groups::about(context, id).await.ok()),
    }
}

fn not_loaded(conversation: ConversationId, error: &Error) -> Update {
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

/// What to do about it, where something can be done.
fn explain(error: &Error) -> String {
    match error {
        Error::Blocked => "they are blocked here: /unblock first".to_owned(),
        Error::VerificationNeeded => {
            "their devices changed: compare (/verify), then /accept-change".to_owned()
        }
        Error::NotRegistered => "this device is not registered yet".to_owned(),
        other => other.to_string(),
    }
}
