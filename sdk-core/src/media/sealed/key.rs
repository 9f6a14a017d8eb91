//! The key of one file, and what is derived from it.

use core::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{HEADER_LEN, SealedError, TAG_LEN, VERSION};
use crate::Error;
use crate::random::Randomness;

/// Bytes of a file's key.
pub(super) const FILE_KEY_LEN: usize = 32;

const SALT: &[u8] = b"hushpost sealed file 1";

/// The secret of one file: random, and never used for another.
#[derive(Clone)]
pub(crate) struct FileKey(Zeroizing<[u8; FILE_KEY_LEN]>);

impl FileKey {
    /// A new one.
    pub(crate) fn random(rng: &Randomness) -> Result<Self, Error> {
        Ok(Self(Zeroizing::new(rng.array()?)))
    }

    /// The one with these bytes; `None` if they are not 32.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// For a message and for the database, which are encrypted.
    pub(crate) fn as_bytes(&self) -> &[u8; FILE_KEY_LEN] {
        &self.0
    }
}

impl PartialEq for FileKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for FileKey {}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey")
    }
}

/// What encrypts the chunks of one file.
pub(super) struct Cipher {
    chunks: LessSafeKey,
    commitment: [u8; 32],
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

impl Cipher {
    pub(super) fn new(key: &FileKey) -> Result<Self, SealedError> {
        let root = Salt::new(HKDF_SHA256, SALT).extract(key.as_bytes());
        let derive = |info: &[u8]| {
            let mut bytes = Zeroizing::new([0; 32]);
            root.expand(&[info], Bytes32)
                .and_then(|okm| okm.fill(&mut *bytes))
                .map_err(|_| SealedError::Cipher)?;
            Ok::<_, SealedError>(bytes)
        };
        let chunk_key = derive(b"chunks")?;
        let chunks = UnboundKey::new(&AES_256_GCM, &*chunk_key).map_err(|_| SealedError::Cipher)?;
        Ok(Self {
            chunks: LessSafeKey::new(chunks),
            commitment: *derive(b"commitment")?,
        })
    }

    pub(super) fn header(&self) -> [u8; HEADER_LEN] {
        let mut header = [VERSION; HEADER_LEN];
        if let Some((_, commitment)) = header.split_first_mut() {
            commitment.copy_from_slice(&self.commitment);
        }
        header
    }

    /// Whether a blob with this header was sealed with this key.
    pub(super) fn check_header(&self, header: &[u8; HEADER_LEN]) -> Result<(), SealedError> {
        let [version, commitment @ ..] = header;
        if *version != VERSION {
            return Err(SealedError::Version);
        }
        if bool::from(commitment.ct_eq(&self.commitment)) {
            Ok(())
        } else {
            Err(SealedError::Commitment)
        }
    }

    /// Encrypts in place.
    pub(super) fn seal(
        &self,
        index: u64,
        last: bool,
        piece: &mut [u8],
    ) -> Result<[u8; TAG_LEN], SealedError> {
        let tag = self
            .chunks
            .seal_in_place_separate_tag(nonce(index, last), Aad::empty(), piece)
            .map_err(|_| SealedError::Cipher)?;
        tag.as_ref().try_into().map_err(|_| SealedError::Cipher)
    }

    /// Decrypts in place. After an error what is in `chunk` is to be thrown away.
    pub(super) fn open<'a>(
        &self,
        index: u64,
        last: bool,
        chunk: &'a mut [u8],
    ) -> Result<&'a [u8], SealedError> {
        match self
            .chunks
            .open_in_place(nonce(index, last), Aad::empty(), chunk)
        {
            Ok(piece) => Ok(piece),
            Err(_) => Err(SealedError::Chunk),
        }
    }
}

fn nonce(index: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    let [_, _, _, counter @ .., flag] = &mut bytes;
    *counter = index.to_be_bytes();
    *flag = last.into();
    Nonce::assume_unique_for_key(bytes)
}
