//! Redis streams as a message queue, as lean as they can be: RESP by hand over plain TCP, no library in
//! between that would cost Redis anything. One stream a recipient; XADD stores, XREAD delivers, XTRIM
//! MINID acknowledges (one short command, however many messages).

mod receiver;
mod resp;
mod sender;
mod server;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;
use hushpost_harness::resident_bytes;

use crate::error::LoadError;
use crate::footprint::{Footprint, folder_bytes};
use crate::link::{Link, connect};
use crate::target::Target;

pub use self::receiver::RedisReceiver;
pub use self::sender::RedisSender;
pub use self::server::RedisServer;

/// A running Redis and the commands to each stream.
#[derive(Debug)]
pub struct Redis {
    server: RedisServer,
    /// XADD up to the payload, by recipient.
    additions: Arc<[Vec<u8>]>,
}

impl Redis {
    /// Prepares `recipients` streams.
    pub fn new(server: RedisServer, recipients: usize) -> Self {
        let additions = (0..recipients).map(sender::addition).collect();
        Self { server, additions }
    }
}

fn key(recipient: usize) -> String {
    format!("s:{recipient}")
}

impl Target for Redis {
    type Sender = RedisSender;
    type Receiver = RedisReceiver;

    async fn sender(&self, _: usize) -> Result<Link<RedisSender>, LoadError> {
        let stream = connect(None, self.server.address()).await?;
        let sender = RedisSender::new(Arc::clone(&self.additions));
        Ok(Link::new(stream, BytesMut::new(), sender))
    }

    async fn receiver(&self, index: usize) -> Result<Link<RedisReceiver>, LoadError> {
        let stream = connect(None, self.server.address()).await?;
        let mut link = Link::new(stream, BytesMut::new(), RedisReceiver::new(index));
        // The relay answers before it is ready, so let Redis.
        link.ping().await?;
        Ok(link)
    }

    async fn idler(&self, from: IpAddr) -> Result<Link<RedisReceiver>, LoadError> {
        let stream = connect(Some(from), self.server.address()).await?;
        let mut link = Link::new(stream, BytesMut::new(), RedisReceiver::new(0)).mostly_silent();
        link.ping().await?;
        Ok(link)
    }

    async fn footprint(&self) -> Result<Footprint, LoadError> {
        Ok(Footprint {
            resident: resident_bytes(self.server.pid())?,
            disk: Some(folder_bytes(self.server.folder())?),
            // Redis does not count its fsyncs.
            commits: None,
        })
    }
}
