//! Tokens that must be refused, each for its reason, in every algorithm.

use super::*;

/// Names, tokens and what they are refused for. `other` is a stranger with a key of the same kind.
fn bad_tokens(backend: &Backend, other: &Backend) -> Vec<(String, String, RejectReason)> {
    let mut table = headers(backend, other);
    table.extend(contents(backend));
    table.extend(forms(backend));
    table.extend(signatures(backend, other));
    table
}

fn headers(backend: &Backend, other: &Backend) -> Vec<(String, String, RejectReason)> {
    let mut table = Vec::new();
    let ours = backend.algorithm.name();
    let with = |name: &str, value: Value| {
        let mut header = backend.header();
        header[name] = value;
        header
    };

    for none in ["none", "None", "NONE", "nOnE"] {
        let header = encoded(&with("alg", json!(none)));
        let unsigned = format!("{header}.{}.", encoded(&claims()));
        table.push((format!("alg {none}"), unsigned, RejectReason::Algorithm));
        let signed = backend.sign(&with("alg", json!(none)), &claims());
        table.push((
            format!("alg {none}, signed"),
            signed,
            RejectReason::Algorithm,
        ));
    }
    let names = [
        "HS256", "HS384", "HS512", "ES256", "ES384", "RS256", "RS512", "PS256", "EdDSA", "Ed25519",
    ];
    for name in names.into_iter().filter(|name| *name != ours) {
        let token = backend.sign(&with("alg", json!(name)), &claims());
        table.push((format!("alg {name}"), token, RejectReason::Algorithm));
    }
    for alg in [
        json!(ours.to_lowercase()),
        json!([ours]),
        json!(1),
        Value::Null,
    ] {
        let token = backend.sign(&with("alg", alg.clone()), &claims());
        table.push((format!("alg {alg}"), token, RejectReason::Algorithm));
    }
    let token = backend.sign(&json!({ "typ": "JWT" }), &claims());
    table.push(("no alg".to_owned(), token, RejectReason::Algorithm));

    // The key that everybody knows, as a secret: once honestly named, once not.
    let confused = Backend {
        algorithm: SigningAlgorithm::Hs256,
        key: EncodingKey::from_secret(&backend.file),
        file: Vec::new(),
    };
    if backend.algorithm != SigningAlgorithm::Hs256 {
        let token = confused.sign(&confused.header(), &claims());
        table.push((
            "public key as secret".to_owned(),
            token,
            RejectReason::Algorithm,
        ));
        let token = confused.sign(&backend.header(), &claims());
        table.push((
            "HMAC under our alg".to_owned(),
            token,
            RejectReason::Signature,
        ));
    }

    let own_key = json!({ "kty": "oct", "k": "AAAA" });
    for (name, value) in [
        ("jwk", own_key),
        ("jwk", Value::Null),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/chain")),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
    ] {
        for signer in [backend, other] {
            let token = signer.sign(&with(name, value.clone()), &claims());
            table.push((format!("{name} {value}"), token, RejectReason::Header(name)));
        }
    }
    for id in [
        "../../../../dev/null",
        "' OR '1'='1",
        "x'; DROP TABLE keys; --",
        "\0",
        "",
    ] {
        let token = other.sign(&with("kid", json!(id)), &claims());
        table.push((format!("kid {id}"), token, RejectReason::Signature));
    }
    for id in [json!(7), json!(["1"]), json!({ "id": "1" }), Value::Null] {
        let token = backend.sign(&with("kid", id.clone()), &claims());
        table.push((format!("kid {id}"), token, RejectReason::KeyId));
    }
    table
}

fn contents(backend: &Backend) -> Vec<(String, String, RejectReason)> {
    let mut table = Vec::new();
    for name in ["iss", "aud", "exp", "sub"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let token = backend.sign(&backend.header(), &claims);
        table.push((format!("no {name}"), token, RejectReason::Claim(name)));
    }
    for name in ["iss", "aud", "exp", "nbf", "iat", "sub", "hushpost_account"] {
        for value in [
            Value::Null,
            json!(true),
            json!({}),
            json!([]),
            json!([["x"]]),
        ] {
            let token = backend.sign(&backend.header(), &claims_with(name, value.clone()));
            table.push((format!("{name} {value}"), token, RejectReason::Claim(name)));
        }
    }
    for name in ["exp", "nbf", "iat"] {
        let later = (NOW + 600).to_string();
        for value in [
            json!(later),
            json!([NOW + 600]),
            json!(-1),
            json!(-0.5),
            json!(1e300),
        ] {
            let token = backend.sign(&backend.header(), &claims_with(name, value.clone()));
            table.push((format!("{name} {value}"), token, RejectReason::Claim(name)));
        }
    }
    let random_uuid = "6f1f2d5e-29c6-4b0a-9d6f-0d5b0a3a8f11";
    for (name, value, reason) in [
        ("iss", json!("https://evil.example"), RejectReason::Issuer),
        (
            "iss",
            json!("https://backend.example/"),
            RejectReason::Issuer,
        ),
        (
            "iss",
            json!("HTTPS://backend.example"),
            RejectReason::Issuer,
        ),
        ("iss", json!(""), RejectReason::Issuer),
        (
            "iss",
            json!(["https://backend.example"]),
            RejectReason::Claim("iss"),
        ),
        ("aud", json!("other.example"), RejectReason::Audience),
        ("aud", json!(""), RejectReason::Audience),
        ("aud", json!(["other.example"]), RejectReason::Audience),
        (
            "aud",
            json!(["relay.example", "other.example"]),
            RejectReason::Claim("aud"),
        ),
        ("exp", json!(0), RejectReason::Expired),
        ("exp", json!(NOW - LEEWAY), RejectReason::Expired),
        ("nbf", json!(NOW + LEEWAY + 1), RejectReason::NotYetValid),
        ("nbf", json!(u64::MAX), RejectReason::NotYetValid),
        ("sub", json!(""), RejectReason::Claim("sub")),
        ("sub", json!(1), RejectReason::Claim("sub")),
        ("sub", json!("s".repeat(257)), RejectReason::Claim("sub")),
        (
            "hushpost_account",
            json!(""),
            RejectReason::Claim("hushpost_account"),
        ),
        (
            "hushpost_account",
            json!(random_uuid),
            RejectReason::Claim("hushpost_account"),
        ),
    ] {
        let token = backend.sign(&backend.header(), &claims_with(name, value.clone()));
        table.push((format!("{name} {value}"), token, reason));
    }
    let twice = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    for text in [
        "[]",
        "null",
        "\"x\"",
        "nonsense",
        "",
        "{\"exp\":1e999}",
        &twice,
    ] {
        let claims = URL_SAFE_NO_PAD.encode(text);
        let token = backend.sign_parts(&encoded(&backend.header()), &claims);
        table.push((format!("claims {text}"), token, RejectReason::Malformed));
    }
    table
}

fn forms(backend: &Backend) -> Vec<(String, String, RejectReason)> {
    let good = backend.token(None);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let not_json = URL_SAFE_NO_PAD.encode("nonsense");
    let in_list = encoded(&json!([backend.header()]));
    let twice = backend
        .header()
        .to_string()
        .replacen('{', r#"{"alg":"none","#, 1);
    let twice = URL_SAFE_NO_PAD.encode(twice);
    // The same bytes, but the unused bits of the last character set.
    let mut loose = good.clone();
    let last = loose.pop().unwrap();
    loose.extend(char::from_u32(u32::from(last).wrapping_add(1)));

    let malformed = [
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("one part", header.to_owned()),
        ("two parts", message.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("empty fourth part", format!("{good}.")),
        ("five parts", format!("{good}.e30.e30")),
        ("leading dot", format!(".{good}")),
        ("padded", format!("{good}==")),
        ("loose bits", loose),
        ("space before", format!(" {good}")),
        ("newline after", format!("{good}\n")),
        ("scheme", format!("Bearer {good}")),
        ("NUL", format!("{good}\0")),
        ("not ASCII", format!("{good}é")),
        ("standard alphabet", format!("{message}.+/{signature}")),
        ("header not base64", format!("!.{claims}.{signature}")),
        ("header not JSON", backend.sign_parts(&not_json, claims)),
        ("header a list", backend.sign_parts(&in_list, claims)),
        ("alg twice", backend.sign_parts(&twice, claims)),
        ("claims not base64", backend.sign_parts(header, "!")),
        ("dots to the limit", ".".repeat(MAX_TOKEN_LEN)),
    ]
    .map(|(name, token)| (name.to_owned(), token, RejectReason::Malformed));
    let huge = [".".repeat(1_000_000), "A".repeat(1_000_000)]
        .map(|token| ("huge".to_owned(), token, RejectReason::TooLong));
    malformed.into_iter().chain(huge).collect()
}

fn signatures(backend: &Backend, other: &Backend) -> Vec<(String, String, RejectReason)> {
    let good = backend.token(None);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let elsewhere = backend.sign(&backend.header(), &claims_with("sub", json!("user-2")));
    let (_, their_signature) = elsewhere.rsplit_once('.').unwrap();
    let their_claims = encoded(&claims_with("sub", json!("user-2")));
    // At a multiple of four characters, so that it is still base64.
    let (start, _) = signature.split_at(40);
    [
        ("none", format!("{message}.")),
        ("truncated", format!("{message}.{start}")),
        ("prolonged", format!("{good}AAAA")),
        (
            "zeros",
            format!("{message}.{}", "A".repeat(signature.len())),
        ),
        ("another token's", format!("{message}.{their_signature}")),
        (
            "of other claims",
            format!("{header}.{their_claims}.{signature}"),
        ),
        ("by another key", other.token(None)),
    ]
    .map(|(name, token)| (format!("signature {name}"), token, RejectReason::Signature))
    .into()
}

#[tokio::test]
async fn each_bad_token_is_refused_for_its_reason() {
    for backend in &*BACKENDS {
        let other = Backend::new(backend.algorithm);
        let relay = backend.relay();
        let table = bad_tokens(backend, &other);
        assert!(table.len() > 100);
        for (name, token, reason) in table {
            let refused = relay.verify(&token, now()).await;
            let found = refused.map(|_| ()).map_err(|error| error.reason);
            assert_eq!(found, Err(reason), "{}: {name}", backend.algorithm.name());
        }
    }
}

#[tokio::test]
async fn a_valid_token_one_byte_too_long_is_refused() {
    let backend = &BACKENDS[0];
    let relay = backend.relay();
    let of_filling = |length: usize| {
        let claims = claims_with("filling", json!("x".repeat(length)));
        backend.sign(&backend.header(), &claims)
    };
    let mut length = 1;
    while of_filling(length + 1).len() <= MAX_TOKEN_LEN {
        length += 1;
    }
    assert!(relay.verify(&of_filling(length), now()).await.is_ok());
    let refused = relay
        .verify(&of_filling(length + 1), now())
        .await
        .unwrap_err();
    assert_eq!(refused.reason, RejectReason::TooLong);
}
