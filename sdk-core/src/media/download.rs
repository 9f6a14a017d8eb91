//! Downloading: the ciphertext of a blob, on from where it broke off, into the media folder. Kept once it has the size
//! and the digest that the message said (attack E1); never decrypted here.

use core::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::Stream;
use http_body_util::BodyExt as _;
use hyper::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::http::{self, Failure, Http};
use super::job::{Job, Meter, Progress, Stage};
use super::lock::Lock;
use super::prepare::remove;
use super::{BlobName, MediaError, blob_name, blocking, cache, check, file_error};
use crate::client::Core;
use crate::connection::Backoff;
use crate::content::{Attachment, BlobId};
use crate::store::durable;
use crate::{Error, Result};

/// How long no byte may come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tries in a row that bring nothing.
const MAX_FAILURES: u32 = 8;
/// Bytes gathered before they are written.
const WRITTEN: usize = 256 * 1024;

/// A download that runs. It goes on when this is dropped.
pub struct Download(Job<()>);

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Download({:?})", self.0.now())
    }
}

impl Download {
    /// How far it is, now and whenever that changes; ends with the download.
    pub fn progress(&self) -> impl Stream<Item = Progress> + Send + Unpin + use<> {
        self.0.progress()
    }

    /// Stops it. What came stays, and is gone on from next time.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Waits until it is here and checked. It is told once. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Media`]: gone from the relay, unreachable (try again: it goes on where it was), damaged, too large, or
    /// cancelled; [`Error::Store`].
    pub async fn finished(&self) -> Result<()> {
        self.0.finished().await
    }
}

pub(super) fn start(core: &Arc<Core>, attachment: &Attachment) -> Download {
    let (shared, attachment) = (Arc::clone(core), attachment.clone());
    Download(Job::start(core, |meter, _| async move {
        run(&shared, &attachment, &meter).await
    }))
}

async fn run(core: &Arc<Core>, attachment: &Attachment, meter: &Meter) -> Result<()> {
    check(core, attachment)?;
    let name = blob_name(attachment.blob);
    let _claim = core.media.claim(name).await;
    cache::sweep(core).await?;
    if cache::has(core, name).await? {
        cache::used(core, name).await?;
        return Ok(());
    }
    let size = attachment.transfer_size();
    let part = core.media.path(&name, ".part");
    let folder = core.media.folder.clone();
    let lock = core.media.path(&name, ".lock");
    // Another process may be at it.
    let _lock = blocking(move || {
        std::fs::create_dir_all(&folder)?;
        Ok(Lock::take(lock)?)
    })
    .await?;
    fetch(core, attachment, (&part, size), meter).await?;
    keep(core, name, &part, size).await
}

fn open_part(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Tries until the part is whole.
async fn fetch(
    core: &Core,
    attachment: &Attachment,
    (part, size): (&Path, u64),
    meter: &Meter,
) -> Result<()> {
    let mut backoff = Backoff::new();
    let mut failures = 0_u32;
    loop {
        let before = here(part).await?;
        let tried = transfer(core, attachment, (part, size), meter).await;
        let wait = match tried {
            Ok(()) => return Ok(()),
            Err(Stop::Failed(error)) => {
                if matches!(error, Error::Media(MediaError::Damaged(_))) {
                    // What is wrong cannot be gone on from.
                    remove(part).map_err(file_error)?;
                }
                return Err(error);
            }
            Err(Stop::Far(Failure::Status(status, wait))) => {
                match status {
                    StatusCode::NOT_FOUND => return Err(MediaError::Gone.into()),
                    StatusCode::OK
                    | StatusCode::PARTIAL_CONTENT
                    | StatusCode::RANGE_NOT_SATISFIABLE => {
                        return Err(damaged(part, "its size is another one"));
                    }
                    // It is busy, or somebody in between answers.
                    _ => wait,
                }
            }
            Err(Stop::Far(Failure::Broken)) => None,
        };
        if here(part).await? > before {
            (failures, backoff) = (0, Backoff::new());
        }
        failures = failures.saturating_add(1);
        if failures >= MAX_FAILURES {
            return Err(MediaError::Unreachable.into());
        }
        meter.waiting();
        tokio::time::sleep(backoff.next(wait, &mut core.rng.jitter())).await;
    }
}

fn damaged(part: &Path, why: &'static str) -> Error {
    match remove(part) {
        Ok(()) => MediaError::Damaged(why).into(),
        Err(error) => file_error(error),
    }
}

/// Bytes that came so far.
async fn here(part: &Path) -> Result<u64> {
    match tokio::fs::metadata(part).await {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(file_error(error)),
    }
}

enum Stop {
    Far(Failure),
    Failed(Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Far(failure)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(file_error(error))
    }
}

/// One try: what is missing, appended to what is there.
async fn transfer(
    core: &Core,
    attachment: &Attachment,
    (part, size): (&Path, u64),
    meter: &Meter,
) -> Result<(), Stop> {
    let path = part.to_owned();
    let (file, mut digest, there) = blocking(move || Ok(resume_at(&path, size)?)).await?;
    if there < size {
        meter.stage(Stage::Transferring, there, size);
        let rest = there..size;
        let (_http, mut body) = ask(core, attachment.blob, &rest, size).await?;
        let mut file =
            tokio::io::BufWriter::with_capacity(WRITTEN, tokio::fs::File::from_std(file));
        let mut missing = size.saturating_sub(there);
        let ended = loop {
            let frame = match timeout(PATIENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) if missing == 0 => break Ok(()),
                _ => break Err(Failure::Broken),
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            missing = missing.checked_sub(length).ok_or(Failure::Broken)?;
            digest.update(&data);
            file.write_all(&data).await?;
            meter.advance(data.len());
        };
        // What came is kept, however it ended.
        file.flush().await?;
        file.get_ref().sync_all().await?;
        ended?;
    }
    if digest.finish().as_ref() == attachment.sealed.digest {
        Ok(())
    } else {
        Err(Error::from(MediaError::Damaged("its digest is another one")).into())
    }
}

/// The part, positioned at its end, and the digest of what it holds. More than there may be is thrown away.
fn resume_at(path: &Path, size: u64) -> io::Result<(File, Context, u64)> {
    let mut file = open_part(path)?;
    if file.metadata()?.len() > size {
        file.set_len(0)?;
    }
    let mut digest = Context::new(&SHA256);
    let mut buffer = vec![0; WRITTEN];
    let mut there = 0_u64;
    loop {
        let read = file.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok((file, digest, there));
        }
        digest.update(bytes);
        there = there.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

/// Asks for bytes of a blob. The answer's head says that it is just those.
pub(super) async fn ask(
    core: &Core,
    blob: BlobId,
    range: &core::ops::Range<u64>,
    size: u64,
) -> Result<(Http, hyper::body::Incoming), Failure> {
    let mut http = Http::connect(core).await?;
    let body = ask_again(&mut http, blob, range, size).await?;
    Ok((http, body))
}

/// The same over a connection there is.
pub(super) async fn ask_again(
    http: &mut Http,
    blob: BlobId,
    range: &core::ops::Range<u64>,
    size: u64,
) -> Result<hyper::body::Incoming, Failure> {
    let mut request = http.about(Method::GET, blob);
    http::ask_for(&mut request, range);
    let answer = http.ask(request).await?;
    if http::holds(&answer, range, size) {
        Ok(answer.into_body())
    } else {
        Err(http::refused(&answer))
    }
}

/// It is whole and checked: from now on it is one of those that are kept.
async fn keep(core: &Arc<Core>, name: BlobName, part: &Path, size: u64) -> Result<()> {
    let (part, kept) = (part.to_owned(), core.media.blob_path(&name));
    blocking(move || {
        std::fs::rename(&part, &kept)?;
        Ok(durable::sync_folder_of(&kept)?)
    })
    .await?;
    let now_ms = core.clock.now_ms();
    core.store
        .write(move |tx| cache::insert(tx, &name, size, now_ms))
        .await?;
    cache::make_room(core, Some(name)).await
}
