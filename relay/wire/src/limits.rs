//! Sizes and counts, with their reasons. A relay may be configured below or above most of them and says
//! so in [`Welcome`](crate::Welcome); those marked *fixed* are part of the format.

/// Bytes of one WebSocket message, *fixed*. The largest honest frames are 100 KEM pre-keys (164 KB) and a
/// sealed envelope for 1024 recipients (64 KiB of body and about 100 bytes each).
pub const MAX_FRAME_LEN: usize = 256 * 1024;
/// Bytes of one ciphertext, unless configured.
pub const MAX_MESSAGE_LEN: usize = 64 * 1024;
/// Recipient accounts of one message, unless configured.
pub const MAX_RECIPIENTS: usize = 1024;
/// Devices of one account, unless configured: the primary and five more.
pub const MAX_DEVICES: usize = 6;
/// Messages waiting for one device, unless configured.
pub const MAX_QUEUED: u64 = 10_000;
/// One-time pre-keys of one kind in one upload, *fixed*.
pub const MAX_PRE_KEYS_PER_UPLOAD: usize = 100;
/// One-time pre-keys of one kind in stock, *fixed*: an upload that would exceed it is cut.
pub const MAX_PRE_KEYS_IN_STOCK: u32 = 200;
/// Below this many one-time pre-keys of a kind their owner is told, *fixed*.
pub const PRE_KEYS_LOW: u32 = 20;
/// Bytes of an encoded device list, *fixed*: 127 devices of about 90 bytes do not fit, 40 do.
pub const MAX_DEVICE_LIST_LEN: usize = 4096;
/// Bytes of a presence value, *fixed*.
pub const MAX_PRESENCE_LEN: usize = 1024;
/// Seconds a presence value lasts at most, *fixed*: 7 days, for "last seen".
pub const MAX_PRESENCE_TTL_S: u32 = 7 * 24 * 3600;
/// Bytes of a name that is looked up, *fixed*.
pub const MAX_NAME_LEN: usize = 256;
/// Bytes of a registration token, *fixed*.
pub const MAX_TOKEN_LEN: usize = 8 * 1024;
/// Bytes of an invite code, *fixed*.
pub const MAX_INVITE_LEN: usize = 256;

/// Length of a delivery token.
pub const DELIVERY_TOKEN_LEN: usize = 16;
/// Length of a Curve25519 public key with its type byte.
pub const EC_PUBLIC_KEY_LEN: usize = 33;
/// Length of a KEM-1024 public key with its type byte.
pub const KEM_PUBLIC_KEY_LEN: usize = 1569;
/// Length of a signature, `XEdDSA` or Ed25519.
pub const SIGNATURE_LEN: usize = 64;
/// The largest registration id: 14 bits, as sealed sender carries it.
pub const MAX_REGISTRATION_ID: u32 = 0x3fff;
