//! A way to the relay that meddles with blobs: cuts, swaps ids, flips bytes. Messages pass untouched.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use hushpost::connection::{ByteStream, Connecting, NetworkTransport, RelayUrl, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, split};

/// What is done to the next connection that carries a blob.
#[derive(Debug, Clone, Default)]
pub struct Meddling {
    /// Bytes that pass towards the relay before everything is cut.
    pub up: Option<usize>,
    /// Bytes that pass towards the client before everything is cut.
    pub down: Option<usize>,
    /// In requests, this becomes that; both of one length.
    pub swap: Option<(Vec<u8>, Vec<u8>)>,
    /// The byte with this number towards the client is another one.
    pub flip: Option<usize>,
}

/// What was asked for, and what is to be done.
#[derive(Debug, Default)]
pub struct Rules {
    next: Mutex<VecDeque<Meddling>>,
    heads: Mutex<Vec<String>>,
    sent: Mutex<usize>,
}

impl Rules {
    pub fn then(&self, meddling: Meddling) {
        self.next.lock().unwrap().push_back(meddling);
    }

    /// The first lines of the requests on the blob connections.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Bytes that went towards the relay on blob connections.
    pub fn sent(&self) -> usize {
        *self.sent.lock().unwrap()
    }
}

pub struct Meddler {
    pub inner: NetworkTransport,
    pub rules: Arc<Rules>,
}

impl Transport for Meddler {
    fn connect<'a>(&'a self, url: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(async move {
            let far = self.inner.connect(url).await?;
            let (near, ours) = duplex(64 * 1024);
            tokio::spawn(carry(ours, far, Arc::clone(&self.rules)));
            Ok(Box::new(near) as Box<dyn ByteStream>)
        })
    }
}

async fn carry(
    ours: tokio::io::DuplexStream,
    far: Box<dyn ByteStream>,
    rules: Arc<Rules>,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(ours);
    let (mut from_relay, mut to_relay) = split(far);
    let mut first = vec![0; 64 * 1024];
    let read = from_client.read(&mut first).await?;
    first.truncate(read);
    let head = String::from_utf8_lossy(&first);
    let line = head.lines().next().unwrap_or_default().to_owned();
    let is_blob = line.contains("/v1/blobs/");
    let mut meddling = Meddling::default();
    if is_blob {
        rules.heads.lock().unwrap().push(line);
        meddling = rules.next.lock().unwrap().pop_front().unwrap_or_default();
    }
    let up = async {
        let mut left = meddling.up.unwrap_or(usize::MAX);
        let mut piece = first;
        while !piece.is_empty() {
            if let Some((from, to)) = &meddling.swap
                && let Some(at) = piece.windows(from.len()).position(|window| window == from)
            {
                piece[at..at + from.len()].copy_from_slice(to);
            }
            let pass = piece.len().min(left);
            to_relay.write_all(&piece[..pass]).await?;
            if is_blob {
                *rules.sent.lock().unwrap() += pass;
            }
            left -= pass;
            if left == 0 {
                to_relay.flush().await?;
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            piece.resize(64 * 1024, 0);
            let read = from_client.read(&mut piece).await?;
            piece.truncate(read);
        }
        to_relay.shutdown().await
    };
    let down = async {
        let mut left = meddling.down.unwrap_or(usize::MAX);
        let mut seen = 0_usize;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = from_relay.read(&mut piece).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            if let Some(at) = meddling.flip.and_then(|at| at.checked_sub(seen))
                && at < read
            {
                piece[at] ^= 1;
            }
            seen += read;
            let pass = read.min(left);
            to_client.write_all(&piece[..pass]).await?;
            left -= pass;
            if left == 0 {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
        }
    };
    tokio::try_join!(up, down)?;
    Ok(())
}
