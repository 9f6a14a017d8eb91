//! The network between the parties, and the invariants of every step.

use hushpost_protocol::{
    CiphertextMessage, Error, MAX_ARCHIVED_STATES, MessageType, PqPolicy, Timestamp,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::party::Party;
use super::{Corruption, Event, Style, Who};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A late message is readable at least until its receiver has read this many others: fewer than the
/// receiving chains and archived states that are kept.
const SURELY_KEPT: usize = 4;

/// A plaintext that was encrypted, and what became of it.
struct Sent {
    from: Who,
    plaintext: Vec<u8>,
    read: bool,
    /// The receiver's [`Party::steps`] when it was sent.
    receiver_steps: usize,
}

#[derive(Clone)]
struct Envelope {
    from: Who,
    kind: MessageType,
    bytes: Vec<u8>,
    /// Its place in [`World::sent`]; none once somebody has touched the bytes.
    genuine: Option<usize>,
}

pub struct World {
    alice: Party,
    bob: Party,
    sent: Vec<Sent>,
    in_flight: Vec<Envelope>,
    delivered: Vec<Envelope>,
    now: Timestamp,
    rng: ChaCha20Rng,
}

impl World {
    pub fn new([alice, bob]: [PqPolicy; 2]) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        Self {
            alice: Party::new(1, alice, &mut rng),
            bob: Party::new(2, bob, &mut rng),
            sent: Vec::new(),
            in_flight: Vec::new(),
            delivered: Vec::new(),
            now: Timestamp(1_000 * DAY_MS),
            rng,
        }
    }

    pub fn party(&mut self, who: Who) -> &mut Party {
        match who {
            Who::Alice => &mut self.alice,
            Who::Bob => &mut self.bob,
        }
    }

    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Send {
                from,
                length,
                start,
            } => {
                self.start_unless_ready(*from, *start);
                let sent = self.send(*from, usize::from(*length));
                self.in_flight.extend(sent);
            }
            Event::Chat { turns } => {
                for from in Who::BOTH.into_iter().cycle().take(usize::from(*turns)) {
                    self.start_unless_ready(from, Style::BEST);
                    let _ = self.exchange(from);
                }
            }
            Event::DeliverNext { to } => {
                let next = self.in_flight.iter().position(|it| it.from == to.other());
                let envelope = next.map(|index| self.in_flight.remove(index));
                self.pass_on(envelope);
            }
            Event::DeliverAny { pick } => {
                let envelope = self.take(*pick);
                self.pass_on(envelope);
            }
            Event::DeliverCopy { pick } => {
                self.pass_on(pick_from(&self.in_flight, *pick).cloned());
            }
            Event::Replay { pick } => self.pass_on(pick_from(&self.delivered, *pick).cloned()),
            Event::Drop { pick } => drop(self.take(*pick)),
            Event::Corrupt { pick, how } => {
                if let Some(envelope) = self.take(*pick) {
                    let envelope = self.corrupt(envelope, how);
                    self.in_flight.push(envelope);
                }
            }
            Event::Reflect { pick } => {
                // Not one that was spliced: it may be, from end to end, the peer's own message.
                let envelope = pick_from(&self.in_flight, *pick).cloned();
                if let Some(envelope) = envelope.filter(|envelope| envelope.genuine.is_some()) {
                    let reflected = self.receive(envelope.from, envelope.kind, &envelope.bytes);
                    assert!(reflected.is_err(), "read its own message as the peer's");
                }
            }
            Event::Start { from, style } => self.start(*from, *style),
            Event::StartTogether { alice, bob } => {
                for (who, style) in [(Who::Alice, *alice), (Who::Bob, *bob)] {
                    self.start(who, style);
                    let sent = self.send(who, 20);
                    self.in_flight.extend(sent);
                }
            }
            Event::Archive { who } => self.party(*who).archive_current(),
            Event::Snapshot { who } => self.party(*who).snapshot(),
            Event::Restore { who, pick } => self.party(*who).restore(*pick),
            Event::Garbage { to, kind, bytes } => {
                assert!(self.receive(*to, *kind, bytes).is_err(), "read garbage");
            }
            Event::RotateSignedPreKey { who } => {
                let (party, now, rng) = self.parts(*who);
                party.rotate_signed_pre_key(now, rng);
            }
            Event::Wait { days } => self.now = Timestamp(self.now.0 + u64::from(*days) * DAY_MS),
        }
        self.check();
    }

    pub fn rolled_back(&self) -> bool {
        self.alice.rolled_back || self.bob.rolled_back
    }

    fn parts(&mut self, who: Who) -> (&mut Party, Timestamp, &mut ChaCha20Rng) {
        let party = match who {
            Who::Alice => &mut self.alice,
            Who::Bob => &mut self.bob,
        };
        (party, self.now, &mut self.rng)
    }

    /// Fetches a bundle of the other party and starts a session with it.
    pub fn start(&mut self, from: Who, style: Style) {
        let (peer, now, rng) = self.parts(from.other());
        let bundle = peer.bundle(style, now, rng);
        let (party, now, rng) = self.parts(from);
        party.initiate(&bundle, now, rng);
    }

    /// An application starts anew when it has no session to send on.
    pub fn start_unless_ready(&mut self, from: Who, style: Style) {
        let now = self.now;
        if !self.party(from).session().can_send(now) {
            self.start(from, style);
        }
    }

    /// Encrypts a plaintext that says which one it is; nothing if there is no session to send on.
    fn send(&mut self, from: Who, length: usize) -> Option<Envelope> {
        let number = self.sent.len();
        let mut plaintext = u32::try_from(number).unwrap().to_be_bytes().to_vec();
        plaintext.resize(4 + length, u8::try_from(number % 256).unwrap());
        let receiver_steps = self.party(from.other()).steps;
        let (party, now, _) = self.parts(from);
        let ready = party.session().can_send(now);
        let message = match party.send(&plaintext, now) {
            Ok(message) => message,
            Err(Error::NoSession | Error::StaleSession) if !ready => return None,
            Err(error) => panic!("cannot send: {error}"),
        };
        assert!(ready);
        let unanswered = party.session().is_unacknowledged();
        assert_eq!(matches!(message, CiphertextMessage::PreKey(_)), unanswered);
        self.sent.push(Sent {
            from,
            plaintext,
            read: false,
            receiver_steps,
        });
        Some(Envelope {
            from,
            kind: message.message_type(),
            bytes: message.into_bytes(),
            genuine: Some(number),
        })
    }

    /// Sends one message past all that is in flight: what it was, and whether it was read.
    pub fn exchange(&mut self, from: Who) -> (MessageType, Vec<u8>, Result<(), Error>) {
        let envelope = self.send(from, 20).expect("the caller has a session");
        let (kind, bytes) = (envelope.kind, envelope.bytes.clone());
        (kind, bytes, self.deliver(envelope))
    }

    /// Delivers for the checks alone; what came of it is for [`World::exchange`] to know.
    fn pass_on(&mut self, envelope: Option<Envelope>) {
        if let Some(envelope) = envelope {
            let _ = self.deliver(envelope);
        }
    }

    fn deliver(&mut self, envelope: Envelope) -> Result<(), Error> {
        let to = envelope.from.other();
        let result = self.receive(to, envelope.kind, &envelope.bytes);
        if let Some(number) = envelope.genuine {
            match result {
                Ok(read) => assert_eq!(read, number, "read as another message"),
                Err(error) => self.check_refusal(number, error),
            }
        }
        self.delivered.push(envelope);
        result.map(|_| ())
    }

    /// Answers the number of the message that was read.
    fn receive(&mut self, to: Who, kind: MessageType, bytes: &[u8]) -> Result<usize, Error> {
        let (party, _, rng) = self.parts(to);
        let received = party.receive(kind, bytes, rng)?;
        let rolled_back = party.rolled_back;
        let peer = *self.party(to.other()).identity().public_key();
        assert_eq!(received.identity_key, peer);
        let number = received.plaintext.first_chunk().expect("it has a number");
        let number = usize::try_from(u32::from_be_bytes(*number)).unwrap();
        let sent = &mut self.sent[number];
        assert_eq!(sent.from, to.other());
        assert_eq!(sent.plaintext, received.plaintext);
        assert!(!sent.read || rolled_back, "read twice");
        sent.read = true;
        Ok(number)
    }

    /// A genuine message is refused for good reasons only.
    fn check_refusal(&mut self, number: usize, error: Error) {
        let expected = matches!(
            error,
            Error::DuplicateMessage
                | Error::InvalidMessage
                | Error::NoSession
                | Error::Downgrade
                | Error::NoSuchPreKey(_)
                | Error::ReplayedBaseKey
        );
        assert!(expected, "{error}");
        let Sent {
            from,
            read,
            receiver_steps,
            ..
        } = self.sent[number];
        let rolled_back = self.rolled_back();
        let receiver = self.party(from.other());
        let late = receiver.steps - receiver_steps > SURELY_KEPT;
        let key_gone = receiver.keys_went && matches!(error, Error::NoSuchPreKey(_));
        let excused = read || rolled_back || late || key_gone || error == Error::Downgrade;
        assert!(excused, "a genuine message was lost: {error}");
    }

    fn take(&mut self, pick: u8) -> Option<Envelope> {
        let index = usize::from(pick).checked_rem(self.in_flight.len())?;
        Some(self.in_flight.remove(index))
    }

    fn corrupt(&self, mut envelope: Envelope, how: &Corruption) -> Envelope {
        let original = envelope.bytes.clone();
        let bytes = &mut envelope.bytes;
        match how {
            Corruption::Flip { at, bit } => {
                let at = usize::from(*at) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Corruption::Truncate { to } => bytes.truncate(usize::from(*to) % bytes.len().max(1)),
            Corruption::Extend { with } => bytes.extend(with),
            Corruption::Splice { other, at } => {
                if let Some(other) = pick_from(&self.in_flight, *other) {
                    let at = usize::from(*at) % bytes.len().max(1);
                    bytes.truncate(at);
                    bytes.extend(other.bytes.iter().skip(at));
                }
            }
        }
        if *bytes != original {
            envelope.genuine = None;
        }
        envelope
    }

    /// What holds at any time.
    fn check(&self) {
        for party in [&self.alice, &self.bob] {
            let session = party.session();
            assert!(session.archived_len() <= MAX_ARCHIVED_STATES);
            let states = session.archived_len() + 1;
            // Beside each state a post-quantum ratchet, beside each skipped key its salt.
            let bound = 64 + states * (640 + 3_200) + 1_650 + self.sent.len() * 2 * 38;
            assert!(party.session_len() <= bound, "{}", party.session_len());
            party.check_no_downgrade();
        }
    }
}

fn pick_from(envelopes: &[Envelope], pick: u8) -> Option<&Envelope> {
    envelopes.get(usize::from(pick).checked_rem(envelopes.len())?)
}
