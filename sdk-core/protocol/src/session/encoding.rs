//! The stored form of a session: under 1 KB while nothing is pending or skipped.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::{Addresses, MAX_ARCHIVED_STATES, PendingPreKey, Session, SessionState};
use crate::address::{KemPreKeyId, OneTimePreKeyId, RegistrationId, SignedPreKeyId, Timestamp};
use crate::encoding::{Kind, Reader, Writer};
use crate::error::{Error, Result};
use crate::kem::{KEM_CIPHERTEXT_LEN, KemCiphertext};
use crate::message::{KemPart, ProtocolVersion};
use crate::pq_ratchet::{PqPolicy, PqRatchet};
use crate::ratchet::DoubleRatchet;

/// Version 1 had no policy, no addresses and no post-quantum ratchet.
const ENCODING_VERSION: u8 = 2;

/// Version, two identities, base key, registration ids, presence byte.
const STATE_FIXED_BOUND: usize = 1 + 3 * 32 + 2 * 5 + 1;
/// Ids, presence bytes, ciphertext, timestamp.
const PENDING_BOUND: usize = 3 * 6 + KEM_CIPHERTEXT_LEN + 10;

impl Session {
    /// The stored form: 0.3 to 0.6 KB an established state, 33 to 38 bytes more a skipped message,
    /// 1.6 KB more while an initiated version 4 state is unanswered. Wiped on drop.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let capacity = self
            .states()
            .map(SessionState::encoded_len_bound)
            .fold(64, usize::saturating_add);
        let mut writer = Writer::new(Kind::Session, ENCODING_VERSION, capacity);
        writer.byte(self.policy as u8);
        writer.option(self.addresses.as_ref(), |writer, addresses| {
            addresses.write(writer);
        });
        writer.option(self.current.as_ref(), |writer, state| state.write(writer));
        writer.count(self.archived.len());
        for state in &self.archived {
            state.write(&mut writer);
        }
        writer.finish()
    }

    /// Reads [`Session::encode`]'s form, of this or an earlier version.
    ///
    /// # Errors
    /// [`Error::InvalidState`] if it is not that.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut reader, version) = Reader::new(Kind::Session, bytes)?;
        let (policy, addresses) = match version {
            1 => (PqPolicy::Off, None),
            ENCODING_VERSION => (
                PqPolicy::from_number(reader.byte()?).ok_or(Error::InvalidState)?,
                reader.option(Addresses::read)?,
            ),
            _ => return Err(Error::InvalidState),
        };
        let current = reader.option(|reader| SessionState::read(reader, version).map(Box::new))?;
        let count = reader.count(MAX_ARCHIVED_STATES)?;
        let mut archived = VecDeque::with_capacity(count);
        for _ in 0..count {
            archived.push_back(Box::new(SessionState::read(&mut reader, version)?));
        }
        reader.finish()?;
        Self::from_states(policy, addresses, current, archived)
    }
}

impl SessionState {
    fn encoded_len_bound(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |_| PENDING_BOUND);
        self.ratchet
            .encoded_len_bound()
            .saturating_add(STATE_FIXED_BOUND)
            .saturating_add(pending)
            .saturating_add(self.pq.as_ref().map_or(1, PqRatchet::encoded_len_bound))
    }

    fn write(&self, writer: &mut Writer) {
        writer.byte(self.version as u8);
        writer.public_key(&self.local_identity);
        writer.public_key(&self.remote_identity);
        writer.varint(self.local_registration_id.0.into());
        writer.varint(self.remote_registration_id.0.into());
        writer.public_key(&self.base_key);
        writer.option(self.pending.as_ref(), |writer, pending| {
            writer.option(pending.one_time_pre_key_id, |writer, id| {
                writer.varint(id.0.into());
            });
            writer.varint(pending.signed_pre_key_id.0.into());
            writer.option(pending.kem.as_ref(), |writer, kem| {
                writer.varint(kem.id.0.into());
                writer.bytes(&kem.ciphertext.to_bytes());
            });
            writer.varint(pending.created.0);
        });
        self.ratchet.write(writer);
        writer.option(self.pq.as_ref(), |writer, pq| pq.write(writer));
    }

    fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self> {
        Ok(Self {
            version: ProtocolVersion::from_number(reader.byte()?).ok_or(Error::InvalidState)?,
            local_identity: reader.public_key()?,
            remote_identity: reader.public_key()?,
            local_registration_id: RegistrationId(reader.u32()?),
            remote_registration_id: RegistrationId(reader.u32()?),
            base_key: reader.public_key()?,
            pending: reader.option(read_pending)?,
            ratchet: DoubleRatchet::read(reader)?,
            pq: match version {
                1 => None,
                _ => reader.option(PqRatchet::read)?,
            },
        })
    }
}

fn read_pending(reader: &mut Reader<'_>) -> Result<PendingPreKey> {
    Ok(PendingPreKey {
        one_time_pre_key_id: reader.option(|reader| reader.u32().map(OneTimePreKeyId))?,
        signed_pre_key_id: SignedPreKeyId(reader.u32()?),
        kem: reader.option(|reader| {
            let id = KemPreKeyId(reader.u32()?);
            let ciphertext = KemCiphertext::from_bytes(reader.bytes(KEM_CIPHERTEXT_LEN)?)
                .map_err(|_| Error::InvalidState)?;
            Ok(KemPart { id, ciphertext })
        })?,
        created: Timestamp(reader.varint()?),
    })
}
