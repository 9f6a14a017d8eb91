//! The relay's own TLS: a client that trusts its certificate comes in, and a renewed one is taken up while
//! it runs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use hushpost_harness::{Client, LIMITERS_OFF, RelayOptions};
use hushpost_wire::server_frame::Body;
use hushpost_wire::{ServerFrame, frame};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

/// A new certificate in the two files.
fn renew(folder: &Path) -> Result<CertificateDer<'static>> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["relay.test".to_owned()])?;
    // As a careful tool does it: each file is replaced in one step.
    for (name, pem) in [
        ("key.pem", signing_key.serialize_pem()),
        ("cert.pem", cert.pem()),
    ] {
        fs::write(folder.join("new"), pem)?;
        fs::rename(folder.join("new"), folder.join(name))?;
    }
    Ok(cert.der().clone())
}

fn connector(trusted: &CertificateDer<'static>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone())?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Connects over TLS and reads the welcome: the relay's name there.
async fn welcome(address: SocketAddr, connector: &TlsConnector) -> Result<String> {
    let stream = TcpStream::connect(address).await?;
    let stream = connector
        .connect(ServerName::try_from("relay.test")?, stream)
        .await?;
    let (mut socket, _) = client_async("wss://relay.test/v1/ws", stream).await?;
    let Some(Ok(Message::Binary(bytes))) = socket.next().await else {
        panic!("a frame")
    };
    match frame::decode::<ServerFrame>(bytes)?.body {
        Some(Body::Welcome(welcome)) => Ok(welcome.relay_name),
        _ => panic!("a welcome"),
    }
}

#[tokio::test]
async fn it_serves_over_tls_and_takes_up_a_renewed_certificate() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    let first = renew(at)?;
    let mut relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(format!(
            "[tls]\ncertificate = '{}'\nkey = '{}'\nreload_interval = '100ms'",
            at.join("cert.pem").display(),
            at.join("key.pem").display()
        ))
        .start()?;
    let trusts_first = connector(&first)?;
    assert_eq!(welcome(relay.address(), &trusts_first).await?, "relay.test");
    // Without TLS nobody comes in, nor with a certificate that nobody vouches for.
    assert!(Client::connect(relay.address()).await.is_err());
    let unrelated = generate_simple_self_signed(["relay.test".to_owned()])?;
    let trusts_another = connector(unrelated.cert.der())?;
    assert!(welcome(relay.address(), &trusts_another).await.is_err());

    let second = renew(at)?;
    let trusts_second = connector(&second)?;
    // Each try is a handshake that fails until the relay has looked.
    while welcome(relay.address(), &trusts_second).await.is_err() {}
    assert!(welcome(relay.address(), &trusts_first).await.is_err());

    // A broken file costs nothing: the certificate in use stays.
    fs::write(at.join("cert.pem"), "no certificate")?;
    loop {
        assert_eq!(
            welcome(relay.address(), &trusts_second).await?,
            "relay.test"
        );
        if relay.log()?.contains("cert.pem: holds no certificate") {
            break;
        }
    }
    assert!(relay.metric("hushpost_tls_handshakes_failed_total").await? > 0.0);
    assert!(relay.terminate()?.success());
    // A start with it is refused, though, and says which file.
    let refused = relay.restart().err().unwrap().to_string();
    assert!(
        refused.contains("cert.pem: holds no certificate in PEM form"),
        "{refused}"
    );
    Ok(())
}
