//! What must not be reachable: rows G14 (HTTP/2), G15 (the operator's pages) and G17 (foreign web pages).

use std::net::SocketAddr;

use hushpost_harness::{
    Client, HarnessError, LIMITERS_OFF, RawConnection, RelayOptions, RelayProcess,
};
use hushpost_relay_tests::Person;

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

/// How every HTTP/2 connection begins (RFC 9113 §3.4), and an empty SETTINGS frame.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn relay(config: &str) -> Result<RelayProcess> {
    RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(config)
        .start()
}

/// One HTTP request; all of the answer.
async fn http(address: SocketAddr, method: &str, path: &str, headers: &str) -> Result<String> {
    let mut raw = RawConnection::open(None, address).await?;
    raw.write(
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
        )
        .as_bytes(),
    )
    .await?;
    Ok(String::from_utf8_lossy(&raw.read_to_end().await?).into_owned())
}

fn status(answer: &str) -> Option<u16> {
    answer.split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn http2_is_not_spoken() -> Result {
    let relay = relay("")?;
    for address in [relay.address(), relay.admin()] {
        let mut raw = RawConnection::open(None, address).await?;
        raw.write(HTTP2).await?;
        let said = raw.read_to_end().await?;
        // An HTTP/2 server begins with a SETTINGS frame; this one says no in HTTP/1, or nothing.
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
        // Nor is it switched to.
        let upgrade = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
        let said = http(address, "GET", "/v1/ws", upgrade).await?;
        assert!(status(&said).is_some_and(|status| status >= 400), "{said}");
    }
    // Frames that floods are made of, without a preface.
    for flood in [
        b"\0\0\0\0\0\0\0\0\x01".repeat(10_000),
        b"\0\0\0\x09\0\0\0\0\x01".repeat(10_000),
    ] {
        let mut raw = RawConnection::open(None, relay.address()).await?;
        match raw.write(&flood).await {
            Ok(()) | Err(HarnessError::Io(_)) => drop(raw.read_to_end().await?),
            Err(other) => return Err(other),
        }
    }
    Person::register(relay.address()).await.map(drop)
}

#[tokio::test]
async fn the_operators_pages_are_not_on_the_public_port() -> Result {
    let relay = relay("")?;
    for path in [
        "/",
        "/metrics",
        "/metrics/",
        "/health",
        "/health/live",
        "/health/ready",
        "/admin",
        "/debug/pprof",
        "/v1/../metrics",
        "/v1/ws/../../metrics",
        "/%6detrics",
        "//metrics",
        "/v1/ws/metrics",
        "/.env",
    ] {
        for method in ["GET", "POST", "OPTIONS", "TRACE"] {
            let said = http(relay.address(), method, path, "").await?;
            assert_eq!(status(&said), Some(404), "{method} {path}: {said}");
            assert!(!said.contains("hushpost_"), "{path}");
        }
    }
    // They are where the operator looks for them, so the paths above are the right ones.
    for path in ["/metrics", "/health/live", "/health/ready"] {
        let said = http(relay.admin(), "GET", path, "").await?;
        assert_eq!(status(&said), Some(200), "{path}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_for_clients_is_not_on_the_operators_port() -> Result {
    let relay = relay("")?;
    let mut raw = RawConnection::open(None, relay.admin()).await?;
    let head = raw.upgrade("").await?;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    for path in ["/v1/ws", "/v1/blobs/x"] {
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let said = http(relay.admin(), method, path, "").await?;
            assert_eq!(status(&said), Some(404), "{said}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_operators_pages_name_nobody() -> Result {
    let relay = relay("")?;
    let alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let hello = vec![alice.identity.recipient(b"a secret canary")];
    bob.send([7; 16], hello).await?;
    let page = http(relay.admin(), "GET", "/metrics", "").await?;
    let log = relay.log()?;
    for text in [page, log] {
        for person in [&alice, &bob] {
            let id = person.identity.account();
            assert!(!text.contains(&id.to_string()));
            assert!(!text.contains(&id.uuid().simple().to_string()));
        }
        assert!(!text.contains("canary"));
    }
    Ok(())
}

#[tokio::test]
async fn only_web_pages_that_are_listed_may_connect() -> Result {
    let relay = relay("[listen]\nallowed_origins = [\"https://app.example\"]")?;
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example.evil.example",
        "https://app.example:444",
        "https://evil.example/https://app.example",
        "https://app.example, https://evil.example",
        "null",
        "",
        "*",
    ] {
        let mut page = RawConnection::open(None, relay.address()).await?;
        let head = page.upgrade(&format!("Origin: {origin}\r\n")).await?;
        assert!(head.starts_with("HTTP/1.1 403"), "{origin}: {head}");
        assert!(!head.to_ascii_lowercase().contains("access-control"));
    }
    // One that is listed does not cover for another.
    let mut page = RawConnection::open(None, relay.address()).await?;
    let head = page
        .upgrade("Origin: https://app.example\r\nOrigin: https://evil.example\r\n")
        .await?;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    // Listed, and an app, which sends none.
    let mut page = RawConnection::open(None, relay.address()).await?;
    let head = page.upgrade("Origin: https://app.example\r\n").await?;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    Client::connect(relay.address()).await?;
    // Cookies mean nothing, and none are set.
    let mut page = RawConnection::open(None, relay.address()).await?;
    let head = page.upgrade("Cookie: session=1\r\n").await?;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("set-cookie"), "{head}");
    Ok(())
}

#[tokio::test]
async fn by_default_no_web_page_may_connect() -> Result {
    let relay = relay("")?;
    let mut page = RawConnection::open(None, relay.address()).await?;
    let head = page.upgrade("Origin: http://127.0.0.1\r\n").await?;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    Ok(())
}
