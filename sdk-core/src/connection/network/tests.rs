//! Over real TCP, on this machine.

#![allow(clippy::unwrap_used)]

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::connection::InvalidCertificates;

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

fn roots(certificate: &CertifiedKey<KeyPair>) -> Certificates {
    Certificates::new(certificate.cert.pem().as_bytes()).unwrap()
}

/// Answers one connection with a byte, over TLS if there is a certificate.
async fn serve(certificate: Option<&CertifiedKey<KeyPair>>) -> u16 {
    let acceptor = certificate.map(|certified| {
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        match acceptor {
            // A client that does not trust us goes away.
            Some(acceptor) => {
                if let Ok(mut stream) = acceptor.accept(tcp).await {
                    drop(stream.write_all(b"!").await);
                    drop(stream.shutdown().await);
                }
            }
            None => drop(tcp.write_all(b"!").await),
        }
    });
    port
}

async fn first_byte(transport: &NetworkTransport, url: String) -> io::Result<u8> {
    let url: RelayUrl = url.parse().unwrap();
    transport.connect(&url).await?.read_u8().await
}

#[tokio::test]
async fn tcp_alone_where_the_url_says_so() {
    let port = serve(None).await;
    let transport = NetworkTransport::new();
    let read = first_byte(&transport, format!("ws://localhost:{port}")).await;
    assert_eq!(read.unwrap(), b'!');
}

#[tokio::test]
async fn tls_with_a_root_of_ones_own() {
    let certificate = certificate("127.0.0.1");
    for transport in [
        NetworkTransport::with_only_roots(roots(&certificate)),
        NetworkTransport::with_only_roots(Certificates::new(certificate.cert.der()).unwrap()),
    ] {
        // Twice: the settings are kept.
        for _ in 0..2 {
            let port = serve(Some(&certificate)).await;
            let read = first_byte(&transport, format!("wss://127.0.0.1:{port}")).await;
            assert_eq!(read.unwrap(), b'!');
        }
    }
}

#[tokio::test]
async fn tls_with_a_root_beside_the_systems() {
    let certificate = certificate("127.0.0.1");
    let trust = Trust::PlatformAnd(roots(&certificate));
    // On a machine without any root certificates there is no platform to ask.
    if client_config(&trust).is_err() {
        return;
    }
    let transport = NetworkTransport::trusting(trust);
    let port = serve(Some(&certificate)).await;
    let read = first_byte(&transport, format!("wss://127.0.0.1:{port}")).await;
    assert_eq!(read.unwrap(), b'!');
    let port = serve(Some(&self::certificate("127.0.0.1"))).await;
    let read = first_byte(&transport, format!("wss://127.0.0.1:{port}")).await;
    assert!(read.is_err());
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let theirs = certificate("127.0.0.1");
    for transport in [
        NetworkTransport::new(),
        NetworkTransport::with_only_roots(roots(&certificate("127.0.0.1"))),
    ] {
        let port = serve(Some(&theirs)).await;
        let read = first_byte(&transport, format!("wss://127.0.0.1:{port}")).await;
        assert!(read.is_err());
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let theirs = certificate("relay.example");
    let transport = NetworkTransport::with_only_roots(roots(&theirs));
    let port = serve(Some(&theirs)).await;
    let read = first_byte(&transport, format!("wss://127.0.0.1:{port}")).await;
    assert!(read.is_err());
}

#[tokio::test]
async fn a_relay_without_tls_is_no_answer_to_wss() {
    let transport = NetworkTransport::with_only_roots(roots(&certificate("127.0.0.1")));
    let port = serve(None).await;
    let read = first_byte(&transport, format!("wss://127.0.0.1:{port}")).await;
    assert!(read.is_err());
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let transport = NetworkTransport::default();
    let read = first_byte(&transport, format!("ws://127.0.0.1:{port}")).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn certificates_are_read_or_refused() {
    let both = certificate("one.example").cert.pem() + &certificate("two.example").cert.pem();
    let read = Certificates::new(both.as_bytes()).unwrap();
    assert_eq!(format!("{read:?}"), "Certificates(2)");
    let broken = both.replace("MII", "AAA");
    for bytes in [
        &b""[..],
        b"no certificate",
        &[0x30, 0x82],
        broken.as_bytes(),
    ] {
        assert_eq!(Certificates::new(bytes).err(), Some(InvalidCertificates));
    }
}

#[test]
fn the_families_alternate() {
    let addresses: Vec<SocketAddr> = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]
        .map(|address| address.parse().unwrap())
        .to_vec();
    let order = alternate(addresses.into_iter());
    let shown: Vec<_> = order.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
    );
    assert!(alternate(std::iter::empty()).is_empty());
    let many = (0..100).map(|port| SocketAddr::from(([1, 1, 1, 1], port)));
    assert_eq!(alternate(many).len(), MAX_ADDRESSES);
}
