//! The stored form: under 3 KB at its largest, skipped keys aside.

use super::authenticator::Authenticator;
use super::braid::{Braid, CIPHERTEXT2_STREAM_LEN, HEADER_STREAM_LEN, State};
use super::epoch_chains::EpochChains;
use super::erasure::{Decoder, Encoder};
use super::incremental_kem::{CIPHERTEXT1_LEN, Encapsulation, KeySeed, VECTOR_LEN};
use super::{Direction, Keys, PqRatchet};
use crate::encoding::{Reader, Writer};
use crate::error::{Error, Result};

/// Everything but the chains, in the largest state: key being sent, ciphertext being received.
const FIXED_BOUND: usize = 2 + 10 + 64 + 1 + 64 + 5 + VECTOR_LEN + 40 * 35;

impl PqRatchet {
    pub(crate) fn encoded_len_bound(&self) -> usize {
        match &self.keys {
            Keys::Undecided { .. } => FIXED_BOUND + 32,
            Keys::Chains(chains) => chains.encoded_len_bound().saturating_add(FIXED_BOUND),
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.byte(match self.direction {
            Direction::Initiator => 0,
            Direction::Responder => 1,
        });
        match &self.keys {
            Keys::Undecided { initial } => {
                writer.byte(0);
                writer.bytes(initial.as_slice());
            }
            Keys::Chains(chains) => {
                writer.byte(1);
                chains.write(writer);
            }
        }
        writer.varint(self.braid.epoch);
        self.braid.auth.write(writer);
        self.braid.state.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let direction = if reader.flag()? {
            Direction::Responder
        } else {
            Direction::Initiator
        };
        let keys = if reader.flag()? {
            Keys::Chains(EpochChains::read(reader)?)
        } else {
            Keys::Undecided {
                initial: reader.secret()?,
            }
        };
        let epoch = reader.varint()?;
        if epoch == 0 {
            return Err(Error::InvalidState);
        }
        Ok(Self {
            direction,
            keys,
            braid: Braid {
                epoch,
                auth: Authenticator::read(reader)?,
                state: State::read(reader)?,
            },
        })
    }
}

impl State {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::KeysUnsampled { keys } => {
                writer.byte(1);
                keys.write(writer);
            }
            Self::HeaderSending { keys, header } => {
                writer.byte(2);
                keys.write(writer);
                header.write(writer);
            }
            Self::KeySending { keys, vector, ct1 } => {
                writer.byte(3);
                keys.write(writer);
                vector.write(writer);
                ct1.write(writer);
            }
            Self::Ciphertext1Complete { keys, vector, ct1 } => {
                writer.byte(4);
                keys.write(writer);
                vector.write(writer);
                writer.bytes(ct1);
            }
            Self::WaitingForCiphertext2 { keys, ct1, ct2 } => {
                writer.byte(5);
                keys.write(writer);
                writer.bytes(ct1);
                ct2.write(writer);
            }
            Self::NoHeader { header } => {
                writer.byte(6);
                header.write(writer);
            }
            Self::HeaderComplete { encapsulation } => {
                writer.byte(7);
                encapsulation.write(writer);
            }
            Self::Ciphertext1Sending {
                encapsulation,
                ct1,
                vector,
            } => {
                writer.byte(8);
                encapsulation.write(writer);
                ct1.write(writer);
                vector.write(writer);
            }
            Self::KeyComplete {
                encapsulation,
                ct1,
                vector,
            } => {
                writer.byte(9);
                encapsulation.write(writer);
                ct1.write(writer);
                writer.bytes(vector);
            }
            Self::Ciphertext1Acked {
                encapsulation,
                ct1,
                vector,
            } => {
                writer.byte(10);
                encapsulation.write(writer);
                writer.bytes(ct1);
                vector.write(writer);
            }
            Self::Ciphertext2Sending { ct2 } => {
                writer.byte(11);
                ct2.write(writer);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(match reader.byte()? {
            1 => Self::KeysUnsampled {
                keys: KeySeed::read(reader)?,
            },
            2 => Self::HeaderSending {
                keys: KeySeed::read(reader)?,
                header: Encoder::read(reader, HEADER_STREAM_LEN)?,
            },
            3 => Self::KeySending {
                keys: KeySeed::read(reader)?,
                vector: Encoder::read(reader, VECTOR_LEN)?,
                ct1: Decoder::read(reader, CIPHERTEXT1_LEN)?,
            },
            4 => Self::Ciphertext1Complete {
                keys: KeySeed::read(reader)?,
                vector: Encoder::read(reader, VECTOR_LEN)?,
                ct1: reader.bytes(CIPHERTEXT1_LEN)?.to_vec(),
            },
            5 => Self::WaitingForCiphertext2 {
                keys: KeySeed::read(reader)?,
                ct1: reader.bytes(CIPHERTEXT1_LEN)?.to_vec(),
                ct2: Decoder::read(reader, CIPHERTEXT2_STREAM_LEN)?,
            },
            6 => Self::NoHeader {
                header: Decoder::read(reader, HEADER_STREAM_LEN)?,
            },
            7 => Self::HeaderComplete {
                encapsulation: Encapsulation::read(reader)?,
            },
            8 => Self::Ciphertext1Sending {
                encapsulation: Encapsulation::read(reader)?,
                ct1: Encoder::read(reader, CIPHERTEXT1_LEN)?,
                vector: Decoder::read(reader, VECTOR_LEN)?,
            },
            9 => Self::KeyComplete {
                encapsulation: Encapsulation::read(reader)?,
                ct1: Encoder::read(reader, CIPHERTEXT1_LEN)?,
                vector: reader.bytes(VECTOR_LEN)?.to_vec(),
            },
            10 => Self::Ciphertext1Acked {
                encapsulation: Encapsulation::read(reader)?,
                ct1: reader.bytes(CIPHERTEXT1_LEN)?.to_vec(),
                vector: Decoder::read(reader, VECTOR_LEN)?,
            },
            11 => Self::Ciphertext2Sending {
                ct2: Encoder::read(reader, CIPHERTEXT2_STREAM_LEN)?,
            },
            _ => return Err(Error::InvalidState),
        })
    }
}

impl KeySeed {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.0.as_slice());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        reader.secret().map(Self)
    }
}

impl Encapsulation {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.header);
        writer.bytes(self.seed.as_slice());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            header: reader.array()?,
            seed: reader.secret()?,
        })
    }
}
