//! A large blob passes through a small relay. In a process of its own, because it measures that process.
#![cfg(target_os = "linux")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test may fail loudly"
)]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hushpost_relay::blobs::{BlobSettings, Blobs};
use hushpost_relay::store::{Store, StoreSettings};
use hushpost_wire::CreateUpload;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SIZE: u64 = 64 << 20;
const CHUNK: usize = 64 << 10;
/// What may come on top: caches and threads, whatever the size of the blob, and less than half of it.
const GROWTH: u64 = 24 << 20;

/// The `number`th chunk of the blob.
fn chunk(number: u64) -> Vec<u8> {
    let seed = Sha256::digest(number.to_le_bytes());
    seed.iter().copied().cycle().take(CHUNK).collect()
}

fn chunks() -> impl Iterator<Item = Vec<u8>> {
    (0..SIZE / CHUNK as u64).map(chunk)
}

/// The most memory that this process ever had in use, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn sixty_four_mebibytes_pass_through_a_few() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreSettings {
        min_free_disk: 0,
        ..StoreSettings::default()
    };
    let store = Store::open(folder.path(), store).unwrap();
    let settings = BlobSettings {
        folder: folder.path().join("blobs"),
        max_bytes: SIZE,
        ttl: Duration::from_secs(3600),
        quota_bytes: SIZE,
        upload_timeout: Duration::from_secs(3600),
        transfers: 4,
    };
    let blobs = Blobs::open(store, settings).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = blobs.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let digest = chunks().fold(Sha256::new(), Digest::chain_update);
    let digest = digest.finalize();
    let request = CreateUpload {
        size: SIZE,
        digest: digest.to_vec().into(),
        ttl_s: 0,
    };
    let created = blobs.create_upload(1, request).await.ok().unwrap();
    let id = URL_SAFE_NO_PAD.encode(&created.blob_id);
    let token = URL_SAFE_NO_PAD.encode(&created.upload_token);
    let before = peak();

    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PATCH /v1/blobs/{id} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nUpload-Offset: 0\r\nContent-Length: {SIZE}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for chunk in chunks() {
        stream.write_all(&chunk).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");

    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /v1/blobs/{id} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut end = Vec::new();
    while !end.ends_with(b"\r\n\r\n") {
        end.push(stream.read_u8().await.unwrap());
    }
    assert!(end.starts_with(b"HTTP/1.1 200"));
    let (mut received, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        received.update(&buffer[..count]);
        length += count as u64;
    }
    assert_eq!(length, SIZE);
    assert_eq!(received.finalize(), digest);

    let growth = peak() - before;
    assert!(growth < GROWTH, "{growth} bytes more for a blob of {SIZE}");
}
