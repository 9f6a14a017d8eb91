//! Opening what was fetched: to a file, or a range of it to memory, also of what was not fetched. The one place where a
//! plaintext comes out.

use core::ops::Range;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::StatusCode;
use tokio::time::timeout;

use super::http::Failure;
use super::sealed::{self, HEADER_LEN, Layout, Opener, SealedError};
use super::{MediaError, blob_name, blocking, cache, check, download, prepare};
use crate::client::Core;
use crate::content::Attachment;
use crate::{Error, Result};

/// Bytes that [`Media::read_range`](super::Media::read_range) gives at once.
pub const MAX_RANGE_LEN: u64 = 8 * 1024 * 1024;
/// How long one range may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the decrypted file of a blob that is here.
pub(super) async fn save(core: &Arc<Core>, attachment: &Attachment, to: PathBuf) -> Result<()> {
    let layout = check(core, attachment)?;
    let name = blob_name(attachment.blob);
    let blob = core.media.blob_path(&name);
    let key = attachment.sealed.key.clone();
    // Beside its place, so that it can be moved there in one step.
    let mut unfinished = to.clone().into_os_string();
    let [first, second] = core.rng.array::<2>()?;
    unfinished.push(format!(".{first:02x}{second:02x}.tmp"));
    let unfinished = PathBuf::from(unfinished);
    let opened = blocking(move || {
        let mut source = File::open(&blob)?;
        let mut sink = File::create_new(&unfinished)?;
        let opened = sealed::open(&key, &layout, &mut source, &mut sink)
            .map_err(MediaError::from)
            .and_then(|()| {
                sink.sync_all()?;
                std::fs::rename(&unfinished, &to)?;
                Ok(())
            });
        if opened.is_err() {
            // The error is what is told.
            let _left_behind = prepare::remove(&unfinished);
        }
        opened
    })
    .await;
    forget_if_damaged(core, attachment, opened).await
}

/// What does not open any more is not kept: it would never be fetched again.
async fn forget_if_damaged<T>(
    core: &Arc<Core>,
    attachment: &Attachment,
    opened: Result<T>,
) -> Result<T> {
    if matches!(opened, Err(Error::Media(MediaError::Damaged(_)))) {
        cache::remove(core, vec![blob_name(attachment.blob)]).await?;
    }
    opened
}

/// Bytes of the file.
pub(super) async fn read(
    core: &Arc<Core>,
    attachment: &Attachment,
    range: Range<u64>,
) -> Result<Vec<u8>> {
    let layout = check(core, attachment)?;
    let long = range.end.saturating_sub(range.start);
    if long > MAX_RANGE_LEN {
        return Err(Error::InvalidInput("a range has at most 8 MiB"));
    }
    let (first, last) = layout
        .chunks_of(&range)
        .ok_or(Error::InvalidInput("the range is not in the file"))?;
    let begin = place(&layout, first)?.blob.start;
    let end = place(&layout, last)?.blob.end;
    let name = blob_name(attachment.blob);
    if cache::has(core, name).await? {
        let blob = core.media.blob_path(&name);
        let work = {
            let (attachment, range) = (attachment.clone(), range.clone());
            move || {
                let mut file = File::open(&blob)?;
                let mut header = [0; HEADER_LEN];
                file.read_exact(&mut header)?;
                file.seek(SeekFrom::Start(begin))?;
                let mut chunks = vec![0; length(begin..end)?];
                file.read_exact(&mut chunks)?;
                Ok(open(
                    &attachment,
                    layout,
                    &header,
                    chunks,
                    (first, last),
                    &range,
                )?)
            }
        };
        return forget_if_damaged(core, attachment, blocking(work).await).await;
    }
    let fetched = timeout(PATIENCE, fetch(core, attachment, begin..end)).await;
    let (header, chunks) = fetched
        .map_err(|_| MediaError::Unreachable)?
        .map_err(|failure| match failure {
            Failure::Status(StatusCode::NOT_FOUND, _) => MediaError::Gone,
            Failure::Status(
                StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE,
                _,
            ) => MediaError::Damaged("its size is another one"),
            _ => MediaError::Unreachable,
        })?;
    let attachment = attachment.clone();
    blocking(move || {
        Ok(open(
            &attachment,
            layout,
            &header,
            chunks,
            (first, last),
            &range,
        )?)
    })
    .await
}

/// The header, for the commitment in it, and the chunks.
async fn fetch(
    core: &Core,
    attachment: &Attachment,
    chunks: Range<u64>,
) -> Result<([u8; HEADER_LEN], Vec<u8>), Failure> {
    let (blob, size) = (attachment.blob, attachment.transfer_size());
    let header_len = u64::try_from(HEADER_LEN).unwrap_or(u64::MAX);
    let (mut http, body) = download::ask(core, blob, &(0..header_len), size).await?;
    let collect = async |body, limit| {
        let body = Limited::new(body, limit).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|_| Failure::Broken)
    };
    let header = collect(body, HEADER_LEN).await?;
    let header = header.as_ref().try_into().map_err(|_| Failure::Broken)?;
    let limit = length(chunks.clone()).map_err(|_| Failure::Broken)?;
    let body = download::ask_again(&mut http, blob, &chunks, size).await?;
    let bytes = collect(body, limit).await?;
    Ok((header, bytes.into()))
}

fn place(layout: &Layout, index: u64) -> Result<sealed::Place> {
    let place = layout.place(index);
    place.ok_or(Error::InvalidInput("the range is not in the file"))
}

fn length(range: Range<u64>) -> Result<usize, MediaError> {
    let length = range.end.saturating_sub(range.start);
    usize::try_from(length).map_err(|_| MediaError::TooLarge {
        limit: MAX_RANGE_LEN,
    })
}

/// Decrypts chunks that stand one after the other, and cuts the range out of them.
fn open(
    attachment: &Attachment,
    layout: Layout,
    header: &[u8; HEADER_LEN],
    mut chunks: Vec<u8>,
    (first, last): (u64, u64),
    range: &Range<u64>,
) -> Result<Vec<u8>, SealedError> {
    let opener = Opener::new(&attachment.sealed.key, layout, header)?;
    let mut out = Vec::new();
    let mut rest = chunks.as_mut_slice();
    for index in first..=last {
        let place = layout.place(index).ok_or(SealedError::Extended)?;
        let len = place.piece.saturating_add(sealed::TAG_LEN);
        let (chunk, after) = rest
            .split_at_mut_checked(len)
            .ok_or(SealedError::Truncated)?;
        let held = opener.open_chunk(index, chunk)?;
        let at = |byte: u64| {
            let byte = byte.clamp(place.file.start, place.file.end);
            usize::try_from(byte.saturating_sub(place.file.start)).unwrap_or(usize::MAX)
        };
        let wanted = held.get(at(range.start)..at(range.end));
        out.extend_from_slice(wanted.ok_or(SealedError::Length)?);
        rest = after;
    }
    Ok(out)
}
