//! From the mailbox to a connection: in order, at most a window ahead of what is acknowledged.

use hushpost_wire::server_frame::Body;
use hushpost_wire::{Acknowledged, CaughtUp, Deliveries, DeviceAddress, Error, ErrorCode};

use super::model::Model;
use super::session::Cursor;

/// Bytes of ciphertext in one frame, about.
const FRAME: usize = 32 * 1024;

impl Model {
    pub(super) fn receive(
        &mut self,
        session: u64,
        device: DeviceAddress,
        after: u64,
    ) -> Result<Body, Error> {
        let gone = || ErrorCode::Unauthenticated.because("no device");
        let mailbox = &mut self.device_mut(device).ok_or_else(gone)?.mailbox;
        if after > mailbox.last {
            return Err(ErrorCode::SequenceInvalid.because("beyond the end of this mailbox"));
        }
        mailbox.acknowledge(after);
        let floor = mailbox.floor;
        if let Some(session) = self.sessions.get_mut(&session) {
            session.cursor = Cursor {
                receiving: true,
                caught_up: false,
                pushed: floor,
                acknowledged: floor,
            };
        }
        Ok(Body::Acknowledged(Acknowledged {
            through_sequence: floor,
        }))
    }

    pub(super) fn acknowledge(
        &mut self,
        session: u64,
        device: DeviceAddress,
        through: u64,
    ) -> Result<Body, Error> {
        let delivered = self
            .sessions
            .get_mut(&session)
            .map(|session| &mut session.cursor)
            .filter(|cursor| cursor.receiving && through <= cursor.pushed);
        let Some(cursor) = delivered else {
            return Err(ErrorCode::SequenceInvalid.because("never delivered on this connection"));
        };
        cursor.acknowledged = cursor.acknowledged.max(through);
        if let Some(device) = self.device_mut(device) {
            device.mailbox.acknowledge(through);
        }
        Ok(Body::Acknowledged(Acknowledged {
            through_sequence: through,
        }))
    }

    /// The next push of a connection, if there is one and the window is open.
    pub(super) fn next_delivery(&mut self, number: u64) -> Option<Body> {
        let session = self.sessions.get(&number)?;
        let device = session.device()?;
        let cursor = &session.cursor;
        if !cursor.receiving {
            return None;
        }
        let in_flight = cursor.pushed.saturating_sub(cursor.acknowledged);
        let room = self
            .options
            .delivery_window
            .saturating_sub(usize::try_from(in_flight).unwrap_or(usize::MAX));
        if room == 0 {
            return None;
        }
        let deliveries = self
            .device(device)?
            .mailbox
            .after(cursor.pushed, room, FRAME);
        let cursor = &mut self.sessions.get_mut(&number)?.cursor;
        let Some(last) = deliveries.last() else {
            return (!core::mem::replace(&mut cursor.caught_up, true)).then_some(Body::CaughtUp(
                CaughtUp {
                    through_sequence: cursor.pushed,
                },
            ));
        };
        cursor.pushed = last.sequence;
        Some(Body::Deliveries(Deliveries { deliveries }))
    }
}
