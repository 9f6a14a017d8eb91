//! What is due goes, what is not stays.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use super::*;

/// A file that was last written so many days ago.
fn leave(path: &Path, days: u64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, b"left").unwrap();
    age(path, days);
}

fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(then).unwrap();
}

impl Server {
    async fn sweep(&self) -> Swept {
        self.blobs.sweep().await.unwrap()
    }

    /// As many sweeps as it takes to search every folder; what they deleted together.
    async fn sweep_all(&self) -> Swept {
        let mut all = Swept::default();
        for _ in 0..16 {
            let swept = self.sweep().await;
            all.due += swept.due;
            all.orphans += swept.orphans;
        }
        all
    }
}

#[tokio::test]
async fn what_is_due_is_gone_at_once_and_swept_later() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let (first, rest) = bytes.split_at(10);
    let (kept, expired) = (server.blob(&bytes).await, server.blob(&bytes).await);
    let (open, late) = (server.room(&bytes).await, server.room(&bytes).await);
    for room in [&open, &late] {
        assert_eq!(server.patch(room, 0, first).await.status, 204);
    }
    for room in [&expired, &late] {
        server.update(room, "due_ms = 1").await;
    }
    assert_eq!(server.get(&expired, "").await.status, 404);
    assert_eq!(server.delete(&expired).await.status, 404);
    assert_eq!(server.head(&late).await.status, 404);
    assert_eq!(server.patch(&late, 10, rest).await.status, 404);
    assert_eq!(server.files().len(), 4);

    assert_eq!(server.sweep().await.due, 2);
    assert_eq!(server.files().len(), 2);
    assert_eq!(server.rows("blob").await, 2);
    assert_eq!(server.rows("blob_part").await, 2);
    assert_eq!(server.sweep_all().await, Swept::default());
    assert!(server.get(&kept, "").await.body == bytes);
    assert_eq!(server.patch(&open, 10, rest).await.status, 204);
}

#[tokio::test]
async fn a_completed_blob_lives_longer_than_its_upload_might() {
    let server = Server::start().await;
    let bytes = noise(10);
    let room = server.room(&bytes).await;
    server.update(&room, "expires_ms = due_ms + 1000").await;
    assert_eq!(server.patch(&room, 0, &bytes).await.status, 204);
    let name = room.name;
    let due: Result<bool, BlobError> = server
        .store
        .read(move |connection| {
            let sql = "SELECT due_ms = expires_ms FROM blob WHERE name = ?1";
            Ok(connection.query_row(sql, [name.as_bytes()], |row| row.get(0))?)
        })
        .await;
    assert!(due.unwrap());
}

#[tokio::test]
async fn what_somebody_writes_is_left_to_the_next_sweep() {
    let server = Server::start().await;
    let room = server.room(&noise(1000)).await;
    server.update(&room, "due_ms = 1").await;
    let claim = server.blobs.inner.claims.take(room.name).unwrap();
    assert_eq!(server.sweep().await.due, 0);
    drop(claim);
    assert_eq!(server.sweep().await.due, 1);
    assert_eq!(server.rows("blob").await, 0);
}

#[tokio::test]
async fn more_than_one_slice_is_swept() {
    let server = Server::start().await;
    for _ in 0..130 {
        let room = server.room(&noise(10)).await;
        server.update(&room, "due_ms = 1").await;
    }
    assert_eq!(server.sweep().await.due, 130);
    assert_eq!(server.rows("blob").await, 0);
}

#[tokio::test]
async fn a_blob_that_cannot_be_deleted_keeps_its_row_and_holds_up_no_other() {
    let server = Server::start().await;
    let bytes = noise(10);
    let (stuck, other) = (server.blob(&bytes).await, server.blob(&bytes).await);
    for room in [&stuck, &other] {
        server.update(room, "due_ms = 1").await;
    }
    // A folder that leads back to itself cannot be listed to its end.
    let folder = server.folder.path().join("blobs").join(&stuck.hash()[..2]);
    let ring = folder.join(stuck.hash()).join("ring");
    std::os::unix::fs::symlink(".", &ring).unwrap();
    assert!(server.blobs.sweep().await.is_err());
    assert_eq!(server.rows("blob").await, 1);
    std::fs::remove_file(&ring).unwrap();
    assert_eq!(server.sweep().await.due, 1);
    assert_eq!(server.files(), []);
}

#[tokio::test]
async fn only_old_objects_of_ours_without_a_row_are_orphans() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let room = server.blob(&bytes).await;
    let (object, _) = server.files().pop().unwrap();
    age(&object, 2);
    let beside = |name: &str, days| {
        let path = object.with_file_name(name);
        leave(&path, days);
        path
    };
    let (old, young) = (beside("1000", 2), beside("2000", 0));
    let foreign = beside("notes.txt", 2);
    let (half_written, being_written) = (beside("3000#1", 2), beside("4000#1", 0));
    // An object whose blob is gone altogether.
    let name = Name::of(&[9; 32]);
    let blobs = server.folder.path().join("blobs");
    let alone = blobs.join(name.object(0).as_ref());
    leave(&alone, 2);

    // Nobody touches what somebody writes.
    let claims = &server.blobs.inner.claims;
    let held = (claims.take(room.name).unwrap(), claims.take(name).unwrap());
    assert_eq!(server.sweep_all().await, Swept::default());
    assert!(old.exists() && half_written.exists() && alone.exists());
    drop(held);

    assert_eq!(server.sweep_all().await.orphans, 2);
    assert!(!old.exists() && !half_written.exists());
    assert!(!alone.parent().unwrap().exists());
    assert!(young.exists() && foreign.exists() && being_written.exists());
    assert!(server.get(&room, "").await.body == bytes);
}
