//! A bare TCP connection to the relay, for attacks that no WebSocket library would send: half a
//! handshake, forged headers, broken frames.

use std::io;
use std::net::{IpAddr, SocketAddr};

use hushpost_wire::SUBPROTOCOL;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{HarnessError, PATIENCE, upgrade};

/// Longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// A TCP connection.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    address: SocketAddr,
}

impl RawConnection {
    /// Connects, from `local` where given.
    ///
    /// # Errors
    /// [`HarnessError::Io`], [`HarnessError::Silent`].
    pub async fn open(local: Option<IpAddr>, address: SocketAddr) -> Result<Self, HarnessError> {
        let stream = upgrade::open(local, address).await?;
        Ok(Self { stream, address })
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// [`HarnessError::Io`]; [`HarnessError::Silent`] if the relay does not read.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), HarnessError> {
        timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .map_err(|_| HarnessError::Silent("room to send"))??;
        Ok(())
    }

    /// Asks for the WebSocket with `headers` beside the necessary ones (each `Name: value\r\n`), and
    /// returns the head of the answer. Frames may then be written by hand.
    ///
    /// # Errors
    /// As [`write`](Self::write) and [`read_until`](Self::read_until).
    pub async fn upgrade(&mut self, headers: &str) -> Result<String, HarnessError> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n{headers}\r\n",
            upgrade::PATH,
            self.address,
        );
        self.write(request.as_bytes()).await?;
        let head = self.read_until(b"\r\n\r\n").await?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    /// Reads up to and with the first occurrence of `end`, byte by byte, so that nothing behind it is lost.
    ///
    /// # Errors
    /// [`HarnessError::Ended`] if the connection ends first, [`HarnessError::Silent`].
    pub async fn read_until(&mut self, end: &[u8]) -> Result<Vec<u8>, HarnessError> {
        let mut answer = Vec::new();
        let reading = async {
            while !answer.ends_with(end) && answer.len() < MAX_ANSWER {
                let byte = self
                    .stream
                    .read_u8()
                    .await
                    .map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => {
                            HarnessError::Ended("the rest of an answer")
                        }
                        _ => HarnessError::Io(error),
                    })?;
                answer.push(byte);
            }
            Ok::<(), HarnessError>(())
        };
        timeout(PATIENCE, reading)
            .await
            .map_err(|_| HarnessError::Silent("the rest of an answer"))??;
        Ok(answer)
    }

    /// Reads until the relay closes, however it does, and returns what it said.
    ///
    /// # Errors
    /// [`HarnessError::Silent`] if it does not close.
    pub async fn read_to_end(mut self) -> Result<Vec<u8>, HarnessError> {
        let mut answer = Vec::new();
        let reading = async {
            // A reset is an end too.
            while let Ok(read) = self.stream.read_buf(&mut answer).await {
                if read == 0 || answer.len() >= MAX_ANSWER {
                    break;
                }
            }
        };
        timeout(PATIENCE, reading)
            .await
            .map_err(|_| HarnessError::Silent("end of the connection"))?;
        Ok(answer)
    }

    /// Whether the relay has ended the connection, as far as is known by now; what it said is read and
    /// dropped. Does not wait.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut said = [0; 4096];
        loop {
            match self.stream.try_read(&mut said) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// The socket.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}
