//! Receives by XREAD, acknowledges by XTRIM MINID in the same write as the next XREAD.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::key;
use super::resp::{self, Replies, Reply, Stop};
use crate::error::LoadError;
use crate::payload::Stamp;
use crate::target::{Reading, Receives};

/// Messages of one XREAD, as many as the relay's window.
const COUNT: usize = 256;

/// A recipient.
#[derive(Debug)]
pub struct RedisReceiver {
    key: Vec<u8>,
    reading: Reading,
    /// The newest id received.
    last_id: Vec<u8>,
    /// What the coming replies answer.
    waiting: VecDeque<Waiting>,
    unsettled: usize,
    pings: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Read,
    Trim,
    Ping,
}

impl RedisReceiver {
    pub(super) fn new(recipient: usize) -> Self {
        Self {
            key: key(recipient).into_bytes(),
            reading: Reading::Drain,
            last_id: b"0".to_vec(),
            waiting: VecDeque::new(),
            unsettled: 0,
            pings: 0,
        }
    }

    fn read(&mut self, output: &mut Vec<u8>) {
        let count = COUNT.to_string();
        let key = self.key.as_slice();
        let tail: [&[u8]; 5] = [b"COUNT", count.as_bytes(), b"STREAMS", key, &self.last_id];
        match self.reading {
            Reading::Follow => {
                let head: [&[u8]; 3] = [b"XREAD", b"BLOCK", b"0"];
                resp::command(output, &[head.as_slice(), tail.as_slice()].concat());
            }
            Reading::Drain => {
                resp::command(
                    output,
                    &[[b"XREAD".as_slice()].as_slice(), tail.as_slice()].concat(),
                );
            }
        }
        self.waiting.push_back(Waiting::Read);
    }

    /// Deletes everything up to the newest id.
    fn trim(&mut self, output: &mut Vec<u8>) -> Result<(), LoadError> {
        let behind = id_behind(&self.last_id).ok_or(LoadError::Unexpected("an id of a stream"))?;
        resp::command(output, &[b"XTRIM", &self.key, b"MINID", behind.as_bytes()]);
        self.waiting.push_back(Waiting::Trim);
        self.unsettled += 1;
        Ok(())
    }

    fn take_messages(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        received: &mut Vec<Stamp>,
    ) -> Result<bool, LoadError> {
        let before = received.len();
        let last_id = &mut self.last_id;
        let taken = resp::take(input, |replies| read_messages(replies, received, last_id))?;
        if taken.is_none() {
            received.truncate(before);
            return Ok(false);
        }
        let count = received.len() - before;
        if count > 0 {
            self.trim(output)?;
        }
        // Fewer than asked for: the stream is empty.
        if self.reading == Reading::Follow || count == COUNT {
            self.read(output);
        }
        Ok(true)
    }
}

/// The reply to XREAD: the streams that have something, here one; each a key and entries of an id and
/// fields, here one.
fn read_messages(
    replies: &mut Replies<'_>,
    received: &mut Vec<Stamp>,
    last_id: &mut Vec<u8>,
) -> Result<(), Stop> {
    match replies.next()? {
        Reply::Nil => return Ok(()),
        Reply::Array(1) => {}
        _ => return Err(Stop::Wrong(LoadError::Unexpected("several streams"))),
    }
    replies.array_of(2)?;
    replies.text()?;
    let Reply::Array(count) = replies.next()? else {
        return Err(Stop::Wrong(LoadError::Unexpected(
            "a stream without entries",
        )));
    };
    let mut newest: &[u8] = b"";
    for _ in 0..count {
        replies.array_of(2)?;
        newest = replies.text()?;
        replies.array_of(2)?;
        replies.text()?;
        received.push(Stamp::read(replies.text()?).map_err(Stop::Wrong)?);
    }
    last_id.clear();
    last_id.extend_from_slice(newest);
    Ok(())
}

/// The id right behind an id.
fn id_behind(id: &[u8]) -> Option<String> {
    let (milliseconds, sequence) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let sequence: u64 = sequence.parse().ok()?;
    Some(format!("{milliseconds}-{}", sequence.checked_add(1)?))
}

impl Receives for RedisReceiver {
    fn start(&mut self, output: &mut Vec<u8>, reading: Reading) {
        self.reading = reading;
        self.read(output);
    }

    fn take(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        received: &mut Vec<Stamp>,
    ) -> Result<(), LoadError> {
        while let Some(&waiting) = self.waiting.front() {
            let taken = if waiting == Waiting::Read {
                self.take_messages(input, output, received)?
            } else {
                resp::take(input, |replies| replies.text().map(drop))?.is_some()
            };
            if !taken {
                break;
            }
            self.waiting.pop_front();
            match waiting {
                Waiting::Read => {}
                Waiting::Trim => self.unsettled -= 1,
                Waiting::Ping => self.pings += 1,
            }
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.unsettled == 0
    }

    fn ping(&mut self, output: &mut Vec<u8>) {
        resp::command(output, &[b"PING"]);
        self.waiting.push_back(Waiting::Ping);
    }

    fn pings_answered(&self) -> u64 {
        self.pings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{PAYLOAD_LEN, Payload};

    /// A reply to XREAD with messages of these numbers, ids 5-0, 5-1, ...
    fn reply(numbers: &[u32]) -> Vec<u8> {
        let mut reply = format!("*1\r\n*2\r\n$3\r\ns:1\r\n*{}\r\n", numbers.len()).into_bytes();
        for (sequence, &number) in numbers.iter().enumerate() {
            let mut payload: Payload = [0; PAYLOAD_LEN];
            Stamp {
                due: 1,
                sender: 2,
                number,
            }
            .write(&mut payload);
            reply.extend(format!("*2\r\n$3\r\n5-{sequence}\r\n*2\r\n$1\r\np\r\n$256\r\n").bytes());
            reply.extend(payload);
            reply.extend(b"\r\n");
        }
        reply
    }

    #[test]
    fn messages_are_taken_once_and_trimmed_up_to_the_newest() {
        let mut bob = RedisReceiver::new(1);
        let mut output = Vec::new();
        bob.start(&mut output, Reading::Follow);
        output.clear();
        let whole = reply(&[8, 9]);
        let mut received = Vec::new();
        let mut input = BytesMut::from(&whole[..whole.len() - 1]);
        bob.take(&mut input, &mut output, &mut received).unwrap();
        assert!(received.is_empty() && output.is_empty());
        input.extend_from_slice(&whole[whole.len() - 1..]);
        bob.take(&mut input, &mut output, &mut received).unwrap();
        let numbers: Vec<u32> = received.iter().map(|stamp| stamp.number).collect();
        assert_eq!(numbers, [8, 9]);

        let mut expected = Vec::new();
        resp::command(&mut expected, &[b"XTRIM", b"s:1", b"MINID", b"5-2"]);
        let words: [&[u8]; 8] = [
            b"XREAD", b"BLOCK", b"0", b"COUNT", b"256", b"STREAMS", b"s:1", b"5-1",
        ];
        resp::command(&mut expected, &words);
        assert_eq!(output, expected);
        assert!(!bob.is_settled());
        input.extend_from_slice(b":2\r\n");
        bob.take(&mut input, &mut output, &mut received).unwrap();
        assert!(bob.is_settled());
    }

    #[test]
    fn a_drain_ends_when_the_stream_is_empty() {
        let mut bob = RedisReceiver::new(1);
        let mut output = Vec::new();
        bob.start(&mut output, Reading::Drain);
        output.clear();
        let mut input = BytesMut::from(reply(&[1]).as_slice());
        bob.take(&mut input, &mut output, &mut Vec::new()).unwrap();
        let mut expected = Vec::new();
        resp::command(&mut expected, &[b"XTRIM", b"s:1", b"MINID", b"5-1"]);
        assert_eq!(output, expected);
    }
}
