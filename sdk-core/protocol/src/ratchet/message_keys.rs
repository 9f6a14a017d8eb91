//! From a message's seed to the keys that encrypt and authenticate it.

use std::sync::LazyLock;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hkdf::{self, ZERO_SALT};
use crate::hmac_block::HmacKey;

const LABEL: &[u8] = b"WhisperMessageKeys";

static NO_SALT: LazyLock<HmacKey> = LazyLock::new(|| HmacKey::new(&ZERO_SALT));

/// What a chain yields for one message. Skipped messages keep this, not the keys, because a
/// post-quantum ratchet's salt arrives only with the message. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct MessageSeed([u8; 32]);

impl MessageSeed {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The message's keys, salted by the post-quantum ratchet where the session has one.
    pub(crate) fn expand(&self, salt: Option<&[u8; 32]>) -> MessageKeys {
        let salt = match salt {
            Some(salt) => &HmacKey::new(salt),
            None => &*NO_SALT,
        };
        let okm = hkdf::derive_short::<80>(salt, &self.0, LABEL);
        let mut keys = MessageKeys {
            cipher: [0; 32],
            mac: [0; 32],
            iv: [0; 16],
        };
        let (cipher, rest) = okm.split_at(32);
        let (mac, iv) = rest.split_at(32);
        keys.cipher.copy_from_slice(cipher);
        keys.mac.copy_from_slice(mac);
        keys.iv.copy_from_slice(iv);
        keys
    }
}

/// One message's keys. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct MessageKeys {
    pub(crate) cipher: [u8; 32],
    pub(crate) mac: [u8; 32],
    pub(crate) iv: [u8; 16],
}
