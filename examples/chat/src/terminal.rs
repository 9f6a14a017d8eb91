//! The real terminal: made ready, and given back however the program ends.

use std::io::{self, Stdout, Write as _, stdout};

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, EventStream,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use futures_util::StreamExt as _;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::Chat;

/// Gives the terminal back when it is dropped.
struct Taken;

impl Taken {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let taken = Self;
        execute!(
            stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange
        )?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // There is nobody left to tell.
    drop(execute!(
        stdout(),
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        crossterm::cursor::Show
    ));
    drop(disable_raw_mode());
}

/// Runs a chat on this process's terminal until the user leaves or the process is asked to end.
///
/// # Errors
/// The terminal's. It is given back first.
pub async fn run(mut chat: Chat) -> io::Result<()> {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
    let taken = Taken::take()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let shown = show(&mut chat, &mut terminal).await;
    drop(taken);
    chat.close().await;
    shown
}

async fn show(
    chat: &mut Chat,
    terminal: &mut Terminal<CrosstermBackend<Stdout>>,
) -> io::Result<()> {
    let mut keys = EventStream::new();
    let mut title = String::new();
    let mut asked_to_end = core::pin::pin!(asked_to_end());
    while !chat.is_over() {
        chat.draw(terminal)?;
        if chat.title() != title {
            title = chat.title();
            execute!(stdout(), SetTitle(&title))?;
        }
        if chat.rings() {
            let mut out = stdout();
            out.write_all(b"\x07")?;
            out.flush()?;
        }
        tokio::select! {
            key = keys.next() => match key {
                Some(event) => chat.terminal(event?),
                None => return Ok(()),
            },
            () = chat.changed() => {}
            () = &mut asked_to_end => return Ok(()),
        }
    }
    Ok(())
}

/// Until the system wants the process gone: the window was closed, or the machine goes down.
#[cfg(unix)]
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut end), Ok(mut gone), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
        signal(SignalKind::interrupt()),
    ) else {
        return core::future::pending().await;
    };
    tokio::select! {
        _ = end.recv() => {}
        _ = gone.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn asked_to_end() {
    core::future::pending().await
}
