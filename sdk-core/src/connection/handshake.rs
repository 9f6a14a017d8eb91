//! From a URL to a link that speaks for somebody: the WebSocket upgrade, the relay's welcome, the proof.
//!
//! The relay's name that a device signs is always the client's own idea of it, never the one in the welcome:
//! a relay in between could not pass the proof on otherwise than to itself.

use std::fmt;
use std::io;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use hushpost_wire::challenge::{self, NONCE_LEN};
use hushpost_wire::client_frame::Request;
use hushpost_wire::limits::MAX_FRAME_LEN;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Anonymous, Authenticate, Authenticated, DeviceAddress, PROTOCOL_VERSION, Register, SUBPROTOCOL,
    ServerFrame, SignedDeviceList, Welcome, frame,
};
use thiserror::Error;
use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::{Request as Upgrade, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use futures_util::StreamExt as _;

use super::activity::Watched;
use super::link::{Link, Pushes, Socket};
use super::request_error::printable;
use super::transport::Transport;
use super::{Ending, RelayUrl, RequestError};

/// Where a relay speaks WebSocket.
const PATH: &str = "/v1/ws";
/// From the first packet to the relay's welcome.
const PATIENCE: Duration = Duration::from_secs(15);
/// The library's default is 128 KiB, which a phone has better uses for.
const READ_BUFFER: usize = 8 * 1024;
const WRITE_BUFFER: usize = 16 * 1024;
/// Room for a frame behind a full buffer, and then for some pongs; it is for the relay to read them.
const MAX_WRITE_BUFFER: usize = 2 * MAX_FRAME_LEN;
const STORAGE_EPOCH_LEN: usize = 16;

/// Why there is no link.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The transport did not get there, or not with a certificate that is trusted.
    #[error("cannot reach the relay: {0}")]
    Transport(#[source] io::Error),
    /// It took too long.
    #[error("the relay did not welcome us in time")]
    Timeout,
    /// The answer to the upgrade was another one than yes.
    #[error("the relay answered with HTTP status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// When to try again, if the relay said so.
        retry_after: Option<Duration>,
    },
    /// Whatever is there does not speak as a relay does.
    #[error("not a relay: {0}")]
    NotARelay(&'static str),
    /// The relay closed instead of welcoming us.
    #[error("the relay closed")]
    Closed(Ending),
    /// The relay is too new or too old.
    #[error("the relay speaks versions {oldest} to {newest}, not {PROTOCOL_VERSION}")]
    Version {
        /// Oldest version the relay speaks.
        oldest: u32,
        /// Newest version the relay speaks.
        newest: u32,
    },
    /// The relay goes by another name than the client knows it by: a wrong URL, a wrong configuration, or
    /// somebody in between.
    #[error("the relay calls itself {said:?}, not {expected:?}")]
    RelayName {
        /// The client's idea of it.
        expected: String,
        /// The relay's, without control characters.
        said: String,
    },
}

impl OpenError {
    /// How long the relay asked to wait before the next try.
    #[must_use]
    pub const fn reconnect_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Closed(ending) => ending.reconnect_after,
            _ => None,
        }
    }
}

/// What a new account shows.
#[derive(Clone, Default)]
pub struct Registration {
    /// The account's device list, signed.
    pub device_list: SignedDeviceList,
    /// Invite code, or empty.
    pub invite_code: String,
    /// JWT of the app's backend, or empty.
    pub token: String,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registration")
    }
}

/// Connects and takes the relay's welcome, within 15 seconds. The link speaks for nobody yet. Must be called
/// on a Tokio runtime.
///
/// # Errors
/// [`OpenError`].
pub async fn open(
    transport: &dyn Transport,
    url: &RelayUrl,
) -> Result<(Link, Pushes, Welcome), OpenError> {
    timeout(PATIENCE, establish(transport, url))
        .await
        .unwrap_or(Err(OpenError::Timeout))
}

/// Makes the link speak for a registered device.
///
/// # Errors
/// [`RequestError`].
pub async fn authenticate(
    link: &Link,
    welcome: &Welcome,
    url: &RelayUrl,
    device: DeviceAddress,
    authentication_key: &SigningKey,
) -> Result<Authenticated, RequestError> {
    let proof = prove(welcome, url, device, authentication_key)?;
    authenticated(link.request(Request::Authenticate(proof)).await?)
}

/// Creates an account, or brings it back to a relay that lost it; the link then speaks for the device.
///
/// # Errors
/// [`RequestError`].
pub async fn register(
    link: &Link,
    welcome: &Welcome,
    url: &RelayUrl,
    device: DeviceAddress,
    authentication_key: &SigningKey,
    registration: Registration,
) -> Result<Authenticated, RequestError> {
    let request = Register {
        device: Some(prove(welcome, url, device, authentication_key)?),
        device_list: Some(registration.device_list),
        invite_code: registration.invite_code,
        token: registration.token,
    };
    authenticated(link.request(Request::Register(request)).await?)
}

/// Makes the link an anonymous one.
///
/// # Errors
/// [`RequestError`].
pub async fn anonymous(link: &Link) -> Result<(), RequestError> {
    let request = Request::Anonymous(Anonymous {
        version: PROTOCOL_VERSION,
    });
    match link.request(request).await? {
        Body::Ok(_) => Ok(()),
        _ => Err(RequestError::Unexpected),
    }
}

async fn establish(
    transport: &dyn Transport,
    url: &RelayUrl,
) -> Result<(Link, Pushes, Welcome), OpenError> {
    let stream = transport.connect(url).await.map_err(OpenError::Transport)?;
    let (stream, activity) = Watched::new(stream);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(MAX_FRAME_LEN))
        .max_frame_size(Some(MAX_FRAME_LEN));
    let upgraded = client_async_with_config(upgrade(url)?, stream, Some(config)).await;
    let (mut socket, _) = upgraded.map_err(not_upgraded)?;
    let welcome = take_welcome(&mut socket).await?;
    check(&welcome, url)?;
    let (link, pushes) = Link::start_task(socket, activity, welcome.limits.as_ref());
    Ok((link, pushes, welcome))
}

fn upgrade(url: &RelayUrl) -> Result<Upgrade, OpenError> {
    let mut request = format!("{url}{PATH}")
        .into_client_request()
        .map_err(|_| OpenError::NotARelay("a host that HTTP does not know"))?;
    request.headers_mut().insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(request)
}

fn not_upgraded(error: SocketError) -> OpenError {
    match error {
        SocketError::Http(response) => OpenError::Refused {
            status: response.status().as_u16(),
            retry_after: retry_after(&response),
        },
        SocketError::Io(error) => OpenError::Transport(error),
        _ => OpenError::NotARelay("no upgrade to the frames' WebSocket"),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

async fn take_welcome(socket: &mut Socket) -> Result<Welcome, OpenError> {
    loop {
        let message = match socket.next().await {
            Some(Ok(message)) => message,
            Some(Err(SocketError::Io(error))) => return Err(OpenError::Transport(error)),
            Some(Err(_)) => return Err(OpenError::NotARelay("no welcome")),
            None => return Err(OpenError::Closed(Ending::new(None, None))),
        };
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            Message::Close(_) => return Err(OpenError::Closed(Ending::new(None, None))),
            Message::Text(_) => return Err(OpenError::NotARelay("text")),
        };
        let frame: ServerFrame =
            frame::decode(bytes).map_err(|_| OpenError::NotARelay("no frame"))?;
        return match frame {
            ServerFrame {
                id: 0,
                body: Some(Body::Welcome(welcome)),
            } => Ok(welcome),
            ServerFrame {
                id: 0,
                body: Some(Body::Closing(closing)),
            } => Err(OpenError::Closed(Ending::new(Some(&closing), None))),
            _ => Err(OpenError::NotARelay("no welcome")),
        };
    }
}

fn check(welcome: &Welcome, url: &RelayUrl) -> Result<(), OpenError> {
    let (oldest, newest) = (welcome.oldest_version, welcome.newest_version);
    if !(oldest..=newest).contains(&PROTOCOL_VERSION) {
        return Err(OpenError::Version { oldest, newest });
    }
    if welcome.relay_name != url.relay_name() {
        return Err(OpenError::RelayName {
            expected: url.relay_name().to_owned(),
            said: printable(&welcome.relay_name),
        });
    }
    if welcome.nonce.len() != NONCE_LEN {
        return Err(OpenError::NotARelay("no nonce to sign"));
    }
    if welcome.storage_epoch.len() != STORAGE_EPOCH_LEN {
        return Err(OpenError::NotARelay("no storage epoch"));
    }
    Ok(())
}

fn prove(
    welcome: &Welcome,
    url: &RelayUrl,
    device: DeviceAddress,
    authentication_key: &SigningKey,
) -> Result<Authenticate, RequestError> {
    // Checked when it came, but the caller may bring any welcome.
    let nonce = welcome.nonce.as_ref().try_into();
    let nonce = nonce.map_err(|_| RequestError::Unexpected)?;
    let signature = challenge::sign(url.relay_name(), nonce, device, authentication_key);
    Ok(Authenticate {
        version: PROTOCOL_VERSION,
        account: device.account.as_bytes().to_vec().into(),
        device: device.device.into(),
        signature: signature.to_vec().into(),
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an answer is used up by reading it"
)]
fn authenticated(body: Body) -> Result<Authenticated, RequestError> {
    match body {
        Body::Authenticated(authenticated) => Ok(authenticated),
        _ => Err(RequestError::Unexpected),
    }
}
