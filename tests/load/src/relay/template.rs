//! A whole `Send` frame, encoded once; only its id, message id and ciphertext change. So sending costs
//! this program a copy, as it does with Redis.

use std::sync::Arc;

use hushpost_wire::client_frame::Request;
use hushpost_wire::{ClientFrame, Send};
use prost::Message as _;

use super::accounts::Account;
use super::websocket;
use crate::error::LoadError;
use crate::payload::{self, PAYLOAD_LEN, Payload};

/// Ids begin here, so that each takes five bytes.
const FIRST_ID: u64 = 1 << 28;
/// Bytes of such an id.
const ID_LEN: usize = 5;
/// Bytes of a message id.
const MESSAGE_ID_LEN: usize = 16;

/// An encoded message to one account or many.
#[derive(Debug)]
pub struct Template {
    bytes: Vec<u8>,
    id_at: usize,
    message_id_at: usize,
    payload_at: usize,
}

/// The frame id of a ticket.
pub const fn id_of(ticket: u64) -> u64 {
    FIRST_ID + ticket
}

/// The ticket of a frame id.
pub const fn ticket_of(id: u64) -> u64 {
    id.wrapping_sub(FIRST_ID)
}

impl Template {
    /// A message to one account, with a ciphertext for its device.
    pub fn to_one(account: &Account) -> Result<Self, LoadError> {
        let payload = payload::random();
        let message = Send {
            recipients: vec![account.identity.recipient(&payload)],
            ..Send::default()
        };
        Self::new(message, &payload)
    }

    /// A message to many accounts, with one ciphertext for all.
    pub fn to_all(accounts: &[Arc<Account>]) -> Result<Self, LoadError> {
        let payload = payload::random();
        let message = Send {
            shared_ciphertext: Some(payload.to_vec().into()),
            recipients: accounts
                .iter()
                .map(|account| account.identity.recipient(&[]))
                .collect(),
            ..Send::default()
        };
        Self::new(message, &payload)
    }

    fn new(mut message: Send, payload: &Payload) -> Result<Self, LoadError> {
        let message_id: Vec<u8> = payload::random().into_iter().take(MESSAGE_ID_LEN).collect();
        message.message_id = message_id.clone().into();
        let frame = ClientFrame {
            id: FIRST_ID,
            request: Some(Request::Send(message)),
        };
        let mut bytes = Vec::new();
        websocket::append_head(&mut bytes, frame.encoded_len());
        // Behind the tag of the first field.
        let id_at = bytes.len() + 1;
        bytes.extend(frame.encode_to_vec());
        // Both are random, so they stand nowhere else.
        let position = |wanted: &[u8]| {
            bytes
                .windows(wanted.len())
                .position(|window| window == wanted)
                .ok_or(LoadError::Unexpected(
                    "a frame without what was put into it",
                ))
        };
        Ok(Self {
            message_id_at: position(&message_id)?,
            payload_at: position(payload)?,
            id_at,
            bytes,
        })
    }

    /// Appends the message.
    pub fn append(
        &self,
        output: &mut Vec<u8>,
        ticket: u64,
        message_id: [u8; MESSAGE_ID_LEN],
        payload: &Payload,
    ) {
        let start = output.len();
        output.extend_from_slice(&self.bytes);
        let mut put = |at: usize, bytes: &[u8]| {
            let slots = output.get_mut(start + at..).unwrap_or_default();
            for (slot, byte) in slots.iter_mut().zip(bytes) {
                *slot = *byte;
            }
        };
        put(self.id_at, &varint(id_of(ticket)));
        put(self.message_id_at, &message_id);
        put(self.payload_at, payload);
    }
}

const _: () = assert!(PAYLOAD_LEN > MESSAGE_ID_LEN);

/// A varint of exactly five bytes, for 2^28 up to 2^35.
fn varint(mut value: u64) -> [u8; ID_LEN] {
    let mut bytes = [0; ID_LEN];
    for (position, byte) in bytes.iter_mut().enumerate() {
        let more = if position + 1 < ID_LEN { 0x80 } else { 0 };
        *byte = u8::try_from(value & 0x7f).unwrap_or(0) | more;
        value >>= 7;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use hushpost_harness::Identity;

    fn accounts(count: usize) -> Vec<Arc<Account>> {
        (0..count)
            .map(|_| Arc::new(Account::new(Identity::new().unwrap())))
            .collect()
    }

    /// What a relay reads of a message with a template.
    fn read(template: &Template, head: usize, ticket: u64) -> (u64, Send) {
        let mut output = b"before".to_vec();
        template.append(&mut output, ticket, [9; 16], &[8; PAYLOAD_LEN]);
        let frame = ClientFrame::decode(&output["before".len() + head..]).unwrap();
        match frame.request {
            Some(Request::Send(message)) => (frame.id, message),
            _ => panic!("no message"),
        }
    }

    #[test]
    fn a_message_to_one_is_what_prost_would_encode() {
        let accounts = accounts(1);
        let template = Template::to_one(&accounts[0]).unwrap();
        for ticket in [0, 1, 12_345_678, (1 << 35) - (1 << 28) - 1] {
            let (id, message) = read(&template, 8, ticket);
            assert_eq!(ticket_of(id), ticket);
            let expected = Send {
                message_id: vec![9; 16].into(),
                recipients: vec![accounts[0].identity.recipient(&[8; PAYLOAD_LEN])],
                ..Send::default()
            };
            assert!(message == expected);
        }
    }

    #[test]
    fn a_message_to_all_has_one_ciphertext() {
        let accounts = accounts(1_000);
        let template = Template::to_all(&accounts).unwrap();
        let (_, message) = read(&template, 8, 3);
        assert_eq!(message.recipients.len(), 1_000);
        assert_eq!(message.shared_ciphertext.unwrap(), vec![8; PAYLOAD_LEN]);
    }
}
