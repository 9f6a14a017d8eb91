//! Presence topics. A topic is the hash of a key: followers know the topic, only its owner the key, so a
//! follower cannot publish in the owner's place. The relay sees random bytes either way.

use sha2::{Digest, Sha256};

/// Length of a topic and of a topic key.
pub const TOPIC_LEN: usize = 32;

const LABEL: &[u8] = b"hushpost presence topic v1";

/// The topic that this key publishes to.
///
/// ```
/// use hushpost_wire::topic;
///
/// let topic_key = [7; 32]; // random, kept by the owner
/// let topic = topic::of_key(&topic_key); // given to contacts, end to end encrypted
/// assert_ne!(topic, topic_key);
/// ```
#[must_use]
pub fn of_key(topic_key: &[u8; TOPIC_LEN]) -> [u8; TOPIC_LEN] {
    Sha256::new()
        .chain_update(LABEL)
        .chain_update(topic_key)
        .finalize()
        .into()
}
