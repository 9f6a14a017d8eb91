//! Blob ids and upload tokens: 32 random bytes each, in URLs 43 characters of unpadded base64url.
//!
//! The relay keeps hashes only. A malformed id becomes a name that no blob has, so that it takes the way,
//! and the time, of an unknown one; no text from outside ever becomes part of a path.

use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Length of an id and of a token in a URL or header.
const TEXT_LEN: usize = 43;
/// Before the id in a URL.
pub(super) const PREFIX: &str = "/v1/blobs/";

/// 32 random bytes.
///
/// # Errors
/// The system's, if it has no randomness to give.
pub(super) fn random() -> Result<Zeroizing<[u8; 32]>, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut())?;
    Ok(bytes)
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() != TEXT_LEN {
        return None;
    }
    // 43 characters could be 32 bytes and 2 bits; the decoder wants room for 33 and refuses stray bits.
    let mut room = Zeroizing::new([0; 33]);
    let written = URL_SAFE_NO_PAD.decode_slice(text, room.as_mut()).ok()?;
    let bytes: [u8; 32] = room.get(..written)?.try_into().ok()?;
    Some(Zeroizing::new(bytes))
}

/// What the database and the object store call a blob: the hash of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name([u8; 32]);

impl Name {
    /// The name of an id.
    pub(super) fn of(id: &[u8; 32]) -> Self {
        Self(Sha256::digest(id).into())
    }

    /// The name that a request asks for. A malformed id gives a name that no blob has: ids are 32 bytes.
    pub(super) fn asked_for(uri: &Uri) -> Self {
        // The raw path: what is percent-encoded is not in the alphabet, so it is never decoded.
        match uri.path().strip_prefix(PREFIX).and_then(parse) {
            Some(id) => Self::of(&id),
            None => Self(Sha256::digest(b"").into()),
        }
    }

    /// As it stands in the database.
    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A name from the database.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The folder of the blob's objects.
    pub(super) fn folder(&self) -> Path {
        let [first, ..] = self.0;
        Path::from(format!("{first:02x}/{}", hex::encode(self.0)))
    }

    /// The object that begins at byte `start` of the blob.
    pub(super) fn object(&self, start: u64) -> Path {
        self.folder().join(start.to_string())
    }

    /// Which blob and start an object belongs to; `None` if the relay did not make it.
    pub(super) fn of_object(path: &Path) -> Option<(Self, u64)> {
        let mut parts = path.parts();
        let (_, folder, start) = (parts.next()?, parts.next()?, parts.next()?);
        let name = Self::from_hex(folder.as_ref())?;
        let start = start.as_ref().parse().ok()?;
        (name.object(start) == *path).then_some((name, start))
    }

    /// A name from the last part of its folder.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

/// The hash of an upload token.
#[derive(Clone, Copy)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    pub(super) fn of(token: &[u8; 32]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Of the token that a request shows. A malformed or missing one gives a hash that no token has.
    pub(super) fn shown_by(headers: &HeaderMap) -> Self {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| parse(token));
        match token {
            Some(token) => Self::of(&token),
            None => Self(Sha256::digest(b"").into()),
        }
    }

    /// As it stands in the database.
    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the stored hash; takes as long either way.
    pub(super) fn is(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(path: &str) -> Name {
        Name::asked_for(&path.parse().unwrap())
    }

    #[test]
    fn only_43_characters_of_the_alphabet_without_stray_bits_are_an_id() {
        let good = URL_SAFE_NO_PAD.encode([0xfb; 32]);
        assert_eq!(name_of(&format!("{PREFIX}{good}")), Name::of(&[0xfb; 32]));
        let nobody = name_of("/");
        let stray = format!("{}B", "A".repeat(42));
        for bad in [
            String::new(),
            good.replace('-', "+").replace('_', "/"),
            format!("{good}="),
            format!("{good}/"),
            format!("{good}A"),
            good.chars().skip(1).collect(),
            stray,
            format!("..%2f{}", "A".repeat(38)),
            format!("%00{}", "A".repeat(40)),
            "A".repeat(4096),
        ] {
            assert_eq!(name_of(&format!("{PREFIX}{bad}")), nobody, "{bad}");
        }
    }

    #[test]
    fn an_object_leads_back_to_its_blob_and_a_foreign_file_to_none() {
        let name = Name::of(&[7; 32]);
        let path = name.object(8 << 20);
        assert_eq!(Name::of_object(&path), Some((name, 8 << 20)));
        let text = path.to_string();
        for foreign in [
            format!("{text}/more"),
            format!("x{text}"),
            text.replace("8388608", "08388608"),
            text.replace("8388608", "note.txt"),
            text.to_uppercase(),
            "00/readme".into(),
        ] {
            assert_eq!(
                Name::of_object(&Path::from(foreign.as_str())),
                None,
                "{foreign}"
            );
        }
    }

    #[test]
    fn a_token_comes_as_bearer_alone() {
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            TokenHash::shown_by(&headers)
        };
        let text = URL_SAFE_NO_PAD.encode([9; 32]);
        let stored = *TokenHash::of(&[9; 32]).as_bytes();
        assert!(shown(&format!("Bearer {text}")).is(&stored));
        assert!(shown(&format!("bearer {text}")).is(&stored));
        for bad in [
            text.clone(),
            format!("Basic {text}"),
            format!("Bearer  {text}"),
            format!("Bearer {text} "),
            format!("Bearer {text}="),
            "Bearer ".into(),
        ] {
            assert!(!shown(&bad).is(&stored), "{bad}");
        }
        assert!(!TokenHash::shown_by(&HeaderMap::new()).is(&stored));
    }
}
