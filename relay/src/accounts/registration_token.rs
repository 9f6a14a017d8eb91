//! Registration tokens: JWTs by which an app's own backend says who may have an account here.
//!
//! Everything that a token says about *how* to check it is ignored or refused: the algorithm is
//! configured and never the token's choice, keys are configured and never the token's, and the checks
//! of RFC 8725 are done by type, so that a claim of the wrong type is a refusal and not a skipped check.
//! Whatever is wrong, a client learns "token rejected"; the operator's log may say why, never the token.
//!
//! - `key`: the algorithms, and a key from a file
//! - `object`: the JSON inside, read so that it means one thing
//! - `header`: what a token may say about itself
//! - `claims`: what it must say about the user
//! - `jwks` and `key_set`: keys that the backend publishes and rotates

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hushpost_wire::limits::MAX_TOKEN_LEN;
use jsonwebtoken::{DecodingKey, crypto};
use thiserror::Error;

mod claims;
mod header;
mod jwks;
mod key;
mod key_set;
mod object;
#[cfg(test)]
mod tests;

pub use claims::TokenClaims;
pub use jwks::JwksError;
pub use key::{KeyFileError, SigningAlgorithm};

use claims::ClaimRules;
use jwks::Jwks;

/// How tokens are checked.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// The one algorithm.
    pub algorithm: SigningAlgorithm,
    /// The only `iss`.
    pub issuer: String,
    /// The only `aud`.
    pub audience: String,
    /// By how much the backend's clock may differ from ours.
    pub leeway: Duration,
    /// Where the backend's key is.
    pub keys: KeySource,
}

/// Where the backend's key is.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file: a public key in PEM form, or for HS256 the secret itself, every byte of the file.
    File(PathBuf),
    /// A JWK set (RFC 7517) that the backend publishes. Never for HS256.
    Jwks {
        /// `https://`, or `http://` on this very machine.
        url: String,
        /// How long a fetched set is used before it is fetched again; at least a minute. While the
        /// URL is down it is used for twelve times as long, then all tokens are refused.
        cache: Duration,
    },
}

/// Tokens cannot be checked with these settings.
#[derive(Debug, Error)]
pub enum TokenSettingsError {
    /// An empty issuer or audience would match nothing that means anything.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The key set's address.
    #[error(transparent)]
    Jwks(#[from] JwksError),
}

/// The token is not accepted. Its text says no more, because it is what a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("token rejected")]
pub struct TokenRejected {
    /// Why, for the operator's log alone.
    pub reason: RejectReason,
}

impl From<RejectReason> for TokenRejected {
    fn from(reason: RejectReason) -> Self {
        Self { reason }
    }
}

/// Why a token is not accepted. Carries nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RejectReason {
    /// Longer than any honest token.
    #[error("longer than {MAX_TOKEN_LEN} bytes")]
    TooLong,
    /// Not three parts of base64url, or not JSON objects inside.
    #[error("not a signed token")]
    Malformed,
    /// `alg` is not the configured one.
    #[error("not signed by the configured algorithm")]
    Algorithm,
    /// A header that brings or points to a key, or asks for an extension.
    #[error("has the header {0}")]
    Header(&'static str),
    /// `kid` is not text.
    #[error("its key id is not text")]
    KeyId,
    /// No key of the set fits.
    #[error("signed by a key that is not in the key set")]
    UnknownKey,
    /// The key set could not be fetched for too long.
    #[error("the key set is unavailable")]
    KeysUnavailable,
    /// The signature is not the key's.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing or of the wrong form.
    #[error("its claim {0} is missing or malformed")]
    Claim(&'static str),
    /// `iss` is another one.
    #[error("from another issuer")]
    Issuer,
    /// `aud` is another one.
    #[error("for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` has not come.
    #[error("not valid yet")]
    NotYetValid,
}

/// Checks registration tokens.
pub struct RegistrationTokens {
    algorithm: SigningAlgorithm,
    keys: Keys,
    rules: ClaimRules,
}

enum Keys {
    One(DecodingKey),
    Set(Jwks),
}

impl fmt::Debug for RegistrationTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationTokens")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl RegistrationTokens {
    /// Reads the key file, or prepares to fetch the key set: it is fetched with the first token, since
    /// the backend may start after the relay. Blocks on the disk, as a program's start may.
    ///
    /// # Errors
    /// [`TokenSettingsError`] when no token could ever be checked with these settings.
    pub fn open(settings: TokenSettings) -> Result<Self, TokenSettingsError> {
        for (name, text) in [
            ("issuer", &settings.issuer),
            ("audience", &settings.audience),
        ] {
            if text.is_empty() {
                return Err(TokenSettingsError::Empty(name));
            }
        }
        let algorithm = settings.algorithm;
        let keys = match settings.keys {
            KeySource::File(file) => Keys::One(key::read(&file, algorithm)?),
            KeySource::Jwks { url, cache } => Keys::Set(Jwks::new(&url, cache, algorithm)?),
        };
        Ok(Self {
            algorithm,
            keys,
            rules: ClaimRules {
                issuer: settings.issuer,
                audience: settings.audience,
                leeway: settings.leeway,
            },
        })
    }

    /// Checks a token. May fetch the key set, which takes up to 5 seconds.
    ///
    /// A token stays good until it expires: whoever must take one only once has to remember that.
    ///
    /// # Errors
    /// [`TokenRejected`].
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<TokenClaims, TokenRejected> {
        self.verify_at(token, now, Instant::now()).await
    }

    /// `now` is for the claims; `instant` for the age of the key set, which a clock that is set must
    /// not change.
    async fn verify_at(
        &self,
        token: &str,
        now: SystemTime,
        instant: Instant,
    ) -> Result<TokenClaims, TokenRejected> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(RejectReason::TooLong.into());
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(RejectReason::Malformed)?;
        let mut parts = signed.split('.');
        let (Some(header), Some(claims), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(RejectReason::Malformed.into());
        };
        let key_id = header::check(header, self.algorithm)?;
        let fetched;
        let key = match &self.keys {
            Keys::One(key) => key,
            Keys::Set(set) => {
                fetched = set.key(key_id.as_deref(), instant).await?;
                &fetched
            }
        };
        // Not the library's `decode`: it takes the algorithm from the token, lists for an issuer, the
        // time from the clock, and passes over a malformed date. Here the algorithm comes from the
        // configuration, and `claims` has the checks.
        match crypto::verify(signature, signed.as_bytes(), key, self.algorithm.into()) {
            Ok(true) => {}
            Ok(false) => return Err(RejectReason::Signature.into()),
            Err(_) => return Err(RejectReason::Malformed.into()),
        }
        let claims = object::read(claims)?;
        // A clock before 1970 is broken, and then every token counts as expired.
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::MAX);
        Ok(self.rules.check(&claims, now)?)
    }
}
