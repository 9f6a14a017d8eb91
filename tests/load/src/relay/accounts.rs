//! Accounts and their way into the relay.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicU64;

use bytes::BytesMut;
use hushpost_harness::Identity;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{ClientFrame, ServerFrame, Welcome};

use super::websocket;
use crate::error::LoadError;
use crate::link::{Link, connect};

/// An account with one device.
#[derive(Debug)]
pub struct Account {
    /// Its keys.
    pub identity: Identity,
    /// The highest sequence number that the relay confirmed as acknowledged.
    pub acknowledged: AtomicU64,
}

impl Account {
    pub(super) const fn new(identity: Identity) -> Self {
        Self {
            identity,
            acknowledged: AtomicU64::new(0),
        }
    }

    /// Creates the account at the relay.
    pub(super) async fn register(
        &self,
        from: Option<IpAddr>,
        relay: SocketAddr,
    ) -> Result<Link<()>, LoadError> {
        let (link, welcome) = open(from, relay).await?;
        let register = self.identity.register(&welcome)?;
        prove(link, Request::Register(register)).await
    }

    /// Connects as its device.
    pub(super) async fn connect(&self, relay: SocketAddr) -> Result<Link<()>, LoadError> {
        let (link, welcome) = open(None, relay).await?;
        let authenticate = self.identity.authenticate(&welcome, 1)?;
        prove(link, Request::Authenticate(authenticate)).await
    }
}

async fn open(from: Option<IpAddr>, relay: SocketAddr) -> Result<(Link<()>, Welcome), LoadError> {
    let stream = connect(from, relay).await?;
    let mut link = Link::new(stream, BytesMut::new(), ());
    link.output.extend(websocket::upgrade(relay).into_bytes());
    link.flush().await?;
    while !websocket::take_upgraded(&mut link.input)? {
        link.fill().await?;
    }
    match next(&mut link).await? {
        Body::Welcome(welcome) => Ok((link, welcome)),
        _ => Err(LoadError::Unexpected("no welcome")),
    }
}

async fn prove(mut link: Link<()>, request: Request) -> Result<Link<()>, LoadError> {
    let frame = ClientFrame {
        id: 1,
        request: Some(request),
    };
    websocket::append(&mut link.output, &frame);
    link.flush().await?;
    match next(&mut link).await? {
        Body::Authenticated(_) => Ok(link),
        _ => Err(LoadError::Unexpected("not authenticated")),
    }
}

async fn next(link: &mut Link<()>) -> Result<Body, LoadError> {
    loop {
        if let Some(frame) = websocket::take(&mut link.input, &mut link.output)? {
            return said(frame);
        }
        link.flush().await?;
        link.fill().await?;
    }
}

/// What a frame says; an error if it is one, or ends the connection.
pub(super) fn said(frame: ServerFrame) -> Result<Body, LoadError> {
    match frame.body {
        Some(Body::Error(error)) => Err(LoadError::Refused(format!("{error:?}"))),
        Some(Body::Closing(closing)) => {
            let reason = closing.reason().as_str_name();
            Err(LoadError::Refused(format!("connection closed: {reason}")))
        }
        Some(body) => Ok(body),
        None => Err(LoadError::Unexpected("an empty frame")),
    }
}
