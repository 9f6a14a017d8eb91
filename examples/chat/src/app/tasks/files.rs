//! Files: each is sent or saved by itself, and can be stopped.
//!
//! Must never: write over a file that is there.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::{Stream, StreamExt as _};
use hushpost::{Attachment, Content, Error, MediaError, MessageRef, Progress, Text, UploadOptions};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{Context, explain};
use crate::effect::FileTask;
use crate::update::Update;

/// Names that are tried for one file.
const MOST_NAMES: u32 = 1_000;

/// What runs.
#[derive(Default)]
pub(super) struct Files {
    running: JoinSet<()>,
    stops: BTreeMap<u64, oneshot::Sender<()>>,
}

impl Files {
    pub(super) fn start(&mut self, context: &Context, task: FileTask) {
        while self.running.try_join_next().is_some() {}
        self.stops.retain(|_, stop| !stop.is_closed());
        let number = match &task {
            FileTask::Send { transfer, .. } | FileTask::Save { transfer, .. } => *transfer,
            FileTask::Stop(transfer) => {
                if let Some(stop) = self.stops.remove(transfer) {
                    // It ended by itself meanwhile, perhaps.
                    let _ended = stop.send(());
                }
                return;
            }
        };
        let (stop, stopped) = oneshot::channel();
        self.stops.insert(number, stop);
        let context = context.clone();
        self.running.spawn(async move {
            let end = match task {
                FileTask::Send {
                    conversation,
                    path,
                    caption,
                    as_it_is,
                    ..
                } => {
                    let path = at_home(&path);
                    let about = (path, caption, as_it_is);
                    send(&context, number, conversation, about, stopped).await
                }
                FileTask::Save { message, to, .. } => {
                    save(&context, number, message, to, stopped).await
                }
                FileTask::Stop(_) => return,
            };
            context.say(Update::TransferEnded(number, end)).await;
        });
    }

    /// Ends all of it. What was uploaded and not sent is told at the next start.
    pub(super) async fn finish(mut self) {
        self.running.shutdown().await;
    }
}

/// What is to be told: at the end, or why there was none.
type End = Result<Option<String>, String>;

async fn send(
    context: &Context,
    number: u64,
    conversation: hushpost::ConversationId,
    (path, caption, as_it_is): (PathBuf, Option<String>, bool),
    stopped: oneshot::Receiver<()>,
) -> End {
    let name = file_name(&path);
    let not_sent = |error: &Error| format!("{name} was not sent: {}", explain(error));
    let caption = caption.map(Text::new).transpose();
    let caption = caption.map_err(|error| not_sent(&error.into()))?;
    let mut options = UploadOptions::new();
    if as_it_is {
        options = options.as_document();
    }
    let upload = context.client.media().upload(path, options);
    let watched = watch(context, number, &name, upload.progress());
    let uploaded = tokio::select! {
        uploaded = upload.finished() => uploaded,
        never = watched => match never {},
        () = stop(stopped) => {
            upload.cancel();
            upload.finished().await
        }
    };
    let file = match uploaded {
        Ok(file) => file,
        Err(error) => {
            if matches!(
                &error,
                Error::Relay(_) | Error::Media(MediaError::Cancelled)
            ) {
                forget(context, &name).await;
            }
            return Err(not_sent(&error));
        }
    };
    let conversation = context.client.conversation(conversation);
    let sent = conversation.send_attachments(vec![file], caption).await;
    sent.map(|_| None).map_err(|error| not_sent(&error))
}

/// Nobody goes on with it. Of several files of one name the newest is meant, as it is the newest that is stopped.
async fn forget(context: &Context, name: &str) {
    let media = context.client.media();
    if let Ok(unfinished) = media.unfinished().await
        && let Some(upload) = unfinished.iter().rfind(|one| one.file_name == name)
    {
        // If it cannot be now, the next start does it.
        let _next_time = media.forget(upload.id).await;
    }
}

async fn save(
    context: &Context,
    number: u64,
    message: MessageRef,
    to: Option<String>,
    stopped: oneshot::Receiver<()>,
) -> End {
    let not_saved = |error: &Error| format!("not saved: {}", explain(error));
    let found = context.client.message(message).await;
    let Some(message) = found.map_err(|error| not_saved(&error))? else {
        return Err("not saved: the message is gone".to_owned());
    };
    let Content::Attachments(files) = &message.content else {
        return Err("not saved: it has no file".to_owned());
    };
    let work = async {
        let mut saved = Vec::new();
        for file in files.items() {
            let path = save_one(context, number, file, to.as_deref()).await;
            saved.push(path.map_err(|error| not_saved(&error))?);
        }
        let paths: Vec<_> = saved
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Ok(Some(format!("saved: {}", paths.join(", "))))
    };
    tokio::select! {
        end = work => end,
        () = stop(stopped) => Err("not saved: it was stopped".to_owned()),
    }
}

async fn save_one(
    context: &Context,
    number: u64,
    file: &Attachment,
    to: Option<&str>,
) -> Result<PathBuf, Error> {
    let media = context.client.media();
    let download = media.download(file);
    // Whoever stops it, or leaves, gives the download up as well; what came is gone on from next time.
    let given_up = GiveUp(&download);
    let watched = watch(context, number, file.file_name(), download.progress());
    tokio::select! {
        done = download.finished() => done?,
        never = watched => match never {},
    }
    drop(given_up);
    let downloads = context.options.downloads();
    if to.is_none() {
        std::fs::create_dir_all(&downloads).map_err(MediaError::File)?;
    }
    let path = place(&downloads, to, file.file_name());
    let path = free(&path).map_err(MediaError::File)?;
    let saved = media.save(file, &path).await;
    if saved.is_err() {
        // It is empty. That it cannot be removed is less than why.
        let _left_behind = std::fs::remove_file(&path);
    }
    // For a reader who does not know where this was started.
    saved.map(|()| std::path::absolute(&path).unwrap_or(path))
}

struct GiveUp<'a>(&'a hushpost::Download);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Tells how far it is, until nobody wants to know.
async fn watch(
    context: &Context,
    number: u64,
    name: &str,
    mut progress: impl Stream<Item = Progress> + Unpin,
) -> core::convert::Infallible {
    while let Some(progress) = progress.next().await {
        context
            .say(Update::Transfer(number, name.to_owned(), progress))
            .await;
    }
    core::future::pending().await
}

/// Until it is to be stopped; for ever if nobody can.
async fn stop(stopped: oneshot::Receiver<()>) {
    if stopped.await.is_err() {
        core::future::pending::<()>().await;
    }
}

/// Where a file goes: into a folder, or to the path that was said.
fn place(downloads: &Path, to: Option<&str>, name: &str) -> PathBuf {
    match to {
        None => downloads.join(name),
        Some(to) => {
            let path = at_home(to);
            if path.is_dir() || to.ends_with(std::path::is_separator) {
                path.join(name)
            } else {
                path
            }
        }
    }
}

/// Makes an empty file there, or beside it with a number: nothing that is there is touched, whoever else writes.
fn free(path: &Path) -> io::Result<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| ending.to_string_lossy());
    let ending = ending.map_or_else(String::new, |ending| format!(".{ending}"));
    for number in 1..=MOST_NAMES {
        let candidate = if number == 1 {
            path.to_owned()
        } else {
            path.with_file_name(format!("{stem} ({number}){ending}"))
        };
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&candidate)
        {
            Ok(_) => return Ok(candidate),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A `~` at the beginning is the home folder, as in a shell.
fn at_home(path: &str) -> PathBuf {
    let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    match path.strip_prefix("~/").zip(home()) {
        Some((rest, home)) => home.join(rest),
        None => PathBuf::from(path),
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    crate::text::clean_line(&name.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().to_str().unwrap();
        let wanted = place(Path::new("elsewhere"), Some(to), "a.b.txt");
        assert_eq!(wanted, folder.path().join("a.b.txt"));
        std::fs::write(&wanted, "precious").unwrap();
        assert_eq!(free(&wanted).unwrap(), folder.path().join("a.b (2).txt"));
        assert_eq!(free(&wanted).unwrap(), folder.path().join("a.b (3).txt"));
        assert_eq!(std::fs::read(&wanted).unwrap(), b"precious");
        let plain = folder.path().join("plain");
        assert_eq!(free(&plain).unwrap(), plain);
        assert_eq!(free(&plain).unwrap(), folder.path().join("plain (2)"));
        assert!(free(&folder.path().join("no/such/folder")).is_err());
        // A dangling link is something that is there.
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
            assert_eq!(free(&link).unwrap(), folder.path().join("link (2)"));
            assert!(!folder.path().join("target").exists());
        }
    }

    #[test]
    fn a_path_is_a_folder_or_a_file() {
        let downloads = Path::new("downloads");
        assert_eq!(place(downloads, None, "x"), downloads.join("x"));
        assert_eq!(place(downloads, Some("new/"), "x"), Path::new("new/x"));
        assert_eq!(place(downloads, Some("new"), "x"), Path::new("new"));
    }
}
