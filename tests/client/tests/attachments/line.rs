//! A way to one relay, then to another: connections that carry blobs are cut after so many bytes, and after the
//! so-manieth of them the relay loses its store, which here is an empty one in its place.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use hushpost::connection::{ByteStream, Connecting, NetworkTransport, RelayUrl, Transport};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, split,
};
use tokio::sync::watch;

const PIECE: usize = 16 * 1024;

/// After how many bytes a connection is cut, either way.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    pub up: usize,
    pub down: usize,
}

impl Cut {
    const NEVER: Self = Self {
        up: usize::MAX,
        down: usize::MAX,
    };
}

/// What is to happen on a line, and what did.
#[derive(Debug)]
pub struct Plan {
    pub cuts: Mutex<VecDeque<Cut>>,
    /// After this blob connection, counted from 1, the relay has lost its store.
    pub loses_after: Option<usize>,
    /// Blob connections that are over.
    pub over: watch::Sender<usize>,
    /// Whether the relay's store is another one.
    pub lost: watch::Sender<bool>,
}

impl Plan {
    pub fn new(cuts: Vec<Cut>, loses_after: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            cuts: Mutex::new(cuts.into()),
            loses_after,
            over: watch::Sender::new(0),
            lost: watch::Sender::new(false),
        })
    }
}

/// A phone's line.
pub struct Line {
    pub network: NetworkTransport,
    /// The relay before and after it loses its store.
    pub relays: [RelayUrl; 2],
    /// The own plan, and whose plan says when the relay loses its store.
    pub plan: Arc<Plan>,
    pub fate: Arc<Plan>,
}

impl Transport for Line {
    fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(async move {
            let lost = *self.fate.lost.borrow();
            let far = self
                .network
                .connect(&self.relays[usize::from(lost)])
                .await?;
            let (near, ours) = duplex(PIECE);
            let (plan, fate) = (Arc::clone(&self.plan), self.fate.lost.subscribe());
            tokio::spawn(carry(ours, far, plan, (fate, lost)));
            Ok(Box::new(near) as Box<dyn ByteStream>)
        })
    }
}

/// Carries bytes both ways until either end closes, the cut, or the relay to which it leads is no more.
async fn carry(
    ours: DuplexStream,
    far: Box<dyn ByteStream>,
    plan: Arc<Plan>,
    (mut fate, lost): (watch::Receiver<bool>, bool),
) {
    let (mut from_client, mut to_client) = split(ours);
    let (mut from_relay, mut to_relay) = split(far);
    let mut first = vec![0; PIECE];
    let Ok(read) = from_client.read(&mut first).await else {
        return;
    };
    first.truncate(read);
    let is_blob = first.windows(10).any(|bytes| bytes == b"/v1/blobs/");
    let mut cut = Cut::NEVER;
    if is_blob {
        cut = plan.cuts.lock().unwrap().pop_front().unwrap_or(cut);
    }
    let up = async {
        let pass = first.len().min(cut.up);
        to_relay.write_all(&first[..pass]).await?;
        pump(&mut from_client, &mut to_relay, cut.up - pass).await
    };
    let down = pump(&mut from_relay, &mut to_client, cut.down);
    tokio::select! {
        _ended = up => {}
        _ended = down => {}
        _gone = fate.wait_for(|now| *now != lost) => {}
    }
    if is_blob {
        let mut over = 0;
        plan.over.send_modify(|count| {
            *count += 1;
            over = *count;
        });
        if plan.loses_after == Some(over) {
            plan.lost.send_replace(true);
        }
    }
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut left: usize,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        let pass = read.min(left);
        to.write_all(&piece[..pass]).await?;
        to.flush().await?;
        left -= pass;
    }
    Ok(())
}
