//! Uploading: sealed once, then the same bytes are sent until the relay has all of them.
//!
//! ```text
//!   prepare ─▶ row + `.up` file ─▶ announce: id, token ─▶ HEAD: how much is there ─▶ PATCH the rest ─▶ `.blob`, complete
//!                                    ▲        ▲                                          │
//!                                    │        └── cut: wait, then go on ────────────────┤
//!                                    └── the relay forgot it, or lost bytes ────────────┘
//! ```
//!
//! Must never: encrypt other bytes under a key that was used, or believe the relay about how much it has before the
//! number was compared with what there is.

mod id;
pub(super) mod rows;

pub use id::UploadId;

use core::fmt;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CreateUpload, UploadCreated};
use hyper::body::Frame;
use hyper::header::CONTENT_LENGTH;
use hyper::{Method, StatusCode};
use tokio::io::AsyncSeekExt as _;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::http::{self, Failure, Http, UPLOAD_COMPLETE, UPLOAD_OFFSET};
use super::job::{Job, Meter, Progress, Stage};
use super::lock::Lock;
use super::prepare::{Source, UploadOptions, prepare, remove};
use super::sealed::FileKey;
use super::{MediaError, blob_name, blocking, cache, file_error};
use crate::client::Core;
use crate::connection::{Backoff, Link, RequestError};
use crate::content::{Attachment, BlobId};
use crate::store::durable;
use crate::{Error, Result};

/// Bytes read from the file at a time.
const PIECE: usize = 64 * 1024;
/// How long no byte may move. The relay reads a large blob once more before it says that it has it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Announced anew, because the relay lost it, at most so often in one go.
const MAX_ANNOUNCEMENTS: u32 = 4;

/// What is known of an upload that is part of no message yet.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// For [`resume`](super::Media::resume) and [`forget`](super::Media::forget).
    pub id: UploadId,
    /// The file's name, as it will be shown.
    pub file_name: String,
    /// Bytes of the file.
    pub size: u64,
    /// Whether the relay has it: [`resume`](super::Media::resume) gives the attachment at once.
    pub uploaded: bool,
    /// When it was begun, milliseconds since the Unix epoch.
    pub created_ms: u64,
}

impl fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unfinished({:?}, {} bytes)", self.id, self.size)
    }
}

/// An upload that runs. It goes on when this is dropped.
pub struct Upload(Job<Attachment>);

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({:?})", self.0.now())
    }
}

impl Upload {
    /// How far it is, now and whenever that changes; ends with the upload.
    pub fn progress(&self) -> impl Stream<Item = Progress> + Send + Unpin + use<> {
        self.0.progress()
    }

    /// Stops it. What is encrypted stays in [`unfinished`](super::Media::unfinished);
    /// [`forget`](super::Media::forget) removes it.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Waits until the relay has it; the answer is to be sent. It is told once. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Media`]: the file cannot be read, is too large, is a picture that cannot be made anew, or it was
    /// cancelled; [`Error::Relay`] if the relay refuses it; [`Error::Store`].
    pub async fn finished(&self) -> Result<Attachment> {
        self.0.finished().await
    }
}

pub(super) fn start(core: &Arc<Core>, source: Source, options: UploadOptions) -> Upload {
    let shared = Arc::clone(core);
    Upload(Job::start(core, |meter, cancel| async move {
        let id = begin(&shared, source, options, &meter, cancel).await?;
        run(&shared, id, &meter).await
    }))
}

pub(super) fn resume(core: &Arc<Core>, upload: UploadId) -> Upload {
    let shared = Arc::clone(core);
    Upload(Job::start(core, |meter, _| async move {
        run(&shared, upload, &meter).await
    }))
}

/// Gives an upload up, here and, if it can be told, at the relay.
pub(super) async fn forget(core: &Arc<Core>, upload: UploadId) -> Result<()> {
    let found = core
        .store
        .write(move |tx| {
            let found = rows::find(tx, upload)?;
            rows::delete(tx, upload)?;
            Ok(found)
        })
        .await?;
    let row = found.ok_or(Error::NotFound("upload"))?;
    remove(&core.media.path(&row.file, ".up")).map_err(file_error)?;
    if let Some((blob, token)) = row.place {
        let core = Arc::clone(core);
        // If nobody tells the relay, it deletes what is not complete after a day.
        tokio::spawn(async move {
            if let Ok(mut http) = Http::connect(&core).await {
                let mut request = http.about(Method::DELETE, blob);
                http::authorise(&mut request, &token);
                drop(http.ask(request).await);
            }
        });
    }
    Ok(())
}

/// Seals the source and notes it.
async fn begin(
    core: &Arc<Core>,
    source: Source,
    options: UploadOptions,
    meter: &Meter,
    cancel: CancellationToken,
) -> Result<UploadId> {
    cache::sweep(core).await?;
    // Both are new for every upload: a key never meets two files.
    let (key, file) = (FileKey::random(&core.rng)?, core.rng.array::<16>()?);
    let path = core.media.path(&file, ".up");
    let limit = core.media.max_file_bytes;
    let folder = core.media.folder.clone();
    let meter = meter.clone();
    // The future may be dropped; what blocks looks at the token, which then is cancelled.
    let guard = cancel.child_token();
    let on_drop = guard.clone().drop_guard();
    // Pictures are made anew in memory: not all of an album at once.
    let _turn = core.media.preparing.acquire().await;
    let attachment = blocking(move || {
        std::fs::create_dir_all(&folder)?;
        let prepared = prepare(source, options, key, (&path, limit), &meter, &guard);
        if prepared.is_err() {
            // Nobody knows of it.
            let _swept_later = remove(&path);
        } else {
            durable::sync_folder_of(&path)?;
        }
        prepared
    })
    .await?;
    drop(on_drop);
    let now_ms = core.clock.now_ms();
    core.store
        .write(move |tx| rows::insert(tx, &file, &attachment, now_ms))
        .await
}

/// Brings an upload to its end.
async fn run(core: &Arc<Core>, id: UploadId, meter: &Meter) -> Result<Attachment> {
    let row = core.store.read(move |db| rows::find(db, id)).await?;
    let row = row.ok_or(Error::NotFound("upload"))?;
    if let (true, Some((blob, _))) = (row.complete, row.place) {
        return Ok(row.attachment.at(blob));
    }
    let path = core.media.path(&row.file, ".up");
    // Another process, or another handle, may be at it.
    let lock = core.media.path(&row.file, ".lock");
    let _lock = blocking(move || Ok(Lock::take(lock)?)).await?;
    let (digest, size) = (
        row.attachment.sealed.digest,
        row.attachment.sealed.blob_size,
    );
    let mut backoff = Backoff::new();
    let mut announcements = 0_u32;
    let mut place = row.place;
    loop {
        let (blob, token) = if let Some(place) = place {
            place
        } else {
            announcements = announcements.saturating_add(1);
            if announcements > MAX_ANNOUNCEMENTS {
                return Err(MediaError::Damaged("the relay loses it again and again").into());
            }
            meter.waiting();
            let new = announce(core, size, digest, &mut backoff).await?;
            core.store
                .write(move |tx| rows::set_place(tx, id, new))
                .await?;
            *place.insert(new)
        };
        let sent = send(core, &path, size, (blob, &token), meter).await;
        let failure = match sent {
            Ok(()) => return finish(core, id, row.attachment.at(blob), path).await,
            Err(Stop::Local(error)) => return Err(file_error(error)),
            Err(Stop::Far(failure)) => failure,
        };
        meter.waiting();
        let wait = match failure {
            Failure::Status(
                StatusCode::NOT_FOUND
                | StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::TOO_MANY_REQUESTS,
                _,
            ) => {
                // Gone, or of no use: the same bytes go somewhere else.
                place = None;
                None
            }
            Failure::Status(_, wait) => wait,
            Failure::Broken => None,
        };
        pause(core, &mut backoff, wait).await;
    }
}

/// Waits for the next try: a while, and then for a connection.
async fn pause(core: &Core, backoff: &mut Backoff, asked: Option<Duration>) {
    tokio::time::sleep(backoff.next(asked, &mut core.rng.jitter())).await;
}

async fn connected(core: &Core) -> Link {
    let mut states = core.state.subscribe();
    loop {
        if let Ok(link) = core.link() {
            return link;
        }
        // The sender lives as long as the client.
        let _changed = states.changed().await;
    }
}

/// Asks the relay for room.
async fn announce(
    core: &Core,
    size: u64,
    digest: [u8; 32],
    backoff: &mut Backoff,
) -> Result<(BlobId, [u8; 32])> {
    loop {
        let request = Request::CreateUpload(CreateUpload {
            size,
            digest: digest.to_vec().into(),
            ttl_s: 0,
        });
        match connected(core).await.request(request).await {
            Ok(Body::UploadCreated(UploadCreated {
                blob_id,
                upload_token,
                ..
            })) => {
                let id = blob_id.as_ref().try_into();
                let token = upload_token.as_ref().try_into();
                return match (id, token) {
                    (Ok(id), Ok(token)) => Ok((BlobId(id), token)),
                    _ => Err(RequestError::Unexpected.into()),
                };
            }
            Ok(_) => return Err(RequestError::Unexpected.into()),
            Err(error) if error.is_retryable() => {
                let asked = match error {
                    RequestError::Refused { retry_after, .. } => retry_after,
                    _ => None,
                };
                pause(core, backoff, asked).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

enum Stop {
    /// The own file.
    Local(io::Error),
    Far(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Far(failure)
    }
}

/// One try: asks how much is there, and sends the rest.
async fn send(
    core: &Core,
    path: &Path,
    size: u64,
    (blob, token): (BlobId, &[u8; 32]),
    meter: &Meter,
) -> Result<(), Stop> {
    let mut http = Http::connect(core).await?;
    let mut question = http.about(Method::HEAD, blob);
    http::authorise(&mut question, token);
    let answer = http.ask(question).await?;
    if answer.status() != StatusCode::OK {
        return Err(http::refused(&answer).into());
    }
    if is_complete(answer.headers()) {
        return Ok(());
    }
    let there = http::number(answer.headers(), &UPLOAD_OFFSET);
    let there = there.filter(|there| *there <= size);
    let there = there.ok_or(http::refused(&answer))?;
    meter.stage(Stage::Transferring, there, size);

    let mut file = tokio::fs::File::open(path).await.map_err(Stop::Local)?;
    let length = file.metadata().await.map_err(Stop::Local)?.len();
    if length != size {
        return Err(Stop::Local(io::ErrorKind::InvalidData.into()));
    }
    file.seek(SeekFrom::Start(there))
        .await
        .map_err(Stop::Local)?;
    let moved = Arc::new(AtomicU64::new(0));
    let (counter, progress) = (Arc::clone(&moved), meter.clone());
    let pieces = ReaderStream::with_capacity(file, PIECE).map_ok(move |bytes| {
        progress.advance(bytes.len());
        counter.fetch_add(1, Ordering::Relaxed);
        Frame::data(bytes)
    });
    let mut request = http.about(Method::PATCH, blob);
    http::authorise(&mut request, token);
    let headers = request.headers_mut();
    headers.insert(UPLOAD_OFFSET, there.into());
    headers.insert(CONTENT_LENGTH, size.saturating_sub(there).into());
    *request.body_mut() = StreamBody::new(pieces).boxed_unsync();
    let answer = tokio::select! {
        answer = http.send(request) => answer?,
        () = http::stalled(&moved, PATIENCE) => return Err(Failure::Broken.into()),
    };
    if answer.status() == StatusCode::NO_CONTENT && is_complete(answer.headers()) {
        return Ok(());
    }
    Err(http::refused(&answer).into())
}

fn is_complete(headers: &hyper::HeaderMap) -> bool {
    headers
        .get(UPLOAD_COMPLETE)
        .is_some_and(|complete| complete == "?1")
}

/// The relay has it: what was sent is kept as if it had been fetched. Its row stays until a message has the file, so that
/// who was not told any more finds it. The row is changed first: a crash then costs the copy that is kept, and nothing
/// else.
async fn finish(
    core: &Arc<Core>,
    id: UploadId,
    attachment: Attachment,
    path: PathBuf,
) -> Result<Attachment> {
    let name = blob_name(attachment.blob);
    let (size, now_ms) = (attachment.transfer_size(), core.clock.now_ms());
    core.store
        .write(move |tx| {
            rows::set_complete(tx, id)?;
            cache::insert(tx, &name, size, now_ms)
        })
        .await?;
    let kept = core.media.blob_path(&name);
    blocking(move || {
        std::fs::rename(&path, &kept)?;
        Ok(durable::sync_folder_of(&kept)?)
    })
    .await?;
    cache::make_room(core, Some(name)).await?;
    Ok(attachment)
}
