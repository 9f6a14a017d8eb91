//! Sends by XADD. Redis answers in order, so tickets wait in a queue.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;

use super::{key, resp};
use crate::error::LoadError;
use crate::payload::{PAYLOAD_LEN, Payload};
use crate::target::Sends;

/// A sender.
#[derive(Debug)]
pub struct RedisSender {
    additions: Arc<[Vec<u8>]>,
    /// Tickets, each with the replies it still waits for.
    waiting: VecDeque<(u64, usize)>,
}

/// XADD up to the payload.
pub fn addition(recipient: usize) -> Vec<u8> {
    let key = key(recipient);
    let mut addition = format!("*5\r\n$4\r\nXADD\r\n${}\r\n{key}\r\n", key.len()).into_bytes();
    addition.extend(b"$1\r\n*\r\n$1\r\np\r\n");
    addition.extend(format!("${PAYLOAD_LEN}\r\n").into_bytes());
    addition
}

impl RedisSender {
    pub(super) const fn new(additions: Arc<[Vec<u8>]>) -> Self {
        Self {
            additions,
            waiting: VecDeque::new(),
        }
    }

    fn add(&self, output: &mut Vec<u8>, recipient: usize, payload: &Payload) {
        if let Some(addition) = self.additions.get(recipient) {
            output.extend_from_slice(addition);
            output.extend_from_slice(payload);
            output.extend_from_slice(b"\r\n");
        }
    }
}

impl Sends for RedisSender {
    fn send(&mut self, output: &mut Vec<u8>, recipient: usize, payload: &Payload, ticket: u64) {
        self.add(output, recipient, payload);
        self.waiting.push_back((ticket, 1));
    }

    fn send_to_all(
        &mut self,
        output: &mut Vec<u8>,
        recipients: Range<usize>,
        payload: &Payload,
        ticket: u64,
    ) -> Result<(), LoadError> {
        self.waiting.push_back((ticket, recipients.len()));
        for recipient in recipients {
            self.add(output, recipient, payload);
        }
        Ok(())
    }

    fn take(
        &mut self,
        input: &mut BytesMut,
        _: &mut Vec<u8>,
        answered: &mut Vec<u64>,
    ) -> Result<(), LoadError> {
        while resp::take(input, |replies| replies.text().map(drop))?.is_some() {
            let (ticket, left) = self
                .waiting
                .front_mut()
                .ok_or(LoadError::Unexpected("more replies than commands"))?;
            *left -= 1;
            if *left == 0 {
                answered.push(*ticket);
                self.waiting.pop_front();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_command_and_a_fan_out_one_answer() {
        let additions: Arc<[Vec<u8>]> = (0..3).map(addition).collect();
        let mut sender = RedisSender::new(additions);
        let mut output = Vec::new();
        sender.send(&mut output, 2, &[7; PAYLOAD_LEN], 0);
        let mut expected = Vec::new();
        resp::command(
            &mut expected,
            &[b"XADD", b"s:2", b"*", b"p", &[7; PAYLOAD_LEN]],
        );
        assert_eq!(output, expected);

        sender
            .send_to_all(&mut output, 0..3, &[7; PAYLOAD_LEN], 1)
            .unwrap();
        let mut answered = Vec::new();
        let mut input = BytesMut::from(&b"$3\r\n1-0\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n$3\r\n1"[..]);
        sender.take(&mut input, &mut output, &mut answered).unwrap();
        assert_eq!(answered, [0]);
        input.extend_from_slice(b"-3\r\n");
        sender.take(&mut input, &mut output, &mut answered).unwrap();
        assert_eq!(answered, [0, 1]);
    }
}
