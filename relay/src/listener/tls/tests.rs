//! TLS on real sockets, with certificates made here.

use std::fs;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::listener::ListenerSettings;
use crate::listener::tests::{Running, rest, router, settings};

/// A folder with a certificate and its key.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> (Self, CertifiedKey<KeyPair>) {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let pair = certificate();
        files.write(&pair);
        (files, pair)
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificate: self.folder.path().join("relay.crt"),
            key: self.folder.path().join("relay.key"),
            reload_interval: Duration::from_millis(2),
        }
    }

    fn write(&self, pair: &CertifiedKey<KeyPair>) {
        self.write_texts(&pair.cert.pem(), &pair.signing_key.serialize_pem());
    }

    fn write_texts(&self, certificate: &str, key: &str) {
        let settings = self.settings();
        fs::write(settings.certificate, certificate).unwrap();
        fs::write(settings.key, key).unwrap();
    }
}

fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["relay.example".to_owned()]).unwrap()
}

/// A client that trusts these certificates alone.
async fn connect(
    relay: &Running,
    trusted: &[&CertifiedKey<KeyPair>],
    version: &'static SupportedProtocolVersion,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.cert.der().clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(relay.address).await?;
    let name = ServerName::try_from("relay.example").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn connect_13(
    relay: &Running,
    trusted: &[&CertifiedKey<KeyPair>],
) -> std::io::Result<TlsStream<TcpStream>> {
    connect(relay, trusted, &rustls::version::TLS13, b"http/1.1").await
}

fn served(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn requests_travel_over_tls_1_3() {
    let (files, pair) = Files::new();
    let relay = Running::start(
        settings(),
        router(),
        Some(Tls::open(files.settings()).unwrap()),
    );
    let mut stream = connect_13(&relay, &[&pair]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert!(answer.ends_with(b"\r\n\r\n127.0.0.1"));
    relay.connections.all_closed().await;
}

#[tokio::test]
async fn tls_1_2_and_other_protocols_are_refused() {
    let (files, pair) = Files::new();
    let relay = Running::start(
        settings(),
        router(),
        Some(Tls::open(files.settings()).unwrap()),
    );
    let old = connect(&relay, &[&pair], &rustls::version::TLS12, b"http/1.1").await;
    assert!(old.unwrap_err().to_string().contains("ProtocolVersion"));
    let h2 = connect(&relay, &[&pair], &rustls::version::TLS13, b"h2").await;
    assert!(
        h2.unwrap_err()
            .to_string()
            .contains("NoApplicationProtocol")
    );

    let mut plain = TcpStream::connect(relay.address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: relay\r\n\r\n")
        .await
        .unwrap();
    assert!(!rest(&mut plain).await.starts_with(b"HTTP"));
    relay.connections.all_closed().await;
}

#[tokio::test]
async fn a_slow_handshake_is_closed() {
    let (files, _) = Files::new();
    let relay = Running::start(
        ListenerSettings {
            handshake_timeout: Duration::from_millis(50),
            ..settings()
        },
        router(),
        Some(Tls::open(files.settings()).unwrap()),
    );
    let mut silent = TcpStream::connect(relay.address).await.unwrap();
    // The start of a record that never ends.
    silent.write_all(&[22, 3, 1]).await.unwrap();
    assert!(rest(&mut silent).await.is_empty());
    relay.connections.all_closed().await;
}

#[tokio::test]
async fn a_new_certificate_serves_new_connections_and_a_broken_one_does_not() {
    let (files, old) = Files::new();
    let relay = Running::start(
        settings(),
        router(),
        Some(Tls::open(files.settings()).unwrap()),
    );
    let mut kept = connect_13(&relay, &[&old]).await.unwrap();

    let new = certificate();
    files.write(&new);
    // Each handshake is an event; the files are looked at all the time.
    while served(&connect_13(&relay, &[&old, &new]).await.unwrap()) != *new.cert.der() {}

    // The old connection goes on.
    kept.write_all(b"GET / HTTP/1.1\r\nhost: relay\r\n\r\n")
        .await
        .unwrap();
    let mut status = [0; 12];
    kept.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");

    relay.shutdown.cancel();
    drop(kept);
    relay.task.await.unwrap();
}

#[test]
fn what_is_broken_is_said_once_and_the_old_pair_stays() {
    let (files, old) = Files::new();
    let mut tls = Tls::open(files.settings()).unwrap();
    let in_use = |tls: &Tls| tls.current.certificate().cert[0].clone();
    let key = old.signing_key.serialize_pem();
    let stranger = certificate();

    for (certificate, key) in [
        ("", &*key),
        ("nonsense", &*key),
        (&*stranger.cert.pem(), &*key),
        (&*old.cert.pem(), ""),
        (&*old.cert.pem(), &*stranger.signing_key.serialize_pem()),
    ] {
        files.write_texts(certificate, key);
        assert!(matches!(tls.files.read_if_changed(), Reload::Broken(_)));
        assert!(matches!(tls.files.read_if_changed(), Reload::Unchanged));
        tls.reload();
        assert_eq!(in_use(&tls), *old.cert.der());
    }

    fs::remove_file(files.settings().key).unwrap();
    assert!(matches!(tls.files.read_if_changed(), Reload::Broken(_)));
    assert!(matches!(tls.files.read_if_changed(), Reload::Unchanged));
    tls.reload();
    assert_eq!(in_use(&tls), *old.cert.der());

    files.write(&stranger);
    tls.reload();
    assert_eq!(in_use(&tls), *stranger.cert.der());
    // Written again, but the same.
    files.write(&stranger);
    assert!(matches!(tls.files.read_if_changed(), Reload::Unchanged));
}

#[test]
fn errors_name_the_file_and_not_its_content() {
    let (files, pair) = Files::new();
    let certificate_pem = pair.cert.pem();
    let key_pem = pair.signing_key.serialize_pem();
    let bad_certificate = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
    let bad_key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let torn_key = "-----BEGIN PRIVATE KEY c2VjcmV0\n-----END PRIVATE KEY-----\n";
    let long = "c2VjcmV0".repeat(40_000);
    let stranger = certificate().signing_key.serialize_pem();
    for (certificate, key, file, what) in [
        ("", &*key_pem, "relay.crt", "no certificate"),
        (
            bad_certificate,
            &*key_pem,
            "relay.crt",
            "not a usable certificate",
        ),
        (&*key_pem, &*key_pem, "relay.crt", "no certificate"),
        (&*long, &*key_pem, "relay.crt", "longer than"),
        (&*certificate_pem, "c2VjcmV0", "relay.key", "no private key"),
        (
            &*certificate_pem,
            &*certificate_pem,
            "relay.key",
            "no private key",
        ),
        (
            &*certificate_pem,
            bad_key,
            "relay.key",
            "not a usable private key",
        ),
        (&*certificate_pem, torn_key, "relay.key", "no private key"),
        (&*certificate_pem, &*long, "relay.key", "longer than"),
        (
            &*certificate_pem,
            &*stranger,
            "relay.key",
            "not the private key of",
        ),
    ] {
        files.write_texts(certificate, key);
        let error = Tls::open(files.settings()).unwrap_err();
        let text = error_chain(&error);
        assert!(text.contains(file) && text.contains(what), "{text}");
        assert!(!format!("{text}{error:?}").contains("c2VjcmV0"), "{text}");
    }
    fs::remove_file(files.settings().certificate).unwrap();
    let error = Tls::open(files.settings()).unwrap_err();
    assert!(matches!(error, TlsError::Unreadable { file, .. } if file.ends_with("relay.crt")));
}
