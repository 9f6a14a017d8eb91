//! Two parties who require the triple ratchet, under random loss, delay, repetition, damage and
//! restarts: every genuine message is read once, epochs go on one by one on both sides, errors
//! change nothing, the stored state stays small, and a stolen one heals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod cast;

use cast::{KemKey, NOW, Talk, Wire, wire};
use hushpost_protocol::{
    Error, MAX_RECEIVING_CHAINS, MessageType, PqPolicy, PreKeySignalMessage, PublicKey, Session,
    SignalMessage,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const ALICE: usize = 0;
const BOB: usize = 1;
const EVENTS: usize = 10_000;
/// What the ratchet may add to a stored session.
const MAX_STATE: usize = 6 * 1024;
/// An unanswered handshake's share of it, and a never delivered message's in both ratchets.
const PENDING: usize = 1_650;
const SKIPPED: usize = 2 * 38;

struct Letter {
    plaintext: [u8; 4],
    wire: Wire,
    ratchet_key: PublicKey,
    /// The sender's epoch when it wrote.
    epoch: u64,
    read: bool,
}

/// What one party has sent, what of it is still on the way, and how far it has come itself.
#[derive(Default)]
struct Side {
    letters: Vec<Letter>,
    on_the_way: Vec<usize>,
    unread: usize,
    epoch: u64,
    /// The peer's ratchet keys it has read under, oldest first.
    keys_read: Vec<PublicKey>,
}

struct Model {
    talk: Talk,
    sides: [Side; 2],
    random: ChaCha20Rng,
    reads: usize,
    lost_for_age: usize,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut talk = Talk::new(seed);
        talk.at_alice.set_pq_policy(PqPolicy::Required);
        talk.at_bob.set_pq_policy(PqPolicy::Required);
        talk.start(true, KemKey::Kyber);
        Self {
            talk,
            sides: Default::default(),
            random: ChaCha20Rng::seed_from_u64(seed),
            reads: 0,
            lost_for_age: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.next_u32()).unwrap() % bound
    }

    fn session(&mut self, who: usize) -> &mut Session {
        match who {
            ALICE => &mut self.talk.at_alice,
            _ => &mut self.talk.at_bob,
        }
    }

    fn send(&mut self, from: usize) {
        let session = self.session(from);
        if !session.can_send(NOW) {
            return;
        }
        let epoch = session.pq_epoch().expect("required");
        let number = u32::try_from(self.sides[from].letters.len()).unwrap();
        let plaintext = number.to_be_bytes();
        let wire = wire(self.session(from).encrypt(&plaintext, NOW).unwrap());
        let ratchet_key = *inner(&wire).ratchet_key();
        let side = &mut self.sides[from];
        side.on_the_way.push(side.letters.len());
        side.unread += 1;
        side.letters.push(Letter {
            plaintext,
            wire,
            ratchet_key,
            epoch,
            read: false,
        });
    }

    fn read(&mut self, to: usize, wire: &Wire) -> Result<Vec<u8>, Error> {
        match to {
            ALICE => self.talk.alice_reads(wire),
            _ => self.talk.bob_reads(wire),
        }
    }

    /// Reads, and sees that an error changed nothing.
    fn receive(&mut self, to: usize, wire: &Wire) -> Result<Vec<u8>, Error> {
        let before = self.session(to).encode();
        let result = self.read(to, wire);
        if let Err(error) = result {
            assert_eq!(self.session(to).encode(), before, "{error}");
        }
        result
    }

    fn deliver(&mut self, from: usize, number: usize) {
        let to = 1 - from;
        let wire = self.sides[from].letters[number].wire.clone();
        let result = self.receive(to, &wire);
        let key = self.sides[from].letters[number].ratchet_key;
        let epoch = self.sides[to].epoch;
        let keys = &mut self.sides[to].keys_read;
        let known = keys.iter().rev().position(|read| *read == key);
        if result.is_ok() && known.is_none() {
            keys.push(key);
        }
        let letter = &mut self.sides[from].letters[number];
        match result {
            Ok(plaintext) => {
                assert!(!letter.read, "read twice");
                assert_eq!(plaintext, letter.plaintext);
                letter.read = true;
                self.sides[from].unread -= 1;
                self.reads += 1;
            }
            Err(error) => {
                let refused = matches!(error, Error::DuplicateMessage | Error::InvalidMessage);
                assert!(refused, "{error}");
                let chain_gone = known.is_some_and(|age| age >= MAX_RECEIVING_CHAINS);
                let epoch_gone = letter.epoch + 2 <= epoch;
                assert!(letter.read || chain_gone || epoch_gone, "lost: {error}");
                self.lost_for_age += usize::from(!letter.read);
            }
        }
    }

    fn deliver_damaged(&mut self, from: usize, number: usize) {
        let (kind, mut bytes) = self.sides[from].letters[number].wire.clone();
        if kind == MessageType::PreKey {
            bytes = PreKeySignalMessage::from_bytes(&bytes)
                .unwrap()
                .message()
                .as_bytes()
                .to_vec();
        }
        let bit = self.below(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let result = self.receive(1 - from, &(MessageType::Signal, bytes));
        assert!(result.is_err());
    }

    /// The epochs of both sides go up one by one, and together.
    fn check(&mut self) {
        for who in [ALICE, BOB] {
            let session = self.session(who);
            if !session.can_send(NOW) {
                continue;
            }
            let epoch = session.pq_epoch().expect("required");
            let before = core::mem::replace(&mut self.sides[who].epoch, epoch);
            assert!(epoch == before || epoch == before + 1);
        }
        let [alice, bob] = [ALICE, BOB].map(|who| self.sides[who].epoch);
        assert!(alice.abs_diff(bob) <= 1);
    }

    fn store_and_load(&mut self, who: usize) {
        let bound = MAX_STATE + PENDING + SKIPPED * self.sides[1 - who].unread;
        let session = self.session(who);
        let stored = session.encode();
        assert!(stored.len() <= bound, "{} of {bound}", stored.len());
        *session = Session::decode(&stored).unwrap();
        assert_eq!(session.encode(), stored);
    }

    /// One event; `talkative` of 256 are Alice's to send.
    fn event(&mut self, talkative: usize) {
        let from = if self.below(256) < talkative {
            ALICE
        } else {
            BOB
        };
        let flying = self.sides[from].on_the_way.len();
        match self.below(100) {
            0..=44 if flying < 40 => self.send(from),
            0..=79 if flying > 0 => {
                let number = self.sides[from].on_the_way.remove(0);
                self.deliver(from, number);
            }
            80..=87 if flying > 0 => {
                let any = self.below(flying);
                let number = self.sides[from].on_the_way.remove(any);
                self.deliver(from, number);
            }
            88..=90 if flying > 0 => {
                let any = self.below(flying);
                self.sides[from].on_the_way.remove(any);
            }
            91..=93 if !self.sides[from].letters.is_empty() => {
                // One of the last, whether it has arrived, is on the way or was lost.
                let last = self.sides[from].letters.len() - 1;
                let number = last.saturating_sub(self.below(50));
                self.deliver(from, number);
            }
            94..=96 if flying > 0 => {
                let any = self.below(flying);
                self.deliver_damaged(from, self.sides[from].on_the_way[any]);
            }
            _ => self.store_and_load(from),
        }
        self.check();
    }

    fn play(&mut self, events: usize) {
        let mut talkative = 128;
        for event in 0..events {
            if event % 100 == 0 {
                talkative = [128, 128, 30, 226][self.below(4)];
            }
            self.event(talkative);
        }
    }

    /// Plays on until both sides are in this epoch.
    fn play_to(&mut self, epoch: u64) {
        while self.sides.iter().any(|side| side.epoch < epoch) {
            self.play(20);
        }
    }
}

fn inner((kind, bytes): &Wire) -> SignalMessage {
    match kind {
        MessageType::PreKey => PreKeySignalMessage::from_bytes(bytes)
            .unwrap()
            .message()
            .clone(),
        _ => SignalMessage::from_bytes(bytes).unwrap(),
    }
}

#[test]
fn whatever_the_network_does_every_message_is_read_once_and_epochs_go_on() {
    for seed in 1..=8 {
        let mut model = Model::new(seed);
        model.play(EVENTS);
        let epoch = model.sides[ALICE].epoch;
        assert!(epoch >= 10, "epoch {epoch}");
        assert!(model.reads > 3_000, "{} read", model.reads);
        // Late beyond what is kept, on a network as bad as this.
        assert!(model.lost_for_age < 10, "{}", model.lost_for_age);
    }
}

/// Neither what the thief writes is read, nor can it read what is written.
#[test]
fn a_stolen_session_is_shut_out_two_epochs_later() {
    for seed in 1..=4 {
        let mut model = Model::new(100 + seed);
        model.play_to(2);
        let more = model.below(400);
        model.play(more);
        let mut thief = Session::decode(&model.talk.at_alice.encode()).unwrap();
        let stolen = model.sides[ALICE].epoch;
        // Fresh from the theft, it does both.
        let message = wire(model.talk.at_bob.encrypt(b"for Alice", NOW).unwrap());
        let read = thief.decrypt(&inner(&message), &mut cast::rng(seed));
        assert_eq!(read.unwrap().plaintext, b"for Alice");
        assert_eq!(model.talk.alice_reads(&message).unwrap(), b"for Alice");

        model.play_to(stolen + 2);
        for _ in 0..20 {
            let message = wire(model.talk.at_bob.encrypt(b"for Alice", NOW).unwrap());
            let read = thief.decrypt(&inner(&message), &mut cast::rng(seed));
            assert!(read.is_err());
            assert_eq!(model.talk.alice_reads(&message).unwrap(), b"for Alice");
            let forged = wire(thief.encrypt(b"from Alice", NOW).unwrap());
            assert!(model.receive(BOB, &forged).is_err());
            model.talk.round_trip();
        }
    }
}

/// Nothing is skipped here, so this is the state itself, in each of its eleven forms.
#[test]
fn the_stored_state_stays_within_its_bound() {
    let mut model = Model::new(7);
    let mut largest = [0; 2];
    while model.sides[ALICE].epoch < 4 {
        for from in [ALICE, BOB] {
            model.send(from);
            if let Some(number) = model.sides[from].on_the_way.pop() {
                model.deliver(from, number);
            }
            for who in [ALICE, BOB] {
                let answered = !model.session(who).is_unacknowledged();
                let length = model.session(who).encode().len();
                let bound = if answered {
                    MAX_STATE
                } else {
                    MAX_STATE + PENDING
                };
                assert!(length <= bound);
                largest[who] = largest[who].max(length);
            }
        }
        model.check();
    }
    assert!(largest.iter().all(|length| *length > 2_000), "{largest:?}");
}
