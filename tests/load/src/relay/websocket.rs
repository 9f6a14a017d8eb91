//! As much of a WebSocket client as a load program needs: whole binary messages, pings answered.
//!
//! By hand, because a general client would take processor time from the relay that is measured. The
//! masking key is zero: masks guard proxies from scripts in a browser, and there is neither here. The
//! relay unmasks all the same.

use std::net::SocketAddr;

use bytes::{Buf as _, Bytes, BytesMut};
use hushpost_wire::{SUBPROTOCOL, ServerFrame, frame};
use prost::Message;

use crate::error::LoadError;

const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;
const FINAL_PONG: u8 = 0x8a;
const MASKED: u8 = 0x80;
/// The length follows in two bytes.
const LEN_16: u8 = 0x7e;
/// The length follows in eight bytes.
const LEN_64: u8 = 0x7f;
const NO_MASK: [u8; 4] = [0; 4];

/// Longest head of an HTTP answer.
const MAX_HEAD: usize = 4096;

/// The HTTP request.
pub fn upgrade(relay: SocketAddr) -> String {
    format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {relay}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
}

/// Takes the head of the HTTP answer, once it is there.
pub fn take_upgraded(input: &mut BytesMut) -> Result<bool, LoadError> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if input.len() > MAX_HEAD {
            Err(LoadError::Unexpected("an endless HTTP head"))
        } else {
            Ok(false)
        };
    };
    if !input.starts_with(b"HTTP/1.1 101 ") {
        let head = String::from_utf8_lossy(input).into_owned();
        return Err(LoadError::Refused(head));
    }
    input.advance(end + 4);
    Ok(true)
}

/// Appends the head of a binary message of `len` bytes.
pub fn append_head(output: &mut Vec<u8>, len: usize) {
    output.push(FINAL_BINARY);
    if len < usize::from(LEN_16) {
        output.push(MASKED | u8::try_from(len).unwrap_or(0));
    } else if let Ok(len) = u16::try_from(len) {
        output.push(MASKED | LEN_16);
        output.extend(len.to_be_bytes());
    } else {
        output.push(MASKED | LEN_64);
        output.extend((len as u64).to_be_bytes());
    }
    output.extend(NO_MASK);
}

/// Appends a frame.
pub fn append(output: &mut Vec<u8>, frame: &impl Message) {
    append_head(output, frame.encoded_len());
    // A vector grows, so there is always room.
    let _ = frame.encode(output);
}

/// Takes the next frame, if a whole one was read. Pings are answered on the way.
pub fn take(input: &mut BytesMut, output: &mut Vec<u8>) -> Result<Option<ServerFrame>, LoadError> {
    while let Some((kind, payload)) = take_message(input)? {
        match kind {
            FINAL_BINARY => {
                let frame = frame::decode(payload)
                    .map_err(|_| LoadError::Unexpected("a message that is no frame"))?;
                return Ok(Some(frame));
            }
            FINAL_PING => {
                // A ping has at most 125 bytes.
                output.extend([
                    FINAL_PONG,
                    MASKED | u8::try_from(payload.len()).unwrap_or(0),
                ]);
                output.extend(NO_MASK);
                output.extend_from_slice(&payload);
            }
            FINAL_PONG => {}
            FINAL_CLOSE => return Err(LoadError::Ended),
            _ => return Err(LoadError::Unexpected("a WebSocket message in parts")),
        }
    }
    Ok(None)
}

fn take_message(input: &mut BytesMut) -> Result<Option<(u8, Bytes)>, LoadError> {
    let [kind, short, rest @ ..] = input.as_ref() else {
        return Ok(None);
    };
    let (head, len) = match *short {
        LEN_16 => match rest.first_chunk() {
            Some(len) => (4, usize::from(u16::from_be_bytes(*len))),
            None => return Ok(None),
        },
        LEN_64 => match rest.first_chunk() {
            Some(len) => (
                10,
                usize::try_from(u64::from_be_bytes(*len)).unwrap_or(usize::MAX),
            ),
            None => return Ok(None),
        },
        len if len < LEN_16 => (2, usize::from(len)),
        _ => return Err(LoadError::Unexpected("a masked message")),
    };
    let kind = *kind;
    if input.len() - head < len {
        // Tells the buffer how much is to come, so that it grows once.
        input.reserve(len.min(hushpost_wire::limits::MAX_FRAME_LEN));
        return Ok(None);
    }
    input.advance(head);
    Ok(Some((kind, input.split_to(len).freeze())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hushpost_wire::server_frame::Body;
    use hushpost_wire::{Deliveries, Delivery};

    /// A message as a server sends it: no mask.
    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        append_head(&mut message, payload.len());
        message.truncate(message.len() - 4);
        message[0] = kind;
        message[1] &= 0x7f;
        message.extend(payload);
        message
    }

    fn frame_of(len: usize) -> ServerFrame {
        let deliveries = vec![Delivery {
            sequence: 1,
            ciphertext: vec![7; len].into(),
            ..Delivery::default()
        }];
        ServerFrame {
            id: 0,
            body: Some(Body::Deliveries(Deliveries { deliveries })),
        }
    }

    #[test]
    fn frames_of_every_length_form_are_taken_whole() {
        for len in [10, 300, 70_000] {
            let frame = frame_of(len);
            let bytes = message(FINAL_BINARY, &frame.encode_to_vec());
            let (mut input, mut output) = (BytesMut::new(), Vec::new());
            for part in bytes.chunks(7_000).flat_map(|part| part.chunks(3_500)) {
                assert!(take(&mut input, &mut output).unwrap().is_none());
                input.extend_from_slice(part);
            }
            assert!(take(&mut input, &mut output).unwrap() == Some(frame));
            assert!(input.is_empty() && output.is_empty());
        }
    }

    #[test]
    fn pings_are_answered_and_closes_reported() {
        let mut input = BytesMut::from(message(FINAL_PING, b"hi").as_slice());
        let mut output = Vec::new();
        assert!(take(&mut input, &mut output).unwrap().is_none());
        assert_eq!(output, [FINAL_PONG, MASKED | 2, 0, 0, 0, 0, b'h', b'i']);
        let mut input = BytesMut::from(message(FINAL_CLOSE, &[]).as_slice());
        assert!(matches!(
            take(&mut input, &mut output),
            Err(LoadError::Ended)
        ));
        let mut input = BytesMut::from(message(0x02, b"part").as_slice());
        assert!(take(&mut input, &mut output).is_err());
    }

    #[test]
    fn an_upgrade_ends_where_frames_begin() {
        let mut input = BytesMut::from(&b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r"[..]);
        assert!(!take_upgraded(&mut input).unwrap());
        input.extend_from_slice(b"\n\x82");
        assert!(take_upgraded(&mut input).unwrap());
        assert_eq!(&input[..], b"\x82");
        let mut input = BytesMut::from(&b"HTTP/1.1 403 Forbidden\r\n\r\n"[..]);
        assert!(take_upgraded(&mut input).is_err());
    }
}
