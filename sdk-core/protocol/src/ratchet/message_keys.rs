//! From a message's seed to the keys that encrypt and authenticate it.

use zeroize::Zeroize;

use crate::hkdf;
use crate::secret::Secret;

const LABEL: &[u8] = b"WhisperMessageKeys";

/// What a chain yields for one message. Skipped messages keep this, not the keys, because a
/// post-quantum ratchet's salt arrives only with the message. Wiped on drop.
pub(crate) struct MessageSeed(Secret<32>);

impl MessageSeed {
    pub(crate) const fn new(seed: Secret<32>) -> Self {
        Self(seed)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The message's keys, salted by the post-quantum ratchet where the session has one.
    pub(crate) fn expand(&self, salt: Option<&[u8; 32]>) -> MessageKeys {
        let okm = hkdf::derive_short::<80>(salt, &self.0, LABEL);
        MessageKeys {
            cipher: Secret::part_of(okm.as_slice(), 0),
            mac: Secret::part_of(okm.as_slice(), 32),
            iv: Secret::part_of(okm.as_slice(), 64),
        }
    }

    /// A copy for a second owner; explicit, so that no secret is copied by accident.
    pub(crate) const fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl Zeroize for MessageSeed {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// One message's keys. Wiped on drop.
pub(crate) struct MessageKeys {
    pub(crate) cipher: Secret<32>,
    pub(crate) mac: Secret<32>,
    pub(crate) iv: Secret<16>,
}

impl MessageKeys {
    /// A copy for a second owner; explicit, so that no secret is copied by accident.
    pub(crate) const fn duplicate(&self) -> Self {
        Self {
            cipher: self.cipher.duplicate(),
            mac: self.mac.duplicate(),
            iv: self.iv.duplicate(),
        }
    }
}

impl Zeroize for MessageKeys {
    fn zeroize(&mut self) {
        self.cipher.zeroize();
        self.mac.zeroize();
        self.iv.zeroize();
    }
}
