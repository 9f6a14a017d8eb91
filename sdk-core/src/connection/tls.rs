//! TLS 1.3 to a relay: whom to trust, and the settings.
//!
//! The provider of the cryptography is named here and never taken from the process: another library that
//! installs another one must not change, or break, how Hushpost connects. A relay's certificate is always
//! checked; there is no switch against it.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use thiserror::Error;

/// So that a front end that speaks HTTP/2 as well does not choose it.
const ALPN: &[u8] = b"http/1.1";

/// Root certificates to trust, as an app ships them for its own relays.
#[derive(Clone)]
pub struct Certificates(Arc<RootCertStore>);

/// No root certificates in what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not one or more certificates, in PEM or DER")]
pub struct InvalidCertificates;

impl Certificates {
    /// Reads certificates: PEM with one or more, or one in DER.
    ///
    /// # Errors
    /// [`InvalidCertificates`] if there is none, or one that cannot be read.
    pub fn new(pem_or_der: &[u8]) -> Result<Self, InvalidCertificates> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(pem_or_der)
            .collect::<Result<_, _>>()
            .map_err(|_| InvalidCertificates)?;
        let found = if found.is_empty() {
            vec![CertificateDer::from(pem_or_der.to_vec())]
        } else {
            found
        };
        let mut roots = RootCertStore::empty();
        for certificate in found {
            roots.add(certificate).map_err(|_| InvalidCertificates)?;
        }
        Ok(Self(roots.into()))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.0.len())
    }
}

/// Whom to trust.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// What the operating system trusts.
    Platform,
    /// That, and these.
    PlatformAnd(Certificates),
    /// These alone.
    Only(Certificates),
}

/// The settings for any server but a relay: what the operating system trusts. As slow as the other.
pub(crate) fn web_config() -> Result<ClientConfig, rustls::Error> {
    client_config(&Trust::Platform)
}

/// The settings. Reads the system's certificates from the disk on some systems, so it may block.
pub(super) fn client_config(trust: &Trust) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Platform => Arc::new(Verifier::new(provider.clone())?),
        Trust::Only(roots) => given(roots, &provider)?,
        Trust::PlatformAnd(roots) => Arc::new(Either {
            given: given(roots, &provider)?,
            platform: Verifier::new(provider.clone())?,
        }),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        // A certificate is checked, by the verifier chosen above.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn given(
    roots: &Certificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    WebPkiServerVerifier::builder_with_provider(roots.0.clone(), provider.clone())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

/// Trusts what the given roots or the platform vouch for. The platform's own verifier takes further roots on
/// some systems only.
#[derive(Debug)]
struct Either {
    given: Arc<WebPkiServerVerifier>,
    platform: Verifier,
}

impl ServerCertVerifier for Either {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.given
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .or_else(|_| {
                self.platform.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                )
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.given
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.given
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.given.supported_verify_schemes()
    }
}
