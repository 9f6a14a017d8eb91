//! The digest of a blob, taken as it is written: what the relay and the message are told of it.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};

use super::SealedError;

/// Writes on, and takes the SHA-256 of what was written.
pub(crate) struct Digested<W> {
    sink: W,
    digest: Context,
}

impl<W: Write> Digested<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self {
            sink,
            digest: Context::new(&SHA256),
        }
    }

    /// The sink again, and the digest of all that went there.
    pub(crate) fn finish(self) -> Result<(W, [u8; 32]), SealedError> {
        let digest = self.digest.finish();
        let digest = digest.as_ref().try_into();
        Ok((self.sink, digest.map_err(|_| SealedError::Cipher)?))
    }
}

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.sink.write(bytes)?;
        if let Some(written) = bytes.get(..count) {
            self.digest.update(written);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
