//! Key files that fit and that do not.

use super::*;

/// Opens a relay on a key file with this content.
fn open(algorithm: SigningAlgorithm, content: &[u8]) -> Result<RegistrationTokens, KeyFileError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backend.key");
    fs::write(&file, content).unwrap();
    match RegistrationTokens::open(settings(algorithm, KeySource::File(file))) {
        Ok(tokens) => Ok(tokens),
        Err(TokenSettingsError::KeyFile(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_key_is_taken_for_its_own_algorithm_alone() {
    for algorithm in ALL {
        for backend in &*BACKENDS {
            let opened = open(algorithm, &backend.file);
            assert_eq!(
                opened.is_ok(),
                algorithm == backend.algorithm,
                "{algorithm:?} {:?}",
                backend.algorithm
            );
        }
    }
}

#[test]
fn private_keys_certificates_and_rubbish_are_no_public_keys() {
    let pair = KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default()
        .self_signed(&pair)
        .unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let public = pair.public_key_pem();
    for content in [
        &*pair.serialize_pem(),
        &*certificate.pem(),
        &*p384.public_key_pem(),
        &*public.replace("PUBLIC KEY", "CERTIFICATE"),
        &*public.replace('M', "!"),
        public.split_at(60).0,
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        "",
    ] {
        for algorithm in [
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
            SigningAlgorithm::Rs256,
        ] {
            let error = open(algorithm, content.as_bytes()).unwrap_err();
            assert!(matches!(error, KeyFileError::Unfit { .. }), "{content}");
            assert!(error.to_string().contains("backend.key"));
        }
    }
    assert!(open(SigningAlgorithm::Es256, format!("\n{public}").as_bytes()).is_ok());
}

#[test]
fn a_secret_is_long_and_no_pem_file() {
    let open = |content: &[u8]| open(SigningAlgorithm::Hs256, content);
    assert!(open(&[7; 32]).is_ok());
    assert!(matches!(
        open(&[7; 31]),
        Err(KeyFileError::ShortSecret { .. })
    ));
    assert!(open(&vec![7; 64 * 1024]).is_ok());
    assert!(matches!(
        open(&vec![7; 64 * 1024 + 1]),
        Err(KeyFileError::TooLong { .. })
    ));
    let pem = format!("\n {}", KeyPair::generate().unwrap().public_key_pem());
    assert!(matches!(
        open(pem.as_bytes()),
        Err(KeyFileError::PemAsSecret { .. })
    ));
}

#[test]
fn a_missing_file_and_empty_names_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let source = KeySource::File(folder.path().join("nothing"));
    let good = settings(SigningAlgorithm::Es256, source);
    assert!(matches!(
        RegistrationTokens::open(good.clone()),
        Err(TokenSettingsError::KeyFile(KeyFileError::Unreadable { .. }))
    ));
    let no_issuer = TokenSettings {
        issuer: String::new(),
        ..good.clone()
    };
    let no_audience = TokenSettings {
        audience: String::new(),
        ..good
    };
    for empty in [no_issuer, no_audience] {
        assert!(matches!(
            RegistrationTokens::open(empty),
            Err(TokenSettingsError::Empty(_))
        ));
    }
}
