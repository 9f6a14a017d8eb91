//! Files on their way.

use hushpost::{Progress, Stage};

use crate::command::FileCommand;
use crate::effect::{Effect, FileTask, Read};
use crate::model::Body;
use crate::state::State;

/// A file on its way.
#[derive(Debug)]
struct Transfer {
    number: u64,
    up: bool,
    name: String,
    progress: Option<Progress>,
}

/// All of them, in the order of their beginnings.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    begun: u64,
    running: Vec<Transfer>,
}

impl Transfers {
    fn begin(&mut self, up: bool, name: &str) -> u64 {
        self.begun = self.begun.saturating_add(1);
        self.running.push(Transfer {
            number: self.begun,
            up,
            name: crate::text::clean_line(name),
            progress: None,
        });
        self.begun
    }

    fn note(&mut self, number: u64, name: &str, progress: Progress) {
        let mut all = self.running.iter_mut();
        if let Some(transfer) = all.find(|transfer| transfer.number == number) {
            transfer.name = crate::text::clean_line(name);
            transfer.progress = Some(progress);
        }
    }

    fn end(&mut self, number: u64) {
        self.running.retain(|transfer| transfer.number != number);
    }

    /// The newest, for the last line; empty if there is none.
    pub(crate) fn shown(&self) -> String {
        let Some(newest) = self.running.last() else {
            return String::new();
        };
        let sign = if newest.up { '↑' } else { '↓' };
        let how_far = match newest.progress {
            // Before it is made ready, nothing is known of it.
            Some(progress) if progress.stage == Stage::Waiting && progress.total > 0 => {
                "waits".to_owned()
            }
            Some(progress) => {
                let percent = progress.done.saturating_mul(100);
                match percent.checked_div(progress.total) {
                    Some(percent) => format!("{}%", percent.min(100)),
                    None => "…".to_owned(),
                }
            }
            None => "…".to_owned(),
        };
        let name = crate::text::cut(&newest.name, 24);
        match self.running.len().saturating_sub(1) {
            0 => format!("{sign} {name} {how_far}"),
            more => format!("{sign} {name} {how_far}, {more} more"),
        }
    }
}

impl State {
    pub(super) fn run_file(&mut self, command: FileCommand) {
        let Some(open) = &self.open else {
            self.warn("open a conversation first");
            return;
        };
        let conversation = open.id;
        match command {
            FileCommand::List => self.read(Read::Files(conversation)),
            FileCommand::Send {
                path,
                caption,
                as_it_is,
            } => {
                let name = path.rsplit('/').next().unwrap_or(&path);
                let transfer = self.transfers.begin(true, name);
                self.effects.push(Effect::File(FileTask::Send {
                    transfer,
                    conversation,
                    path,
                    caption,
                    as_it_is,
                }));
            }
            FileCommand::Save(to) => {
                let has_files =
                    |item: &&crate::model::Item| matches!(item.body, Body::Files { .. });
                let Some(item) = open.target(has_files) else {
                    self.warn("select a message with a file first: Up from an empty line");
                    return;
                };
                let message = item.id;
                let name = item.body.line();
                let transfer = self.transfers.begin(false, &name);
                self.effects.push(Effect::File(FileTask::Save {
                    transfer,
                    message,
                    to,
                }));
            }
        }
    }

    /// Stops the newest. Says whether there was one.
    pub(super) fn stop_transfer(&mut self) -> bool {
        let Some(newest) = self.transfers.running.last() else {
            return false;
        };
        self.effects
            .push(Effect::File(FileTask::Stop(newest.number)));
        true
    }

    pub(super) fn transferred(&mut self, number: u64, name: &str, progress: Progress) {
        self.transfers.note(number, name, progress);
    }

    pub(super) fn transfer_ended(&mut self, number: u64, end: Result<Option<String>, String>) {
        self.transfers.end(number);
        match end {
            Ok(Some(said)) => self.info(&said),
            Ok(None) => {}
            Err(why) => self.warn(&why),
        }
    }
}
