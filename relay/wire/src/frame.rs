//! Frames to bytes and back. One WebSocket binary message is one frame.

use bytes::Bytes;
use prost::Message;
use thiserror::Error;

use crate::limits::MAX_FRAME_LEN;

/// The bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a frame")]
pub struct MalformedFrame;

/// The bytes of a frame.
#[must_use]
pub fn encode(frame: &impl Message) -> Bytes {
    frame.encode_to_vec().into()
}

/// Reads a frame. Byte fields share the memory of `bytes`: nothing is copied.
///
/// # Errors
/// [`MalformedFrame`] if it does not decode or is longer than [`MAX_FRAME_LEN`].
pub fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, MalformedFrame> {
    if bytes.len() > MAX_FRAME_LEN {
        return Err(MalformedFrame);
    }
    M::decode(bytes).map_err(|_| MalformedFrame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientFrame, Ping, client_frame::Request};

    #[test]
    fn unknown_fields_and_requests_are_not_fatal() {
        let mut bytes = encode(&ClientFrame {
            id: 9,
            request: Some(Request::Ping(Ping {})),
        })
        .to_vec();
        // Field 1000, length 3: a field of a later version.
        bytes.extend([0xc2, 0x3e, 3, 1, 2, 3]);
        let frame: ClientFrame = decode(bytes.into()).unwrap();
        assert_eq!(frame.id, 9);
        assert!(frame.request.is_some());

        // Field 70 alone: a request of a later version. It decodes, and holds no request.
        let frame: ClientFrame = decode(Bytes::from_static(&[0x08, 9, 0xb2, 0x04, 0])).unwrap();
        assert!(frame.id == 9 && frame.request.is_none());
    }

    #[test]
    fn garbage_and_giants_are_refused() {
        assert!(decode::<ClientFrame>(Bytes::from_static(&[0xff])).is_err());
        assert!(decode::<ClientFrame>(vec![0; MAX_FRAME_LEN + 1].into()).is_err());
        // A length beyond the end, and the largest varint.
        assert!(
            decode::<ClientFrame>(Bytes::from_static(&[0x52, 0xff, 0xff, 0xff, 0x7f])).is_err()
        );
    }
}
