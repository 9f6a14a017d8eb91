//! Connections that break, relays that stop, and two writers at once.

use super::*;

/// An upload whose connection is still open.
struct Sending(TcpStream);

impl Sending {
    /// Announces all bytes from `range`'s start on, and sends those of the range.
    async fn begin(
        server: &Server,
        room: &Room,
        bytes: &[u8],
        range: core::ops::Range<usize>,
    ) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "PATCH /v1/blobs/{} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n{}\
             Upload-Offset: {}\r\nContent-Length: {}\r\n\r\n",
            room.id,
            room.bearer(),
            range.start,
            bytes.len() - range.start,
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&bytes[range]).await.unwrap();
        Self(stream)
    }

    /// Sends what is left and reads the answer.
    async fn finish(mut self, rest: &[u8]) -> Answer {
        self.0.write_all(rest).await.unwrap();
        read_answer(&mut self.0).await.unwrap()
    }
}

impl Server {
    /// Waits until the relay has this much.
    async fn wait_for(&self, room: &Room, offset: u64) {
        while self.head(room).await.number("upload-offset") != offset {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until somebody writes this blob, or nobody does.
    async fn wait_until_written(&self, room: &Room, written: bool) {
        while self.blobs.inner.claims.take(room.name).is_none() != written {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_arrived_before_a_cut_is_kept_and_the_rest_follows() {
    let server = Server::start().await;
    let bytes = noise(9 << 20);
    let room = server.room(&bytes).await;
    // Cut within the first part, then beyond a part's border; each time all the rest was announced.
    for (from, to) in [(0, 100_001), (100_001, 8_700_000)] {
        drop(Sending::begin(&server, &room, &bytes, from..to).await);
        server.wait_for(&room, to as u64).await;
        server.wait_until_written(&room, false).await;
    }
    assert_eq!(server.get(&room, "").await.status, 404);
    let rest = &bytes[8_700_000..];
    assert_eq!(server.patch(&room, 8_700_000, rest).await.status, 204);
    assert!(server.get(&room, "").await.body == bytes);
    // 100,001 bytes; 8 MiB; what the second cut left; the rest.
    assert_eq!(server.rows("blob_part").await, 4);
}

#[tokio::test]
async fn who_leaves_after_the_last_byte_finds_the_blob_complete() {
    let server = Server::start().await;
    let bytes = noise(9 << 20);
    let room = server.room(&bytes).await;
    // Gone while the relay reads everything back.
    drop(Sending::begin(&server, &room, &bytes, 0..bytes.len()).await);
    server.wait_for(&room, bytes.len() as u64).await;
    server.wait_until_written(&room, false).await;
    let stands = server.head(&room).await;
    assert_eq!(stands.header("upload-complete"), Some("?1"));
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let server = Server::start().await;
    let bytes = noise(300_000);
    let room = server.room(&bytes).await;
    let (first, rest) = bytes.split_at(100_000);
    assert_eq!(server.patch(&room, 0, first).await.status, 204);

    let server = server.restart_with_reserve(0).await;
    assert_eq!(server.head(&room).await.number("upload-offset"), 100_000);
    assert_eq!(server.patch(&room, 100_000, rest).await.status, 204);

    let server = server.restart_with_reserve(0).await;
    assert!(server.get(&room, "").await.body == bytes);
}

#[tokio::test]
async fn a_part_that_a_crash_left_unrecorded_is_replaced() {
    let server = Server::start().await;
    let bytes = noise(300_000);
    let room = server.room(&bytes).await;
    let (first, rest) = bytes.split_at(100_000);
    assert_eq!(server.patch(&room, 0, first).await.status, 204);
    // The object is durable, the row is not.
    let (object, _) = server.files().pop().unwrap();
    std::fs::write(object.with_file_name("100000"), noise(250_000)).unwrap();

    let server = server.restart_with_reserve(0).await;
    assert_eq!(server.patch(&room, 100_000, rest).await.status, 204);
    assert!(server.get(&room, "").await.body == bytes);
}

#[tokio::test]
async fn an_upload_that_was_never_checked_is_checked_when_asked() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.blob(&bytes).await;
    // As if the relay had stopped between the last byte and the check.
    server.update(&room, "complete = 0").await;
    let stands = server.head(&room).await;
    assert_eq!(stands.number("upload-offset"), 1000);
    assert_eq!(stands.header("upload-complete"), Some("?0"));
    assert_eq!(server.get(&room, "").await.status, 404);
    let checked = server.patch(&room, 1000, b"").await;
    assert_eq!(checked.status, 204);
    assert_eq!(checked.header("upload-complete"), Some("?1"));
    assert!(server.get(&room, "").await.body == bytes);
}

#[tokio::test]
async fn of_two_writers_one_wins() {
    let server = Server::start().await;
    let bytes = noise(200_000);
    let room = server.room(&bytes).await;
    let sending = Sending::begin(&server, &room, &bytes, 0..50_000).await;
    server.wait_until_written(&room, true).await;
    let second = server.patch(&room, 0, &bytes).await;
    assert_eq!(second.status, 409);
    assert_eq!(second.code(), "BUSY");
    assert_eq!(server.delete(&room).await.status, 409);
    assert_eq!(sending.finish(&bytes[50_000..]).await.status, 204);
    assert!(server.get(&room, "").await.body == bytes);
}

#[tokio::test]
async fn many_writers_at_once_make_one_blob() {
    let server = Server::start().await;
    let bytes = noise(50_000);
    let room = server.room(&bytes).await;
    let tries = (0..4).map(|_| server.patch(&room, 0, &bytes));
    let answers = futures_util::future::join_all(tries).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    // The others met a claim, or came after the winner with an offset that was right before.
    assert_eq!(statuses[0], 204);
    assert!(statuses[1..].iter().all(|status| *status == 409));
    assert!(server.get(&room, "").await.body == bytes);
}

#[tokio::test]
async fn more_transfers_than_allowed_are_told_to_come_back() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let (complete, open) = (server.blob(&bytes).await, server.room(&bytes).await);
    let inner = &server.blobs.inner;
    let all = inner.downloads.acquire_many(4).await.unwrap();
    let refused = server.get(&complete, "").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.code(), "BUSY");
    assert!(refused.header("retry-after").is_some());
    drop(all);
    assert_eq!(server.get(&complete, "").await.status, 200);
    let all = inner.uploads.acquire_many(4).await.unwrap();
    assert_eq!(server.patch(&open, 0, &bytes).await.status, 503);
    drop(all);
    assert_eq!(server.patch(&open, 0, &bytes).await.status, 204);
    // Every place comes back.
    while inner.uploads.available_permits() + inner.downloads.available_permits() != 8 {
        tokio::task::yield_now().await;
    }
}
