//! What a client and its relay say to each other, counted on the wire: a transport that reads along. It decodes
//! every frame of its client once more, so what is measured through it is a little slower than without.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hushpost::RelayUrl;
use hushpost::connection::{ByteStream, Connecting, Transport};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{ClientFrame, ServerFrame, frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(600);

/// One message as it went to the relay.
pub struct Upload {
    /// Accounts it is for.
    pub recipients: usize,
    /// One ciphertext for all; none: each device has its own.
    pub shared: Option<Vec<u8>>,
    /// Ciphertexts for one device alone.
    pub own: usize,
    /// Bytes of the frame.
    pub len: usize,
    /// What the relay answered: when, and for how many devices it is stored.
    pub answer: Option<(Instant, u32)>,
}

/// Everything that was seen.
#[derive(Default)]
pub struct Seen {
    /// Messages, in the order in which they went.
    pub uploads: Vec<Upload>,
    /// Requests of any kind.
    pub requests: usize,
    waiting: HashMap<u64, usize>,
}

impl Seen {
    /// Messages with one ciphertext for all.
    pub fn shared(&self) -> impl DoubleEndedIterator<Item = &Upload> {
        self.uploads.iter().filter(|upload| upload.shared.is_some())
    }

    /// Devices that messages of one kind are stored for.
    pub fn stored(&self, shared: bool) -> u32 {
        let uploads = self.uploads.iter();
        let uploads = uploads.filter(|upload| upload.shared.is_some() == shared);
        uploads.filter_map(|upload| Some(upload.answer?.1)).sum()
    }

    fn asked(&mut self, bytes: Vec<u8>) {
        let len = bytes.len();
        let frame: ClientFrame = frame::decode(bytes.into()).unwrap();
        self.requests += 1;
        if let Some(Request::Send(send)) = frame.request
            && !send.ephemeral
        {
            self.waiting.insert(frame.id, self.uploads.len());
            let devices = send.recipients.iter().flat_map(|to| &to.devices);
            self.uploads.push(Upload {
                recipients: send.recipients.len(),
                own: devices.filter(|to| !to.ciphertext.is_empty()).count(),
                shared: send.shared_ciphertext.map(Into::into),
                len,
                answer: None,
            });
        }
    }

    fn answered(&mut self, bytes: Vec<u8>) {
        let frame: ServerFrame = frame::decode(bytes.into()).unwrap();
        if let Some(Body::Sent(sent)) = frame.body
            && let Some(upload) = self.waiting.remove(&frame.id)
        {
            self.uploads[upload].answer = Some((Instant::now(), sent.stored));
        }
    }
}

/// Reads along on every connection of one client.
#[derive(Clone)]
pub struct Tap {
    relay: SocketAddr,
    seen: Arc<watch::Sender<Seen>>,
}

impl Tap {
    pub fn new(relay: SocketAddr) -> Self {
        Self {
            relay,
            seen: Arc::new(watch::Sender::default()),
        }
    }

    pub const fn relay(&self) -> SocketAddr {
        self.relay
    }

    /// Forgets what was seen. Answers that are still to come belong to nothing then.
    pub fn clear(&self) {
        self.seen.send_modify(|seen| *seen = Seen::default());
    }

    /// What was seen.
    pub fn seen(&self) -> watch::Ref<'_, Seen> {
        self.seen.borrow()
    }

    /// Waits until something was seen.
    pub async fn until(&self, fits: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        timeout(PATIENCE, seen.wait_for(fits))
            .await
            .unwrap()
            .unwrap();
    }
}

impl Transport for Tap {
    fn connect<'a>(&'a self, _: &'a RelayUrl) -> Connecting<'a> {
        Box::pin(async {
            let stream = TcpStream::connect(self.relay).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(Tapped {
                stream,
                seen: self.seen.clone(),
                out: Frames::default(),
                back: Frames::default(),
            }) as Box<dyn ByteStream>)
        })
    }
}

struct Tapped {
    stream: TcpStream,
    seen: Arc<watch::Sender<Seen>>,
    out: Frames,
    back: Frames,
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        for frame in self.back.add(&buffer.filled()[before..]) {
            self.seen.send_modify(|seen| seen.answered(frame));
        }
        read
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        if let Poll::Ready(Ok(written)) = written {
            for frame in self.out.add(&buffer[..written]) {
                self.seen.send_modify(|seen| seen.asked(frame));
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// WebSocket messages out of a stream of bytes; none of ours comes in pieces.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    upgraded: bool,
}

impl Frames {
    fn add(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.bytes.extend_from_slice(bytes);
        if !self.upgraded {
            let end = self.bytes.windows(4).position(|end| end == b"\r\n\r\n");
            let Some(end) = end else {
                return Vec::new();
            };
            self.bytes.drain(..end + 4);
            self.upgraded = true;
        }
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some((binary, payload, len)) = frame_in(&self.bytes[at..]) {
            at += len;
            found.extend(binary.then_some(payload));
        }
        self.bytes.drain(..at);
        found
    }
}

/// The first frame: whether it is binary, its payload, and its length with the head.
fn frame_in(bytes: &[u8]) -> Option<(bool, Vec<u8>, usize)> {
    let [first, second, ..] = *bytes else {
        return None;
    };
    let (len, mut head) = match second & 0x7f {
        126 => (
            u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()).into(),
            4,
        ),
        127 => (
            u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()),
            10,
        ),
        len => (len.into(), 2),
    };
    let len = usize::try_from(len).unwrap();
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        mask.copy_from_slice(bytes.get(head..head + 4)?);
        head += 4;
    }
    let mut payload = bytes.get(head..head + len)?.to_vec();
    for (index, byte) in payload.iter_mut().enumerate() {
        *byte ^= mask[index % 4];
    }
    Some((first & 0x0f == 2, payload, head + len))
}
