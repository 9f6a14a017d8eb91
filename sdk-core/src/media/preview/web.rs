//! GET over HTTP/1.1, with a look at every address before anything is sent to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::connection::{ByteStream, web_config};
use crate::media::MediaError;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 3;
/// How long one of them is tried.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer's head.
const MAX_HEAD: usize = 64 * 1024;

/// Fetches pages.
pub(super) struct Web {
    allowed: fn(IpAddr) -> bool,
    tls: OnceCell<TlsConnector>,
}

/// What came.
pub(super) struct Found {
    /// Where it was, after redirects.
    pub(super) url: Url,
    /// Its MIME type, lower case.
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
}

impl Web {
    pub(super) fn new(allowed: fn(IpAddr) -> bool) -> Self {
        Self {
            allowed,
            tls: OnceCell::new(),
        }
    }

    /// Fetches the first `limit` bytes.
    pub(super) async fn get(
        &self,
        mut url: Url,
        accept: &'static str,
        limit: usize,
    ) -> Result<Found, MediaError> {
        for _ in 0..=MAX_REDIRECTS {
            let (mut response, _driver) = self.ask(&url, accept).await?;
            if response.status().is_redirection() {
                let to = response.headers().get(header::LOCATION);
                let to = to.and_then(|to| url.join(to.to_str().ok()?).ok());
                let to = to.ok_or(MediaError::Link("leads nowhere"))?;
                if url.scheme() == "https" && to.scheme() != "https" {
                    return Err(MediaError::Link("leads from https to what anybody reads"));
                }
                url = to;
                continue;
            }
            if !response.status().is_success() {
                return Err(MediaError::Link("leads to an error"));
            }
            let kind = response.headers().get(header::CONTENT_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let kind = kind.to_ascii_lowercase();
            let mut bytes = Vec::new();
            while bytes.len() < limit
                && let Some(frame) = response.body_mut().frame().await
            {
                let frame = frame.map_err(|_| MediaError::Link("broke off"))?;
                if let Ok(data) = frame.into_data() {
                    let room = limit.saturating_sub(bytes.len()).min(data.len());
                    bytes.extend_from_slice(data.get(..room).unwrap_or_default());
                }
            }
            return Ok(Found { url, kind, bytes });
        }
        Err(MediaError::Link("leads on and on"))
    }

    /// One hop.
    async fn ask(
        &self,
        url: &Url,
        accept: &'static str,
    ) -> Result<(Response<Incoming>, AbortOnDropHandle<()>), MediaError> {
        let unreachable = MediaError::Link("cannot be reached");
        let stream = self.connect(url).await?;
        let handshake = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let Ok((mut requests, connection)) = handshake else {
            return Err(unreachable);
        };
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            // How it ended shows in the answer.
            let _ended = connection.await;
        }));
        let mut request = Request::new(Empty::<Bytes>::new());
        let authority = url.authority();
        let host = HeaderValue::from_str(authority).map_err(|_| MediaError::Link("is not one"))?;
        let mut target = url.path().to_owned();
        if let Some(query) = url.query() {
            target.push('?');
            target.push_str(query);
        }
        *request.uri_mut() = target.parse().map_err(|_| MediaError::Link("is not one"))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        // Nothing to unpack: what is small stays small.
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static("Mozilla/5.0 (compatible; link preview)"),
        );
        match requests.send_request(request).await {
            Ok(response) => Ok((response, driver)),
            Err(_) => Err(unreachable),
        }
    }

    /// To an address that was looked at, and to no other: a name that resolves anew gains nothing.
    async fn connect(&self, url: &Url) -> Result<Box<dyn ByteStream>, MediaError> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(MediaError::Link("is not of the web")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(MediaError::Link("has a password in it"));
        }
        let host = url.host().ok_or(MediaError::Link("is not one"))?;
        let port = url
            .port_or_known_default()
            .ok_or(MediaError::Link("is not one"))?;
        let addresses: Vec<SocketAddr> = match &host {
            url::Host::Domain(name) => lookup_host((*name, port))
                .await
                .map_err(|_| MediaError::Link("cannot be reached"))?
                .collect(),
            url::Host::Ipv4(address) => vec![(*address, port).into()],
            url::Host::Ipv6(address) => vec![(*address, port).into()],
        };
        // One that is not allowed among them is a trick or a mistake.
        if !addresses.iter().all(|address| (self.allowed)(address.ip())) {
            return Err(MediaError::Link("leads to an address that is not public"));
        }
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            let Ok(Ok(tcp)) = timeout(PATIENCE, TcpStream::connect(address)).await else {
                continue;
            };
            if !secure {
                return Ok(Box::new(tcp));
            }
            let name = match &host {
                url::Host::Domain(name) => ServerName::try_from((*name).to_owned()).ok(),
                url::Host::Ipv4(address) => Some(ServerName::from(IpAddr::from(*address))),
                url::Host::Ipv6(address) => Some(ServerName::from(IpAddr::from(*address))),
            };
            let name = name.ok_or(MediaError::Link("is not one"))?;
            if let Ok(stream) = self.tls().await?.connect(name, tcp).await {
                return Ok(Box::new(stream));
            }
        }
        Err(MediaError::Link("cannot be reached"))
    }

    async fn tls(&self) -> Result<&TlsConnector, MediaError> {
        self.tls
            .get_or_try_init(|| async {
                let failed = MediaError::Link("cannot be reached safely");
                // It may read from the disk.
                match tokio::task::spawn_blocking(web_config).await {
                    Ok(Ok(config)) => Ok(TlsConnector::from(Arc::new(config))),
                    _ => Err(failed),
                }
            })
            .await
    }
}
