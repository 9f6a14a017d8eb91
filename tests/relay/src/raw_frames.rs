//! WebSocket frames made by hand, as no library would send them (RFC 6455 §5.2).

use bytes::Bytes;
use hushpost_wire::client_frame::Request;
use hushpost_wire::{ClientFrame, frame};

/// First byte of the last or only frame of a message.
pub const FINAL: u8 = 0x80;
/// First byte of a frame that continues a message.
pub const CONTINUATION: u8 = 0x00;
/// First byte of a text frame.
pub const TEXT: u8 = 0x01;
/// First byte of a binary frame.
pub const BINARY: u8 = 0x02;
/// First byte of a ping.
pub const PING: u8 = 0x09;

/// Longest payload whose length stands in the second byte.
const LONGEST_SHORT: u8 = 125;
/// Bytes of the filling's tag and length, each written out in full.
const HEAD: usize = 6;
/// Number of a field that no version of the frames has.
const UNKNOWN_FIELD: u32 = 1000;

/// A whole frame with the all-zero mask: masked, and readable.
#[must_use]
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// A frame without a mask, which no client may send; of up to 125 bytes.
#[must_use]
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![first, length.min(LONGEST_SHORT)];
    bytes.extend(payload.iter().take(LONGEST_SHORT.into()));
    bytes
}

/// The beginning of a masked frame that claims any length.
#[must_use]
pub fn head(first: u8, length: u64) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    let mut bytes = vec![first];
    if let Some(short) = u8::try_from(length).ok().filter(|short| *short < 126) {
        bytes.push(MASKED | short);
    } else if let Ok(medium) = u16::try_from(length) {
        bytes.push(MASKED | 0x7e);
        bytes.extend(medium.to_be_bytes());
    } else {
        bytes.push(MASKED | 0x7f);
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

/// A request as the bytes of a message of just `length` bytes, filled with a field that the relay does not
/// know; as it is where it is longer.
#[must_use]
pub fn filled(id: u64, request: Request, length: usize) -> Bytes {
    let mut bytes = frame::encode(&ClientFrame {
        id,
        request: Some(request),
    })
    .to_vec();
    if let Some(filling) = length.checked_sub(bytes.len().saturating_add(HEAD)) {
        let tag = (UNKNOWN_FIELD << 3) | 2;
        bytes.extend(long_varint(tag, 2));
        bytes.extend(long_varint(u32::try_from(filling).unwrap_or(u32::MAX), 4));
        bytes.resize(length, 0);
    }
    bytes.into()
}

/// A varint of `count` bytes, padded with empty groups.
fn long_varint(mut value: u32, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count);
    for place in 1..=count {
        let more = if place < count { 0x80 } else { 0 };
        bytes.push(more | u8::try_from(value & 0x7f).unwrap_or(0));
        value >>= 7;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use hushpost_wire::Ping;

    #[test]
    fn a_filled_request_has_the_length_asked_for_and_is_still_the_request() {
        for length in [100, 65_536, 262_144] {
            let bytes = filled(7, Request::Ping(Ping {}), length);
            assert_eq!(bytes.len(), length);
            let back: ClientFrame = frame::decode(bytes).unwrap();
            assert!(back.id == 7 && matches!(back.request, Some(Request::Ping(_))));
        }
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(head(BINARY, 125), [2, 0xfd, 0, 0, 0, 0]);
        assert_eq!(head(BINARY, 126), [2, 0xfe, 0, 126, 0, 0, 0, 0]);
        assert_eq!(head(BINARY, 1 << 63).get(..3), Some(&[2, 0xff, 0x80][..]));
        assert_eq!(unmasked(PING, b"x"), [9, 1, b'x']);
    }
}
