//! After the chaos: an honest network, and two applications that do what the crate's errors say.

use hushpost_protocol::{DecryptionErrorMessage, DeviceId, Error, MessageType, Timestamp};

use super::{Style, Who, World};

/// How many round trips the parties may need.
const MAX_ROUND_TRIPS: usize = 10;

/// Exchanges messages until both parties have used one and the same session for two round trips;
/// answers after how many that was.
pub fn settle(world: &mut World) -> usize {
    let mut agreed = false;
    for trips in 1..=MAX_ROUND_TRIPS {
        let good = round_trip(world);
        if good && agreed {
            return trips;
        }
        // Pieces of a post-quantum exchange from before and after a rollback do not fit together,
        // which is found out only when there are enough of them.
        assert!(
            good || !agreed || world.rolled_back(),
            "agreed, and then fell apart"
        );
        agreed = good;
    }
    panic!("the parties did not find back to one session");
}

/// One message each way; whether both were read, on one session, established at both ends.
fn round_trip(world: &mut World) -> bool {
    let plain = Who::BOTH.map(|from| step(world, from));
    let [alice, bob] = Who::BOTH.map(|who| world.party(who).base_key());
    plain == [true, true] && alice.is_some() && alice == bob
}

/// One message; whether it was read and needed no handshake.
fn step(world: &mut World, from: Who) -> bool {
    world.start_unless_ready(from, Style::BEST);
    let (kind, bytes, result) = world.exchange(from);
    match result {
        Ok(()) => kind == MessageType::Signal,
        // "Acknowledge it and go on": the receiver takes it for a repeat and says nothing.
        Err(Error::DuplicateMessage) => false,
        Err(_) => {
            answer_error(world, from, kind, &bytes);
            false
        }
    }
}

/// The receiver reports the failure; if that is about the state in use, the sender starts anew and
/// sends the message again **at once**: were it to wait, the other's next message on the old state
/// would make that one current again, and so on for ever.
fn answer_error(world: &mut World, sender: Who, kind: MessageType, bytes: &[u8]) {
    let timestamp = Timestamp(1);
    let report =
        DecryptionErrorMessage::for_original(kind, bytes, timestamp, DeviceId::PRIMARY).unwrap();
    let report = DecryptionErrorMessage::from_bytes(&report.to_bytes()).unwrap();
    let session = world.party(sender).session();
    let key = report.ratchet_key().expect("a 1:1 message has one");
    if session.current_ratchet_key_matches(key) {
        world.start(sender, Style::BEST);
        let _ = world.exchange(sender);
    }
}
