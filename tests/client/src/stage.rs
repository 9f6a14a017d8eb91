//! What the tests of other languages play on: a relay that can be killed, and a user of the Rust crate who answers.

use std::fs;
use std::path::{Path, PathBuf};

use hushpost::{AccountId, Client, Event, NewGroup};
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use tokio::task::JoinHandle;

use crate::echo::{self, Answered};
use crate::{Person, TestError, text};

/// A relay without rate limits, and a user of the Rust crate who accepts whoever writes and says every text back. The
/// relay ends when this is dropped.
#[derive(Debug)]
pub struct Stage {
    relay: RelayProcess,
    person: Person,
    answered: Answered,
    echo: Option<JoinHandle<Answered>>,
}

impl Stage {
    /// Starts the relay, and registers the Rust user. Blocks the thread while the relay starts.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn set() -> Result<Self, TestError> {
        let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
        let person = Person::registered("the Rust user", relay.address()).await?;
        let mut stage = Self {
            relay,
            person,
            answered: Answered::new(),
            echo: None,
        };
        stage.listen();
        stage.person.until_online().await?;
        Ok(stage)
    }

    /// Where the relay is. Its name is [`RELAY_NAME`](hushpost_harness::RELAY_NAME).
    #[must_use]
    pub fn relay_url(&self) -> String {
        format!("ws://{}", self.relay.address())
    }

    /// The Rust user's account.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.person.account
    }

    /// Kills the relay as a power cut would.
    ///
    /// # Errors
    /// [`TestError`] if it does not run.
    pub fn kill(&mut self) -> Result<(), TestError> {
        Ok(self.relay.kill()?)
    }

    /// Starts the relay again, on the same port, with what it had stored; the Rust user is connected again when this
    /// returns.
    ///
    /// # Errors
    /// [`TestError`] if it runs, or the port is somebody else's by now.
    pub async fn start(&mut self) -> Result<(), TestError> {
        if self.runs() {
            return Err(TestError::Stage("the relay runs"));
        }
        let before = self.relay.address();
        self.relay.restart()?;
        if self.relay.address() != before {
            // Nobody would find it.
            self.relay.kill()?;
            return Err(TestError::Stage("the port was taken meanwhile"));
        }
        // Not merely connected: the old connection's end may not have been noticed yet.
        self.person.client.disconnect().await;
        self.person.client.connect();
        self.person.until_online().await
    }

    /// Takes everything from the relay that it had stored: it is killed, if it runs, and started again.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn wipe(&mut self) -> Result<(), TestError> {
        if self.runs() {
            self.kill()?;
        }
        let store = self.relay.data_dir();
        fs::remove_dir_all(&store)?;
        fs::create_dir_all(&store)?;
        self.start().await
    }

    /// Puts an old copy of the Rust user's database back, as a backup of a phone would: it is set up anew, with new
    /// keys, and when this returns the relay has its newer device list.
    ///
    /// # Errors
    /// [`TestError`] if the relay does not run, or the copy was not noticed.
    pub async fn renew(&mut self) -> Result<(), TestError> {
        if !self.runs() {
            return Err(TestError::Stage("the relay does not run"));
        }
        self.person.client.close().await;
        if let Some(echo) = self.echo.take() {
            let ended = echo.await;
            self.answered = ended.map_err(|_| TestError::Stage("the Rust user's task failed"))?;
        }
        // Closed, it is one file.
        let database = self.person.database();
        let copy = fs::read(&database)?;
        self.person.reopen().await?;
        say_what_is_lost(&self.person.client).await?;
        self.person.client.close().await;
        put_back(&database, &copy)?;
        self.person.reopen().await?;
        let mut events = self.person.client.events();
        let anew = |event: &Event| *event == Event::SetUpAnew;
        self.person
            .until_event(&mut events, "to be set up anew", anew)
            .await?;
        self.listen();
        self.person.client.connect();
        self.person.until_online().await
    }

    /// Ends everything.
    ///
    /// # Errors
    /// [`TestError`] if the relay cannot be killed.
    pub async fn end(mut self) -> Result<(), TestError> {
        self.person.client.close().await;
        if self.runs() {
            self.kill()?;
        }
        Ok(())
    }

    fn runs(&self) -> bool {
        self.relay.pid().is_ok()
    }

    fn listen(&mut self) {
        let answered = std::mem::take(&mut self.answered);
        let echo = echo::run(self.person.client.clone(), answered);
        self.echo = Some(tokio::spawn(echo));
    }
}

/// Moves a ratchet, offline: a copy from before is an old one then. It is said to an account that nobody has, and
/// never leaves this device, so no message of anybody is lost with it.
async fn say_what_is_lost(client: &Client) -> Result<(), TestError> {
    let nobody = AccountId::of_key(&[0; 32]);
    let group = client.create_group(NewGroup::new("lost", [nobody])).await?;
    group.conversation().send(text("lost")?).await?;
    Ok(())
}

/// Puts a copy of a closed database in its place. What tells that it is old, beside it, stays.
fn put_back(database: &Path, copy: &[u8]) -> Result<(), TestError> {
    for log in ["-wal", "-shm"] {
        let mut file = database.as_os_str().to_owned();
        file.push(log);
        let file = PathBuf::from(file);
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    Ok(fs::write(database, copy)?)
}
