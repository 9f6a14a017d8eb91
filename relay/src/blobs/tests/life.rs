//! From the announcement to the end, and what an announcement may say.

use super::*;

#[tokio::test]
async fn a_blob_is_announced_uploaded_downloaded_and_deleted() {
    let server = Server::start().await;
    // Two whole parts and a piece.
    let bytes = noise((16 << 20) + 12_345);
    let room = server.room(&bytes).await;

    let before = server.head(&room).await;
    assert_eq!(before.status, 200);
    assert_eq!(before.number("upload-offset"), 0);
    assert_eq!(before.number("upload-length"), bytes.len() as u64);
    assert_eq!(before.header("upload-complete"), Some("?0"));

    let (first, second) = bytes.split_at(5_000_000);
    let half = server.patch(&room, 0, first).await;
    assert_eq!(half.status, 204);
    assert_eq!(half.number("upload-offset"), 5_000_000);
    assert_eq!(half.header("upload-complete"), Some("?0"));
    assert_eq!(server.get(&room, "").await.status, 404);

    let whole = server.patch(&room, 5_000_000, second).await;
    assert_eq!(whole.status, 204);
    assert_eq!(whole.number("upload-offset"), bytes.len() as u64);
    assert_eq!(whole.header("upload-complete"), Some("?1"));
    // The last answer may be lost: an empty body asks again.
    let again = server.patch(&room, bytes.len() as u64, b"").await;
    assert_eq!(again.status, 204);
    assert_eq!(again.header("upload-complete"), Some("?1"));

    // Named by the hash of the id alone; parts of at most 8 MiB.
    let files = server.files();
    let lengths: Vec<u64> = files.iter().map(|(_, length)| *length).collect();
    assert_eq!(lengths.iter().sum::<u64>(), bytes.len() as u64);
    assert!(lengths.iter().all(|length| *length <= 8 << 20));
    let hash = room.hash();
    for (path, _) in &files {
        let folder = format!("/blobs/{}/{hash}/", &hash[..2]);
        assert!(path.to_str().unwrap().contains(&folder));
    }

    let got = server.get(&room, "").await;
    assert_eq!(got.status, 200);
    assert!(got.body == bytes);
    assert_eq!(got.number("content-length"), bytes.len() as u64);
    for (name, value) in [
        ("accept-ranges", "bytes"),
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, max-age=86400, immutable"),
    ] {
        assert_eq!(got.header(name), Some(value));
    }

    assert_eq!(server.delete(&room).await.status, 204);
    assert_eq!(server.get(&room, "").await.status, 404);
    assert_eq!(server.head(&room).await.status, 404);
    assert_eq!(server.files(), []);
    assert_eq!(server.rows("blob").await, 0);
    assert_eq!(server.rows("blob_part").await, 0);
}

#[tokio::test]
async fn an_unfinished_upload_is_given_up_with_all_it_stored() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    assert_eq!(server.patch(&room, 0, &bytes[..400]).await.status, 204);
    assert_eq!(server.delete(&room).await.status, 204);
    assert_eq!(server.files(), []);
    assert_eq!(server.patch(&room, 400, b"more").await.status, 404);
}

#[tokio::test]
async fn times_are_cut_to_what_the_relay_allows() {
    let folder = tempfile::tempdir().unwrap();
    let short = BlobSettings {
        ttl: Duration::from_secs(1000),
        upload_timeout: Duration::from_secs(100),
        ..settings(&folder)
    };
    let server = Server::with(folder, short, 0).await;
    for (ttl_s, kept, upload) in [
        (0, 1000, 100),
        (50, 50, 50),
        (500, 500, 100),
        (u64::MAX, 1000, 100),
    ] {
        let begun = now_ms();
        let request = CreateUpload {
            ttl_s,
            ..asking(1, 32)
        };
        let created = server.blobs.create_upload(ACCOUNT, request).await;
        let created = created.ok().unwrap();
        let now = begun..=now_ms();
        assert!(now.contains(&(created.expires_ms - kept * 1000)), "{ttl_s}");
        assert!(now.contains(&(created.upload_expires_ms - upload * 1000)));
        assert_eq!(created.blob_id.len(), 32);
        assert_eq!(created.upload_token.len(), 32);
        assert_ne!(created.blob_id, created.upload_token);
    }
}

#[tokio::test]
async fn announcements_are_checked() {
    let server = Server::start().await;
    for (size, digest, code) in [
        (0, 32, ErrorCode::BadRequest),
        (1, 31, ErrorCode::BadRequest),
        (1, 33, ErrorCode::BadRequest),
        (1, 0, ErrorCode::BadRequest),
        ((100 << 20) + 1, 32, ErrorCode::TooLarge),
        (u64::MAX, 32, ErrorCode::TooLarge),
    ] {
        let refused = server.refused(ACCOUNT, asking(size, digest)).await;
        assert_eq!(refused, Some(code), "{size}, {digest}");
    }
    assert_eq!(server.rows("blob").await, 0);
}

#[tokio::test]
async fn the_quota_counts_what_was_announced_and_frees_what_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let small = BlobSettings {
        quota_bytes: 20_000,
        ..settings(&folder)
    };
    let server = Server::with(folder, small, 0).await;
    let ask = async |account, size| server.refused(account, asking(size, 32)).await;
    let held = server.room(&noise(12_000)).await;
    assert_eq!(ask(ACCOUNT, 8_001).await, Some(ErrorCode::QuotaExceeded));
    // Nobody else is concerned.
    assert_eq!(ask(8, 20_000).await, None);
    // However small, a blob costs a row and a file.
    assert_eq!(ask(ACCOUNT, 1).await, None);
    assert_eq!(ask(ACCOUNT, 1).await, Some(ErrorCode::QuotaExceeded));
    assert_eq!(server.delete(&held).await.status, 204);
    assert_eq!(ask(ACCOUNT, 12_000).await, None);
}

#[tokio::test]
async fn a_disk_that_runs_low_takes_no_more_and_the_upload_goes_on_later() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;

    let server = server.restart_with_reserve(u64::MAX).await;
    while !server.store.health().is_low() {
        tokio::task::yield_now().await;
    }
    let refused = server.patch(&room, 0, &bytes).await;
    assert_eq!(refused.status, 507);
    assert_eq!(refused.code(), "STORE_FULL");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(server.files(), []);
    let refused = server.refused(ACCOUNT, asking(1, 32)).await;
    assert_eq!(refused, Some(ErrorCode::StoreFull));

    let server = server.restart_with_reserve(0).await;
    assert_eq!(server.patch(&room, 0, &bytes).await.status, 204);
    assert!(server.get(&room, "").await.body == bytes);
}

#[tokio::test]
async fn a_failing_object_store_is_an_answer_and_recovers() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    // A file where the blob's first folder should be.
    let blocked = server.folder.path().join("blobs").join(&room.hash()[..2]);
    std::fs::write(&blocked, b"").unwrap();
    let refused = server.patch(&room, 0, &bytes).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.code(), "STORE_UNAVAILABLE");
    assert_eq!(server.head(&room).await.number("upload-offset"), 0);
    std::fs::remove_file(&blocked).unwrap();
    assert_eq!(server.patch(&room, 0, &bytes).await.status, 204);
    assert!(server.get(&room, "").await.body == bytes);
}
