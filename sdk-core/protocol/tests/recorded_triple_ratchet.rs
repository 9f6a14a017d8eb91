//! Sessions with the post-quantum ratchet recorded from the official library, in Bob's role with his
//! recorded keys: what Alice sent before his first answer. Where two parties go from there is in the
//! crate's own known answers, since Bob's part of the exchange is drawn at random.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod support;

use hushpost_protocol::{
    DeviceId, Error, PqPolicy, PreKeySignalMessage, ProtocolAddress, Received, RegistrationId,
    ReplayGuard, ServiceId, Session, Timestamp,
};
use serde_json::Value;
use support::{Device, PreKeys, bytes, fixture, identity, list, number, public_key, seeded, text};

const MANDATORY: &str = "session-spqr.json";
const NEGOTIABLE: &str = "session-spqr-negotiable.json";

const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

struct Bob {
    device: Device,
    guard: ReplayGuard,
    session: Session,
}

fn address(party: &Value) -> ProtocolAddress {
    let device = DeviceId::new(number(party, "device")).unwrap();
    ProtocolAddress::new(ServiceId::parse(text(party, "name")).unwrap(), device)
}

impl Bob {
    fn of(recording: &Value, policy: PqPolicy) -> Self {
        let bob = &recording["bob"];
        let session = Session::new(policy).between(address(bob), address(&recording["alice"]));
        Self {
            device: Device {
                identity: identity(bob),
                registration_id: RegistrationId(number(bob, "registration_id")),
                pre_keys: PreKeys::of(bob),
            },
            guard: ReplayGuard::new(),
            session,
        }
    }

    fn receive(&mut self, step: &Value) -> Result<Received, Error> {
        let message = PreKeySignalMessage::from_bytes(&bytes(step, "message")).unwrap();
        let secrets = self.device.secrets(&mut self.guard);
        let local = self.device.local();
        let rng = &mut seeded(1);
        self.session.decrypt_pre_key(local, &message, secrets, rng)
    }
}

#[test]
fn bob_reads_the_first_flight_in_every_order_and_only_once() {
    for name in [MANDATORY, NEGOTIABLE] {
        let recording = fixture(name);
        let flight = &list(&recording, "steps")[..3];
        // Each takes the other's: who requires it reads index 0, who allows it reads index 1.
        for policy in [PqPolicy::Required, PqPolicy::Allowed] {
            for order in ORDERS {
                let mut bob = Bob::of(&recording, policy);
                for index in order {
                    let step = &flight[index];
                    let received = bob.receive(step).unwrap();
                    assert_eq!(received.plaintext, bytes(step, "plaintext"));
                    let alice = public_key(&recording["alice"], "identity_public");
                    assert_eq!(received.identity_key, alice);
                    assert_eq!(bob.session.pq_epoch(), Some(1));
                    bob.session = Session::decode(&bob.session.encode()).unwrap();
                }
                let before = bob.session.encode();
                for step in flight {
                    assert_eq!(bob.receive(step).err(), Some(Error::DuplicateMessage));
                }
                assert_eq!(bob.session.encode(), before);
                // The header is complete, so the answer has the first ciphertext's first piece.
                let answer = bob.session.encrypt(b"answer", Timestamp(0)).unwrap();
                assert_eq!(answer.as_bytes().len(), 105);
            }
        }
    }
}

/// The ratchet is offered to one who has none: he reads nothing salted, and everything unsalted.
#[test]
fn without_the_ratchet_only_the_negotiable_flight_is_read() {
    for (name, readable) in [(MANDATORY, false), (NEGOTIABLE, true)] {
        let recording = fixture(name);
        let mut bob = Bob::of(&recording, PqPolicy::Off);
        let before = bob.session.encode();
        for step in &list(&recording, "steps")[..3] {
            let received = bob.receive(step);
            assert_eq!(received.is_ok(), readable, "{name}");
            assert_eq!(bob.session.pq_epoch(), None);
        }
        assert_eq!(bob.session.encode() == before, !readable);
    }
}

#[test]
fn the_recorded_addresses_are_held_against_the_sessions() {
    let recording = fixture(MANDATORY);
    let first = &list(&recording, "steps")[0];
    let (alice, bob) = (address(&recording["alice"]), address(&recording["bob"]));
    let elsewhere = ProtocolAddress::new(bob.service_id, DeviceId::new(2).unwrap());
    for (local, remote) in [
        (bob, bob),
        (alice, bob),
        (elsewhere, alice),
        (bob, elsewhere),
    ] {
        let mut bobs = Bob::of(&recording, PqPolicy::Required);
        bobs.session = Session::new(PqPolicy::Required).between(local, remote);
        assert_eq!(bobs.receive(first).err(), Some(Error::InvalidMessage));
    }
    // The older library writes none, and that is accepted.
    let negotiable = fixture(NEGOTIABLE);
    let mut bobs = Bob::of(&negotiable, PqPolicy::Required);
    assert!(bobs.receive(&list(&negotiable, "steps")[0]).is_ok());
}
