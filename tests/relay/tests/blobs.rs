//! Blobs through a real relay: resumed, ranged, checked, found by nobody who does not know the id.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hushpost_harness::{HarnessError, LIMITERS_OFF, RawConnection, RelayOptions, RelayProcess};
use hushpost_relay_tests::Person;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CreateUpload, ErrorCode, UploadCreated};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest, Sha256};

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

/// Larger than one stored part.
const LARGE: usize = 20 * 1024 * 1024 + 7;

fn relay() -> Result<RelayProcess, HarnessError> {
    RelayOptions::default().config(LIMITERS_OFF).start()
}

fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

/// An announced upload and the way to it.
struct Upload {
    http: Client,
    url: String,
    token: String,
}

impl Upload {
    fn at(relay: SocketAddr, created: &UploadCreated) -> Self {
        let id = URL_SAFE_NO_PAD.encode(&created.blob_id);
        Self {
            http: Client::new(),
            url: format!("http://{relay}/v1/blobs/{id}"),
            token: URL_SAFE_NO_PAD.encode(&created.upload_token),
        }
    }

    fn with_token(&self, method: Method) -> RequestBuilder {
        self.http
            .request(method, &self.url)
            .bearer_auth(&self.token)
    }

    async fn patch(&self, offset: usize, body: impl Into<reqwest::Body>) -> Result<Response> {
        let request = self
            .with_token(Method::PATCH)
            .header("Upload-Offset", offset);
        Ok(request.body(body).send().await?)
    }

    async fn offset(&self) -> Result<usize> {
        let answer = self.with_token(Method::HEAD).send().await?;
        assert_eq!(answer.status(), StatusCode::OK);
        Ok(answer.headers()["upload-offset"].to_str()?.parse()?)
    }

    async fn get(&self, range: Option<&str>) -> Result<Response> {
        let request = self.http.get(&self.url);
        let request = match range {
            Some(range) => request.header("Range", range),
            None => request,
        };
        Ok(request.send().await?)
    }
}

async fn announce(person: &mut Person, content: &[u8]) -> Result<UploadCreated, HarnessError> {
    let request = Request::CreateUpload(CreateUpload {
        size: content.len() as u64,
        digest: Sha256::digest(content).to_vec().into(),
        ttl_s: 0,
    });
    match person.client.request(request).await? {
        Body::UploadCreated(created) => Ok(created),
        _ => Err(HarnessError::Unexpected("UploadCreated")),
    }
}

#[tokio::test]
async fn a_blob_is_uploaded_in_pieces_resumed_after_a_crash_and_read_by_range() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let content = bytes(LARGE);
    let created = announce(&mut alice, &content).await?;
    let upload = Upload::at(relay.address(), &created);
    let first = 9 * 1024 * 1024;
    let answer = upload.patch(0, content[..first].to_vec()).await?;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        answer.headers()["upload-offset"],
        first.to_string().as_str()
    );
    // Nobody downloads half a blob.
    assert_eq!(upload.get(None).await?.status(), StatusCode::NOT_FOUND);

    relay.kill()?;
    relay.restart()?;
    let upload = Upload::at(relay.address(), &created);
    assert_eq!(upload.offset().await?, first);
    let answer = upload.patch(first, content[first..].to_vec()).await?;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["upload-complete"], "?1");

    let answer = upload.get(None).await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.bytes().await? == content);
    let end = content.len();
    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=100-199", 100..200),
        // Across the edge of two parts.
        ("bytes=8388600-8388615", 8_388_600..8_388_616),
        ("bytes=20971500-", 20_971_500..end),
        ("bytes=-5", end - 5..end),
        ("bytes=20971500-999999999999", 20_971_500..end),
    ] {
        let answer = upload.get(Some(range)).await?;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert!(answer.bytes().await? == content[expected], "{range}");
    }
    let beyond = upload.get(Some("bytes=999999999-")).await?;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    // The uploader may take it back.
    assert_eq!(
        upload.with_token(Method::DELETE).send().await?.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(upload.get(None).await?.status(), StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn what_arrived_before_a_cut_is_kept() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let content = bytes(3_000_000);
    let created = announce(&mut alice, &content).await?;
    let upload = Upload::at(relay.address(), &created);
    let mut cut = RawConnection::open(None, relay.address()).await?;
    let path = upload.url.split_once("/v1/").unwrap().1;
    let head = format!(
        "PATCH /v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nUpload-Offset: 0\r\n\
         Content-Length: {}\r\n\r\n",
        upload.token,
        content.len()
    );
    cut.write(head.as_bytes()).await?;
    cut.write(&content[..1_000_000]).await?;
    drop(cut);
    // The relay notices the cut in its own time; until then somebody is still writing.
    let mut kept = upload.offset().await?;
    while kept == 0 {
        tokio::task::yield_now().await;
        kept = upload.offset().await?;
    }
    assert!(kept <= 1_000_000);
    let answer = upload.patch(kept, content[kept..].to_vec()).await?;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(upload.get(None).await?.bytes().await? == content);
    Ok(())
}

#[tokio::test]
async fn wrong_bytes_offsets_and_lengths_are_refused() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let content = bytes(1000);

    let upload = Upload::at(relay.address(), &announce(&mut alice, &content).await?);
    let mut changed = content.clone();
    changed[500] ^= 1;
    let answer = upload.patch(0, changed).await?;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(upload.get(None).await?.status(), StatusCode::NOT_FOUND);

    let upload = Upload::at(relay.address(), &announce(&mut alice, &content).await?);
    assert_eq!(
        upload.patch(0, content[..10].to_vec()).await?.status(),
        StatusCode::NO_CONTENT
    );
    let answer = upload.patch(5, content[5..].to_vec()).await?;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(answer.headers()["upload-offset"], "10");
    let answer = upload.patch(10, bytes(991)).await?;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // Without a length announced the excess is found on the way.
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes(2000))]);
    let answer = upload.patch(10, reqwest::Body::wrap_stream(stream)).await?;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(upload.offset().await?, 10);
    assert_eq!(
        upload.patch(10, content[10..].to_vec()).await?.status(),
        StatusCode::NO_CONTENT
    );
    assert!(upload.get(None).await?.bytes().await? == content);
    Ok(())
}

#[tokio::test]
async fn who_does_not_know_the_id_and_the_token_always_gets_the_same_answer() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let content = bytes(100);
    let created = announce(&mut alice, &content).await?;
    let other = announce(&mut alice, &content).await?;
    let upload = Upload::at(relay.address(), &created);
    assert_eq!(
        upload.patch(0, content.clone()).await?.status(),
        StatusCode::NO_CONTENT
    );
    let id = URL_SAFE_NO_PAD.encode(&created.blob_id);
    let unknown = URL_SAFE_NO_PAD.encode([7; 32]);

    let mut answers = Vec::new();
    let other_token = URL_SAFE_NO_PAD.encode(&other.upload_token);
    for (method, path, token) in [
        ("GET", unknown.as_str(), ""),
        ("GET", &URL_SAFE_NO_PAD.encode(&other.blob_id), ""),
        ("GET", "", ""),
        ("GET", "..%2f..%2frelay.db", ""),
        ("GET", "%00", ""),
        ("GET", &format!("{id}="), ""),
        ("GET", &format!("{id}/0"), ""),
        ("GET", &"A".repeat(4096), ""),
        ("PATCH", &id, ""),
        ("PATCH", &id, &other_token),
        ("DELETE", &id, &other_token),
        ("DELETE", &unknown, &other_token),
    ] {
        let mut connection = RawConnection::open(None, relay.address()).await?;
        let request = format!(
            "{method} /v1/blobs/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nUpload-Offset: 0\r\nContent-Length: 0\r\n\r\n"
        );
        connection.write(request.as_bytes()).await?;
        let answer = String::from_utf8(connection.read_to_end().await?)?;
        let without_date: Vec<_> = answer
            .lines()
            .filter(|line| !line.to_ascii_lowercase().starts_with("date:"))
            .map(str::to_owned)
            .collect();
        answers.push((format!("{method} {path:.20}"), without_date));
    }
    assert!(answers[0].1[0].contains("404"));
    for (what, answer) in &answers {
        assert_eq!(answer, &answers[0].1, "{what}");
    }
    assert!(
        upload.get(None).await?.bytes().await? == content,
        "still there"
    );
    Ok(())
}

#[tokio::test]
async fn quotas_and_sizes_hold() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits]\nblob_bytes = \"1 MiB\"\nblob_quota_bytes = \"2 MiB\"")
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let ask = |size, digest: usize| {
        Request::CreateUpload(CreateUpload {
            size,
            digest: vec![0; digest].into(),
            ttl_s: 0,
        })
    };
    for (request, code) in [
        (ask(0, 32), ErrorCode::BadRequest),
        (ask(10, 31), ErrorCode::BadRequest),
        (ask(1024 * 1024 + 1, 32), ErrorCode::TooLarge),
        (ask(1 << 63, 32), ErrorCode::TooLarge),
        (ask(u64::MAX, 32), ErrorCode::TooLarge),
    ] {
        assert_eq!(alice.client.request_refused(request).await?.code(), code);
    }
    for _ in 0..2 {
        alice.client.request(ask(1024 * 1024, 32)).await?;
    }
    let refused = alice.client.request_refused(ask(1024, 32)).await?;
    assert_eq!(refused.code(), ErrorCode::QuotaExceeded);
    // Somebody else has a quota of their own.
    let mut bob = Person::register(relay.address()).await?;
    bob.client.request(ask(1024 * 1024, 32)).await?;
    Ok(())
}

#[tokio::test]
async fn a_large_upload_does_not_lie_in_memory() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let content = bytes(64 * 1024 * 1024);
    let created = announce(&mut alice, &content).await?;
    let upload = Upload::at(relay.address(), &created);
    let before = relay.rss_bytes()?;
    assert_eq!(
        upload.patch(0, content.clone()).await?.status(),
        StatusCode::NO_CONTENT
    );
    assert!(upload.get(None).await?.bytes().await? == content);
    let grown = relay.rss_bytes()?.saturating_sub(before);
    assert!(grown < 24 * 1024 * 1024, "grew by {grown} bytes");
    Ok(())
}
