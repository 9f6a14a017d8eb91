//! `[registration]`: who may create an account.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::duration;

/// Who may create an account.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// The rule.
    pub mode: RegistrationMode,
    /// In open mode: one of these is needed; empty: none is.
    pub invite_codes: Vec<InviteCode>,
    /// In token mode: which tokens are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenRegistration>,
}

/// The rule for new accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum RegistrationMode {
    /// Everybody, or everybody with an invite code.
    #[default]
    Open,
    /// Who shows a token that the app's own backend signed.
    Token,
}

impl TryFrom<String> for RegistrationMode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "open" => Ok(Self::Open),
            "token" => Ok(Self::Token),
            "phone" => Err("registration by phone number is not built yet; \
                 use \"open\", or \"token\" with a backend that checks the number"),
            _ => Err("expected \"open\" or \"token\""),
        }
    }
}

/// An invite code. A secret: it is not printed, and compared in constant time.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct InviteCode(Zeroizing<String>);

impl InviteCode {
    /// Whether this is the code that was shown. Takes as long whichever byte differs.
    #[must_use]
    pub fn matches(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<String> for InviteCode {
    fn from(code: String) -> Self {
        Self(Zeroizing::new(code))
    }
}

impl PartialEq for InviteCode {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode(hidden)")
    }
}

impl Serialize for InviteCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("hidden")
    }
}

/// Which tokens are good. One algorithm, so that no token chooses how it is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenToken", into = "WrittenToken")]
pub struct TokenRegistration {
    /// How tokens are signed.
    pub algorithm: TokenAlgorithm,
    /// The `iss` that a token must have.
    pub issuer: String,
    /// The `aud` that a token must have.
    pub audience: String,
    /// Where the keys come from.
    pub keys: TokenKeys,
    /// How far the clocks of backend and relay may differ.
    pub leeway: Duration,
    /// How long a fetched key set is used.
    pub jwks_cache: Duration,
}

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenAlgorithm {
    /// ECDSA over P-256.
    ES256,
    /// Ed25519.
    EdDSA,
    /// RSA PKCS #1 v1.5.
    RS256,
    /// HMAC-SHA-256 with a shared secret.
    HS256,
}

/// Where the keys come from that tokens are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKeys {
    /// A PEM file with a public key; for HS256 the secret itself.
    File(PathBuf),
    /// A JSON Web Key Set.
    Jwks(JwksUrl),
}

/// Where a key set is fetched: https, or http to this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct JwksUrl(Url);

impl JwksUrl {
    /// The URL.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<String> for JwksUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = Url::parse(&text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        // A user name or password would be a secret in a setting that is printed.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL of a key set has no user name and no password".to_owned());
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            // Whoever is on the way could put in his own keys and register anybody.
            _ => Err("keys are fetched over https, or over http from this machine only".to_owned()),
        }
    }
}

impl Serialize for JwksUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.as_str())
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}

/// [`TokenRegistration`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "[registration.token]")]
struct WrittenToken {
    algorithm: TokenAlgorithm,
    issuer: String,
    audience: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jwks_url: Option<JwksUrl>,
    #[serde(with = "duration", default = "default_leeway")]
    leeway: Duration,
    #[serde(with = "duration", default = "default_jwks_cache")]
    jwks_cache: Duration,
}

const fn default_leeway() -> Duration {
    Duration::from_secs(30)
}

const fn default_jwks_cache() -> Duration {
    Duration::from_secs(5 * 60)
}

impl TryFrom<WrittenToken> for TokenRegistration {
    type Error = &'static str;

    fn try_from(written: WrittenToken) -> Result<Self, Self::Error> {
        let keys = match (written.key_file, written.jwks_url) {
            (Some(file), None) => TokenKeys::File(file),
            (None, Some(url)) => TokenKeys::Jwks(url),
            (None, None) => return Err("no key: give either key_file or jwks_url"),
            (Some(_), Some(_)) => return Err("both key_file and jwks_url: give one of them"),
        };
        Ok(Self {
            algorithm: written.algorithm,
            issuer: written.issuer,
            audience: written.audience,
            keys,
            leeway: written.leeway,
            jwks_cache: written.jwks_cache,
        })
    }
}

impl From<TokenRegistration> for WrittenToken {
    fn from(token: TokenRegistration) -> Self {
        let (key_file, jwks_url) = match token.keys {
            TokenKeys::File(file) => (Some(file), None),
            TokenKeys::Jwks(url) => (None, Some(url)),
        };
        Self {
            algorithm: token.algorithm,
            issuer: token.issuer,
            audience: token.audience,
            key_file,
            jwks_url,
            leeway: token.leeway,
            jwks_cache: token.jwks_cache,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_code_matches_itself_alone_and_is_not_printed() {
        let code = InviteCode::from("summer-of-26".to_owned());
        assert!(code.matches(b"summer-of-26"));
        for wrong in ["", "summer-of-2", "summer-of-266", "Summer-of-26"] {
            assert!(!code.matches(wrong.as_bytes()), "{wrong}");
        }
        let registration = Registration {
            invite_codes: vec![code],
            ..Registration::default()
        };
        let printed = format!(
            "{registration:?} {}",
            toml::to_string(&registration).unwrap()
        );
        assert!(!printed.contains("summer"), "{printed}");
    }

    #[test]
    fn keys_are_fetched_over_https_or_from_this_machine() {
        for good in [
            "https://id.example/jwks.json",
            "http://localhost:8000/jwks",
            "http://127.0.0.1/jwks",
            "http://[::1]:8000/jwks",
        ] {
            assert!(JwksUrl::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for wrong in [
            "id.example/jwks.json",
            "http://id.example/jwks.json",
            "http://127.0.0.1.id.example/jwks",
            "http://localhost.id.example/jwks",
            "https://user:word@id.example/jwks",
            "file:///etc/passwd",
        ] {
            assert!(JwksUrl::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
