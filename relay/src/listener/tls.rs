//! TLS for the listener: version 1.3 alone, HTTP/1.1 alone, one named provider.
//!
//! Older versions are refused: every client of the relay is ours and speaks 1.3.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use thiserror::Error;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::certificate::{CertificateFiles, CurrentCertificate, Reload};

/// Where the certificate is.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// PEM file: the certificate, then its chain.
    pub certificate: PathBuf,
    /// PEM file: the private key.
    pub key: PathBuf,
    /// How often the files are looked at.
    pub reload_interval: Duration,
}

/// The certificate or its key cannot be used. Says which file; never what is in it.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{}: cannot be read", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is longer than any certificate chain.
    #[error("{}: longer than {max} bytes", file.display())]
    TooLong {
        /// Which.
        file: PathBuf,
        /// The bound.
        max: u64,
    },
    /// The file holds no PEM certificate.
    #[error("{}: holds no certificate in PEM form", file.display())]
    NoCertificate {
        /// Which.
        file: PathBuf,
    },
    /// The file holds no PEM private key.
    #[error("{}: holds no private key in PEM form", file.display())]
    NoKey {
        /// Which.
        file: PathBuf,
    },
    /// The certificate is malformed.
    #[error("{}: not a usable certificate", file.display())]
    BadCertificate {
        /// Which.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The private key is malformed or of an unknown kind.
    #[error("{}: not a usable private key", file.display())]
    BadKey {
        /// Which.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The key is not the certificate's.
    #[error("{}: not the private key of {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The provider does not do TLS 1.3.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// A certificate in use, and the files it came from.
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<CurrentCertificate>,
    files: CertificateFiles,
    reload_interval: Duration,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. Blocks on the disk, as a program's start may.
    ///
    /// # Errors
    /// [`TlsError`] when they hold no certificate with its private key.
    pub fn open(settings: TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut files =
            CertificateFiles::new(settings.certificate, settings.key, Arc::clone(&provider));
        let current = Arc::new(CurrentCertificate::new(files.read()?));
        // Named, not default: another crate in the tree turns TLS 1.2 on in rustls.
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // No resumption: a relay's connections live for hours, so it would save little, and tickets
        // would cost each of them memory and a replaced certificate its effect.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            current,
            files,
            // An interval of zero would panic and spin.
            reload_interval: settings.reload_interval.max(Duration::from_millis(1)),
        })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Looks at the files again and again until `shutdown`. What is new and sound serves the next
    /// handshakes; what is new and broken is logged once, and the old certificate stays.
    pub(super) async fn follow_files(mut self, shutdown: CancellationToken) {
        let mut interval = tokio::time::interval(self.reload_interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = interval.tick() => {}
            }
            // The disk may be slow, and the connections must not wait for it.
            let looked = tokio::task::spawn_blocking(move || {
                self.reload();
                self
            });
            match looked.await {
                Ok(tls) => self = tls,
                // The runtime is shutting down.
                Err(_) => return,
            }
        }
    }

    fn reload(&mut self) {
        match self.files.read_if_changed() {
            Reload::Unchanged => {}
            Reload::New(certificate) => {
                self.current.replace(certificate);
                info!("new TLS certificate in use");
            }
            Reload::Broken(error) => {
                let why = error_chain(&error);
                warn!(
                    why,
                    "new TLS certificate is unusable, the old one stays in use"
                );
            }
        }
    }
}

fn error_chain(error: &TlsError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
