//! What a scenario asks of a server: the relay and Redis differ in nothing but what is behind these
//! traits, so neither gets a leaner client than the other.

use std::future::Future;
use std::net::IpAddr;
use std::ops::Range;

use bytes::BytesMut;

use crate::error::LoadError;
use crate::footprint::Footprint;
use crate::link::Link;
use crate::payload::{Payload, Stamp};

/// A server under load.
pub trait Target: Send + Sync + 'static {
    /// Speaks for a sender.
    type Sender: Sends;
    /// Speaks for a recipient.
    type Receiver: Receives;

    /// Connects sender `index`, ready to send.
    fn sender(
        &self,
        index: usize,
    ) -> impl Future<Output = Result<Link<Self::Sender>, LoadError>> + Send;

    /// Connects recipient `index`, ready to receive.
    fn receiver(
        &self,
        index: usize,
    ) -> impl Future<Output = Result<Link<Self::Receiver>, LoadError>> + Send;

    /// Connects somebody who is not in any other scenario, from an address of this machine.
    fn idler(
        &self,
        from: IpAddr,
    ) -> impl Future<Output = Result<Link<Self::Receiver>, LoadError>> + Send;

    /// What the server takes up now.
    fn footprint(&self) -> impl Future<Output = Result<Footprint, LoadError>> + Send;
}

/// A sender's side of the protocol: bytes out, answers in.
pub trait Sends: Send + 'static {
    /// Appends a message for one recipient. Tickets rise from 0 and are told when answered.
    fn send(&mut self, output: &mut Vec<u8>, recipient: usize, payload: &Payload, ticket: u64);

    /// Appends one message for many recipients.
    fn send_to_all(
        &mut self,
        output: &mut Vec<u8>,
        recipients: Range<usize>,
        payload: &Payload,
        ticket: u64,
    ) -> Result<(), LoadError>;

    /// Takes what is complete from `input` and appends the tickets of messages that the server has
    /// stored durably.
    fn take(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        answered: &mut Vec<u64>,
    ) -> Result<(), LoadError>;
}

/// How a recipient reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// What waits, and then what comes.
    Follow,
    /// What waits.
    Drain,
}

/// A recipient's side of the protocol.
pub trait Receives: Send + 'static {
    /// Appends the request to deliver.
    fn start(&mut self, output: &mut Vec<u8>, reading: Reading);

    /// Takes what is complete from `input`, appends the messages to `received` and their
    /// acknowledgement to `output`.
    fn take(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        received: &mut Vec<Stamp>,
    ) -> Result<(), LoadError>;

    /// Whether the server has confirmed every acknowledgement.
    fn is_settled(&self) -> bool;

    /// Appends a request that does nothing.
    fn ping(&mut self, output: &mut Vec<u8>);

    /// How many of them were answered.
    fn pings_answered(&self) -> u64;
}
