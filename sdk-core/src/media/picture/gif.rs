//! A GIF without what is written beside its frames: comments, and what applications put there (XMP has a place and
//! a name in it). The frames themselves stay byte for byte, so that it goes on moving.
//!
//! Blocks are copied one after the other, by the lengths that they state, never beyond the end.

use super::MediaError;

/// The one application block that players need: how often the frames repeat.
const LOOPS: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];

/// The same GIF with frames, times and loops alone.
pub(super) fn without_comments(gif: &[u8]) -> Result<Vec<u8>, MediaError> {
    copy(gif).ok_or(MediaError::Picture("cannot be read"))
}

fn copy(gif: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(gif.len());
    let (start, mut rest) = gif.split_at_checked(13)?;
    out.extend_from_slice(start);
    rest = copy_colours(*start.get(10)?, rest, &mut out)?;
    loop {
        let (kind, after) = rest.split_first()?;
        rest = match kind {
            // The end. What follows it is nobody's picture.
            0x3b => {
                out.push(0x3b);
                return Some(out);
            }
            // A frame: place and size, perhaps colours, the size of a code, the pixels.
            0x2c => {
                let (place, after) = after.split_at_checked(9)?;
                out.push(0x2c);
                out.extend_from_slice(place);
                let after = copy_colours(*place.last()?, after, &mut out)?;
                let (code_size, after) = after.split_first()?;
                out.push(*code_size);
                let (blocks, after) = sub_blocks(after)?;
                out.extend_from_slice(blocks);
                after
            }
            0x21 => {
                let (label, after) = after.split_first()?;
                let (blocks, after) = sub_blocks(after)?;
                let application = blocks.get(1..12).unwrap_or_default();
                let wanted = match label {
                    // Times and transparency of the next frame.
                    0xf9 => true,
                    0xff => LOOPS.contains(&application),
                    _ => false,
                };
                if wanted {
                    out.extend_from_slice(&[0x21, *label]);
                    out.extend_from_slice(blocks);
                }
                after
            }
            _ => return None,
        };
    }
}

/// The table that a flag announces.
fn copy_colours<'a>(flags: u8, rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    if flags & 0x80 == 0 {
        return Some(rest);
    }
    let len = 3_usize.checked_shl(u32::from(flags & 7).saturating_add(1))?;
    let (colours, rest) = rest.split_at_checked(len)?;
    out.extend_from_slice(colours);
    Some(rest)
}

/// Blocks of up to 255 bytes, each after its length, up to and with the empty one.
fn sub_blocks(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = 0_usize;
    loop {
        let len = *rest.get(end)?;
        end = end.checked_add(usize::from(len))?.checked_add(1)?;
        if len == 0 {
            return rest.split_at_checked(end);
        }
    }
}
