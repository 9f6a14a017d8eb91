//! Where the fields of a message lie, so that a scenario can aim at one.
//!
//! For: honest messages only. Must never: be used to judge what a peer makes of bad ones.

use std::ops::Range;

/// The places of the contents of a length-delimited field, in bytes that begin with a version byte.
#[must_use]
pub fn contents(message: &[u8], field: u64) -> Option<Range<usize>> {
    find(message, field).map(|found| found.contents)
}

/// The message with other contents in a length-delimited field, or without that field. One that was
/// not there comes last.
#[must_use]
pub fn replaced(message: &[u8], field: u64, contents: Option<&[u8]>) -> Vec<u8> {
    let end = message.len();
    let place = find(message, field).map_or(end..end, |found| found.whole);
    let mut bytes = message[..place.start].to_vec();
    if let Some(contents) = contents {
        push_varint(&mut bytes, field << 3 | 2);
        push_varint(&mut bytes, contents.len() as u64);
        bytes.extend_from_slice(contents);
    }
    bytes.extend_from_slice(&message[place.end..]);
    bytes
}

struct Found {
    /// With its tag and length.
    whole: Range<usize>,
    contents: Range<usize>,
}

fn find(message: &[u8], field: u64) -> Option<Found> {
    let mut place = 1;
    while place < message.len() {
        let start = place;
        let tag = varint(message, &mut place);
        let value = varint(message, &mut place);
        match tag & 7 {
            0 => {}
            2 => {
                let contents = place..place + usize::try_from(value).expect("a length fits");
                if tag >> 3 == field {
                    let whole = start..contents.end;
                    return Some(Found { whole, contents });
                }
                place = contents.end;
            }
            wire_type => panic!("no message here has wire type {wire_type}"),
        }
    }
    None
}

fn varint(message: &[u8], place: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = message[*place];
        *place += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}
