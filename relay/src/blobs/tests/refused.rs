//! Uploads that break what was announced, and what they leave behind.

use super::*;

/// A body in HTTP's chunks.
fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

#[tokio::test]
async fn the_wrong_bytes_are_deleted() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    let mut wrong = bytes.clone();
    wrong[999] ^= 1;
    let refused = server.patch(&room, 0, &wrong).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.code(), "BAD_REQUEST");
    assert_eq!(server.head(&room).await.status, 404);
    assert_eq!(server.get(&room, "").await.status, 404);
    assert_eq!(server.files(), []);
    assert_eq!(server.rows("blob").await, 0);
    assert_eq!(server.rows("blob_part").await, 0);
}

#[tokio::test]
async fn bytes_changed_on_the_disk_are_noticed_before_the_blob_opens() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    assert_eq!(server.patch(&room, 0, &bytes[..500]).await.status, 204);
    let (object, _) = server.files().pop().unwrap();
    std::fs::write(object, [0; 500]).unwrap();
    let refused = server.patch(&room, 500, &bytes[500..]).await;
    assert_eq!(refused.status, 422);
}

#[tokio::test]
async fn nothing_is_stored_beyond_the_announced_size() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    let refused = server.patch(&room, 0, &noise(1001)).await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.code(), "TOO_LARGE");
    // In chunks the length comes out at the end.
    let headers = format!(
        "{}Upload-Offset: 0\r\nTransfer-Encoding: chunked\r\n",
        room.bearer()
    );
    let long = chunked(&[&bytes, b"x"]);
    let refused = server.ask("PATCH", &room.id, &headers, &long).await;
    assert_eq!(refused.status, 413);
    assert_eq!(server.head(&room).await.number("upload-offset"), 0);
    assert_eq!(server.files(), []);

    let right = chunked(&[&bytes[..10], &bytes[10..]]);
    let taken = server.ask("PATCH", &room.id, &headers, &right).await;
    assert_eq!(taken.status, 204);
    // A complete blob takes nothing more.
    assert_eq!(server.patch(&room, 1000, b"x").await.status, 413);
    assert!(server.get(&room, "").await.body == bytes);
}

#[tokio::test]
async fn an_upload_that_is_too_short_stays_open_and_unread() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    assert_eq!(server.patch(&room, 0, &bytes[..999]).await.status, 204);
    assert_eq!(server.patch(&room, 999, b"").await.status, 204);
    assert_eq!(server.get(&room, "").await.status, 404);
    assert_eq!(server.patch(&room, 999, &bytes[999..]).await.status, 204);
    assert_eq!(server.get(&room, "").await.status, 200);
}

#[tokio::test]
async fn a_wrong_offset_is_answered_with_the_right_one() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    assert_eq!(server.patch(&room, 0, &bytes[..500]).await.status, 204);
    for offset in [0, 499, 501, 1000, u64::MAX] {
        let refused = server.patch(&room, offset, &bytes[500..]).await;
        assert_eq!(refused.status, 409, "{offset}");
        assert_eq!(refused.code(), "BAD_REQUEST");
        assert_eq!(refused.number("upload-offset"), 500);
    }
    for bad in [
        "",
        "Upload-Offset: \r\n",
        "Upload-Offset: -1\r\n",
        "Upload-Offset: +500\r\n",
        "Upload-Offset: 5e2\r\n",
        "Upload-Offset: 99999999999999999999\r\n",
    ] {
        let headers = format!("{}{bad}Content-Length: 1\r\n", room.bearer());
        let refused = server.ask("PATCH", &room.id, &headers, b"x").await;
        assert_eq!(refused.status, 400, "{bad}");
        assert_eq!(refused.code(), "BAD_REQUEST");
    }
    assert_eq!(server.head(&room).await.number("upload-offset"), 500);
}

#[tokio::test]
async fn an_upload_in_crumbs_is_stopped() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.room(&bytes).await;
    for (offset, byte) in bytes.chunks(1).take(64).enumerate() {
        let taken = server.patch(&room, offset as u64, byte).await;
        assert_eq!(taken.status, 204);
    }
    let refused = server.patch(&room, 64, &bytes[64..]).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.code(), "TOO_MANY");
    assert_eq!(server.delete(&room).await.status, 204);
}
