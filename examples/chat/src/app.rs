//! The chat without a terminal: state and tasks put together.

mod folder;
mod tasks;
mod watchers;

use std::io;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crossterm::event::Event;
use hushpost::{Client, Config};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::Backend;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Duration, Interval, MissedTickBehavior, interval};

use crate::effect::Effect;
use crate::layout::Pictures;
use crate::options::Options;
use crate::state::State;
use crate::update::Update;
use crate::view;
use crate::when::Now;
use folder::Folder;
use tasks::Tasks;
use watchers::Watchers;

/// Updates that wait for the state; then the tasks wait.
const UPDATES: usize = 256;

/// Why the chat did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChatError {
    /// There is no home folder to keep things in.
    #[error("no home folder is known: say where with --data")]
    NoHome,
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The key file is not one.
    #[error("{} holds no key: without it the database beside it cannot be read", .0.display())]
    Key(PathBuf),
    /// The database.
    #[error(transparent)]
    Client(#[from] hushpost::Error),
}

/// A running chat.
pub struct Chat {
    state: State,
    client: Client,
    tasks: Tasks,
    watchers: Watchers,
    updates: mpsc::Receiver<Update>,
    tick: Interval,
    bell: bool,
}

impl core::fmt::Debug for Chat {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Chat")
    }
}

impl Chat {
    /// Opens the database, or makes it with its key, and begins: registers if this is the first start, and
    /// connects. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// [`ChatError`]. A relay that is not there is none: the chat says so on its screen, and tries again.
    pub async fn open(options: Options) -> Result<Self, ChatError> {
        let folder = Folder::open(&options)?;
        let config = Config::new(folder.database(), folder.key()?, options.relay.clone());
        let client = Client::open(config).await?;
        let me = client.account_id().await?;
        let name = folder.user_name().unwrap_or_else(|| options.name.clone());
        let (said, updates) = mpsc::channel(UPDATES);
        let watchers = Watchers::start(&client, &said);
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut state = State::new(now(), name, me);
        if crate::options::has_colours() {
            state.pictures = Pictures::Drawn;
        }
        if let Some(what) = folder.made() {
            state.tell(&what);
        }
        let left = forget_unfinished(&client).await?;
        if !left.is_empty() {
            let names = left.join(", ");
            state.tell(&format!(
                "not sent before you left: {names}; /send it again"
            ));
        }
        let tasks = Tasks::start(&client, &said, folder.clone(), options);
        let mut chat = Self {
            state,
            client,
            tasks,
            watchers,
            updates,
            tick,
            bell: false,
        };
        chat.act();
        Ok(chat)
    }

    /// Takes in what the terminal says: keys, pasted text, whether it is looked at.
    pub fn terminal(&mut self, event: Event) {
        self.state.now = now();
        self.state.terminal(event);
        self.act();
    }

    /// Waits until something happened that may change the screen, and takes it in. May be dropped at any point.
    pub async fn changed(&mut self) {
        tokio::select! {
            Some(update) = self.updates.recv() => {
                self.state.now = now();
                self.state.take(update);
                // Many come at once; the screen is drawn once for them.
                while let Ok(update) = self.updates.try_recv() {
                    self.state.take(update);
                }
            }
            _ = self.tick.tick() => {
                self.state.now = now();
                self.state.tick();
            }
        }
        self.act();
    }

    /// Draws the screen. What is on it then counts as read, if the terminal is looked at.
    ///
    /// # Errors
    /// The terminal's.
    pub fn draw<B: Backend>(&mut self, terminal: &mut Terminal<B>) -> Result<(), B::Error> {
        let mut drawn = None;
        terminal.draw(|frame| drawn = Some(view::draw(frame, &self.state)))?;
        if let Some((shown, scroll)) = drawn {
            if let (Some(page), Some(most)) = (&mut self.state.page, scroll) {
                page.scroll_at_most(most);
            }
            self.state.drawn(shown);
            self.act();
        }
        Ok(())
    }

    /// Whether the bell is to ring; once for each time.
    pub fn rings(&mut self) -> bool {
        core::mem::take(&mut self.bell)
    }

    /// What the terminal's title should be.
    #[must_use]
    pub fn title(&self) -> String {
        match self.state.list.unread(self.state.now.ms) {
            0 => format!("hushpost: {}", self.state.name),
            unread => format!("({unread}) hushpost: {}", self.state.name),
        }
    }

    /// Whether the user wants to leave.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.over
    }

    /// Leaves: what was typed and said is on the disk when this returns.
    pub async fn close(mut self) {
        self.state.leave();
        self.act();
        self.watchers.stop();
        // Nobody takes updates any more, so nobody may wait for that.
        self.updates.close();
        self.tasks.finish().await;
        self.client.close().await;
    }

    fn act(&mut self) {
        for effect in self.state.effects() {
            match effect {
                Effect::Bell => self.bell = true,
                Effect::ListAgain => self.watchers.list_again(),
                effect => self.tasks.start_one(effect, &self.watchers),
            }
        }
    }
}

/// Files that were being uploaded when the chat ended: for which conversation is not known any more, so they are
/// given up, and their names told.
async fn forget_unfinished(client: &Client) -> hushpost::Result<Vec<String>> {
    let media = client.media();
    let mut names = Vec::new();
    for upload in media.unfinished().await? {
        match media.forget(upload.id).await {
            Ok(()) => names.push(upload.file_name),
            Err(hushpost::Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    });
    Now {
        ms,
        zone: TimeZone::system(),
    }
}
