//! What keys do. All of them are on the help page: [`HELP`].

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::command;
use crate::effect::{GroupWrite, Place, Write};
use crate::layout;
use crate::state::page::{Page, Question};
use crate::state::{Focus, State};

/// The keys, for the help page.
pub(crate) const HELP: &[(&str, &str)] = &[
    (
        "Enter",
        "send; with a selected message and nothing typed: answer it",
    ),
    ("Alt+Enter, Ctrl+J", "a new line"),
    (
        "Up, Down",
        "select a message (with nothing typed), or move in what is typed",
    ),
    ("Ctrl+R", "answer the selected message"),
    ("PageUp, PageDown", "scroll"),
    ("Ctrl+Home, Ctrl+End", "to the oldest, to the newest"),
    (
        "Tab",
        "to the conversations and back; there: Up, Down, Enter",
    ),
    ("Alt+Up, Alt+Down", "the conversation above, the one below"),
    (
        "Ctrl+W, Ctrl+U",
        "delete a word, delete to the beginning of the line",
    ),
    (
        "Escape",
        "close a page, end a selection, an edit or an answer",
    ),
    ("F1", "this page"),
    ("Ctrl+C", "leave"),
];

impl State {
    /// Takes in what the terminal says.
    pub(crate) fn terminal(&mut self, event: Event) {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Paste(text) if self.page.is_none() => {
                self.focus = Focus::Input;
                self.type_in(&text);
            }
            Event::FocusGained => self.looked_at = true,
            Event::FocusLost => self.looked_at = false,
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent) {
        // Whoever types looks: some terminals do not say so.
        self.looked_at = true;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'q') if control => return self.leave(),
            KeyCode::F(1) => {
                self.page = Some(Page::Help { scroll: 0 });
                return;
            }
            _ => {}
        }
        if self.page.is_some() {
            self.page_key(key);
        } else if self.focus == Focus::List {
            self.list_key(key);
        } else {
            self.input_key(key);
        }
    }

    fn page_key(&mut self, key: KeyEvent) {
        let Some(page) = &mut self.page else {
            return;
        };
        if let Page::Ask(question) = page {
            let question = question.clone();
            match key.code {
                KeyCode::Char('y' | 'Y') => {
                    self.page = None;
                    self.answered(&question);
                }
                KeyCode::Char('n' | 'N') | KeyCode::Esc => self.page = None,
                _ => {}
            }
            return;
        }
        match key.code {
            KeyCode::Up => page.step(false, 1),
            KeyCode::Down => page.step(true, 1),
            KeyCode::PageUp => page.step(false, 10),
            KeyCode::PageDown => page.step(true, 10),
            KeyCode::Esc | KeyCode::Char('q') => self.page = None,
            KeyCode::Enter => self.choose(),
            _ => {}
        }
    }

    fn answered(&mut self, question: &Question) {
        match question {
            Question::Delete { conversation, .. } => {
                // Nothing of it is to be written back.
                self.close();
                self.write(Write::Delete(*conversation));
            }
            Question::Leave { group, .. } => {
                self.write(Write::Group(*group, GroupWrite::Leave));
            }
            Question::Moved { account, .. } => self.write(Write::Open(*account)),
        }
    }

    /// Enter on a page.
    fn choose(&mut self) {
        match self.page.take() {
            Some(Page::Contacts { people, selected }) => {
                if let Some(person) = people.get(selected) {
                    self.write(Write::Open(person.account));
                }
            }
            Some(Page::Members { selected }) => self.choose_member(selected),
            Some(Page::Hits { hits, selected, .. }) => {
                if let Some(hit) = hits.get(selected) {
                    let at = (hit.item.cursor, hit.item.id);
                    self.open_at(hit.conversation, hit.peer, hit.name.clone(), at);
                }
            }
            _ => {}
        }
    }

    fn list_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Up => {
                self.list.step(false);
            }
            KeyCode::Down => {
                self.list.step(true);
            }
            KeyCode::Enter => self.open_selected(),
            KeyCode::Tab | KeyCode::Esc => self.focus = Focus::Input,
            KeyCode::Char(_) => {
                self.focus = Focus::Input;
                self.input_key(key);
            }
            _ => {}
        }
    }

    fn open_selected(&mut self) {
        let at = self.list.selected_index().unwrap_or(0);
        if let Some(entry) = self.list.shown().get(at) {
            let (id, peer, name) = (entry.id, entry.peer, entry.name.clone());
            self.open(id, peer, name);
        }
    }

    fn input_key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let before = self.input.text().len();
        match key.code {
            KeyCode::Enter if alt || key.modifiers.contains(KeyModifiers::SHIFT) => {
                self.type_in("\n");
            }
            KeyCode::Char('j') if control => self.type_in("\n"),
            KeyCode::Enter => self.entered(),
            KeyCode::Char('r') if control => self.answer_selected(),
            KeyCode::Up if alt => self.neighbour(false),
            KeyCode::Down if alt => self.neighbour(true),
            KeyCode::Up => self.up(),
            KeyCode::Down => self.down(),
            KeyCode::PageUp => self.scroll(true),
            KeyCode::PageDown => self.scroll(false),
            KeyCode::Home if control => self.go_to(Place::Oldest),
            KeyCode::End if control => self.go_to(Place::Newest),
            KeyCode::Home => self.input.home(),
            KeyCode::End => self.input.end(),
            KeyCode::Char('a') if control => self.input.home(),
            KeyCode::Char('e') if control => self.input.end(),
            KeyCode::Char('w') if control => self.input.delete_word(),
            KeyCode::Char('u') if control => self.input.delete_line(),
            KeyCode::Backspace if alt || control => self.input.delete_word(),
            KeyCode::Backspace => self.input.backspace(),
            KeyCode::Delete => self.input.delete(),
            KeyCode::Left if alt || control => self.input.word_left(),
            KeyCode::Right if alt || control => self.input.word_right(),
            KeyCode::Left => self.input.left(),
            KeyCode::Right => self.input.right(),
            KeyCode::Tab => self.focus = Focus::List,
            KeyCode::Esc => self.escape(),
            KeyCode::Char(c) if !control && !alt => self.type_in(c.encode_utf8(&mut [0; 4])),
            _ => {}
        }
        if self.input.text().len() < before && key.code != KeyCode::Enter {
            self.typed();
        }
    }

    /// The conversation above or below.
    fn neighbour(&mut self, below: bool) {
        if self.list.step(below).is_some() {
            self.open_selected();
        }
    }

    fn up(&mut self) {
        if !self.input.up() {
            self.select(true);
        }
    }

    fn down(&mut self) {
        if !self.input.down() {
            self.select(false);
        }
    }

    fn type_in(&mut self, text: &str) {
        if self.input.insert(text) {
            self.typed();
        } else {
            self.warn("that is more than one message holds");
        }
    }

    fn escape(&mut self) {
        if let Some(open) = &mut self.open {
            if open.history.selected.is_some() {
                open.history.selected = None;
            } else if open.editing.take().is_some() {
                self.input.take();
            } else {
                open.reply = None;
            }
        }
    }

    fn entered(&mut self) {
        if self.input.text().trim().is_empty() {
            self.answer_selected();
            return;
        }
        match command::read(self.input.text().trim_end()) {
            Some(Ok(command)) => {
                self.input.take();
                self.save_draft();
                self.run(command);
            }
            // It stays, to be put right.
            Some(Err(why)) => self.warn(&why),
            None => {
                let typed = self.input.take();
                let text = command::unescape(typed.trim_end());
                if self.edited(text).is_none() {
                    self.send(text);
                }
            }
        }
    }

    /// Selects the message before or after, and shows it.
    fn select(&mut self, back: bool) {
        let last = self.shown.last.unwrap_or(0);
        let (first, rows) = (self.shown.first, self.shown.rows);
        let Some(open) = &mut self.open else {
            return;
        };
        match open.history.select(back, last) {
            Some(at) => {
                let look = layout::Look {
                    now: &self.now,
                    columns: self.shown.columns,
                    me: self.me,
                    with: open.peer,
                    with_name: &open.name,
                    people: &self.people,
                    pictures: self.pictures,
                };
                if at <= first || at > last {
                    open.history.viewport = layout::to_show(&open.history, &look, rows, at);
                }
            }
            None if !back => open.history.selected = None,
            None => {}
        }
    }

    /// A screen up or down, less two lines to go on from.
    fn scroll(&mut self, up: bool) {
        let rows = self.shown.rows;
        let by = rows.saturating_sub(2).max(1);
        if let Some(open) = &self.open {
            let viewport = layout::scrolled(&open.history, &self.look(), rows, up, by);
            if let Some(open) = &mut self.open {
                open.history.viewport = viewport;
            }
        }
    }
}
