//! What the SDK says by itself: events, the connection's state, both conversation lists, what people are called.

use futures_util::{Stream, StreamExt as _};
use hushpost::Client;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use crate::model::{ListUpdate, Person};
use crate::update::Update;

/// Until a list that could not be read is read again.
const REST: Duration = Duration::from_secs(1);

/// The tasks; they end when this is dropped.
pub(super) struct Watchers {
    tasks: JoinSet<()>,
    again: watch::Sender<()>,
}

impl Watchers {
    pub(super) fn start(client: &Client, updates: &Sender<Update>) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(forward(client.events().map(Update::Event), updates.clone()));
        let states = client.connection_states().map(Update::Connection);
        tasks.spawn(forward(states, updates.clone()));
        let (again, _) = watch::channel(());
        for archived in [false, true] {
            let lists = lists(client.clone(), archived, again.subscribe(), updates.clone());
            tasks.spawn(lists);
        }
        tasks.spawn(people(client.clone(), again.subscribe(), updates.clone()));
        Self { tasks, again }
    }

    /// Reads the lists anew: some changes of contacts are no events.
    pub(super) fn list_again(&self) {
        self.again.send_replace(());
    }

    /// For tasks that learn that the lists are to be read anew.
    pub(super) fn again(&self) -> watch::Sender<()> {
        self.again.clone()
    }

    pub(super) fn stop(&mut self) {
        self.tasks.abort_all();
    }
}

async fn forward(mut stream: impl Stream<Item = Update> + Unpin, updates: Sender<Update>) {
    while let Some(update) = stream.next().await {
        if updates.send(update).await.is_err() {
            return;
        }
    }
}

async fn people(client: Client, mut again: watch::Receiver<()>, updates: Sender<Update>) {
    loop {
        again.mark_unchanged();
        let Ok(contacts) = client.contacts().list().await else {
            sleep(REST).await;
            continue;
        };
        let people = contacts.into_iter().map(Person::from).collect();
        if updates.send(Update::People(people)).await.is_err() {
            return;
        }
        if again.changed().await.is_err() {
            return;
        }
    }
}

async fn lists(
    client: Client,
    archived: bool,
    mut again: watch::Receiver<()>,
    updates: Sender<Update>,
) {
    loop {
        again.mark_unchanged();
        let mut changes = client.conversations().observe(archived);
        loop {
            tokio::select! {
                asked = again.changed() => match asked {
                    Ok(()) => break,
                    Err(_) => return,
                },
                change = changes.next() => {
                    let Some(change) = change.map(ListUpdate::new) else {
                        sleep(REST).await;
                        break;
                    };
                    if updates.send(Update::List { archived, change }).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
