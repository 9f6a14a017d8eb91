//! Whether this machine has what the configuration speaks of: key files and a place for the data.
//!
//! Changes nothing, so that `check-config` can run beside a relay. Must never show what a key file holds.

use std::fmt::Display;
use std::fs::File;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::io::Read;
use std::path::Path;

use jsonwebtoken::DecodingKey;
use rustix::fs::{Access, access};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::error::Problem;
use super::{Config, TokenAlgorithm, TokenKeys};

/// Bytes of a key or certificate file. A long chain has 20 KB.
const MAX_KEY_FILE_LEN: u64 = 1024 * 1024;
/// Bytes of an HS256 secret, at least: as long as the hash, as RFC 7518 asks.
const MIN_SECRET_LEN: usize = 32;

/// What is wrong with a file or folder, and how to mend it.
struct Wrong {
    what: String,
    help: &'static str,
}

impl Wrong {
    fn new(path: &Path, why: impl Display, help: &'static str) -> Self {
        let what = format!("{}: {why}", path.display());
        Self { what, help }
    }
}

/// All that is wrong.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |setting, it: Wrong| problems.push(Problem::new(setting, it.what, it.help));
    if let Err(it) = data_dir(&config.data_dir) {
        wrong("data_dir", it);
    }
    if let Some(tls) = &config.tls {
        match (certificates(&tls.certificate), private_key(&tls.key)) {
            (Ok(chain), Ok(key)) => {
                if let Err(it) = belong_together(&tls.key, chain, key) {
                    wrong("tls.key", it);
                }
            }
            (chain, key) => {
                if let Err(it) = chain {
                    wrong("tls.certificate", it);
                }
                if let Err(it) = key {
                    wrong("tls.key", it);
                }
            }
        }
    }
    if let Some(token) = &config.registration.token
        && let TokenKeys::File(path) = &token.keys
        && let Err(it) = token_key(token.algorithm, path)
    {
        wrong("registration.token.key_file", it);
    }
    problems
}

fn data_dir(path: &Path) -> Result<(), Wrong> {
    let help = "a folder that the relay's user may write to, or can make";
    // The folder, or the closest one above it that is there: the rest would be made in it.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for folder in absolute.ancestors() {
        match folder.metadata() {
            Ok(it) if !it.is_dir() => return Err(Wrong::new(folder, "not a folder", help)),
            Ok(_) => {
                return access(folder, Access::WRITE_OK | Access::EXEC_OK)
                    .map_err(|error| Wrong::new(folder, error, help));
            }
            // Through a file there is no way: "not a folder" is said when the walk comes to it.
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {}
            Err(error) => return Err(Wrong::new(folder, error, help)),
        }
    }
    Err(Wrong::new(path, "leads nowhere", help))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let help = "a PEM file, with -----BEGIN CERTIFICATE----- lines";
    let bytes = read(path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| Wrong::new(path, "damaged", help))?;
    if chain.is_empty() {
        return Err(Wrong::new(path, "holds no certificate", help));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Wrong> {
    let help = "a PEM file, with a -----BEGIN PRIVATE KEY----- line, not encrypted";
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| Wrong::new(path, "holds no private key", help))
}

fn belong_together(
    path: &Path,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<(), Wrong> {
    let help = "the key that the first certificate in tls.certificate was made for";
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map(drop)
        .map_err(|error| {
            let why = format!("cannot be used with tls.certificate: {error}");
            Wrong::new(path, why, help)
        })
}

fn token_key(algorithm: TokenAlgorithm, path: &Path) -> Result<(), Wrong> {
    let bytes = read(path)?;
    let usable = match algorithm {
        TokenAlgorithm::ES256 => DecodingKey::from_ec_pem(&bytes).is_ok(),
        TokenAlgorithm::EdDSA => DecodingKey::from_ed_pem(&bytes).is_ok(),
        TokenAlgorithm::RS256 => DecodingKey::from_rsa_pem(&bytes).is_ok(),
        TokenAlgorithm::HS256 => bytes.trim_ascii().len() >= MIN_SECRET_LEN,
    };
    let (why, help) = match algorithm {
        _ if usable => return Ok(()),
        TokenAlgorithm::HS256 => (
            "the secret is shorter than 32 bytes",
            "32 random bytes or more, for example from `openssl rand -hex 32`",
        ),
        _ => (
            "holds no public key for registration.token.algorithm",
            "a PEM file, with a -----BEGIN PUBLIC KEY----- line, of the key that your backend \
             signs with",
        ),
    };
    Err(Wrong::new(path, why, help))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let help = "a file that the relay's user can read";
    let failed = |error: std::io::Error| Wrong::new(path, error, help);
    let file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    if len > MAX_KEY_FILE_LEN {
        return Err(Wrong::new(path, "larger than 1 MiB", help));
    }
    // With room for all of it: growing would leave copies of a key in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(len).unwrap_or(0)));
    file.take(MAX_KEY_FILE_LEN)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rcgen::{KeyPair, generate_simple_self_signed};

    use super::*;
    use crate::config::{Registration, Tls, TokenRegistration};

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, content).unwrap();
            path
        }

        /// Problems by setting.
        fn problems(&self, change: impl FnOnce(&mut Config)) -> Vec<(String, String)> {
            let mut config = Config {
                data_dir: self.0.path().join("data"),
                ..Config::default()
            };
            change(&mut config);
            let told = problems(&config).into_iter();
            told.map(|problem| (problem.setting, problem.what))
                .collect()
        }

        fn tls(&self, certificate: PathBuf, key: PathBuf) -> Vec<(String, String)> {
            self.problems(|config| {
                config.tls = Some(Tls {
                    certificate,
                    key,
                    reload_interval: std::time::Duration::from_secs(1),
                });
            })
        }

        fn token(&self, algorithm: TokenAlgorithm, file: PathBuf) -> Vec<(String, String)> {
            self.problems(|config| {
                config.registration = Registration {
                    token: Some(TokenRegistration {
                        algorithm,
                        issuer: "i".to_owned(),
                        audience: "a".to_owned(),
                        keys: TokenKeys::File(file),
                        leeway: std::time::Duration::ZERO,
                        jwks_cache: std::time::Duration::from_secs(1),
                    }),
                    ..Registration::default()
                };
            })
        }
    }

    fn assert_one(told: &[(String, String)], setting: &str, what: &str) {
        assert!(told.len() == 1, "{told:?}");
        assert_eq!(told[0].0, setting);
        assert!(told[0].1.contains(what), "{told:?}");
    }

    #[test]
    fn certificate_and_key_are_there_and_belong_together() {
        let folder = Folder::new();
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = KeyPair::generate().unwrap();
        let certificate = folder.file("certificate.pem", made.cert.pem());
        let key = folder.file("key.pem", made.signing_key.serialize_pem());
        let other = folder.file("other.pem", other.serialize_pem());
        let empty = folder.file("empty.pem", "");
        let missing = folder.0.path().join("missing.pem");

        assert_eq!(folder.tls(certificate.clone(), key.clone()), []);
        let told = folder.tls(certificate.clone(), other);
        assert_one(&told, "tls.key", "cannot be used with tls.certificate");
        let told = folder.tls(certificate.clone(), certificate.clone());
        assert_one(&told, "tls.key", "holds no private key");
        let told = folder.tls(empty, key.clone());
        assert_one(&told, "tls.certificate", "holds no certificate");
        let large = vec![b'-'; 1 + usize::try_from(MAX_KEY_FILE_LEN).unwrap()];
        let told = folder.tls(folder.file("large.pem", large), key);
        assert_one(&told, "tls.certificate", "larger than 1 MiB");

        // Both at once are both told.
        let told = folder.tls(missing.clone(), missing);
        assert_eq!(told.len(), 2);
        assert!(
            told.iter()
                .all(|(_, what)| what.contains("missing.pem: No such file"))
        );
    }

    #[test]
    fn a_token_key_fits_its_algorithm() {
        let folder = Folder::new();
        for (algorithm, signer) in [
            (TokenAlgorithm::ES256, &rcgen::PKCS_ECDSA_P256_SHA256),
            (TokenAlgorithm::EdDSA, &rcgen::PKCS_ED25519),
        ] {
            let pair = KeyPair::generate_for(signer).unwrap();
            let file = folder.file("public.pem", pair.public_key_pem());
            assert_eq!(folder.token(algorithm, file.clone()), [], "{algorithm:?}");
            let told = folder.token(TokenAlgorithm::RS256, file);
            assert_one(&told, "registration.token.key_file", "no public key");
        }
        let secret = folder.file("secret", [b"x".repeat(32), b"\n".to_vec()].concat());
        assert_eq!(folder.token(TokenAlgorithm::HS256, secret), []);
        let short = folder.file("short", [b"x".repeat(31), b"\n".to_vec()].concat());
        let told = folder.token(TokenAlgorithm::HS256, short);
        assert_one(
            &told,
            "registration.token.key_file",
            "shorter than 32 bytes",
        );
    }

    #[test]
    fn the_data_folder_can_be_made() {
        let folder = Folder::new();
        let file = folder.file("file", "");
        for good in [".", "a", "a/b/c"] {
            let told = folder.problems(|config| config.data_dir = folder.0.path().join(good));
            assert_eq!(told, [], "{good}");
        }
        for wrong in [file.clone(), file.join("below"), file.join("far/below")] {
            let told = folder.problems(|config| config.data_dir = wrong);
            assert_one(&told, "data_dir", "file: not a folder");
        }
        assert!(!folder.0.path().join("a").exists());
    }
}
