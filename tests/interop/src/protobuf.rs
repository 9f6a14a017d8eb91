//! Where the fields of a message lie, so that a scenario can aim at one.
//!
//! For: honest messages only. Must never: be used to judge what a peer makes of bad ones.

use std::ops::Range;

/// The places of the contents of a length-delimited field, in bytes that begin with a version byte.
#[must_use]
pub fn contents(message: &[u8], field: u64) -> Option<Range<usize>> {
    let mut place = 1;
    while place < message.len() {
        let tag = varint(message, &mut place);
        let value = varint(message, &mut place);
        match tag & 7 {
            0 => {}
            2 => {
                let contents = place..place + usize::try_from(value).expect("a length fits");
                if tag >> 3 == field {
                    return Some(contents);
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
