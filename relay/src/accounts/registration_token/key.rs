//! The algorithms of registration tokens, and the backend's key from a file.
//!
//! A key is taken only for the algorithm it belongs to. A private key is refused: it has no business on
//! the relay, and neither has a public key as an HMAC secret, which everybody knows.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a key file. An RSA key of 8192 bits in PEM form is about 1.4 KiB.
const MAX_FILE_LEN: u64 = 64 * 1024;
/// Bytes of an HS256 secret at least: as long as the hash (RFC 7518 §3.2).
const MIN_SECRET_LEN: usize = 32;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const RSA_MODULUS_LEN: std::ops::RangeInclusive<usize> = 256..=1024;
/// How every PEM file starts.
const PEM_START: &[u8] = b"-----BEGIN";

/// How the backend signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 to 8192 bits.
    Rs256,
    /// HMAC-SHA-256: backend and relay share a secret.
    Hs256,
}

impl SigningAlgorithm {
    /// The name in a token's header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }
}

impl From<SigningAlgorithm> for Algorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Es256 => Self::ES256,
            SigningAlgorithm::EdDsa => Self::EdDSA,
            SigningAlgorithm::Rs256 => Self::RS256,
            SigningAlgorithm::Hs256 => Self::HS256,
        }
    }
}

/// The key file cannot be used. Says which file; never what is in it.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("{}: cannot be read", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is longer than any key.
    #[error("{}: longer than {MAX_FILE_LEN} bytes", file.display())]
    TooLong {
        /// Which.
        file: PathBuf,
    },
    /// An HS256 secret that can be guessed.
    #[error("{}: a secret for HS256 has at least {MIN_SECRET_LEN} bytes", file.display())]
    ShortSecret {
        /// Which.
        file: PathBuf,
    },
    /// A PEM file as HS256 secret: most likely a public key, which is no secret.
    #[error("{}: a PEM file is no secret for HS256", file.display())]
    PemAsSecret {
        /// Which.
        file: PathBuf,
    },
    /// Not one public key in PEM form, or one of another algorithm or size.
    #[error("{}: not a public key in PEM form for {algorithm}", file.display())]
    Unfit {
        /// Which.
        file: PathBuf,
        /// The algorithm's name.
        algorithm: &'static str,
    },
}

/// Reads the key for an algorithm.
pub(super) fn read(file: &Path, algorithm: SigningAlgorithm) -> Result<DecodingKey, KeyFileError> {
    let bytes = read_bounded(file)?;
    let is_pem = bytes.trim_ascii_start().starts_with(PEM_START);
    if algorithm == SigningAlgorithm::Hs256 {
        let file = file.to_owned();
        return if is_pem {
            Err(KeyFileError::PemAsSecret { file })
        } else if bytes.len() < MIN_SECRET_LEN {
            Err(KeyFileError::ShortSecret { file })
        } else {
            Ok(DecodingKey::from_secret(&bytes))
        };
    }
    public_key(&bytes, algorithm).ok_or_else(|| KeyFileError::Unfit {
        file: file.to_owned(),
        algorithm: algorithm.name(),
    })
}

/// The public key in a PEM file, if it is the algorithm's.
pub(super) fn public_key(pem: &[u8], algorithm: SigningAlgorithm) -> Option<DecodingKey> {
    // The parser also takes certificates and private keys and finds something in them.
    let labels: &[&[u8]] = match algorithm {
        SigningAlgorithm::Rs256 => &[b" PUBLIC KEY-----", b" RSA PUBLIC KEY-----"],
        _ => &[b" PUBLIC KEY-----"],
    };
    let label = pem.trim_ascii_start().strip_prefix(PEM_START)?;
    if !labels.iter().any(|wanted| label.starts_with(wanted)) {
        return None;
    }
    let key = match algorithm {
        SigningAlgorithm::Es256 => DecodingKey::from_ec_pem(pem),
        SigningAlgorithm::EdDsa => DecodingKey::from_ed_pem(pem),
        SigningAlgorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
        SigningAlgorithm::Hs256 => return None,
    };
    let key = key.ok()?;
    let parameters = Jwk::from_decoding_key(&key, None).ok()?.algorithm;
    fits(&parameters, algorithm).then_some(key)
}

/// Whether a public key is of the algorithm's kind and a sound size. No key that may be published
/// fits HS256.
pub(super) fn fits(parameters: &AlgorithmParameters, algorithm: SigningAlgorithm) -> bool {
    match (algorithm, parameters) {
        (SigningAlgorithm::Es256, AlgorithmParameters::EllipticCurve(key)) => {
            key.curve == EllipticCurve::P256
                && decoded_len(&key.x) == Some(32)
                && decoded_len(&key.y) == Some(32)
        }
        (SigningAlgorithm::EdDsa, AlgorithmParameters::OctetKeyPair(key)) => {
            key.curve == EllipticCurve::Ed25519 && decoded_len(&key.x) == Some(32)
        }
        (SigningAlgorithm::Rs256, AlgorithmParameters::RSA(key)) => {
            number_len(&key.n).is_some_and(|len| RSA_MODULUS_LEN.contains(&len))
        }
        _ => false,
    }
}

fn decoded_len(text: &str) -> Option<usize> {
    URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len())
}

/// Bytes of a number without its leading zeros, which would make a short key look long.
fn number_len(text: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.iter().skip_while(|byte| **byte == 0).count())
}

fn read_bounded(file: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable {
        file: file.to_owned(),
        source,
    };
    // Room for all of it, because a growing vector would leave unwiped copies behind.
    let limit = MAX_FILE_LEN.saturating_add(1);
    let room = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    File::open(file)
        .map_err(unreadable)?
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() < room {
        Ok(bytes)
    } else {
        Err(KeyFileError::TooLong {
            file: file.to_owned(),
        })
    }
}
