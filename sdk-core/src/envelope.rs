//! The bytes of one ciphertext on the wire.
//!
//! ```text
//!   version 1 │ message type 1 │ length 3, big-endian │ message │ zeros up to the size class
//! ```
//!
//! The fill lies outside of the encryption and tells nothing but the kind of message: what the user wrote was
//! padded before. It is checked all the same, so that each message has exactly one form.

use hushpost_protocol::{
    CiphertextMessage, Error as ProtocolError, MessageType, PreKeySignalMessage, SenderKeyMessage,
    SignalMessage,
};
use hushpost_wire::limits::MAX_MESSAGE_LEN;
use thiserror::Error;

use crate::content::{ContentError, size_class};

const VERSION: u8 = 1;
const HEADER_LEN: usize = 5;

/// What is in an envelope.
pub(crate) enum Opened {
    /// A message of an established session.
    Signal(SignalMessage),
    /// A message that starts one.
    PreKey(PreKeySignalMessage),
    /// A message to a group.
    SenderKey(SenderKeyMessage),
}

/// Why an envelope is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum EnvelopeError {
    /// It is not what [`seal`] makes.
    #[error("the envelope is malformed")]
    Malformed,
    /// A later version made it.
    #[error("the envelope is of a later version")]
    UpdateNeeded,
    /// The message in it is not one.
    #[error(transparent)]
    Message(#[from] ProtocolError),
}

impl EnvelopeError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed_envelope",
            Self::UpdateNeeded => "update_needed",
            Self::Message(error) => error.code(),
        }
    }
}

/// Puts a message into its envelope.
pub(crate) fn seal(message: &CiphertextMessage) -> Result<Vec<u8>, ContentError> {
    seal_bytes(message.message_type(), message.as_bytes())
}

/// Puts a message to a group into its envelope.
pub(crate) fn seal_group(message: &SenderKeyMessage) -> Result<Vec<u8>, ContentError> {
    seal_bytes(MessageType::SenderKey, message.as_bytes())
}

fn seal_bytes(message_type: MessageType, bytes: &[u8]) -> Result<Vec<u8>, ContentError> {
    let too_long = ContentError::TooLong("message");
    let len = u32::try_from(bytes.len()).map_err(|_| too_long)?;
    let [overflow, length @ ..] = len.to_be_bytes();
    let class = size_class(bytes.len().saturating_add(HEADER_LEN));
    if overflow != 0 || class > MAX_MESSAGE_LEN {
        return Err(too_long);
    }
    let mut envelope = Vec::with_capacity(class);
    envelope.extend_from_slice(&[VERSION, message_type as u8]);
    envelope.extend_from_slice(&length);
    envelope.extend_from_slice(bytes);
    envelope.resize(class, 0);
    Ok(envelope)
}

/// Takes a message out of its envelope.
pub(crate) fn open(envelope: &[u8]) -> Result<Opened, EnvelopeError> {
    let Some(([version, message_type, length @ ..], rest)) =
        envelope.split_first_chunk::<HEADER_LEN>()
    else {
        return Err(EnvelopeError::Malformed);
    };
    match *version {
        VERSION => {}
        0 => return Err(EnvelopeError::Malformed),
        _ => return Err(EnvelopeError::UpdateNeeded),
    }
    let [high, middle, low] = *length;
    let length = usize::try_from(u32::from_be_bytes([0, high, middle, low]))
        .map_err(|_| EnvelopeError::Malformed)?;
    let (message, fill) = rest
        .split_at_checked(length)
        .ok_or(EnvelopeError::Malformed)?;
    let class = size_class(length.saturating_add(HEADER_LEN));
    if envelope.len() != class || fill.iter().any(|byte| *byte != 0) {
        return Err(EnvelopeError::Malformed);
    }
    match MessageType::from_number(*message_type) {
        Ok(MessageType::Signal) => Ok(Opened::Signal(SignalMessage::from_bytes(message)?)),
        Ok(MessageType::PreKey) => Ok(Opened::PreKey(PreKeySignalMessage::from_bytes(message)?)),
        Ok(MessageType::SenderKey) => Ok(Opened::SenderKey(SenderKeyMessage::from_bytes(message)?)),
        _ => Err(EnvelopeError::UpdateNeeded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{pad, unpad};
    use getrandom::SysRng;
    use hushpost_protocol::*;
    use proptest::prelude::*;

    struct Party {
        identity: IdentityKeyPair,
        session: Session,
    }

    impl Party {
        fn local(&self) -> LocalParty<'_> {
            LocalParty {
                identity: &self.identity,
                registration_id: RegistrationId(1),
            }
        }

        /// Sends a text of this length; returns the envelope and what the other reads.
        fn say(&mut self, to: &mut Self, keys: Option<&mut BobKeys>, len: usize) -> Vec<u8> {
            let text = vec![7; len];
            let message = self
                .session
                .encrypt(&pad(text.clone()), Timestamp(1))
                .unwrap();
            let sealed = seal(&message).unwrap();
            let party = LocalParty {
                identity: &to.identity,
                registration_id: RegistrationId(1),
            };
            let read = match open(&sealed).unwrap() {
                Opened::Signal(message) => to.session.decrypt(&message, &mut SysRng).unwrap(),
                Opened::SenderKey(_) => panic!("a group's"),
                Opened::PreKey(message) => {
                    let keys = keys.unwrap();
                    let secrets = PreKeySecrets {
                        signed_pre_key: Some(&keys.signed),
                        one_time_pre_key: None,
                        kem_pre_key: Some(&keys.kem),
                        replay_guard: &mut keys.guard,
                    };
                    to.session
                        .decrypt_pre_key(party, &message, secrets, &mut SysRng)
                        .unwrap()
                }
            };
            assert_eq!(unpad(&read.plaintext), Ok(text.as_slice()));
            sealed
        }
    }

    struct BobKeys {
        signed: SignedPreKey,
        kem: KemPreKey,
        guard: ReplayGuard,
    }

    fn pair() -> (Party, Party, BobKeys) {
        let rng = &mut SysRng;
        let address = |number| {
            let id = ServiceId::account(uuid::Uuid::from_u128(number));
            ProtocolAddress::new(id, DeviceId::PRIMARY)
        };
        let party = |local, remote| Party {
            identity: IdentityKeyPair::generate(&mut SysRng).unwrap(),
            session: Session::new(PqPolicy::Required).between(address(local), address(remote)),
        };
        let (mut alice, bob) = (party(1, 2), party(2, 1));
        let now = Timestamp(1);
        let keys = BobKeys {
            signed: SignedPreKey::generate(SignedPreKeyId(1), &bob.identity, now, rng).unwrap(),
            kem: KemPreKey::generate(
                KemPreKeyId(1),
                KemKind::MlKem1024,
                true,
                &bob.identity,
                now,
                rng,
            )
            .unwrap(),
            guard: ReplayGuard::new(),
        };
        let bundle = PreKeyBundle::new(
            bob.local(),
            DeviceId::PRIMARY,
            &keys.signed,
            None,
            Some(&keys.kem),
        );
        let identity = IdentityKeyPair::decode(&alice.identity.encode()).unwrap();
        let local = LocalParty {
            identity: &identity,
            registration_id: RegistrationId(1),
        };
        alice.session.initiate(local, &bundle, now, rng).unwrap();
        (alice, bob, keys)
    }

    #[test]
    fn a_long_conversation_fits_the_classes_it_was_padded_for() {
        let (mut alice, mut bob, mut keys) = pair();
        assert_eq!(alice.say(&mut bob, Some(&mut keys), 1).len(), 4096);
        bob.say(&mut alice, None, 1);
        // Several whole exchanges of the post-quantum ratchet, at the edges of the classes.
        for round in 0..300 {
            for len in [0, 382, 383, 894, 895, 3966, 3967, 5000] {
                let expected = size_class(len + 1 + 129);
                assert_eq!(
                    alice.say(&mut bob, None, len).len(),
                    expected,
                    "{round} {len}"
                );
                assert_eq!(
                    bob.say(&mut alice, None, len).len(),
                    expected,
                    "{round} {len}"
                );
            }
        }
    }

    #[test]
    fn an_envelope_has_one_form() {
        let (mut alice, mut bob, mut keys) = pair();
        alice.say(&mut bob, Some(&mut keys), 1);
        bob.say(&mut alice, None, 1);
        let good = seal(&alice.session.encrypt(&pad(vec![1]), Timestamp(1)).unwrap()).unwrap();
        let message_end = HEADER_LEN + usize::from(good[3]) * 256 + usize::from(good[4]);
        for position in (0..HEADER_LEN).chain(message_end..good.len()) {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[position] ^= 1 << bit;
                // A longer length takes some of the fill for the MAC, and what is left may by
                // chance still parse: then the session is what refuses it.
                let refused = match open(&bad) {
                    Err(_) => true,
                    Ok(Opened::Signal(message)) => {
                        bob.session.decrypt(&message, &mut SysRng).is_err()
                    }
                    Ok(Opened::PreKey(_) | Opened::SenderKey(_)) => false,
                };
                assert!(refused, "{position} {bit}");
            }
        }
        for len in 0..good.len() {
            assert!(open(&good[..len]).is_err());
        }
        for extra in 1..64 {
            assert!(open(&[&good[..], &vec![0; extra]].concat()).is_err());
        }
        let mut later = good;
        later[0] = 2;
        assert_eq!(open(&later).err(), Some(EnvelopeError::UpdateNeeded));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = open(&bytes);
        }
    }
}
