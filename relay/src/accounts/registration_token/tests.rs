//! Tokens as a backend makes them, in every algorithm, and the keys to make them with.

use std::fs;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hushpost_wire::AccountId;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use super::*;

mod bad_tokens;
mod key_files;

/// Seconds since 1970, at every test.
pub(super) const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 30;
const ALL: [SigningAlgorithm; 4] = [
    SigningAlgorithm::Es256,
    SigningAlgorithm::EdDsa,
    SigningAlgorithm::Rs256,
    SigningAlgorithm::Hs256,
];

pub(super) fn now() -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(NOW)).unwrap()
}

type FromPem = fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>;

/// A backend with its key.
pub(super) struct Backend {
    pub(super) algorithm: SigningAlgorithm,
    key: EncodingKey,
    /// What the relay's operator puts in the key file.
    file: Vec<u8>,
}

impl Backend {
    pub(super) fn new(algorithm: SigningAlgorithm) -> Self {
        let pair = |kind| KeyPair::generate_for(kind).unwrap();
        let (pair, from_pem): (KeyPair, FromPem) = match algorithm {
            SigningAlgorithm::Es256 => (pair(&PKCS_ECDSA_P256_SHA256), EncodingKey::from_ec_pem),
            SigningAlgorithm::EdDsa => (pair(&PKCS_ED25519), EncodingKey::from_ed_pem),
            SigningAlgorithm::Rs256 => (pair(&PKCS_RSA_SHA256), EncodingKey::from_rsa_pem),
            SigningAlgorithm::Hs256 => {
                // Any bytes, of which the test's two backends need different ones.
                let secret = pair(&PKCS_ED25519).public_key_raw().to_vec();
                let key = EncodingKey::from_secret(&secret);
                return Self {
                    algorithm,
                    key,
                    file: secret,
                };
            }
        };
        Self {
            algorithm,
            key: from_pem(pair.serialize_pem().as_bytes()).unwrap(),
            file: pair.public_key_pem().into_bytes(),
        }
    }

    /// Signs these very parts.
    fn sign_parts(&self, header: &str, claims: &str) -> String {
        let message = format!("{header}.{claims}");
        let algorithm = Algorithm::from(self.algorithm);
        let signature = crypto::sign(message.as_bytes(), &self.key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_parts(&encoded(header), &encoded(claims))
    }

    fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.algorithm.name() })
    }

    /// A good token, perhaps with a key's id.
    pub(super) fn token(&self, key_id: Option<&str>) -> String {
        let mut header = self.header();
        if let Some(key_id) = key_id {
            header["kid"] = key_id.into();
        }
        self.sign(&header, &claims())
    }

    /// The public key as a set holds it.
    pub(super) fn jwk(&self, key_id: Option<&str>) -> Value {
        let key = key::public_key(&self.file, self.algorithm).unwrap();
        let mut jwk = Jwk::from_decoding_key(&key, Some(self.algorithm.into())).unwrap();
        jwk.common.key_id = key_id.map(str::to_owned);
        serde_json::to_value(jwk).unwrap()
    }

    /// A relay that knows this backend by a key file.
    fn relay(&self) -> RegistrationTokens {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, &self.file).unwrap();
        RegistrationTokens::open(settings(self.algorithm, KeySource::File(file))).unwrap()
    }
}

/// Keys are slow to make, so one of each kind serves all tests of claims.
static BACKENDS: LazyLock<Vec<Backend>> =
    LazyLock::new(|| ALL.into_iter().map(Backend::new).collect());

pub(super) fn settings(algorithm: SigningAlgorithm, keys: KeySource) -> TokenSettings {
    TokenSettings {
        algorithm,
        issuer: "https://backend.example".to_owned(),
        audience: "relay.example".to_owned(),
        leeway: Duration::from_secs(LEEWAY),
        keys,
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn claims() -> Value {
    json!({
        "iss": "https://backend.example",
        "aud": "relay.example",
        "exp": NOW + 600,
        "iat": NOW,
        "sub": "user-1",
    })
}

/// The good claims but for one.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn good_tokens_are_accepted_in_every_algorithm() {
    let account = AccountId::of_key(&[7; 32]);
    for backend in &*BACKENDS {
        let relay = backend.relay();
        for (name, value) in [
            ("iat", json!(NOW)),
            ("aud", json!(["relay.example"])),
            ("exp", json!(NOW - LEEWAY + 1)),
            ("exp", json!(1_800_000_000.5)),
            ("nbf", json!(NOW + LEEWAY)),
            ("nbf", json!(0)),
            ("sub", json!("s".repeat(256))),
            ("hushpost_account", json!(account.to_string())),
            ("name", json!({ "anything": ["else"] })),
        ] {
            let token = backend.sign(&backend.header(), &claims_with(name, value.clone()));
            let found = relay.verify(&token, now()).await;
            let found = found.unwrap_or_else(|error| panic!("{name} {value}: {}", error.reason));
            let bound = (name == "hushpost_account").then_some(account);
            assert_eq!(found.account, bound);
            assert_eq!(found.subject.len(), if name == "sub" { 256 } else { 6 });
        }
        // With one key from a file, its name says nothing.
        let token = backend.token(Some("../../etc/passwd"));
        assert_eq!(relay.verify(&token, now()).await.unwrap().subject, "user-1");
    }
}

#[tokio::test]
async fn no_change_of_one_character_is_accepted() {
    for backend in &*BACKENDS {
        let relay = backend.relay();
        let token = backend.token(None);
        relay.verify(&token, now()).await.unwrap();
        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' {
                b'B'
            } else {
                b'A'
            };
            let changed = String::from_utf8(changed).unwrap();
            assert!(relay.verify(&changed, now()).await.is_err(), "{position}");
        }
    }
}

#[tokio::test]
async fn a_broken_clock_accepts_nothing() {
    let backend = &BACKENDS[0];
    let before_1970 = UNIX_EPOCH - Duration::from_secs(1);
    let error = backend
        .relay()
        .verify(&backend.token(None), before_1970)
        .await;
    assert_eq!(error.unwrap_err().reason, RejectReason::Expired);
}

#[tokio::test]
async fn neither_refusals_nor_claims_show_what_a_token_said() {
    let backend = &BACKENDS[0];
    let relay = backend.relay();
    let token = backend.sign(&backend.header(), &claims_with("iss", json!("canary")));
    let error = relay.verify(&token, now()).await.unwrap_err();
    assert_eq!(error.to_string(), "token rejected");
    assert_eq!(error.reason.to_string(), "from another issuer");
    let claims = relay.verify(&backend.token(None), now()).await.unwrap();
    assert!(!format!("{claims:?} {relay:?}").contains("user-1"));
}
