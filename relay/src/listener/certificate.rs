//! The listener's certificate and key: read from files, checked as a pair, replaced while running.
//!
//! The files' bytes are wiped once parsed; of what was read only a hash is kept.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::tls::TlsError;

/// Bytes of either file: a long chain of large certificates is a tenth of it.
const MAX_FILE_LEN: u64 = 256 * 1024;

/// The certificate that new handshakes get.
pub(super) struct CurrentCertificate(ArcSwap<CertifiedKey>);

impl CurrentCertificate {
    pub(super) fn new(certificate: CertifiedKey) -> Self {
        Self(ArcSwap::from_pointee(certificate))
    }

    pub(super) fn replace(&self, certificate: CertifiedKey) {
        self.0.store(Arc::new(certificate));
    }

    #[cfg(test)]
    pub(super) fn certificate(&self) -> Arc<CertifiedKey> {
        self.0.load_full()
    }
}

impl fmt::Debug for CurrentCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentCertificate").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// What a look at the files found.
pub(super) enum Reload {
    /// What was there at the last look.
    Unchanged,
    /// A new, sound pair.
    New(CertifiedKey),
    /// Something new that cannot be used.
    Broken(TlsError),
}

/// The two files, and what they held at the last look.
pub(super) struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    /// Contents, not times: a copy may keep its time, and a touched file is not a new one. `None`
    /// while a file cannot be read.
    seen: Option<[u8; 32]>,
}

impl fmt::Debug for CertificateFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateFiles")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl CertificateFiles {
    pub(super) fn new(certificate: PathBuf, key: PathBuf, provider: Arc<CryptoProvider>) -> Self {
        Self {
            certificate,
            key,
            provider,
            seen: None,
        }
    }

    /// Reads the pair.
    pub(super) fn read(&mut self) -> Result<CertifiedKey, TlsError> {
        let contents = self.contents()?;
        self.seen = Some(contents.hash());
        self.parse(&contents)
    }

    /// Reads the pair if it is not what was there at the last look. What is broken is said once.
    pub(super) fn read_if_changed(&mut self) -> Reload {
        let before = self.seen;
        let contents = match self.contents() {
            Ok(contents) => contents,
            Err(error) => {
                self.seen = None;
                return match before {
                    Some(_) => Reload::Broken(error),
                    None => Reload::Unchanged,
                };
            }
        };
        self.seen = Some(contents.hash());
        if self.seen == before {
            return Reload::Unchanged;
        }
        match self.parse(&contents) {
            Ok(certificate) => Reload::New(certificate),
            Err(error) => Reload::Broken(error),
        }
    }

    fn contents(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read_bounded(&self.certificate)?,
            key: read_bounded(&self.key)?,
        })
    }

    fn parse(&self, contents: &Contents) -> Result<CertifiedKey, TlsError> {
        let certificate_file = || self.certificate.clone();
        let key_file = || self.key.clone();
        // The parser's own errors may quote the file, so they are not passed on.
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or_else(|| TlsError::NoCertificate {
                file: certificate_file(),
            })?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| TlsError::NoKey { file: key_file() })?;
        let key = self
            .provider
            .key_provider
            .load_private_key(key)
            .map_err(|source| TlsError::BadKey {
                file: key_file(),
                source,
            })?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            Ok(()) => Ok(pair),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsError::Mismatch {
                    certificate: certificate_file(),
                    key: key_file(),
                })
            }
            Err(source) => Err(TlsError::BadCertificate {
                file: certificate_file(),
                source,
            }),
        }
    }
}

struct Contents {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl Contents {
    fn hash(&self) -> [u8; 32] {
        // Hashes of a fixed length, so that bytes cannot move from one file to the other unseen.
        Sha256::new()
            .chain_update(Sha256::digest(&*self.certificate))
            .chain_update(Sha256::digest(&*self.key))
            .finalize()
            .into()
    }
}

fn read_bounded(file: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let opened = File::open(file).map_err(unreadable)?;
    let expected = opened.metadata().map_err(unreadable)?.len();
    let too_long = || TlsError::TooLong {
        file: file.to_owned(),
        max: MAX_FILE_LEN,
    };
    if expected > MAX_FILE_LEN {
        return Err(too_long());
    }
    // Room for all of it, because a growing vector would leave unwiped copies behind.
    let room = usize::try_from(MAX_FILE_LEN.saturating_add(1)).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    opened
        .take(MAX_FILE_LEN.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= MAX_FILE_LEN) {
        Ok(bytes)
    } else {
        Err(too_long())
    }
}
