//! From an envelope to what a device said: session, padding, signed device list.
//!
//! Who said it is whoever owns the session's identity key, and that key must stand on a device list that the
//! account signed. The relay's word about the sender only says which session to try: both addresses are under
//! the session's MAC.

use hushpost_protocol::{
    Error as ProtocolError, PreKeySecrets, PreKeySignalMessage, SenderKeyMessage, SignalMessage,
};
use hushpost_wire::{DeviceAddress, SignedDeviceList};

use crate::Result;
use crate::account::contacts::{self, apply_list};
use crate::account::pre_keys;
use crate::content::{Body, Plaintext, unpad};
use crate::envelope::{self, Opened};
use crate::group::sender_keys;
use crate::inbox::batch::Batch;

/// What came of an envelope.
pub(crate) enum Opening {
    /// Somebody who is known said this.
    Said(Plaintext),
    /// It was opened before.
    Duplicate,
    /// It does not decrypt, or not from whom it should: a stable name of the cause.
    Undecryptable(&'static str),
    /// It is authentic and makes no sense.
    Senseless {
        cause: &'static str,
        plaintext: Vec<u8>,
    },
}

/// Opens an envelope. What fails changes no session.
pub(crate) fn open(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    bytes: &[u8],
) -> Result<Opening> {
    match envelope::open(bytes) {
        Ok(Opened::Signal(message)) => open_signal(batch, from, &message),
        Ok(Opened::PreKey(message)) => open_pre_key(batch, from, &message),
        Ok(Opened::SenderKey(message)) => open_sender_key(batch, from, &message),
        Err(error) => Ok(Opening::Undecryptable(error.code())),
    }
}

/// A message to a group. Nothing but a post of just that group comes this way: keys, requests and receipts are
/// between two.
fn open_sender_key(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    message: &SenderKeyMessage,
) -> Result<Opening> {
    let Some(mut theirs) = sender_keys::theirs(batch.tx, from, message.distribution_id())? else {
        return Ok(Opening::Undecryptable(ProtocolError::NoSenderKey.code()));
    };
    let padded = match theirs.key.decrypt(message) {
        Ok(padded) => padded,
        Err(error) => return refused(error),
    };
    let listed = contacts::devices(batch.tx, from.account)?;
    if !listed.iter().any(|entry| entry.device == from.device) {
        contacts::want_list(batch.tx, from.account)?;
        return Ok(Opening::Undecryptable(
            ProtocolError::UntrustedIdentity.code(),
        ));
    }
    sender_keys::save_theirs(batch.tx, from, &theirs.key)?;
    Ok(match read(&padded) {
        Ok(said) => {
            let bare = said.device_list.is_none()
                && said.delivery_token.is_none()
                && said.replaces.is_empty();
            match &said.body {
                Body::Post(post) if bare && post.conversation == theirs.group => {
                    Opening::Said(said)
                }
                _ => Opening::Senseless {
                    cause: "wrong_channel",
                    plaintext: padded,
                },
            }
        }
        Err(cause) => Opening::Senseless {
            cause,
            plaintext: padded,
        },
    })
}

fn open_signal(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    message: &SignalMessage,
) -> Result<Opening> {
    if !batch.sessions.exists(batch.tx, from)? {
        return Ok(Opening::Undecryptable(ProtocolError::NoSession.code()));
    }
    let mut rng = batch.rng.clone();
    let session = batch.sessions.get(batch.tx, from)?;
    let received = match session.decrypt(message, &mut rng) {
        Ok(received) => received,
        Err(error) => return refused(error),
    };
    batch.sessions.moved(from);
    let read = read(&received.plaintext);
    if let Ok(plaintext) = &read {
        take_list(batch, from, plaintext.device_list.as_ref())?;
    }
    if !is_listed(batch, from, &received.identity_key)? {
        // A device that its account has taken off the list, or set up anew.
        contacts::want_list(batch.tx, from.account)?;
        return Ok(Opening::Undecryptable(
            ProtocolError::UntrustedIdentity.code(),
        ));
    }
    Ok(said(read, received.plaintext))
}

fn open_pre_key(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    message: &PreKeySignalMessage,
) -> Result<Opening> {
    let keys = pre_keys::named(batch.tx, message)?;
    let mut guard = batch.guard()?.clone();
    let mut rng = batch.rng.clone();
    let before = batch.sessions.snapshot(batch.tx, from)?;
    let secrets = PreKeySecrets {
        signed_pre_key: keys.signed.as_ref(),
        one_time_pre_key: keys.one_time.as_ref(),
        kem_pre_key: keys.kem.as_ref(),
        replay_guard: &mut guard,
    };
    let session = batch.sessions.get(batch.tx, from)?;
    let received = match session.decrypt_pre_key(batch.local.party(), message, secrets, &mut rng) {
        Ok(received) => received,
        Err(error) => return refused(error),
    };
    let read = read(&received.plaintext);
    if let Ok(plaintext) = &read {
        take_list(batch, from, plaintext.device_list.as_ref())?;
    }
    if !is_listed(batch, from, &received.identity_key)? {
        // Nobody vouches for this key: it is as if the message had not come.
        batch.sessions.restore(from, &before)?;
        contacts::want_list(batch.tx, from.account)?;
        batch.effects.outbox = true;
        return Ok(Opening::Undecryptable(
            ProtocolError::UntrustedIdentity.code(),
        ));
    }
    batch.sessions.moved(from);
    if let Some(consumed) = received.consumed {
        pre_keys::consume(batch.tx, consumed)?;
        batch.set_guard(guard);
    }
    Ok(said(read, received.plaintext))
}

/// What was inside, and why it makes no sense if it does not.
fn read(padded: &[u8]) -> Result<Plaintext, &'static str> {
    let plaintext = unpad(padded).map_err(|_| "malformed_padding")?;
    Plaintext::decode(plaintext).map_err(|_| "malformed_message")
}

fn said(read: Result<Plaintext, &'static str>, plaintext: Vec<u8>) -> Opening {
    match read {
        Ok(said) => Opening::Said(said),
        Err(cause) => Opening::Senseless { cause, plaintext },
    }
}

fn refused(error: ProtocolError) -> Result<Opening> {
    match error {
        ProtocolError::DuplicateMessage | ProtocolError::ReplayedBaseKey => Ok(Opening::Duplicate),
        // Not the message's fault: nothing is acknowledged.
        ProtocolError::Randomness => Err(error.into()),
        other => Ok(Opening::Undecryptable(other.code())),
    }
}

/// Takes the list that a message brings, if it is newer. An older or a foreign one changes nothing.
fn take_list(
    batch: &mut Batch<'_, '_>,
    from: DeviceAddress,
    list: Option<&SignedDeviceList>,
) -> Result<()> {
    let Some(list) = list else {
        return Ok(());
    };
    let events = &mut batch.effects.events;
    if apply_list(batch.tx, from.account, list, events)?.is_ok() {
        batch.effects.outbox = true;
    }
    Ok(())
}

fn is_listed(
    batch: &Batch<'_, '_>,
    from: DeviceAddress,
    identity_key: &hushpost_protocol::PublicKey,
) -> Result<bool> {
    let devices = contacts::devices(batch.tx, from.account)?;
    Ok(devices
        .iter()
        .any(|entry| entry.device == from.device && entry.identity_key == *identity_key))
}
