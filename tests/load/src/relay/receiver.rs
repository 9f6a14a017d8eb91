//! Receives deliveries, and acknowledges those of one read with one request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Acknowledge, ClientFrame, Ping, Receive};

use super::accounts::{Account, said};
use super::websocket;
use crate::error::LoadError;
use crate::payload::Stamp;
use crate::target::{Reading, Receives};

/// A recipient.
#[derive(Debug)]
pub struct RelayReceiver {
    account: Arc<Account>,
    last_id: u64,
    /// The newest message received.
    last_sequence: u64,
    unsettled: usize,
    pings: u64,
}

impl RelayReceiver {
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self {
            last_sequence: account.acknowledged.load(Ordering::Relaxed),
            account,
            // 1 proved who this is.
            last_id: 1,
            unsettled: 0,
            pings: 0,
        }
    }

    fn ask(&mut self, output: &mut Vec<u8>, request: Request) {
        self.last_id += 1;
        let frame = ClientFrame {
            id: self.last_id,
            request: Some(request),
        };
        websocket::append(output, &frame);
    }

    fn take_delivery(&mut self, sequence: u64) -> Result<(), LoadError> {
        if sequence != self.last_sequence + 1 {
            return Err(LoadError::Unexpected("a gap in the sequence numbers"));
        }
        self.last_sequence = sequence;
        Ok(())
    }
}

impl Receives for RelayReceiver {
    /// The relay goes on delivering, so both readings are the same.
    fn start(&mut self, output: &mut Vec<u8>, _: Reading) {
        let after_sequence = self.last_sequence;
        self.ask(output, Request::Receive(Receive { after_sequence }));
        self.unsettled += 1;
    }

    fn take(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        received: &mut Vec<Stamp>,
    ) -> Result<(), LoadError> {
        let before = received.len();
        while let Some(frame) = websocket::take(input, output)? {
            match said(frame)? {
                Body::Deliveries(some) => {
                    for delivery in some.deliveries {
                        self.take_delivery(delivery.sequence)?;
                        received.push(Stamp::read(&delivery.ciphertext)?);
                    }
                }
                Body::Acknowledged(through) => {
                    let acknowledged = &self.account.acknowledged;
                    acknowledged.fetch_max(through.through_sequence, Ordering::Relaxed);
                    self.unsettled -= 1;
                }
                Body::Ok(_) => self.pings += 1,
                Body::CaughtUp(_) => {}
                _ => return Err(LoadError::Unexpected("a push of another kind")),
            }
        }
        if received.len() > before {
            let through_sequence = self.last_sequence;
            self.ask(
                output,
                Request::Acknowledge(Acknowledge { through_sequence }),
            );
            self.unsettled += 1;
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.unsettled == 0
    }

    fn ping(&mut self, output: &mut Vec<u8>) {
        self.ask(output, Request::Ping(Ping {}));
    }

    fn pings_answered(&self) -> u64 {
        self.pings
    }
}
