//! The way to a relay: one WebSocket over a byte stream that the app may bring itself, requests whose
//! answers are matched by id, pushes in order, and how long to wait before the next try.
//!
//! Knows frames and nothing of what is in them: no store, no ratchet, no account. It never decides *whether*
//! to connect again: it says how a connection ended and how long to wait. Whatever the relay sends, memory
//! stays bounded, nothing panics, and the link ends with a typed reason.
//!
//! Where it stands: above `hushpost-wire`, below everything in this crate that talks to a relay. Sockets and
//! TLS are in [`NetworkTransport`] alone; all else works over any [`Transport`], on any Tokio runtime.
//!
//! - [`RelayUrl`]: which relay, and the name that devices sign
//! - [`Transport`], [`NetworkTransport`]: bytes there and back
//! - [`open`], then [`authenticate`], [`register`] or [`anonymous`]
//! - [`Link`], [`Pushes`], [`Ending`]: a connection's life
//! - [`Backoff`]: the wait before the next one

mod activity;
mod backoff;
mod ending;
mod handshake;
mod link;
mod network;
mod relay_url;
mod request_error;
mod tls;
mod transport;

pub use backoff::Backoff;
pub use ending::{Ending, LinkError};
pub use handshake::{OpenError, Registration, anonymous, authenticate, open, register};
pub use link::{Link, MAX_IN_FLIGHT, PendingAnswer, Push, Pushes};
pub use network::NetworkTransport;
pub use relay_url::{RelayUrl, RelayUrlError};
pub use request_error::RequestError;
pub(crate) use tls::web_config;
pub use tls::{Certificates, InvalidCertificates};
pub use transport::{ByteStream, Connecting, Transport};

#[cfg(test)]
mod tests;
