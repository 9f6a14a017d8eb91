//! A connection with its buffers: many messages a write, many answers a read.

use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::error::LoadError;
use crate::payload::Stamp;
use crate::target::{Receives, Sends};

/// Room that is made before each read. What a busy connection gets at once is read at once.
const READ: usize = 64 * 1024;
/// Room of a connection that will mostly be silent.
const READ_IDLE: usize = 512;

/// One connection.
#[derive(Debug)]
pub struct Link<P> {
    stream: TcpStream,
    /// What was read and not yet taken.
    pub input: BytesMut,
    /// What is to be written at the next [`flush`](Self::flush).
    pub output: Vec<u8>,
    /// Who speaks here.
    pub peer: P,
    read_room: usize,
}

/// Connects over loopback, from `from` where given.
pub async fn connect(from: Option<IpAddr>, to: SocketAddr) -> Result<TcpStream, LoadError> {
    if !to.ip().is_loopback() {
        return Err(LoadError::NotLoopback(to));
    }
    let stream = if let Some(from) = from {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(to).await?
    } else {
        TcpStream::connect(to).await?
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl<P> Link<P> {
    /// A link over a connection; `input` is what was read from it already.
    pub fn new(stream: TcpStream, input: BytesMut, peer: P) -> Self {
        Self {
            stream,
            input,
            output: Vec::new(),
            peer,
            read_room: READ,
        }
    }

    /// Keeps the buffers small, for thousands of links.
    #[must_use]
    pub fn mostly_silent(mut self) -> Self {
        self.read_room = READ_IDLE;
        self
    }

    /// The same connection, with somebody else speaking.
    pub fn map<Q>(self, peer: impl FnOnce(P) -> Q) -> Link<Q> {
        Link {
            stream: self.stream,
            input: self.input,
            output: self.output,
            peer: peer(self.peer),
            read_room: self.read_room,
        }
    }

    /// Writes what is to be written.
    pub async fn flush(&mut self) -> Result<(), LoadError> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }

    /// Reads once. May be cancelled without loss.
    pub async fn fill(&mut self) -> Result<(), LoadError> {
        self.input.reserve(self.read_room);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(LoadError::Ended),
            _ => Ok(()),
        }
    }
}

impl<P: Sends> Link<P> {
    /// Takes the answers that were read.
    pub fn answers(&mut self, answered: &mut Vec<u64>) -> Result<(), LoadError> {
        self.peer.take(&mut self.input, &mut self.output, answered)
    }

    /// Waits until something was answered.
    pub async fn next_answers(&mut self, answered: &mut Vec<u64>) -> Result<(), LoadError> {
        answered.clear();
        while answered.is_empty() {
            self.fill().await?;
            self.answers(answered)?;
        }
        Ok(())
    }
}

impl<P: Receives> Link<P> {
    /// Takes the messages that were read, and writes their acknowledgement.
    pub async fn take_messages(&mut self, received: &mut Vec<Stamp>) -> Result<(), LoadError> {
        received.clear();
        self.peer
            .take(&mut self.input, &mut self.output, received)?;
        self.flush().await
    }

    /// Waits until a ping is answered.
    pub async fn ping(&mut self) -> Result<(), LoadError> {
        let before = self.peer.pings_answered();
        self.peer.ping(&mut self.output);
        self.flush().await?;
        let mut received = Vec::new();
        while self.peer.pings_answered() == before {
            self.fill().await?;
            self.take_messages(&mut received).await?;
        }
        Ok(())
    }
}
