//! Attacks on registration tokens: row G7.
//!
//! A relay in token mode for each of its algorithms, its key in a file as an operator would put it there. A
//! table of bad tokens is answered alike, byte for byte, and registers nobody; good ones register.
//!
//! Every single claim and header is tried in the relay's own tests; here, what reaches it from outside.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines,
    reason = "helpers of tests may fail loudly"
)]

use std::fs;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Error, ErrorCode, LookUpName, NameKind};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

const ISSUER: &str = "https://backend.example";
const AUDIENCE: &str = "relay.test";

/// The app's backend, with its key.
struct Backend {
    algorithm: Algorithm,
    name: &'static str,
    key: EncodingKey,
    /// What the operator is given.
    file: Vec<u8>,
}

impl Backend {
    fn new(name: &'static str) -> Self {
        let made = |kind| KeyPair::generate_for(kind).expect("a key");
        let (algorithm, pair) = match name {
            "ES256" => (Algorithm::ES256, made(&PKCS_ECDSA_P256_SHA256)),
            "EdDSA" => (Algorithm::EdDSA, made(&PKCS_ED25519)),
            "RS256" => (Algorithm::RS256, made(&PKCS_RSA_SHA256)),
            _ => {
                let secret = made(&PKCS_ED25519).public_key_raw().to_vec();
                return Self {
                    algorithm: Algorithm::HS256,
                    name,
                    key: EncodingKey::from_secret(&secret),
                    file: secret,
                };
            }
        };
        let private = pair.serialize_pem();
        let key = match name {
            "ES256" => EncodingKey::from_ec_pem(private.as_bytes()),
            "EdDSA" => EncodingKey::from_ed_pem(private.as_bytes()),
            _ => EncodingKey::from_rsa_pem(private.as_bytes()),
        };
        Self {
            algorithm,
            name,
            key: key.expect("a key"),
            file: pair.public_key_pem().into_bytes(),
        }
    }

    fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": self.name })
    }

    fn sign_parts(&self, header: &str, claims: &str) -> String {
        let signed = format!("{header}.{claims}");
        let signature = crypto::sign(signed.as_bytes(), &self.key, self.algorithm);
        format!("{signed}.{}", signature.expect("a signature"))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_parts(&encoded(header), &encoded(claims))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    /// A relay that trusts this backend; the key lies in the folder.
    fn relay(&self) -> Result<(RelayProcess, TempDir)> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("token-key");
        fs::write(&file, &self.file)?;
        let relay = RelayOptions::default()
            .config(LIMITERS_OFF)
            .config(format!(
                "[registration]\nmode = \"token\"\n[registration.token]\nalgorithm = \"{}\"\n\
                 issuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\nkey_file = '{}'\nleeway = \"30s\"",
                self.name,
                file.display(),
            ))
            .start()?;
        Ok((relay, folder))
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": now() + 3600 })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// Shows a token for an account.
async fn show(
    relay: SocketAddr,
    identity: &Identity,
    token: &str,
) -> Result<core::result::Result<(), Error>> {
    let (mut client, welcome) = Client::connect(relay).await?;
    let mut register = identity.register(&welcome)?;
    token.clone_into(&mut register.token);
    match client.request(Request::Register(register)).await {
        Ok(_) => Ok(Ok(())),
        Err(HarnessError::Refused(error)) => Ok(Err(error)),
        Err(other) => Err(other),
    }
}

async fn account_of(relay: &RelayProcess, user: &str) -> Result<Vec<u8>> {
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    let request = Request::LookUpName(LookUpName {
        kind: NameKind::AppUserId.into(),
        name: user.to_owned(),
    });
    match nobody.request(request).await? {
        Body::NameLookedUp(found) => Ok(found.account.to_vec()),
        _ => Err(HarnessError::Unexpected("a name looked up")),
    }
}

/// Bad tokens for this backend; `other` is a stranger with a key of the same kind.
fn bad_tokens(backend: &Backend, other: &Backend) -> Vec<(String, String)> {
    let good = backend.token(&claims());
    let mut table: Vec<(String, String)> = vec![
        ("nothing".into(), String::new()),
        ("not a token".into(), "x".into()),
        ("two parts".into(), "a.b".into()),
        ("dots".into(), "...".into()),
        ("four parts".into(), format!("{good}.x")),
        ("a space in front".into(), format!(" {good}")),
        ("a bearer".into(), format!("Bearer {good}")),
        ("too long".into(), "a".repeat(9000)),
        ("a stranger's".into(), other.token(&claims())),
        (
            "no signature".into(),
            format!("{}.", good.rsplit_once('.').expect("parts").0),
        ),
        (
            "another token's signature".into(),
            format!(
                "{}.{}.{}",
                encoded(&backend.header()),
                encoded(&claims_with("sub", json!("admin"))),
                good.rsplit_once('.').expect("parts").1
            ),
        ),
        (
            "not JSON".into(),
            backend.sign_parts(&encoded(&backend.header()), &URL_SAFE_NO_PAD.encode("{")),
        ),
        (
            "the other alphabet, padded".into(),
            backend.sign_parts(
                &encoded(&backend.header()),
                &STANDARD.encode(format!("{} ", claims_with("sub", json!("ÿÿÿ>>>???")))),
            ),
        ),
        (
            "a claim twice".into(),
            backend.sign_parts(
                &encoded(&backend.header()),
                &URL_SAFE_NO_PAD.encode(
                    claims()
                        .to_string()
                        .replace("\"sub\"", "\"sub\":\"admin\",\"sub\""),
                ),
            ),
        ),
    ];
    for alg in [
        "none", "None", "nOnE", "HS256", "HS512", "ES384", "RS256", "PS256", "EdDSA",
    ] {
        if alg == backend.name {
            continue;
        }
        let mut header = backend.header();
        header["alg"] = json!(alg);
        let unsigned = format!("{}.{}.", encoded(&header), encoded(&claims()));
        table.push((format!("alg {alg}, unsigned"), unsigned));
        table.push((format!("alg {alg}"), backend.sign(&header, &claims())));
    }
    // The key that everybody may know as a secret.
    let confused = Backend {
        algorithm: Algorithm::HS256,
        name: "HS256",
        key: EncodingKey::from_secret(&backend.file),
        file: Vec::new(),
    };
    if backend.algorithm != Algorithm::HS256 {
        table.push(("HS256 by the public key".into(), confused.token(&claims())));
        let disguised = confused.sign(&backend.header(), &claims());
        table.push(("the same, disguised".into(), disguised));
    }
    for (name, value) in [
        ("jwk", json!({ "kty": "oct", "k": "AAAA" })),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/chain")),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["b64"])),
        ("kid", json!(["x"])),
    ] {
        let mut header = backend.header();
        header[name] = value;
        table.push((format!("header {name}"), backend.sign(&header, &claims())));
    }
    for kid in ["../../../dev/null", "x' UNION SELECT 'secret'; --", "\0"] {
        let mut header = other.header();
        header["kid"] = json!(kid);
        table.push((format!("kid {kid}"), other.sign(&header, &claims())));
    }
    for name in ["iss", "aud", "sub", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(name);
        table.push((format!("no {name}"), backend.token(&claims)));
    }
    let wrong = [
        ("iss", json!("https://evil.example")),
        ("iss", json!([ISSUER])),
        ("aud", json!("another relay")),
        ("aud", json!([AUDIENCE, "another relay"])),
        ("aud", json!([])),
        ("sub", json!("")),
        ("sub", json!("u".repeat(257))),
        ("sub", json!(7)),
        ("exp", json!(now() - 3600)),
        ("exp", json!((now() + 3600).to_string())),
        ("exp", json!([now() + 3600])),
        ("exp", json!(-1)),
        ("exp", Value::Null),
        ("nbf", json!(now() + 3600)),
        ("nbf", json!("0")),
        ("iat", json!({})),
        ("hushpost_account", json!(7)),
        ("hushpost_account", json!("somebody")),
        (
            "hushpost_account",
            json!(AccountId::of_key(&[7; 32]).to_string()),
        ),
    ];
    for (name, value) in wrong {
        let token = backend.token(&claims_with(name, value.clone()));
        table.push((format!("{name} {value}"), token));
    }
    table
}

async fn tries_all(name: &'static str) -> Result {
    let backend = Backend::new(name);
    let other = Backend::new(name);
    let (relay, _folder) = backend.relay()?;
    let attacker = Identity::new()?;
    let mut answers = Vec::new();
    let table = bad_tokens(&backend, &other);
    assert!(table.len() > 50);
    for (what, token) in table {
        match show(relay.address(), &attacker, &token).await? {
            Ok(()) => panic!("{name}: registered with {what}"),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::TokenRejected, "{what}");
                assert!(!error.retryable);
                answers.push((what, format!("{error:?}")));
            }
        }
    }
    for (what, answer) in &answers {
        assert_eq!(*answer, answers[0].1, "{what} was answered otherwise");
    }
    assert_eq!(account_of(&relay, "user-1").await?, [0; 16]);
    assert_eq!(account_of(&relay, "admin").await?, [0; 16]);
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    assert!(client.authenticate(&welcome, &attacker, 1).await.is_err());

    // And a good one registers: bound to its account or not, with `aud` as text or as a list of one.
    let good = Identity::new()?;
    let token = backend.token(&claims_with("aud", json!([AUDIENCE])));
    assert!(show(relay.address(), &good, &token).await?.is_ok());
    assert_eq!(
        account_of(&relay, "user-1").await?,
        good.account().as_bytes()
    );
    let bound = Identity::new()?;
    let mut own = claims_with("sub", json!("user-2"));
    own["hushpost_account"] = json!(bound.account().to_string());
    let token = backend.token(&own);
    // Stolen on the way, it is of no use to another account.
    let stolen = show(relay.address(), &attacker, &token).await?;
    assert_eq!(
        stolen.map_err(|error| error.code()),
        Err(ErrorCode::TokenRejected)
    );
    assert!(show(relay.address(), &bound, &token).await?.is_ok());
    // Once registered, the device's signature is enough.
    assert!(show(relay.address(), &bound, "").await?.is_ok());
    // No token and no secret reached the log.
    let log = relay.log()?;
    assert!(!log.contains("panicked") && !log.contains("eyJ"), "{log}");
    assert!(!log.contains("user-1") && !log.contains("user-2"), "{log}");
    Ok(())
}

#[tokio::test]
async fn bad_tokens_for_a_shared_secret() -> Result {
    tries_all("HS256").await
}

#[tokio::test]
async fn bad_tokens_for_an_elliptic_curve_key() -> Result {
    tries_all("ES256").await
}

#[tokio::test]
async fn bad_tokens_for_an_edwards_key() -> Result {
    tries_all("EdDSA").await
}

#[tokio::test]
async fn bad_tokens_for_an_rsa_key() -> Result {
    tries_all("RS256").await
}

#[tokio::test]
async fn a_key_file_that_would_let_everybody_in_does_not_start() -> Result {
    let public = Backend::new("ES256").file;
    for (algorithm, key) in [
        ("HS256", b"short".to_vec()),
        ("HS256", public.clone()),
        ("EdDSA", public),
        (
            "ES256",
            b"no key at all, but long enough for a secret".to_vec(),
        ),
    ] {
        let backend = Backend {
            algorithm: Algorithm::HS256,
            name: algorithm,
            key: EncodingKey::from_secret(b"x"),
            file: key,
        };
        assert!(backend.relay().is_err(), "{algorithm}");
    }
    Ok(())
}
