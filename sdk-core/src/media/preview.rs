//! The preview of a link, made by who sends it (attack E8). Who receives a link never fetches anything.
//!
//! A link may be bait: to make this device ask a router, a cloud's metadata service or a program on the same machine
//! for something, or to keep it busy. So every hop is resolved here, every address looked at, and the connection made
//! to just that address; time, bytes and redirects are bounded; and what comes back is text and a picture that is made
//! anew.
//!
//! Must never: send a cookie, a name or a referrer, or follow a link by itself.

mod address;
mod page;
mod web;

use core::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::MediaError;
use super::picture::{self, PictureMode};
use crate::content::{LinkPreview, MAX_LINK_LEN};
use web::Web;

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a page that are read; what is looked for stands at its beginning.
const MAX_PAGE_LEN: usize = 512 * 1024;
/// Bytes of a picture.
const MAX_PICTURE_LEN: usize = 5 * 1024 * 1024;

/// Fetches a page and looks at it.
pub(crate) async fn make(url: &str) -> Result<LinkPreview, MediaError> {
    make_by(&Web::new(address::is_public), url).await
}

async fn make_by(web: &Web, url: &str) -> Result<LinkPreview, MediaError> {
    if url.len() > MAX_LINK_LEN {
        return Err(MediaError::Link("is too long"));
    }
    let parsed = Url::parse(url).map_err(|_| MediaError::Link("is not one"))?;
    timeout(PATIENCE, look(web, url, parsed))
        .await
        .map_err(|_| MediaError::Link("takes too long"))?
}

/// The preview names the link as it was given: as it stands in the text.
async fn look(web: &Web, link: &str, url: Url) -> Result<LinkPreview, MediaError> {
    let found = web.get(url, "text/html", MAX_PAGE_LEN).await?;
    if !found.kind.starts_with("text/html") && !found.kind.starts_with("application/xhtml") {
        return Err(MediaError::Link("is no page"));
    }
    let page = page::read(&String::from_utf8_lossy(&found.bytes));
    let title = page
        .title
        .ok_or(MediaError::Link("leads to a page without a title"))?;
    let thumbnail = match page.picture.and_then(|link| found.url.join(&link).ok()) {
        Some(link) => thumbnail(web, link).await,
        None => None,
    };
    LinkPreview::new(link)
        .and_then(|preview| preview.titled(title, page.description.unwrap_or_default()))
        .and_then(|preview| preview.pictured(thumbnail.unwrap_or_default()))
        .map_err(|_| MediaError::Link("leads to more than fits"))
}

/// The page's picture, made small; none if anything is wrong with it.
async fn thumbnail(web: &Web, link: Url) -> Option<Vec<u8>> {
    let found = web
        .get(link, "image/*", MAX_PICTURE_LEN.saturating_add(1))
        .await
        .ok()?;
    if found.bytes.len() > MAX_PICTURE_LEN {
        return None;
    }
    let made = super::blocking(move || picture::prepare(found.bytes, PictureMode::AsItIs)).await;
    made.ok()?.thumbnail
}

#[cfg(test)]
mod tests;
