//! The ML-KEM Braid: eleven states in which the two sides take turns at owning a key, and agree on a
//! fresh secret an epoch.
//!
//! ```text
//!   key owner                                  encapsulator
//!   1 keys unsampled                           6 no header
//!   2 header sending        ── header ──▶      7 header complete
//!   3 key sending           ◀─ ciphertext 1 ─  8 ciphertext 1 sending ──┐
//!   4 ciphertext 1 complete ── key, ack ──▶    9 key complete, not acked│
//!                                             10 acked, key incomplete ◀┘
//!   5 waiting for the rest  ◀─ ciphertext 2 ─ 11 ciphertext 2 sending
//!   └▶ 6, next epoch                           └▶ 1, next epoch
//! ```
//!
//! Receiving is computed on the side: [`Braid::receive`] answers what would change, and the caller
//! commits that once the message has proved genuine.

use rand_core::TryCryptoRng;

use super::authenticator::{Authenticator, MAC_LEN, matches};
use super::erasure::{Chunk, Decoder, Encoder};
use super::incremental_kem::{
    CIPHERTEXT1_LEN, CIPHERTEXT2_LEN, Encapsulation, HEADER_LEN, Header, KeySeed, VECTOR_LEN,
};
use super::message::{Payload, PqMessage};
use crate::error::{Error, Result};
use crate::hkdf::{self, ZERO_SALT};
use crate::random;
use crate::secret::Secret;

const LABEL_SECRET: &[u8] = b"Signal_PQCKA_V1_MLKEM768:SCKA Key";

pub(super) const HEADER_STREAM_LEN: usize = HEADER_LEN + MAC_LEN;
pub(super) const CIPHERTEXT2_STREAM_LEN: usize = CIPHERTEXT2_LEN + MAC_LEN;

/// The exchange of one epoch, as this side sees it.
pub(super) struct Braid {
    pub(super) epoch: u64,
    pub(super) auth: Authenticator,
    pub(super) state: State,
}

/// The states, in the order of their numbers.
pub(super) enum State {
    KeysUnsampled {
        keys: KeySeed,
    },
    HeaderSending {
        keys: KeySeed,
        header: Encoder,
    },
    KeySending {
        keys: KeySeed,
        vector: Encoder,
        ct1: Decoder,
    },
    Ciphertext1Complete {
        keys: KeySeed,
        vector: Encoder,
        ct1: Vec<u8>,
    },
    WaitingForCiphertext2 {
        keys: KeySeed,
        ct1: Vec<u8>,
        ct2: Decoder,
    },
    NoHeader {
        header: Decoder,
    },
    HeaderComplete {
        encapsulation: Encapsulation,
    },
    Ciphertext1Sending {
        encapsulation: Encapsulation,
        ct1: Encoder,
        vector: Decoder,
    },
    KeyComplete {
        encapsulation: Encapsulation,
        ct1: Encoder,
        vector: Vec<u8>,
    },
    Ciphertext1Acked {
        encapsulation: Encapsulation,
        ct1: Vec<u8>,
        vector: Decoder,
    },
    Ciphertext2Sending {
        ct2: Encoder,
    },
}

/// What a genuine message does to the exchange.
pub(super) enum Step {
    Stay,
    Keep(Chunk),
    Become(Box<Braid>),
}

/// A secret that an epoch has yielded.
pub(super) type EpochSecret = Secret<32>;

impl Braid {
    /// The session's initiator owns the first key.
    pub(super) fn initiator(
        initial: &[u8; 32],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self> {
        Ok(Self {
            epoch: 1,
            auth: Authenticator::new(initial),
            state: new_owner(rng)?,
        })
    }

    pub(super) fn responder(initial: &[u8; 32]) -> Self {
        Self {
            epoch: 1,
            auth: Authenticator::new(initial),
            state: State::NoHeader {
                header: Decoder::default(),
            },
        }
    }

    /// What the next message carries, and the epoch secret if this step made one.
    pub(super) fn send(&mut self) -> Result<(Payload, Option<EpochSecret>)> {
        let payload = match &mut self.state {
            State::KeysUnsampled { keys } => {
                let (header, _) = keys.public_parts();
                let mac = self.auth.header_mac(self.epoch, &header);
                let mut header = Encoder::new(&[header.as_slice(), &mac].concat());
                let chunk = header.next_chunk();
                self.state = State::HeaderSending {
                    keys: keys.duplicate(),
                    header,
                };
                Payload::Header(chunk)
            }
            State::HeaderSending { header, .. } => Payload::Header(header.next_chunk()),
            State::KeySending { vector, .. } => Payload::Key(vector.next_chunk()),
            State::Ciphertext1Complete { vector, .. } => Payload::KeyAndAck(vector.next_chunk()),
            State::WaitingForCiphertext2 { .. } => Payload::Ack,
            State::NoHeader { .. } | State::Ciphertext1Acked { .. } => Payload::None,
            State::HeaderComplete { encapsulation } => {
                let (ct1, shared) = encapsulation.first_part()?;
                let secret = epoch_secret(&shared, self.epoch);
                self.auth = self.auth.updated(self.epoch, &secret);
                let mut ct1 = Encoder::new(&ct1);
                let chunk = ct1.next_chunk();
                self.state = State::Ciphertext1Sending {
                    encapsulation: encapsulation.duplicate(),
                    ct1,
                    vector: Decoder::default(),
                };
                return Ok((Payload::Ciphertext1(chunk), Some(secret)));
            }
            State::Ciphertext1Sending { ct1, .. } | State::KeyComplete { ct1, .. } => {
                Payload::Ciphertext1(ct1.next_chunk())
            }
            State::Ciphertext2Sending { ct2 } => Payload::Ciphertext2(ct2.next_chunk()),
        };
        Ok((payload, None))
    }

    /// What a message does, and the epoch secret if it completes one. Changes nothing.
    pub(super) fn receive(
        &self,
        message: &PqMessage,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Step, Option<EpochSecret>)> {
        if message.epoch < self.epoch {
            return Ok((Step::Stay, None));
        }
        if message.epoch > self.epoch {
            // Only who has sent everything of its epoch can be behind.
            return match (&self.state, self.epoch.checked_add(1)) {
                (State::Ciphertext2Sending { .. }, Some(next)) if message.epoch == next => {
                    let step = self.become_next(next, self.auth.duplicate(), new_owner(rng)?);
                    Ok((step, None))
                }
                _ => Err(Error::InvalidMessage),
            };
        }
        match (&self.state, &message.payload) {
            (State::HeaderSending { keys, .. }, Payload::Ciphertext1(chunk)) => {
                let (_, vector) = keys.public_parts();
                let mut ct1 = Decoder::default();
                ct1.add(*chunk);
                Ok(self.become_state(State::KeySending {
                    keys: keys.duplicate(),
                    vector: Encoder::new(&vector),
                    ct1,
                }))
            }
            (State::KeySending { keys, vector, ct1 }, Payload::Ciphertext1(chunk)) => {
                Ok(match ct1.complete_with(chunk, CIPHERTEXT1_LEN) {
                    None => (Step::Keep(*chunk), None),
                    Some(ct1) => self.become_state(State::Ciphertext1Complete {
                        keys: keys.duplicate(),
                        vector: vector.clone(),
                        ct1,
                    }),
                })
            }
            (State::Ciphertext1Complete { keys, ct1, .. }, Payload::Ciphertext2(chunk)) => {
                let mut ct2 = Decoder::default();
                ct2.add(*chunk);
                Ok(self.become_state(State::WaitingForCiphertext2 {
                    keys: keys.duplicate(),
                    ct1: ct1.clone(),
                    ct2,
                }))
            }
            (State::WaitingForCiphertext2 { keys, ct1, ct2 }, Payload::Ciphertext2(chunk)) => {
                match ct2.complete_with(chunk, CIPHERTEXT2_STREAM_LEN) {
                    None => Ok((Step::Keep(*chunk), None)),
                    Some(stream) => self.decapsulate(keys, ct1, &stream),
                }
            }
            (State::NoHeader { header }, Payload::Header(chunk)) => {
                match header.complete_with(chunk, HEADER_STREAM_LEN) {
                    None => Ok((Step::Keep(*chunk), None)),
                    Some(stream) => self.accept_header(&stream, rng),
                }
            }
            (
                State::Ciphertext1Sending { .. }
                | State::KeyComplete { .. }
                | State::Ciphertext1Acked { .. },
                payload,
            ) => self.receive_key(payload),
            _ => Ok((Step::Stay, None)),
        }
    }

    /// Takes a step for good.
    pub(super) fn commit(&mut self, step: Step) {
        match step {
            Step::Stay => {}
            Step::Become(next) => *self = *next,
            Step::Keep(chunk) => match &mut self.state {
                State::KeySending { ct1: decoder, .. }
                | State::WaitingForCiphertext2 { ct2: decoder, .. }
                | State::NoHeader { header: decoder }
                | State::Ciphertext1Sending {
                    vector: decoder, ..
                }
                | State::Ciphertext1Acked {
                    vector: decoder, ..
                } => decoder.add(chunk),
                _ => {}
            },
        }
    }

    /// State 5: the owner has everything. The secret goes into the authenticator before the MAC over
    /// what carried it is checked.
    fn decapsulate(
        &self,
        keys: &KeySeed,
        ct1: &[u8],
        stream: &[u8],
    ) -> Result<(Step, Option<EpochSecret>)> {
        let (ct2, mac) = stream
            .split_at_checked(CIPHERTEXT2_LEN)
            .ok_or(Error::InvalidMessage)?;
        let shared = keys.decapsulate(ct1, ct2)?;
        let secret = epoch_secret(&shared, self.epoch);
        let auth = self.auth.updated(self.epoch, &secret);
        if !matches(&auth.ciphertext_mac(self.epoch, ct1, ct2), mac) {
            return Err(Error::InvalidMessage);
        }
        let next = self.epoch.checked_add(1).ok_or(Error::ChainExhausted)?;
        let state = State::NoHeader {
            header: Decoder::default(),
        };
        Ok((self.become_next(next, auth, state), Some(secret)))
    }

    /// State 6: the header is complete; it must be the peer's.
    fn accept_header(
        &self,
        stream: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Step, Option<EpochSecret>)> {
        let (header, mac) = stream
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(Error::InvalidMessage)?;
        if !matches(&self.auth.header_mac(self.epoch, header), mac) {
            return Err(Error::InvalidMessage);
        }
        let header: Header = *header;
        let seed = random::draw::<32>(rng)?;
        Ok(self.become_state(State::HeaderComplete {
            encapsulation: Encapsulation { header, seed },
        }))
    }

    /// States 8, 9 and 10: chunks of the key, and the word that the first ciphertext part arrived.
    fn receive_key(&self, payload: &Payload) -> Result<(Step, Option<EpochSecret>)> {
        let (chunk, acked) = match payload {
            Payload::Key(chunk) => (Some(chunk), false),
            Payload::KeyAndAck(chunk) => (Some(chunk), true),
            Payload::Ack => (None, true),
            _ => return Ok((Step::Stay, None)),
        };
        match (&self.state, chunk) {
            (
                State::Ciphertext1Sending {
                    encapsulation,
                    ct1,
                    vector,
                },
                Some(chunk),
            ) => {
                let complete = vector.complete_with(chunk, VECTOR_LEN);
                if let Some(vector) = &complete {
                    encapsulation.check_vector(vector)?;
                }
                match (complete, acked) {
                    (None, false) => Ok((Step::Keep(*chunk), None)),
                    (None, true) => {
                        let mut vector = vector.clone();
                        vector.add(*chunk);
                        Ok(self.become_state(State::Ciphertext1Acked {
                            encapsulation: encapsulation.duplicate(),
                            ct1: ct1.data(),
                            vector,
                        }))
                    }
                    (Some(vector), false) => Ok(self.become_state(State::KeyComplete {
                        encapsulation: encapsulation.duplicate(),
                        ct1: ct1.clone(),
                        vector,
                    })),
                    (Some(vector), true) => {
                        self.send_ciphertext2(encapsulation, &ct1.data(), &vector)
                    }
                }
            }
            (
                State::KeyComplete {
                    encapsulation,
                    ct1,
                    vector,
                },
                _,
            ) if acked => self.send_ciphertext2(encapsulation, &ct1.data(), vector),
            (
                State::Ciphertext1Acked {
                    encapsulation,
                    ct1,
                    vector,
                },
                Some(chunk),
            ) => match vector.complete_with(chunk, VECTOR_LEN) {
                None => Ok((Step::Keep(*chunk), None)),
                Some(vector) => {
                    encapsulation.check_vector(&vector)?;
                    self.send_ciphertext2(encapsulation, ct1, &vector)
                }
            },
            _ => Ok((Step::Stay, None)),
        }
    }

    fn send_ciphertext2(
        &self,
        encapsulation: &Encapsulation,
        ct1: &[u8],
        vector: &[u8],
    ) -> Result<(Step, Option<EpochSecret>)> {
        let ct2 = encapsulation.second_part(vector)?;
        let mac = self.auth.ciphertext_mac(self.epoch, ct1, &ct2);
        let ct2 = Encoder::new(&[ct2.as_slice(), &mac].concat());
        Ok(self.become_state(State::Ciphertext2Sending { ct2 }))
    }

    fn become_state(&self, state: State) -> (Step, Option<EpochSecret>) {
        (
            self.become_next(self.epoch, self.auth.duplicate(), state),
            None,
        )
    }

    fn become_next(&self, epoch: u64, auth: Authenticator, state: State) -> Step {
        debug_assert!(epoch >= self.epoch);
        Step::Become(Box::new(Self { epoch, auth, state }))
    }
}

/// The next key's randomness is drawn when its epoch begins, so that sending needs no generator.
fn new_owner(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<State> {
    Ok(State::KeysUnsampled {
        keys: KeySeed(random::draw::<64>(rng)?),
    })
}

pub(super) fn epoch_secret(shared: &[u8; 32], epoch: u64) -> EpochSecret {
    hkdf::derive(&ZERO_SALT, shared, &[LABEL_SECRET, &epoch.to_be_bytes()])
}
