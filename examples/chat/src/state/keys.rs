//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hushpost::Activity;

use crate::command;
use crate::effect::{Effect, Write};
use crate::model::Quote;
use crate::state::{Overlay, Pane, State, is_failed};

impl State {
    pub(crate) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let mut effects = match key.code {
            KeyCode::Char('c' | 'q') if ctrl => self.leave(),
            KeyCode::F(1) => {
                self.overlay = Some(Overlay::Help { scroll: 0 });
                Vec::new()
            }
            _ if self.overlay.is_some() => self.overlay_key(key.code),
            KeyCode::Tab | KeyCode::BackTab => {
                self.pane = match self.pane {
                    Pane::List => Pane::Input,
                    Pane::Input => Pane::List,
                };
                if self.list.selected_index().is_none() {
                    self.list.step(true);
                }
                Vec::new()
            }
            KeyCode::Up if alt => self.switch(false),
            KeyCode::Down if alt => self.switch(true),
            KeyCode::Char('p') if ctrl => self.switch(false),
            KeyCode::Char('n') if ctrl => self.switch(true),
            KeyCode::PageUp => self.scroll(true),
            KeyCode::PageDown => self.scroll(false),
            KeyCode::Home if ctrl => self.to_oldest(),
            KeyCode::End if ctrl => self.to_newest(),
            code if self.pane == Pane::List => self.list_key(code),
            code => self.input_key(code, ctrl, alt || key.modifiers.contains(KeyModifiers::SHIFT)),
        };
        effects.extend(self.settle());
        effects
    }

    /// Several lines at once: never a command, never sent by its line ends.
    pub(crate) fn paste(&mut self, text: &str) -> Vec<Effect> {
        if self.overlay.is_some() {
            return Vec::new();
        }
        self.pane = Pane::Input;
        self.type_text(text)
    }

    pub(super) fn leave(&mut self) -> Vec<Effect> {
        self.quit = true;
        self.keep_draft()
    }

    fn overlay_key(&mut self, code: KeyCode) -> Vec<Effect> {
        match code {
            KeyCode::Esc | KeyCode::Char('q') => self.overlay = None,
            KeyCode::Enter => return self.choose(),
            KeyCode::Up | KeyCode::Char('k') => self.step_overlay(false, 1),
            KeyCode::Down | KeyCode::Char('j') => self.step_overlay(true, 1),
            KeyCode::PageUp => self.step_overlay(false, 10),
            KeyCode::PageDown => self.step_overlay(true, 10),
            _ => {}
        }
        Vec::new()
    }

    fn list_key(&mut self, code: KeyCode) -> Vec<Effect> {
        match code {
            KeyCode::Up | KeyCode::Char('k') => {
                self.list.step(false);
            }
            KeyCode::Down | KeyCode::Char('j') => {
                self.list.step(true);
            }
            KeyCode::Char('a') => self.toggle_archive_view(),
            KeyCode::Esc => self.pane = Pane::Input,
            KeyCode::Char('/') => {
                self.pane = Pane::Input;
                if self.input.is_empty() {
                    return self.type_text("/");
                }
            }
            KeyCode::Enter => {
                let shown = self.list.shown();
                let at = self.list.selected_index();
                let chosen = at.and_then(|at| shown.get(at));
                if let Some((id, peer)) = chosen.map(|entry| (entry.id, entry.peer)) {
                    return self.open(id, peer);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn toggle_archive_view(&mut self) {
        self.list.archived = !self.list.archived;
        self.list.selected = self.list.shown().first().map(|entry| entry.id);
        self.pane = Pane::List;
    }

    /// Opens the conversation above or below.
    fn switch(&mut self, down: bool) -> Vec<Effect> {
        self.list.selected = self.open.as_ref().map(|open| open.id);
        match self.list.step(down).map(|entry| (entry.id, entry.peer)) {
            Some((id, peer)) => self.open(id, peer),
            None => Vec::new(),
        }
    }

    fn input_key(&mut self, code: KeyCode, ctrl: bool, more_lines: bool) -> Vec<Effect> {
        match code {
            KeyCode::Enter if more_lines => return self.type_text("\n"),
            KeyCode::Char('j') if ctrl => return self.type_text("\n"),
            KeyCode::Enter => return self.submit(),
            KeyCode::Char('r') if ctrl => self.reply_to_selected(),
            KeyCode::Char('a') if ctrl => self.input.home(),
            KeyCode::Char('e') if ctrl => self.input.end(),
            KeyCode::Char('u') if ctrl => return self.edit(crate::input::Input::delete_line),
            KeyCode::Char('w') if ctrl => return self.edit(crate::input::Input::delete_word),
            KeyCode::Backspace if ctrl || more_lines => {
                return self.edit(crate::input::Input::delete_word);
            }
            KeyCode::Char(_) if ctrl => {}
            KeyCode::Char(c) => return self.type_text(c.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace => return self.edit(crate::input::Input::backspace),
            KeyCode::Delete => return self.edit(crate::input::Input::delete),
            KeyCode::Left if ctrl => self.input.word_left(),
            KeyCode::Right if ctrl => self.input.word_right(),
            KeyCode::Left => self.input.left(),
            KeyCode::Right => self.input.right(),
            KeyCode::Home => self.input.home(),
            KeyCode::End => self.input.end(),
            KeyCode::Up => {
                if !self.input.up() {
                    self.select(true);
                }
            }
            KeyCode::Down => {
                let selecting = self.selected_message().is_some();
                if selecting || !self.input.down() {
                    self.select(false);
                }
            }
            KeyCode::Esc => {
                if let Some(open) = &mut self.open {
                    open.reply = None;
                    open.history.selected = None;
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn type_text(&mut self, text: &str) -> Vec<Effect> {
        let fits = self.input.insert(text);
        if !fits {
            self.warn("that is longer than a message can be");
        }
        self.edited()
    }

    fn edit(&mut self, change: fn(&mut crate::input::Input)) -> Vec<Effect> {
        let had_text = !self.input.is_empty();
        change(&mut self.input);
        if had_text { self.edited() } else { Vec::new() }
    }

    /// The other sees that something is being written, unless it is a command.
    fn edited(&mut self) -> Vec<Effect> {
        self.edited_ms = self.now.ms;
        let Some(open) = &self.open else {
            return Vec::new();
        };
        let silent = open.is_request(&self.list)
            || open.peer_state.blocked
            || command::read(self.input.text()).is_some();
        if silent {
            return Vec::new();
        }
        let activity = if self.input.is_empty() {
            Activity::Stopped
        } else {
            Activity::Typing
        };
        vec![Effect::Write(Write::Activity(open.id, activity))]
    }

    fn submit(&mut self) -> Vec<Effect> {
        let typed = self.input.text();
        if let Some(command) = command::read(typed) {
            return match command {
                Ok(command) => {
                    self.input.take();
                    self.run(command)
                }
                Err(why) => {
                    self.warn(&why);
                    Vec::new()
                }
            };
        }
        if typed.trim().is_empty() {
            return self.retry_selected();
        }
        let text = command::unescape(typed).to_owned();
        self.input.take();
        self.send(text)
    }

    pub(super) fn retry_selected(&mut self) -> Vec<Effect> {
        let Some(open) = &self.open else {
            return Vec::new();
        };
        match open.history.selected_item() {
            Some(item) if is_failed(item.state) => {
                vec![Effect::Write(Write::Retry(open.id, item.id))]
            }
            _ => Vec::new(),
        }
    }

    fn reply_to_selected(&mut self) {
        let Some(open) = &mut self.open else {
            return;
        };
        let quote = open.history.selected_item().map(|item| Quote {
            to: item.id,
            text: item.excerpt(),
        });
        if quote.is_none() {
            self.inform("select a message with ↑ first");
        } else {
            open.reply = quote;
        }
    }

    /// Selects the message above or below.
    fn select(&mut self, back: bool) {
        let size = self.drawn.size;
        let last_shown = self.drawn.window.complete.unwrap_or(self.drawn.window.last);
        let Some(open) = &mut self.open else {
            return;
        };
        let Some(at) = open.history.select(back, last_shown) else {
            if !back {
                open.history.selected = None;
            }
            return;
        };
        if let Some(open) = &self.open {
            let viewport = self.look(open, size).revealed(at);
            self.set_viewport(viewport);
        }
    }

    fn scroll(&mut self, up: bool) -> Vec<Effect> {
        let size = self.drawn.size;
        if let Some(open) = &self.open {
            let lines = size.1.saturating_sub(2).max(1);
            let viewport = self.look(open, size).scrolled(up, lines);
            self.set_viewport(viewport);
        }
        Vec::new()
    }

    fn set_viewport(&mut self, viewport: crate::state::history::Viewport) {
        if let Some(open) = &mut self.open {
            open.history.viewport = viewport;
        }
    }
}
