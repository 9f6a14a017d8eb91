//! Where a file is, and what opens it.

use core::fmt;

/// Where a file is at the relay, and the key to it: opaque, and to be handed to `Media`.
#[derive(uniffi::Object)]
pub struct FileRef(pub(crate) hushpost::Attachment);

/// No name, no key.
impl fmt::Debug for FileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileRef")
    }
}
