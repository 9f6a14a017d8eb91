//! One connection as the model sees it: who it speaks for, what it is to be told, how far delivery is.

use std::collections::VecDeque;
use std::sync::Arc;

use hushpost_wire::server_frame::Body;
use hushpost_wire::{CloseReason, Closing, DeviceAddress, ServerFrame};
use tokio::sync::Notify;

/// Who a connection speaks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    Unknown,
    Anonymous,
    Device(DeviceAddress),
}

/// How far delivery to a connection is.
#[derive(Default)]
pub(super) struct Cursor {
    pub(super) receiving: bool,
    pub(super) caught_up: bool,
    pub(super) pushed: u64,
    pub(super) acknowledged: u64,
}

/// One connection.
pub(super) struct Session {
    pub(super) nonce: [u8; 32],
    pub(super) identity: Identity,
    pub(super) cursor: Cursor,
    pub(super) outbox: VecDeque<ServerFrame>,
    pub(super) closing: bool,
    /// Rung when there is something to write.
    pub(super) bell: Arc<Notify>,
    /// Rung when the connection is to be dropped.
    pub(super) cut: Arc<Notify>,
}

impl Session {
    pub(super) fn new(nonce: [u8; 32]) -> Self {
        Self {
            nonce,
            identity: Identity::Unknown,
            cursor: Cursor::default(),
            outbox: VecDeque::new(),
            closing: false,
            bell: Arc::new(Notify::new()),
            cut: Arc::new(Notify::new()),
        }
    }

    /// The device that the connection speaks for and is still open for.
    pub(super) fn device(&self) -> Option<DeviceAddress> {
        match self.identity {
            Identity::Device(device) if !self.closing => Some(device),
            _ => None,
        }
    }

    pub(super) fn say(&mut self, id: u64, body: Body) {
        if self.closing {
            return;
        }
        self.outbox.push_back(ServerFrame {
            id,
            body: Some(body),
        });
        self.bell.notify_one();
    }

    /// Says why and closes; what waits is written first.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.say(
            0,
            Body::Closing(Closing {
                reason: reason.into(),
                reconnect_after_ms: 0,
            }),
        );
        self.closing = true;
    }
}
