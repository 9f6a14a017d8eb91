//! A person at a terminal that is not there: presses keys, reads the screen.

use std::error::Error;
use std::path::Path;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures_util::future::select_all;
use hushpost::RelayUrl;
use hushpost_chat::{Chat, Options};
use hushpost_harness::{PATIENCE, RELAY_NAME, RelayProcess};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use tokio::time::timeout;

/// How a test ends.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Somebody at a terminal of 100 columns and 30 rows.
pub struct Person {
    pub chat: Chat,
    screen: Terminal<TestBackend>,
}

impl Person {
    pub async fn sit_down(name: &str, folder: &Path, relay: &RelayProcess) -> Outcome<Self> {
        let url = format!("ws://{}", relay.address())
            .parse::<RelayUrl>()?
            .with_relay_name(RELAY_NAME)?;
        let options = Options {
            name: name.to_owned(),
            data: Some(folder.join(name)),
            downloads: Some(folder.join(format!("{name}-downloads"))),
            relay: url,
            invite: None,
            token: None,
        };
        Ok(Self {
            chat: Chat::open(options).await?,
            screen: Terminal::new(TestBackend::new(100, 30))?,
        })
    }

    pub fn press(&mut self, code: KeyCode) {
        self.press_with(code, KeyModifiers::NONE);
    }

    pub fn press_with(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.chat
            .terminal(Event::Key(KeyEvent::new(code, modifiers)));
    }

    pub fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.press(KeyCode::Char(c));
        }
    }

    pub fn enters(&mut self, line: &str) {
        self.types(line);
        self.press(KeyCode::Enter);
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        let buffer = self.screen.backend().buffer();
        let columns = usize::from(buffer.area.width).max(1);
        let rows = buffer.content.chunks(columns);
        let rows = rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect());
        rows.collect::<Vec<String>>().join("\n")
    }

    pub fn sees(&self, text: &str) -> bool {
        self.screen().contains(text)
    }

    /// The lowest row with this text: the list stands above the newest message.
    pub fn row(&self, text: &str) -> String {
        let screen = self.screen();
        let row = screen.lines().rfind(|row| row.contains(text));
        row.unwrap_or_default().to_owned()
    }

    /// Whether the message with this text has two ticks in the colour of what was read.
    pub fn sees_as_read(&self, text: &str) -> bool {
        let buffer = self.screen.backend().buffer();
        let columns = usize::from(buffer.area.width).max(1);
        buffer.content.chunks(columns).any(|row| {
            let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            let ticks = row
                .iter()
                .filter(|cell| cell.symbol() == "✓" && cell.fg == Color::Cyan);
            line.contains(text) && ticks.count() == 2
        })
    }

    fn draw(&mut self) -> Outcome {
        Ok(self.chat.draw(&mut self.screen)?)
    }
}

/// Lets both go on until it is so; fails with both screens if it never is.
#[allow(dead_code, reason = "not every test file has two people")]
pub async fn until(
    what: &str,
    alice: &mut Person,
    bob: &mut Person,
    so: impl Fn(&Person, &Person) -> bool,
) -> Outcome {
    until_all(what, &mut [alice, bob], |people| match people {
        [alice, bob] => so(alice, bob),
        _ => false,
    })
    .await
}

/// Lets all of them go on until it is so; fails with all screens if it never is.
pub async fn until_all(
    what: &str,
    people: &mut [&mut Person],
    so: impl Fn(&[&mut Person]) -> bool,
) -> Outcome {
    let watching = async {
        loop {
            for person in &mut *people {
                person.draw()?;
            }
            if so(people) {
                return Ok(());
            }
            turn(people).await?;
        }
    };
    if let Ok(seen) = timeout(PATIENCE, watching).await {
        return seen;
    }
    let screens = people.iter().map(|person| person.screen());
    let screens = screens.collect::<Vec<_>>().join("\n");
    Err(format!("never: {what}\n{screens}").into())
}

/// Lets them go on until something happens to one of them.
pub async fn turn(people: &mut [&mut Person]) -> Outcome {
    for person in &mut *people {
        person.draw()?;
    }
    let changes = people
        .iter_mut()
        .map(|person| Box::pin(person.chat.changed()));
    select_all(changes).await;
    Ok(())
}
